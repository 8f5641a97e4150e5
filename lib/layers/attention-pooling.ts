import { tanh } from '../expressions/activations.js'
import { squeeze } from '../expressions/arranging.js'
import { add } from '../expressions/elementwise.js'
import { batchDot } from '../expressions/products.js'
import { fail, ShapeError } from '../errors.js'
import { attentionWeights } from './base/attention-weights.js'
import { showShape } from './base/names.js'
import { oneOf } from './base/option-rules.js'
import { type DefinedClass, ownLayer } from './define-layer.js'

/** Options of {@link AttentionPooling}, beside those of every layer. */
export interface AttentionPoolingOptions extends Record<string, unknown> {
  /** A, the width in which steps are judged. Default `null`: D. */
  units: number | null
  /** What comes out: the mean, or how much each step counts. Default `'context'`. */
  returns: 'context' | 'weights'
}

/**
 * The mean of the steps of a sequence, weighted by what the layer learns to look for: by the
 * softmax over the steps of `tanh(x·W + b)·v`.
 *
 * [B, T, D] → [B, D], or [B, T] with `returns: 'weights'`. Masked steps count nothing; the mask
 * ends here. Weights: W [D, A], b [A], v [A].
 * @param options those of every layer, and those above; `WRegularizer` and the like
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for inputs other than
 *   [B, T, D]
 * @example
 * import { AttentionPooling, Dense, LSTM, Sequential } from 'hiddenstate'
 * const model = new Sequential([
 *   new LSTM(8, { inputShape: [20, 3], returnSequences: true }),
 *   new AttentionPooling(),
 *   new Dense(2, { activation: 'softmax' }),
 * ])
 * console.log(model.outputShape) // [ null, 2 ]
 * @see Yang et al. 2016, "Hierarchical attention networks for document classification", eq. 5–7;
 *   Raffel, Ellis 2015 (arXiv:1512.08756)
 */
export const AttentionPooling: DefinedClass<AttentionPoolingOptions, 'W' | 'b' | 'v'> = ownLayer(
  'AttentionPooling',
  {
    options: { units: null, returns: 'context' } as AttentionPoolingOptions,
    mask: 'none',
    weights: {
      W: {
        shape({ inputShape, units }) {
          if (inputShape.length !== 3)
            fail(ShapeError, 'ERR_SHAPE', {
              where: 'AttentionPooling',
              what: 'input',
              expected: '[B, T, D]',
              actual: showShape(inputShape),
              hint: 'Does the layer before it need returnSequences: true?',
            })
          return [inputShape.at(-1), units ?? inputShape.at(-1)]
        },
      },
      b: { shape: ({ inputShape, units }) => [units ?? inputShape.at(-1)] },
      v: { shape: ({ inputShape, units }) => [units ?? inputShape.at(-1)], init: 'glorot_uniform' },
    },
    call({ x, masks, W, b, v, options }) {
      oneOf('AttentionPooling', 'returns', ['context', 'weights'], options.returns)
      const scores = tanh(add(x.dot(W), b)).dot(v) // [B, T]
      const shares = attentionWeights(scores, squeeze(masks[0]!, 2)) // [B, T]
      if (options.returns === 'weights') return shares
      return batchDot(shares, x, [1, 1])
    },
  },
)
