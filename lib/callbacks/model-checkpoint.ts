import { resolveOptions } from '../options.js'
import { copyFor } from '../saving/formats.js'
import { Callback, type Logs } from './callback.js'
import { formatFields } from './format-fields.js'
import { checkNumbers, type MonitorMode, moreIsBetter, warnMissing } from './monitor.js'

/** Options of {@link ModelCheckpoint}. */
export interface ModelCheckpointOptions {
  /** Key of the logs. Default `'val_loss'`. */
  monitor?: string
  /** 1 prints what is saved. Default 0. */
  verbose?: number
  /** Saves only when the value is better than ever before. Default `false`. */
  saveBestOnly?: boolean
  /** `saveWeights` instead of `save`. Default `false`. */
  saveWeightsOnly?: boolean
  /**
   * Default `'auto'`: more is better for accuracies, fmeasure, fbeta_score, precision and recall.
   */
  mode?: MonitorMode
  /** Epochs between saves. Default 1. */
  period?: number
}

const defaults = {
  monitor: 'val_loss',
  verbose: 0,
  saveBestOnly: false,
  saveWeightsOnly: false,
  mode: 'auto' as MonitorMode,
  period: 1,
}

/**
 * Saves the model after epochs.
 * @param filepath may hold fields of `epoch` (from 0) and the logs,
 *   as Python formats them: `weights.{epoch:02d}-{val_loss:.2f}.h5`
 * @throws ConfigError `ERR_OPTION`, also for a path that `save` does not write (`.json`); in `fit`
 *   also for a field that is not in the logs, and what `save` throws
 * @example
 * import { Dense, ModelCheckpoint, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * const callbacks = [new ModelCheckpoint('best.h5', { monitor: 'loss', saveBestOnly: true })]
 * await model.fit(x, y, { callbacks, verbose: 0 })
 * @see keras.callbacks.ModelCheckpoint
 */
export class ModelCheckpoint extends Callback {
  readonly filepath: string
  readonly options: Readonly<typeof defaults>
  /** The best value so far. */
  best: number
  #sinceLastSave = 0
  readonly #more: boolean

  constructor(filepath: string, options?: ModelCheckpointOptions) {
    super()
    this.filepath = filepath
    this.options = resolveOptions('ModelCheckpoint', defaults, options)
    const part = this.options.saveWeightsOnly ? 'weights' : 'model'
    copyFor('ModelCheckpoint', filepath, { parts: [part], otherwise: 'keras1' }) // or refuses it
    checkNumbers('ModelCheckpoint', { period: this.options.period })
    this.#more = moreIsBetter('ModelCheckpoint', this.options.monitor, this.options.mode)
    this.best = this.#more ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  override get everyRank(): boolean {
    return false
  }

  override getState(): { best: number; sinceLastSave: number } {
    return { best: this.best, sinceLastSave: this.#sinceLastSave }
  }

  override setState({ best, sinceLastSave }: { best: number; sinceLastSave: number }): void {
    this.best = best
    this.#sinceLastSave = sinceLastSave
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const { monitor, saveBestOnly, saveWeightsOnly, period } = this.options
    if (++this.#sinceLastSave < period) return
    this.#sinceLastSave = 0
    const path = formatFields(this.filepath, { ...logs, epoch })
    if (saveBestOnly) {
      const current = logs[monitor]
      if (current === undefined) return warnMissing('ModelCheckpoint', monitor, logs)
      if (!(this.#more ? current > this.best : current < this.best))
        return this.#say(epoch, `${monitor} did not improve`)
      const change = formatFields('from {best:.5f} to {current:.5f}', { best: this.best, current })
      this.#say(epoch, `${monitor} improved ${change}, saving model to ${path}`)
      this.best = current
    } else {
      this.#say(epoch, `saving model to ${path}`)
    }
    if (saveWeightsOnly) await this.model.saveWeights(path, { overwrite: true })
    else await this.model.save(path, { overwrite: true })
  }

  #say(epoch: number, what: string): void {
    if (Number(this.options.verbose) > 0)
      process.stdout.write(`Epoch ${String(epoch).padStart(5, '0')}: ${what}\n`)
  }
}
