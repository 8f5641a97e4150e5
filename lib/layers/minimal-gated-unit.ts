import { sigmoid, tanh } from '../expressions/activations.js'
import { add, mul, sub } from '../expressions/elementwise.js'
import { type CellClass, ownCell } from './define-cell.js'

/**
 * A GRU whose two gates are one: `f = σ(x·Wf + h·Uf + bf)`, `g = tanh(x·W + (f∘h)·U + b)`, `h' = (1
 * - f)∘h + f∘g`.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: Wf W [D, H], Uf
 * U [H, H], bf b [H].
 * @param outputDim H, the number of units
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when added after a layer
 *   whose output is not [B, T, D]
 * @example
 * import { MinimalGatedUnit, Sequential } from 'hiddenstate'
 * const model = new Sequential([new MinimalGatedUnit(8, { inputShape: [20, 2] })])
 * console.log(model.outputShape) // [ null, 8 ]
 * @see Zhou, Wu, Zhang, Zhou 2016 (arXiv:1603.09420), eq. 5
 */
export const MinimalGatedUnit: CellClass = ownCell('MinimalGatedUnit', {
  weights: {
    ...{ Wf: ['D', 'H'], W: ['D', 'H'] },
    ...{ Uf: ['H', 'H'], U: ['H', 'H'] },
    ...{ bf: ['H'], b: ['H'] },
  },
  states: { h: {} },
  step({ x, h, Wf, W, Uf, U, bf, b }) {
    const f = sigmoid(add(x.dot(Wf), h.dot(Uf), bf))
    const g = tanh(add(x.dot(W), mul(f, h).dot(U), b))
    return { h: add(mul(sub(1, f), h), mul(f, g)) }
  },
})
