import { ConfigError, fail } from '../errors.js'
import { resolveOptions } from '../options.js'
import { Callback, type Logs } from './callback.js'
import { checkNumbers, type MonitorMode, moreIsBetter, warnMissing } from './monitor.js'

/** Options of {@link ReduceLROnPlateau}. */
export interface ReduceLROnPlateauOptions {
  /** Key of the logs. Default `'val_loss'`. */
  monitor?: string
  /** The learning rate is multiplied by this; below 1. Default 0.1. */
  factor?: number
  /** Epochs without improvement that are let pass. Default 10. */
  patience?: number
  /** 1 prints each reduction. Default 0. */
  verbose?: number
  /**
   * Default `'auto'`: more is better for accuracies, fmeasure, fbeta_score, precision and recall.
   */
  mode?: MonitorMode
  /** The least change that counts as better. Default 1e-4. */
  epsilon?: number
  /** Epochs after a reduction in which none are counted. Default 0. */
  cooldown?: number
  /** The learning rate goes no lower. Default 0. */
  minLr?: number
}

const defaults = {
  monitor: 'val_loss',
  factor: 0.1,
  patience: 10,
  verbose: 0,
  mode: 'auto' as MonitorMode,
  epsilon: 1e-4,
  cooldown: 0,
  minLr: 0,
}

/**
 * Lowers the learning rate when a value no longer improves.
 * Adds `lr` to the logs, hence to the history.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Dense, ReduceLROnPlateau, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * const callbacks = [new ReduceLROnPlateau({ monitor: 'loss', factor: 0.5, patience: 3 })]
 * const { history } = await model.fit(x, y, { callbacks, verbose: 0 })
 * console.log(history.lr)
 * @see keras.callbacks.ReduceLROnPlateau
 */
export class ReduceLROnPlateau extends Callback {
  readonly options: Readonly<typeof defaults>
  /** The best value so far. */
  best = 0
  /** Epochs since the best one. */
  wait = 0
  /** Epochs of the cooldown that are left. */
  cooldownCounter = 0
  readonly #more: boolean

  constructor(options?: ReduceLROnPlateauOptions) {
    super()
    this.options = resolveOptions('ReduceLROnPlateau', defaults, options)
    const { monitor, mode, factor, patience, epsilon, cooldown, minLr } = this.options
    checkNumbers('ReduceLROnPlateau', { factor, patience, epsilon, cooldown, minLr })
    if (factor >= 1) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'ReduceLROnPlateau',
        what: 'factor',
        expected: 'below 1',
        actual: `${factor}`,
      })
    }
    this.#more = moreIsBetter('ReduceLROnPlateau', monitor, mode)
    this.onTrainBegin()
  }

  override getState(): { best: number; wait: number; cooldownCounter: number } {
    return { best: this.best, wait: this.wait, cooldownCounter: this.cooldownCounter }
  }

  override setState(state: { best: number; wait: number; cooldownCounter: number }): void {
    Object.assign(this, state)
  }

  override onTrainBegin(): void {
    this.best = this.#more ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    this.wait = 0
    this.cooldownCounter = 0
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const { monitor, factor, patience, verbose, epsilon, cooldown, minLr } = this.options
    const optimizer = this.model.optimizer as { lr: number }
    const current = logs[monitor]
    logs.lr = optimizer.lr
    if (current === undefined) {
      warnMissing('ReduceLROnPlateau', monitor, logs)
      return
    }
    if (this.cooldownCounter > 0) {
      this.cooldownCounter--
      this.wait = 0
    }
    if (this.#more ? current > this.best + epsilon : current < this.best - epsilon) {
      this.best = current
      this.wait = 0
      return
    }
    if (this.cooldownCounter > 0) return
    if (this.wait >= patience && optimizer.lr > minLr + minLr * 1e-4) {
      optimizer.lr = Math.max(optimizer.lr * factor, minLr)
      if (Number(verbose) > 0) {
        process.stdout.write(
          `\nEpoch ${String(epoch).padStart(5, '0')}: reducing learning rate to ${optimizer.lr}.\n`,
        )
      }
      this.cooldownCounter = cooldown
      this.wait = 0
    }
    this.wait++
  }
}
