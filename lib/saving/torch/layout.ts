/** How PyTorch lays out what we have: gates in another order, matrices the other way round. */
import type { Layer } from '../../layers/base/layer.js'
import type { Floats } from '../../native.js'

/**
 * Classes of recurrent layers, and the place of each gate of PyTorch among ours (r z n there, z r h
 * here). Each is its own inverse.
 */
export const GATES: Readonly<Record<string, readonly number[]>> = {
  SimpleRNN: [0],
  GRU: [1, 0, 2],
  LSTM: [0, 1, 2, 3],
}

/** Rows of a matrix, or numbers of a row, in blocks of H that change places. [G*H, …] */
export function reordered(numbers: Floats, order: readonly number[]): Floats {
  const block = numbers.length / order.length
  const out = numbers.slice() as Floats
  for (const [to, from] of order.entries())
    out.set(numbers.subarray(from * block, (from + 1) * block), to * block)
  return out
}

/** [rows, columns] → [columns, rows] */
export function transposed(numbers: Floats, [rows, columns]: readonly [number, number]): Floats {
  const out = numbers.slice() as Floats
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) out[c * rows + r] = numbers[r * columns + c]!
  return out
}

/** The name of a layer's module: its own, or that of the layer that it wraps. */
export const ownName = ({ layerClass, children, options, name }: Layer): string => {
  if (layerClass.className === 'Bidirectional')
    return (options as unknown as { layer: Layer }).layer.name
  return layerClass.className === 'TimeDistributed' ? children[0]!.name : name
}
