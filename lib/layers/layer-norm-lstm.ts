import { sigmoid, tanh } from '../expressions/activations.js'
import { slice } from '../expressions/arranging.js'
import { add, div, mul, sqrt, sub } from '../expressions/elementwise.js'
import type { Expr } from '../expressions/expr.js'
import { mean, variance } from '../expressions/reductions.js'
import { type CellClass, ownCell } from './define-cell.js'

/** Options of {@link LayerNormLSTM}, beside those of every cell. */
export interface LayerNormOptions {
  /** Added to variances. Default 1e-5. */
  epsilon: number
}

/** (z - μ) / √(σ² + ε) of each row. */
function normalized(z: Expr, epsilon: number): Expr {
  const centred = sub(z, mean(z, -1, true))
  return div(centred, sqrt(add(variance(z, -1, true), epsilon)))
}

/**
 * LSTM with layer normalisation: `i, f, g, o = LN(x·W)∘gx + LN(h·U)∘gh + b`, the four gates of a
 * product normalised together; `c' = σ(f)∘c + σ(i)∘tanh(g)`, `h' = σ(o)∘tanh(LN(c')∘gc + bc)`, with
 * `LN(z) = (z - mean(z)) / √(variance(z) + epsilon)` over a row.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: W [D, 4H], U
 * [H, 4H], gx gh [4H], b [4H], in the order i f g o; gc [H], bc [H]. Gains are one at first, biases
 * zero but for those of f, which are one.
 * @param outputDim H, the number of units
 * @param options those of every cell, and `epsilon`
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when added after a layer
 *   whose output is not [B, T, D]
 * @example
 * import { LayerNormLSTM, Sequential } from 'hiddenstate'
 * const model = new Sequential([new LayerNormLSTM(8, { inputShape: [20, 2] })])
 * console.log(model.outputShape) // [ null, 8 ]
 * @see Ba, Kiros, Hinton 2016 (arXiv:1607.06450), eq. 20–22; its two biases inside LN and b are one
 */
export const LayerNormLSTM: CellClass<LayerNormOptions> = ownCell('LayerNormLSTM', {
  options: { epsilon: 1e-5 } as LayerNormOptions,
  weights: {
    W: ['D', '4H'],
    U: ['H', '4H'],
    gx: { shape: ['4H'], init: 'one' },
    gh: { shape: ['4H'], init: 'one' },
    b: { shape: ['4H'], init: ([size = 0]) => oneForForgetGate(size) },
    gc: { shape: ['H'], init: 'one' },
    bc: ['H'],
  },
  states: { h: {}, c: {} },
  step({ x, h, c, W, U, gx, gh, b, gc, bc }, { epsilon }) {
    const LN = (z: Expr) => normalized(z, epsilon)
    const gates = add(mul(LN(x.dot(W)), gx), mul(LN(h.dot(U)), gh), b)
    const H = c.shape[1] as number
    const gate = (k: number) => slice(gates, k * H, (k + 1) * H)
    const next = add(mul(sigmoid(gate(1)), c), mul(sigmoid(gate(0)), tanh(gate(2))))
    const seen = add(mul(LN(next), gc), bc)
    return { h: mul(sigmoid(gate(3)), tanh(seen)), c: next }
  },
})

/** Of b [4H], the second quarter. */
function oneForForgetGate(size: number): Float64Array {
  return new Float64Array(size).fill(1, size / 4, size / 2)
}
