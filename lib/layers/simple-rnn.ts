import { Recurrent, type StepOfGates } from './base/recurrent.js'
import type { RecurrentOptions } from './base/recurrent-options.js'

/** Options of {@link SimpleRNN}. */
export type SimpleRNNOptions = RecurrentOptions

/**
 * Fully connected recurrent layer: `h' = activation(x·W + b + h·U)`.
 *
 * [B, T, D] → [B, H], or [B, T, H] with `returnSequences`. Supports masks. Weights: W [D, H], U [H,
 * H], b [H].
 * @param outputDim H, the number of units
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` when
 *   added after a layer whose output is not [B, T, D]
 * @example
 * const model = new Sequential([new SimpleRNN(8, { inputShape: [10, 3] })])
 * model.outputShape // [null, 8]
 * @see keras.layers.SimpleRNN. Unlike there, `dropoutW` acts in every `consumeLess` mode.
 */
export class SimpleRNN extends Recurrent<SimpleRNNOptions> {
  static override readonly className = 'SimpleRNN'
  protected readonly cell = 'simple_rnn'
  protected readonly gates = ['h']
  protected readonly kerasGates = [['h', 'h']] as const

  protected step({ states, activate, input, recurrent }: StepOfGates) {
    return { h: activate(input('h').add(recurrent(states.h!, 'h')), this.options.activation) }
  }
}
