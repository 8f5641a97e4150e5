/** Non-finite losses: recorded as Keras does, told once. */
import { StateError } from './errors.js'
import type { RunResult } from './native.js'
import type { Sequential } from './sequential.js'
import { inputNumber } from './spec.js'

const watches = new WeakMap<object, NanWatch>()

/** Tells of batches whose loss or gradient was not finite; such batches changed nothing. */
export class NanWatch {
  #hasWarned = false

  /** @param onNaN 'warn': one process warning with code HIDDENSTATE_NAN; 'throw': an error */
  constructor(
    readonly model: Sequential,
    readonly onNaN: 'warn' | 'throw' = 'warn',
  ) {}

  /** The watch of `trainOnBatch`: one warning per model. */
  static ofModel(model: Sequential): NanWatch {
    let watch = watches.get(model)
    if (!watch) watches.set(model, (watch = new NanWatch(model)))
    return watch
  }

  /**
   * Looks at what a chunk has met.
   *
   * @param epoch from 0; null outside of epochs
   * @param firstBatch number of the chunk's first batch, from 0
   * @throws StateError ERR_NAN with onNaN 'throw'
   */
  check(result: RunResult, where: string, epoch: number | null, firstBatch: number): void {
    if (result.badBatch < 0 || (this.#hasWarned && this.onNaN === 'warn')) return
    const place = epoch === null ? '' : ` in epoch ${epoch}, batch ${firstBatch + result.badBatch} (counted from 0)`
    const layer = this.#nameOf(result.badLayer)
    const message =
      `${where}: loss and gradients must be finite, got a number that is not${place}; the first such values are those of ${layer}. ` +
      'The batch did not change the weights. Look for NaN in the data, lower the learning rate, or set clipnorm.'
    if (this.onNaN === 'throw')
      throw new StateError('ERR_NAN', message, { layer, expected: 'finite numbers', actual: 'NaN or infinity' })
    this.#hasWarned = true
    process.emitWarning(message, { type: 'HiddenstateWarning', code: 'HIDDENSTATE_NAN' })
  }
  /** What has the first values that are not finite. */
  #nameOf(badLayer: string): string {
    if (badLayer === '') return 'the loss'
    const slot = this.model.inputSlots()[inputNumber(badLayer)]
    return slot ? `the data, the input of ${slot.where}` : (this.model.whereOf(badLayer) ?? badLayer)
  }
}
