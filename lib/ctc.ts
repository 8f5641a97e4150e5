/** The loss 'ctc' as an option of `compile`; the mathematics is native (device/cpu/ctc). */
import { ConfigError, fail, ShapeError } from './errors.js'
import { describe, shapeText } from './ndarray.js'
import { resolveOptions } from './options.js'
import type { CtcSpec, Shape } from './spec.js'

/** Options of {@link ctc}. */
export interface CtcOptions {
  /** The class that is the blank. Default `null`: the last, as in Keras and TensorFlow. */
  blank?: number | null
  /**
   * Samples whose label needs more frames than there are, or that the net holds for impossible:
   * true gives them loss 0 and gradient 0; false, the default, is an error that names the sample.
   */
  zeroInfinity?: boolean
}

/** The loss 'ctc' with options; made by {@link ctc}. */
export class CtcLoss {
  /** null: the last class. */
  readonly blank: number | null
  readonly zeroInfinity: boolean

  /** @internal */
  constructor(options: { blank: number | null; zeroInfinity: boolean }) {
    this.blank = options.blank
    this.zeroInfinity = options.zeroInfinity
  }

  /**
   * @internal As a Spec carries it.
   * @param output with the batch
   * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION
   */
  spec(output: Shape, where: string): CtcSpec {
    const K = output.length === 3 ? output[2] : null
    if (typeof K !== 'number' || K < 2)
      fail(ShapeError, 'ERR_SHAPE', {
        where,
        what: 'output',
        expected: '[B, T, K], the shares of K - 1 labels and the blank at each frame',
        actual: shapeText(output),
        hint: 'A recurrent layer before it needs returnSequences: true.',
      })
    const { blank, zeroInfinity } = this
    if (blank !== null && blank >= (K as number))
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'blank',
        expected: `a class of the output, 0 to ${(K as number) - 1}`,
        actual: String(blank),
      })
    return { name: 'ctc', blank: blank ?? (K as number) - 1, zeroInfinity }
  }
}

/**
 * Connectionist temporal classification: the loss for sequences of labels that nobody has aligned
 * with the frames, as transcripts of speech. It is −log of the probability of the label, summed
 * over all paths of one class a frame that become the label when repeats are merged and blanks left
 * out.
 *
 * The output is [B, T, K], softmax over K − 1 labels and the blank. Targets are [N, L] integers,
 * padded with −1 at the end, or a list of N lists of any length. Frames that a mask leaves out are
 * not there. The loss is the sum over the frames of a sample (natural logarithm), averaged over the
 * samples. The string `'ctc'` is `ctc()`.
 *
 * It is computed from what the softmax gets, so it has a value and a gradient where probabilities
 * would be too small for a number.
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * import { Bidirectional, ctc, Dense, LSTM, Sequential, TimeDistributed } from 'hiddenstate'
 * const model = new Sequential([
 *   new Bidirectional(new LSTM(8, { returnSequences: true }), { inputShape: [20, 4] }),
 *   new TimeDistributed(new Dense(4, { activation: 'softmax' })), // 3 labels, and the blank: 3
 * ])
 * model.compile({ optimizer: 'adam', loss: ctc(), metrics: ['label_error_rate'] })
 * const frames = Array.from({ length: 20 }, (_, t) => [t / 20, 0, 0, 1])
 * await model.trainOnBatch([frames, frames], [[0, 1, 1], [2]])
 * @see Graves, Fernández, Gomez, Schmidhuber 2006, ICML; keras.backend.ctc_batch_cost
 */
export function ctc(options: CtcOptions = {}): CtcLoss {
  const { blank, zeroInfinity } = resolveOptions(
    'ctc',
    { blank: null as number | null, zeroInfinity: false },
    options,
  )
  const refuse = (what: string, expected: string, value: unknown) =>
    fail(ConfigError, 'ERR_OPTION', { where: 'ctc', what, expected, actual: describe(value) })
  if (blank !== null && !(Number.isSafeInteger(blank) && blank >= 0))
    refuse('blank', 'a class, an integer from 0, or null for the last', blank)
  if (typeof zeroInfinity !== 'boolean') refuse('zeroInfinity', 'true or false', zeroInfinity)
  return new CtcLoss({ blank, zeroInfinity })
}

/** The loss if it is 'ctc' in one of its forms; else null. */
export const ctcLoss = (value: unknown): CtcLoss | null =>
  value === 'ctc' ? ctc() : value instanceof CtcLoss ? value : null

/**
 * A loss from the training configuration of a file.
 * @param given what stands there beside the name, if anything
 * @throws ConfigError `ERR_OPTION`
 */
export function lossFromConfig(name: unknown, given: unknown): unknown {
  if (given === null || given === undefined) return name
  if (name !== 'ctc')
    fail(ConfigError, 'ERR_OPTION', {
      where: 'loss',
      what: 'arguments',
      expected: `none for ${describe(name)}`,
      actual: describe(given),
    })
  return ctc(given)
}
