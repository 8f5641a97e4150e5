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
 * import { Callback, Dense, Sequential } from 'hiddenstate'
 * class Printer extends Callback {
 *   onEpochEnd(epoch, logs) {
 *     console.log(epoch, logs.loss)
 *   }
 * }
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * await model.fit(x, y, { callbacks: [new Printer()], verbose: 0 })
 * @see keras.callbacks.Callback
 */
export class Callback {
  /** Set by `fit` before `onTrainBegin`. */
  declare model: Sequential
  /** Set by `fit` before `onTrainBegin`. */
  declare params: FitParams

  /** Called by `fit` before `onTrainBegin`. */
  setModel(model: Sequential): void {
    this.model = model
  }

  /** Called by `fit` before `onTrainBegin`. */
  setParams(params: FitParams): void {
    this.params = params
  }

  /** Whether it has batch hooks, so that native code must stop after every batch. */
  get wantsBatches(): boolean {
    const { onBatchBegin, onBatchEnd } = Callback.prototype
    return this.onBatchBegin !== onBatchBegin || this.onBatchEnd !== onBatchEnd
  }

  /** Before the first epoch. */
  onTrainBegin(_logs: Logs): Hook {}
  /** After the last epoch; not when the fit fails or is aborted. */
  onTrainEnd(_logs: Logs): Hook {}
  /**
   * Before an epoch.
   * @param _epoch from 0
   */
  onEpochBegin(_epoch: number, _logs: Logs): Hook {}
  /**
   * After an epoch and its validation.
   * @param _epoch from 0
   * @param _logs the epoch's values; what is added to the logs reaches the callbacks after this one and the history
   */
  onEpochEnd(_epoch: number, _logs: Logs): Hook {}
  /**
   * Before a batch.
   * @param _batch from 0 within the epoch
   */
  onBatchBegin(_batch: number, _logs: Logs): Hook {}
  /**
   * After a batch.
   * @param _batch from 0 within the epoch
   */
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

  /** Tells all callbacks the model. */
  setModel(model: Sequential): void {
    for (const callback of this.callbacks) callback.setModel(model)
  }

  /** Tells all callbacks the parameters of the run. */
  setParams(params: FitParams): void {
    for (const callback of this.callbacks) callback.setParams(params)
  }

  /** Calls `onTrainBegin` of all. */
  onTrainBegin(logs: Logs = {}): Hook {
    return this.#each((c) => c.onTrainBegin(logs))
  }

  /** Calls `onTrainEnd` of all. */
  onTrainEnd(logs: Logs = {}): Hook {
    return this.#each((c) => c.onTrainEnd(logs))
  }

  /** Calls `onEpochBegin` of all. */
  onEpochBegin(epoch: number, logs: Logs = {}): Hook {
    return this.#each((c) => c.onEpochBegin(epoch, logs))
  }

  /** Calls `onEpochEnd` of all. */
  onEpochEnd(epoch: number, logs: Logs = {}): Hook {
    return this.#each((c) => c.onEpochEnd(epoch, logs))
  }

  /** Calls `onBatchBegin` of all. */
  onBatchBegin(batch: number, logs: Logs = {}): Hook {
    return this.#each((c) => c.onBatchBegin(batch, logs))
  }

  /** Calls `onBatchEnd` of all. */
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
