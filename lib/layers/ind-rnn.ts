import { relu } from '../expressions/activations.js'
import { add, mul } from '../expressions/elementwise.js'
import { initialize, uniform } from '../initializations.js'
import { type CellClass, ownCell } from './define-cell.js'

const fromZeroToOne = (shape: readonly number[]) =>
  initialize(uniform({ scale: 0.5 }), shape).map((number) => number + 0.5)

/**
 * Recurrent layer whose units do not see each other: `h' = relu(x·W + u∘h + b)`. Layers of it are
 * stacked, so that units meet between them.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: W [D, H], u
 * [H], b [H]; u is drawn from [0, 1]. Beyond |u| = 2^(1/T) states of T steps may grow without end.
 * There is no product with the states, so `dropoutU` is refused.
 * @param outputDim H, the number of units
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when added after a layer
 *   whose output is not [B, T, D]
 * @example
 * import { IndRNN, Sequential } from 'hiddenstate'
 * const model = new Sequential([
 *   new IndRNN(8, { inputShape: [200, 2], returnSequences: true }),
 *   new IndRNN(8),
 * ])
 * console.log(model.outputShape) // [ null, 8 ]
 * @see Li, Li, Cook, Zhu, Gao 2018 (arXiv:1803.04831), eq. 4
 */
export const IndRNN: CellClass = ownCell('IndRNN', {
  weights: { W: ['D', 'H'], u: { shape: ['H'], init: fromZeroToOne }, b: ['H'] },
  states: { h: {} },
  step: ({ x, h, W, u, b }) => ({ h: relu(add(x.dot(W), mul(u, h), b)) }),
})
