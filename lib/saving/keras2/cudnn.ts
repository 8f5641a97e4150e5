/**
 * Weights of CuDNNLSTM and CuDNNGRU of Keras 2, as an LSTM and a GRU with `resetAfter` have them.
 * Two biases lie one after the other, each gate's kernel lies [H, D] under the shape [D, H], and
 * its recurrent kernel the other way round. Only the length of the bias shows that an array is of
 * cuDNN. Keras 2.1.5 keras/engine/topology.py, preprocess_weights_for_loading.
 */
import type { Floats } from '../../native.js'

/** Whether three arrays are of cuDNN: [D, G*H], [H, G*H], and a bias of 2*G*H numbers in a row. */
export function isCudnn(shapes: readonly (readonly number[] | undefined)[]): boolean {
  const [kernel, recurrent, bias] = shapes
  const [units = 0, width = 0] = recurrent ?? []
  const hasGates = width === 3 * units || width === 4 * units // GRU or LSTM
  return (
    hasGates &&
    kernel?.length === 2 &&
    kernel[1] === width &&
    bias?.length === 1 &&
    bias[0] === 2 * width
  )
}

/**
 * Gate by gate, the numbers of [rows, G*H] in a row as [columns, rows]; `at` says which of a gate's
 * is at (row, column).
 */
function byGate(
  from: Floats,
  rows: number,
  units: number,
  at: (row: number, column: number) => number,
): Floats {
  const out = from.slice() // [rows, G*H]
  const width = from.length / rows
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < width; k++) {
      const [gate, column] = [Math.floor(k / units), k % units]
      const place = at(row, column) // in the gate's own [rows, H]
      const [r, c] = [Math.floor(place / units), place % units]
      out[row * width + k] = from[r * width + gate * units + c] as number
    }
  }
  return out
}

/**
 * @param kernel [D, G*H]
 * @param recurrent [H, G*H]
 * @param bias [2*G*H]
 * @param biases how many the layer here has: 1, their sum, or 2
 */
export function fromCudnn(
  [kernel, recurrent, bias]: readonly [Floats, Floats, Floats],
  units: number,
  biases: 1 | 2,
): [Floats, Floats, Floats] {
  const width = bias.length / 2
  const inputs = kernel.length / width
  const sum = bias.slice(0, width).map((value, k) => value + (bias[width + k] as number)) as Floats
  return [
    byGate(kernel, inputs, units, (d, h) => h * inputs + d),
    byGate(recurrent, units, units, (row, column) => column * units + row),
    biases === 2 ? bias : sum,
  ]
}
