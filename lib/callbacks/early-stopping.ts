import { ConfigError, fail } from '../errors.js'
import { describe, type NDArray } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { Plain } from '../training/plain-data.js'
import { Callback, type Logs } from './callback.js'
import { checkNumbers, type MonitorMode, moreIsBetter } from './monitor.js'

/** Options of {@link EarlyStopping}. */
export interface EarlyStoppingOptions {
  /** Key of the logs. Default `'val_loss'`. */
  monitor?: string
  /** The least change that counts as better. Default 0. */
  minDelta?: number
  /**
   * Epochs without improvement that do not stop the training yet: with 0 the first one stops it,
   * with 1 the second. Default 0.
   */
  patience?: number
  /** 1 prints when it stops. Default 0. */
  verbose?: number
  /**
   * Default `'auto'`: more is better for accuracies, fmeasure, fbeta_score, precision and recall.
   */
  mode?: MonitorMode
  /**
   * Puts the weights of the best epoch back when the training is over, however it ended: by
   * patience, after the last epoch, by `stopTraining`, an abort or an error. Not in Keras 1.2.2 (it
   * came with Keras 2). Default `false`.
   */
  restoreBestWeights?: boolean
}

const defaults = {
  monitor: 'val_loss',
  minDelta: 0,
  patience: 0,
  verbose: 0,
  mode: 'auto' as MonitorMode,
  restoreBestWeights: false,
}

/**
 * Stops training when a value no longer improves.
 * @throws ConfigError `ERR_OPTION`; in `fit` too, when the logs do not have the value
 * @example
 * import { Dense, EarlyStopping, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * const callbacks = [new EarlyStopping({ monitor: 'loss', patience: 2 })]
 * await model.fit(x, y, { nbEpoch: 100, callbacks, verbose: 0 })
 * @see keras.callbacks.EarlyStopping
 */
export class EarlyStopping extends Callback {
  readonly monitor: string
  readonly minDelta: number
  readonly patience: number
  readonly verbose: number
  readonly restoreBestWeights: boolean
  /** Epochs since the best one. */
  wait = 0
  /** The best value so far. */
  best: number
  /** The epoch that ended the training; null: none did. */
  stoppedEpoch: number | null = null
  /** The epoch of the best value; null before. */
  bestEpoch: number | null = null
  #bestWeights: readonly NDArray[] | null = null // as `getWeights()`
  readonly #more: boolean

  constructor(options?: EarlyStoppingOptions) {
    super()
    const { monitor, minDelta, patience, verbose, mode, restoreBestWeights } = resolveOptions(
      'EarlyStopping',
      defaults,
      options,
    )
    checkNumbers('EarlyStopping', { minDelta, patience })
    if (typeof restoreBestWeights !== 'boolean') {
      const actual = describe(restoreBestWeights)
      fail(ConfigError, 'ERR_OPTION', {
        where: 'EarlyStopping',
        what: 'restoreBestWeights',
        expected: 'true or false',
        actual,
      })
    }
    this.restoreBestWeights = restoreBestWeights
    this.monitor = monitor
    this.#more = moreIsBetter('EarlyStopping', monitor, mode)
    this.minDelta = minDelta
    this.patience = patience
    this.verbose = Number(verbose)
    this.best = this.#worst
  }

  get #worst(): number {
    return this.#more ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  override getState(): Plain {
    const { wait, best, stoppedEpoch, bestEpoch } = this
    return { wait, best, stoppedEpoch, bestEpoch, bestWeights: this.#bestWeights }
  }

  override setState({ bestWeights, ...rest }: { bestWeights: readonly NDArray[] | null }): void {
    Object.assign(this, rest)
    this.#bestWeights = bestWeights
  }

  override onTrainBegin(): void {
    this.wait = 0
    this.best = this.#worst
    this.stoppedEpoch = null
    this.bestEpoch = null
    this.#bestWeights = null
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const current = logs[this.monitor]
    if (current === undefined) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'EarlyStopping',
        what: 'monitor',
        expected: `one of ${Object.keys(logs).join(', ')}`,
        actual: `'${this.monitor}'`,
        hint: this.monitor.startsWith('val_')
          ? 'Is validationData or validationSplit missing?'
          : undefined,
      })
    }
    const isBetter = this.#more
      ? current - this.minDelta > this.best
      : current + this.minDelta < this.best
    if (isBetter) {
      this.best = current
      this.bestEpoch = epoch
      this.wait = 0
      if (this.restoreBestWeights) this.#bestWeights = this.model.getWeights()
      return
    }
    if (this.wait >= this.patience) {
      this.stoppedEpoch = epoch
      this.model.stopTraining = true
    }
    this.wait++
  }

  override onTrainEnd(): void {
    if (this.stoppedEpoch === null || this.verbose <= 0) return
    process.stdout.write(`Epoch ${String(this.stoppedEpoch).padStart(5, '0')}: early stopping\n`)
  }
  override onTrainSettled(): void {
    const weights = this.#bestWeights
    if (weights === null) return
    this.#bestWeights = null
    this.model.setWeights(weights)
    if (this.verbose > 0)
      process.stdout.write(
        `Restored the weights of epoch ${String(this.bestEpoch).padStart(5, '0')}\n`,
      )
  }
}
