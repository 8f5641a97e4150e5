/** The base of callbacks, and the list that calls them in order. */
import { ConfigError, fail } from '../errors.js'
import type { FitParams } from '../hooks.js'
import { describe } from '../ndarray.js'
import type { Sequential } from '../sequential.js'

/** Values of a batch (`batch`, `size`, `loss`, …) or an epoch (`loss`, `acc`, `val_loss`, …), under Keras' own keys. */
export type Logs = Record<string, number>

type Hook = void | Promise<void>

/**
 * Base class of callbacks: override what you need. A hook may return a promise, which `fit` awaits.
 *
 * Hooks see `this.model` and `this.params`; setting `this.model.stopTraining = true` ends the training after the batch.
 * A callback with batch hooks is called after every batch, which keeps native code from running many at once.
 * @example
 * class Printer extends Callback {
 *   override onEpochEnd(epoch, logs) {
 *     console.log(epoch, logs.loss)
 *   }
 * }
 * await model.fit(x, y, { callbacks: [new Printer()] })
 * @see keras.callbacks.Callback
 */
export class Callback {
  /** Set by `fit` before `onTrainBegin`. */
  declare model: Sequential
  /** Set by `fit` before `onTrainBegin`. */
  declare params: FitParams

  setModel(model: Sequential): void {
    this.model = model
  }

  setParams(params: FitParams): void {
    this.params = params
  }

  /** Whether it has batch hooks, so that native code must stop after every batch. */
  get wantsBatches(): boolean {
    const { onBatchBegin, onBatchEnd } = Callback.prototype
    return this.onBatchBegin !== onBatchBegin || this.onBatchEnd !== onBatchEnd
  }

  onTrainBegin(_logs: Logs): Hook {}
  onTrainEnd(_logs: Logs): Hook {}
  /** @param _epoch from 0 */
  onEpochBegin(_epoch: number, _logs: Logs): Hook {}
  /** @param _epoch from 0; what is added to the logs reaches the callbacks after this one and the history */
  onEpochEnd(_epoch: number, _logs: Logs): Hook {}
  /** @param _batch from 0 within the epoch */
  onBatchBegin(_batch: number, _logs: Logs): Hook {}
  /** @param _batch from 0 within the epoch */
  onBatchEnd(_batch: number, _logs: Logs): Hook {}
}

/** Calls callbacks one after the other, waiting for those that return a promise. */
export class CallbackList {
  readonly callbacks: readonly Callback[]

  /** @throws ConfigError `ERR_OPTION` for anything that does not extend Callback */
  constructor(callbacks: readonly Callback[] = []) {
    if (!Array.isArray(callbacks)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'callbacks',
        what: 'value',
        expected: 'a list',
        actual: describe(callbacks),
      })
    }
    for (const [i, callback] of callbacks.entries()) {
      if (callback instanceof Callback) continue
      const actual = describe(callback)
      fail(ConfigError, 'ERR_OPTION', {
        where: `callbacks[${i}]`,
        what: 'callback',
        expected: 'an instance of Callback',
        actual,
      })
    }
    this.callbacks = [...callbacks]
  }

  /** Whether any callback wants to be called for every batch. */
  get wantsBatches(): boolean {
    return this.callbacks.some((callback) => callback.wantsBatches)
  }

  setModel(model: Sequential): void {
    for (const callback of this.callbacks) callback.setModel(model)
  }

  setParams(params: FitParams): void {
    for (const callback of this.callbacks) callback.setParams(params)
  }

  onTrainBegin(logs: Logs = {}): Hook {
    return this.#each((c) => c.onTrainBegin(logs))
  }

  onTrainEnd(logs: Logs = {}): Hook {
    return this.#each((c) => c.onTrainEnd(logs))
  }

  onEpochBegin(epoch: number, logs: Logs = {}): Hook {
    return this.#each((c) => c.onEpochBegin(epoch, logs))
  }

  onEpochEnd(epoch: number, logs: Logs = {}): Hook {
    return this.#each((c) => c.onEpochEnd(epoch, logs))
  }

  onBatchBegin(batch: number, logs: Logs = {}): Hook {
    return this.#each((c) => c.onBatchBegin(batch, logs))
  }

  onBatchEnd(batch: number, logs: Logs = {}): Hook {
    return this.#each((c) => c.onBatchEnd(batch, logs))
  }

  /** Synchronous as long as no callback returns a promise. */
  #each(call: (callback: Callback) => unknown, from = 0): Hook {
    for (let i = from; i < this.callbacks.length; i++) {
      const result = call(this.callbacks[i] as Callback)
      if (isPromise(result)) return Promise.resolve(result).then(() => this.#each(call, i + 1))
    }
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
