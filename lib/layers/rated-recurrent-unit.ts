import { relu, sigmoid } from '../expressions/activations.js'
import { add, mul, sub } from '../expressions/elementwise.js'
import { type CellClass, ownCell } from './define-cell.js'

/**
 * Recurrent unit with one gate, the rate at which it takes up what is new: `g = relu(x·W + h·U +
 * b)`, `z = σ(x·Wz + h·Uz + bz)`, `h' = (1 - z)∘h + z∘g`.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: W Wz [D, H], U
 * Uz [H, H], b bz [H].
 * @param outputDim H, the number of units
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when added after a layer
 *   whose output is not [B, T, D]
 * @example
 * import { RatedRecurrentUnit, Sequential } from 'hiddenstate'
 * const model = new Sequential([new RatedRecurrentUnit(8, { inputShape: [20, 2] })])
 * console.log(model.outputShape) // [ null, 8 ]
 * @see the update of a GRU (Cho et al. 2014, arXiv:1406.1078, eq. 7) without its reset gate
 */
export const RatedRecurrentUnit: CellClass = ownCell('RatedRecurrentUnit', {
  weights: {
    ...{ W: ['D', 'H'], Wz: ['D', 'H'] },
    ...{ U: ['H', 'H'], Uz: ['H', 'H'] },
    ...{ b: ['H'], bz: ['H'] },
  },
  states: { h: {} },
  step({ x, h, W, Wz, U, Uz, b, bz }) {
    const g = relu(add(x.dot(W), h.dot(U), b))
    const z = sigmoid(add(x.dot(Wz), h.dot(Uz), bz))
    return { h: add(mul(sub(1, z), h), mul(z, g)) }
  },
})
