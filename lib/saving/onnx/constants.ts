/**
 * Constants that are made of others when the weights are read: PyTorch's newer exporter cuts
 * weights into gates and joins these in ONNX' order.
 */
import { exceeds } from '../../limits.js'
import type { Floats } from '../../native.js'
import { sizeOf } from '../../ndarray.js'
import { type Layers, refuse } from './layers.js'
import type { Constant, Node } from './model.js'
import { MAX_SIZES } from './values.js'

/** Most times that the numbers of one constant are put in another order. */
const MOST_MOVES = 4

/** A constant of others' numbers. @throws FormatError ERR_FILE_FORMAT, ERR_LIMIT */
export function moved(
  node: Node,
  from: readonly Constant[],
  shape: readonly number[],
  read: () => Floats,
): Constant {
  const before = from.reduce((most, { moves = 0 }) => Math.max(most, moves), 0)
  const moves = sizeOf(shape) > MAX_SIZES ? before + 1 : before // extents are moved more often
  if (moves > MOST_MOVES) refuse(node, 'constant', `moved ${MOST_MOVES} times at most`, 'more')
  return { kind: 'constant', shape, read, moves }
}

/** Numbers before an axis, and from one place of it to the next. */
const around = (shape: readonly number[], axis: number): [before: number, step: number] => [
  sizeOf(shape.slice(0, axis)),
  sizeOf(shape.slice(axis + 1)),
]

/** Constants one after the other along an axis; null where their other axes differ. */
export function joined(
  layers: Layers,
  node: Node,
  parts: readonly Constant[],
  axis: number,
): Constant | null {
  const [{ shape: first }] = parts as [Constant]
  const isSame = parts.every(
    ({ shape }) =>
      shape.length === first.length && shape.every((size, i) => i === axis || size === first[i]),
  )
  if (!isSame) return null
  const length = parts.reduce((sum, { shape }) => sum + shape[axis]!, 0)
  const shape = first.map((size, i) => (i === axis ? length : size))
  const { graph, limits } = layers
  const bytes = 4 * sizeOf(shape)
  if (bytes > limits.parameterBytes)
    exceeds(graph.path, 'parameterBytes', limits.parameterBytes, bytes)
  const [before, step] = around(shape, axis)
  const read = () => {
    const numbers = parts.map((part) => part.read())
    const all = new Float64Array(sizeOf(shape))
    let at = 0
    for (let row = 0; row < before; row++)
      for (const [k, part] of parts.entries()) {
        const size = part.shape[axis]! * step
        all.set(numbers[k]!.subarray(row * size, (row + 1) * size), at)
        at += size
      }
    return all
  }
  return moved(node, parts, shape, read)
}

/** The places `start` to `end` of an axis of a constant. */
export function cut(
  node: Node,
  from: Constant,
  axis: number,
  start: number,
  end: number,
): Constant {
  const [before, step] = around(from.shape, axis)
  const [own, size] = [from.shape[axis]! * step, (end - start) * step]
  const read = () => {
    const numbers = from.read()
    const all = new Float64Array(before * size)
    for (let row = 0; row < before; row++)
      all.set(numbers.subarray(row * own + start * step, row * own + end * step), row * size)
    return all
  }
  const shape = from.shape.map((extent, i) => (i === axis ? end - start : extent))
  return moved(node, [from], shape, read)
}
