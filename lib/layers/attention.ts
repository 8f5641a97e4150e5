import { tanh } from '../expressions/activations.js'
import { expandDims, permuteDimensions, squeeze } from '../expressions/arranging.js'
import { add } from '../expressions/elementwise.js'
import type { Expr } from '../expressions/expr.js'
import { batchDot } from '../expressions/products.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import type { Shape } from '../spec.js'
import { attentionWeights } from './base/attention-weights.js'
import { showShape } from './base/names.js'
import { oneOf } from './base/option-rules.js'
import { type DefinedClass, ownLayer } from './define-layer.js'

/** Options of {@link Attention}, beside those of every layer. */
export interface AttentionOptions extends Record<string, unknown> {
  /**
   * How well a query q [Dq] and a value k [D] fit. `'additive'`: `tanh(q·W + k·U)·v`, Bahdanau 2015
   * and Luong's `concat`; `'dot'`: `q·k`, with Dq = D; `'general'`: `q·W·k`, both Luong 2015.
   * Default `'additive'`.
   */
  score: 'additive' | 'dot' | 'general'
  /** A, the width of the sum in `'additive'`. Default `null`: D. */
  units: number | null
  /** What comes out: what is attended to, or how much each value counts. Default `'context'`. */
  returns: 'context' | 'weights'
}

/** Names of its weights. */
type Weight = 'W' | 'U' | 'v'

/**
 * Attention of queries to values: for each query the values, weighted by how well they fit.
 *
 * Called on a list, `[query, values]`: [B, S, Dq] and [B, T, D] → [B, S, D], or [B, S, T] with
 * `returns: 'weights'`; a single query [B, Dq] gives [B, D], or [B, T]. Masked values count nothing
 * (zeros come out where all of a sample's are masked). The mask of the queries goes on. Weights: of
 * `'additive'` W [Dq, A], U [D, A], v [A]; of `'general'` W [Dq, D]; of `'dot'` none.
 * @param options those of every layer, and those above; `WRegularizer` and the like
 * @throws ConfigError `ERR_OPTION` for bad options and anything but two inputs; ShapeError
 *   `ERR_SHAPE` for inputs that do not fit
 * @example
 * import { Attention, Dense, GRU, Input, merge, Model } from 'hiddenstate'
 * const [source, target] = [Input({ shape: [null, 3] }), Input({ shape: [null, 2] })]
 * const values = new GRU(8, { returnSequences: true }).call(source)
 * const query = new GRU(8, { returnSequences: true }).call(target)
 * const context = new Attention({ score: 'dot' }).call([query, values])
 * const y = new Dense(4).call(merge([query, context], { mode: 'concat' }))
 * console.log(new Model({ input: [source, target], output: y }).outputShape) // [ null, null, 4 ]
 * @see Bahdanau, Cho, Bengio 2015 (arXiv:1409.0473), section 3.1 and A.1.2; Luong, Pham, Manning
 *   2015 (arXiv:1508.04025), eq. 7–8
 */
export const Attention: DefinedClass<AttentionOptions, Weight> = ownLayer('Attention', {
  options: { score: 'additive', units: null, returns: 'context' } as AttentionOptions,
  weights: {
    W: {
      shape({ inputShapes, score, units }) {
        const [query, values] = requirePair(inputShapes, score)
        if (score === 'dot') return null
        return [query.at(-1), score === 'general' ? values.at(-1) : (units ?? values.at(-1))]
      },
    },
    U: {
      shape({ inputShapes: [, values], score, units }) {
        return score === 'additive' ? [values?.at(-1), units ?? values?.at(-1)] : null
      },
    },
    v: {
      shape({ inputShapes: [, values], score, units }) {
        return score === 'additive' ? [units ?? values?.at(-1)] : null
      },
      init: 'glorot_uniform',
    },
  },
  steps: 'each',
  call({ inputs: [given, values], masks, options, ...weights }) {
    oneOf('Attention', 'score', ['additive', 'dot', 'general'], options.score)
    oneOf('Attention', 'returns', ['context', 'weights'], options.returns)
    const isOne = given!.ndim === 2
    const query = isOne ? expandDims(given!, 1) : given! // [B, S, Dq]
    const keys = permuteDimensions(values!, [0, 2, 1]) // [B, D, T]
    const scores = (): Expr => {
      const { W, U, v } = weights
      if (options.score === 'dot') return batchDot(query, keys)
      if (options.score === 'general') return batchDot(query.dot(W), keys)
      // [B, S, 1, A] + [B, 1, T, A]
      const sums = add(expandDims(query.dot(W), 2), expandDims(values!.dot(U), 1))
      return tanh(sums).dot(v) // [B, S, T]
    }
    const mask = permuteDimensions(masks[1]!, [0, 2, 1]) // [B, 1, T]
    const shares = attentionWeights(scores(), mask) // [B, S, T]
    const y = options.returns === 'weights' ? shares : batchDot(shares, values!)
    return isOne ? squeeze(y, 1) : y
  },
})

/** @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE */
function requirePair(shapes: readonly Shape[], score: string): readonly [Shape, Shape] {
  const [query, values] = shapes
  if (shapes.length !== 2)
    fail(ConfigError, 'ERR_OPTION', {
      where: 'Attention',
      what: 'inputs',
      expected: 'two tensors: [query, values]',
      actual: `${shapes.length}`,
    })
  const isQuery = query!.length === 2 || query!.length === 3
  const isAlike = score !== 'dot' || query!.at(-1) === values!.at(-1)
  if (!isQuery || values!.length !== 3 || !isAlike)
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'Attention',
      what: 'inputs',
      expected: `[B, S, Dq] or [B, Dq], and [B, T, D]${score === 'dot' ? ' with D = Dq' : ''}`,
      actual: shapes.map(showShape).join(' and '),
      hint:
        values!.length === 2 ? 'Does the layer before it need returnSequences: true?' : undefined,
    })
  return [query!, values!]
}
