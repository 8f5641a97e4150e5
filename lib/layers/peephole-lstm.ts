import { sigmoid, tanh } from '../expressions/activations.js'
import { add, mul } from '../expressions/elementwise.js'
import type { Expr } from '../expressions/expr.js'
import { oneOf } from './base/option-rules.js'
import { type CellClass, ownCell } from './define-cell.js'

/** Options of {@link PeepholeLSTM}, beside those of every cell. */
export interface PeepholeOptions {
  /** `'vector'`: each gate sees its own cell; `'matrix'`: all cells. Default `'vector'`. */
  peepholes: 'vector' | 'matrix'
}

/**
 * LSTM whose gates see the cell: `i, f = σ(x·W + h·U + p∘c + b)`, `c' = f∘c + i∘tanh(x·Wg + h·Ug +
 * bg)`, `o = σ(x·Wo + h·Uo + po∘c' + bo)`, `h' = o∘tanh(c')`; with `peepholes: 'matrix'` `c·P`
 * instead of `p∘c`.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: Wi Wf Wg Wo [D,
 * H], Ui Uf Ug Uo [H, H], pi pf po [H] or [H, H], bi bf bg bo [H]; bf is one at first.
 * @param outputDim H, the number of units
 * @param options those of every cell, and `peepholes`
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when added after a layer
 *   whose output is not [B, T, D]
 * @example
 * import { PeepholeLSTM, Sequential } from 'hiddenstate'
 * const model = new Sequential([new PeepholeLSTM(8, { inputShape: [20, 2] })])
 * console.log(model.outputShape) // [ null, 8 ]
 * @see Gers, Schmidhuber 2000, "Recurrent nets that time and count"; Gers, Schraudolph, Schmidhuber
 *   2002, "Learning precise timing with LSTM recurrent networks", eq. 1–7
 */
export const PeepholeLSTM: CellClass<PeepholeOptions> = ownCell('PeepholeLSTM', {
  options: { peepholes: 'vector' } as PeepholeOptions,
  weights({ peepholes }) {
    oneOf('PeepholeLSTM', 'peepholes', ['vector', 'matrix'], peepholes)
    const p = peepholes === 'vector' ? (['H'] as const) : (['H', 'H'] as const)
    return {
      ...{ Wi: ['D', 'H'], Wf: ['D', 'H'], Wg: ['D', 'H'], Wo: ['D', 'H'] },
      ...{ Ui: ['H', 'H'], Uf: ['H', 'H'], Ug: ['H', 'H'], Uo: ['H', 'H'] },
      ...{ pi: p, pf: p, po: p },
      ...{ bi: ['H'], bf: { shape: ['H'], init: 'one' }, bg: ['H'], bo: ['H'] },
    }
  },
  states: { h: {}, c: {} },
  step({ x, h, c, ...w }, { peepholes }) {
    const see = (cell: Expr, p: Expr) => (peepholes === 'vector' ? mul(p, cell) : cell.dot(p))
    const i = sigmoid(add(x.dot(w.Wi), h.dot(w.Ui), see(c, w.pi), w.bi))
    const f = sigmoid(add(x.dot(w.Wf), h.dot(w.Uf), see(c, w.pf), w.bf))
    const g = tanh(add(x.dot(w.Wg), h.dot(w.Ug), w.bg))
    const next = add(mul(f, c), mul(i, g))
    const o = sigmoid(add(x.dot(w.Wo), h.dot(w.Uo), see(next, w.po), w.bo))
    return { h: mul(o, tanh(next)), c: next }
  },
})
