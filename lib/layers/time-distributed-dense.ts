import { Dense, type DenseOptions } from './dense.js'
import type { Shape } from '../spec.js'
import type { Resolved } from './base/option-rules.js'

/** Options of {@link TimeDistributedDense}. */
export interface TimeDistributedDenseOptions extends DenseOptions {
  /** T, for a first layer with `inputDim`. Default `null`: any. */
  inputLength?: number | null
}

/**
 * {@link Dense} on every step: [B, T, D] → [B, T, K]. Passes masks on. Weights: W [D, K], b [K].
 * @param outputDim K, the number of units
 * @deprecated in Keras 1.2.2 already, in favour of `new TimeDistributed(new Dense(K))`
 * @example
 * const model = new Sequential([new TimeDistributedDense(4, { inputShape: [5, 3] })])
 * model.outputShape // [null, 5, 4]
 * @see keras.layers.TimeDistributedDense
 */
export class TimeDistributedDense extends Dense {
  static override readonly className = 'TimeDistributedDense'
  static override readonly defaults = { ...Dense.defaults, inputLength: null }
  declare readonly options: Resolved<TimeDistributedDenseOptions & { outputDim: number }>
  override readonly supportsMasking = true
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(outputDim: number, options?: TimeDistributedDenseOptions) {
    super(outputDim, options)
  }

  protected override impliedInputShape(): Shape | null {
    const { inputDim, inputLength } = this.options
    return inputDim === null ? null : [null, inputLength, inputDim]
  }

  /** Unlike Dense, it keeps `input_dim` as given. */
  protected override savedOptions(): Record<string, unknown> {
    return { ...super.savedOptions(), inputDim: this.options.inputDim }
  }
}
