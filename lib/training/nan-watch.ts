/**
 * Non-finite losses: recorded as Keras does, and reported once,
 * with the cause where it can be found.
 */
import { StateError } from '../errors.js'
import type { RunResult } from '../native.js'
import type { Model } from '../model/model.js'
import { inputNumber } from '../spec.js'

const watches = new WeakMap<object, NanWatch>()

/** Where a batch is, for messages. */
export interface BatchPlace {
  /** From 0; null outside of epochs. */
  epoch: number | null
  /** Number of the run's first batch, from 0; null: there is but one. */
  firstBatch: number | null
  /** Whether the data set is the batch alone, so that its samples are numbered in it. */
  isAlone: boolean
}

/** Reports batches whose loss or gradient was not finite; such batches changed nothing. */
export class NanWatch {
  #hasWarned = false

  /** @param onNaN 'warn': one process warning with code HIDDENSTATE_NAN; 'throw': an error */
  constructor(
    readonly model: Model,
    readonly onNaN: 'warn' | 'throw' = 'warn',
  ) {}

  /** The watch of calls without epochs and of validations: one warning per model. */
  static ofModel(model: Model): NanWatch {
    let watch = watches.get(model)
    if (!watch) watches.set(model, (watch = new NanWatch(model)))
    return watch
  }

  /**
   * Reports the first such batch of a chunk.
   *
   * @param mode whether the batches were to change weights
   * @throws StateError ERR_NAN with onNaN 'throw'
   */
  check(result: RunResult, where: string, mode: 'train' | 'test', place: BatchPlace): void {
    if (result.badBatch < 0 || (this.#hasWarned && this.onNaN === 'warn')) return
    const { epoch, firstBatch } = place
    const batch = firstBatch === null ? '' : `batch ${firstBatch + result.badBatch}`
    const names = [epoch === null ? '' : `epoch ${epoch}`, batch].filter(Boolean).join(', ')
    const layer = this.#nameOf(result.badLayer)
    const what = mode === 'train' ? 'loss and gradients' : 'the loss'
    const { cause, hint } = this.#causeOf(result, layer, place)
    // A constraint comes after the update.
    const changesNothing = mode === 'train' && !result.badLayer.startsWith('constraint of ')
    const message =
      `${where}: ${what} must be finite, got a number that is not${names && ` in ${names} (counted from 0)`}; ${cause}. ` +
      `${changesNothing ? 'The batch did not change the weights. ' : ''}${hint}`
    if (this.onNaN === 'throw')
      throw new StateError('ERR_NAN', message, {
        layer,
        expected: 'finite numbers',
        actual: 'NaN or infinity',
      })
    this.#hasWarned = true
    process.emitWarning(message, { code: 'HIDDENSTATE_NAN' })
  }

  #causeOf(result: RunResult, layer: string, place: BatchPlace): { cause: string; hint: string } {
    const { badNumber, badNothing } = result
    if (badNumber) {
      const { array, sample, at, value } = badNumber
      const of = place.isAlone && place.firstBatch !== null ? ' of that batch' : ''
      const cause = `${this.#arrayName(array)}: sample ${sample}${of}${positionText(at, array)} is ${value}`
      return { cause, hint: 'Replace such numbers in the data, or leave the sample out.' }
    }
    if (badNothing) {
      const cause =
        badNothing === 'mask'
          ? 'the mask of the output is 0 at every step'
          : 'all sample weights are 0'
      return {
        cause: `${cause}, so that nothing is left to take the mean of`,
        hint: 'The mean of the epoch leaves it out. Leave such samples out, or mix them with others.',
      }
    }
    const hint =
      'Lower the learning rate, or set clipnorm; look for very large numbers in the data.'
    return { cause: `the first such values are those of ${layer}`, hint }
  }

  /** The name of what has the first values that are not finite. */
  #nameOf(badLayer: string): string {
    if (badLayer === '') return 'the loss'
    const slot = this.model.inputSlots()[inputNumber(badLayer)]
    return slot
      ? `the data, the input of ${slot.where}`
      : (this.model.whereOf(badLayer) ?? badLayer)
  }

  #arrayName(array: string): string {
    const [, kind, digits] = /^(x|y|weights)(\d+)$/.exec(array)!
    const i = Number(digits)
    const slots = this.model.inputSlots()
    const outputs = this.model.outputNames
    if (kind === 'x')
      return `${slots.length > 1 ? `x[${i}]` : 'x'}, the input of ${slots[i]!.where}`
    const of = outputs.length > 1 ? ` of output '${outputs[i]}'` : ''
    return `${kind === 'y' ? 'y' : 'sampleWeight'}${of}`
  }
}

/** `, step 3, column 2`: where in a sample. */
function positionText(at: readonly number[], array: string): string {
  if (at.length === 0) return ''
  if (array.startsWith('weights')) return `, step ${at[0]}`
  if (at.length === 1) return `, column ${at[0]}`
  return at.length === 2 ? `, step ${at[0]}, column ${at[1]}` : ` at [${at.join(', ')}]`
}
