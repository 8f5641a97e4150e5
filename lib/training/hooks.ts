/** Calling callbacks in Keras' order, on this thread, between two batches. */
import { Callback, type Logs } from '../callbacks/index.js'
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import type { Model } from '../model/model.js'
import type { Runner } from '../engine/runner.js'
import type { Plain } from './plain-data.js'

/** What callbacks see as `this.params`. */
export interface FitParams {
  /** Null in fitGenerator. */
  batchSize: number | null
  nbEpoch: number
  /** Samples of an epoch. */
  nbSample: number
  verbose: number
  doValidation: boolean
  /** Keys of the epoch's logs. */
  metrics: readonly string[]
  /**
   * Whether the training goes on from a checkpoint:
   * `setState` follows after `onTrainBegin`. Not in Keras.
   */
  resumes?: boolean
}

type Hook =
  | 'onTrainBegin'
  | 'onTrainEnd'
  | 'onEpochBegin'
  | 'onEpochEnd'
  | 'onBatchBegin'
  | 'onBatchEnd'

/** @throws ConfigError ERR_OPTION for anything but a list of callbacks */
export function checkCallbacks(where: string, value: unknown): readonly Callback[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'callbacks',
      expected: 'a list of callbacks',
      actual: describe(value),
    })
  }
  for (const [i, callback] of value.entries()) {
    if (callback instanceof Callback) continue
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: `callbacks[${i}]`,
      expected: 'an instance of Callback',
      actual: describe(callback),
      hint: 'new LambdaCallback({ onEpochEnd }) makes one of a function.',
    })
  }
  return value
}

export class Hooks {
  /** Whether a callback has hooks for batches. */
  readonly wantsBatches: boolean
  readonly #callbacks: readonly Callback[]
  readonly #runner: Runner
  readonly #signal: AbortSignal | null
  #isIntroduced = false

  constructor(callbacks: readonly Callback[], runner: Runner, signal: AbortSignal | null) {
    this.#callbacks = callbacks
    this.#runner = runner
    this.#signal = signal
    this.wantsBatches = callbacks.some((c) => c.wantsBatches)
  }

  /**
   * Runs a training, and tells the callbacks when it is over, however it ended. What ended it wins
   * over an error of `onTrainSettled`.
   */
  async settling<T>(run: () => Promise<T>): Promise<T> {
    let result: T
    try {
      result = await run()
    } catch (reason) {
      await this.#settled(reason)
      throw reason
    }
    const errors = await this.#settled(undefined)
    if (errors.length > 0) throw errors[0]
    return result
  }

  /**
   * Calls every callback, also after an error of another;
   * without the signal, which may be the reason.
   * @returns the errors
   */
  async #settled(reason: unknown): Promise<unknown[]> {
    const errors: unknown[] = []
    for (const callback of this.#isIntroduced ? this.#callbacks : []) {
      await this.#runner
        .callback(() => callback.onTrainSettled(reason), null)
        .catch((error) => errors.push(error))
    }
    return errors
  }

  /** Gives the callbacks their model and its training. */
  introduce(model: Model, params: FitParams): void {
    for (const callback of this.#callbacks) {
      callback.setModel(model)
      callback.setParams(params)
    }
    this.#isIntroduced = true
  }

  /**
   * What each callback needs when the training goes on from a checkpoint.
   * @param everyRank those alone that every rank has
   */
  async states(everyRank = false): Promise<Plain[]> {
    const states: Plain[] = []
    for (const callback of this.#callbacks.filter((each) => !everyRank || each.everyRank))
      await this.#runner.callback(async () => {
        states.push((await callback.getState()) ?? null)
      }, this.#signal)
    return states
  }

  /** @param states what {@link states} gave, for the same callbacks */
  async restore(states: readonly Plain[]): Promise<void> {
    for (const [i, callback] of this.#callbacks.entries()) {
      const state = states[i] ?? null
      if (state !== null) await this.#runner.callback(() => callback.setState(state), this.#signal)
    }
  }

  trainBegin(): Promise<void> {
    return this.#call('onTrainBegin', [{}])
  }

  trainEnd(): Promise<void> {
    return this.#call('onTrainEnd', [{}])
  }

  epochBegin(epoch: number): Promise<void> {
    return this.#call('onEpochBegin', [epoch, {}])
  }

  epochEnd(epoch: number, logs: Logs): Promise<void> {
    return this.#call('onEpochEnd', [epoch, logs])
  }

  batchBegin(batch: number, logs: Logs): Promise<void> {
    return this.#call('onBatchBegin', [batch, logs])
  }

  batchEnd(batch: number, logs: Logs): Promise<void> {
    return this.#call('onBatchEnd', [batch, logs])
  }

  /** One hook of all callbacks, in order; each is awaited before the next is called. */
  async #call(hook: Hook, args: readonly unknown[]): Promise<void> {
    for (const callback of this.#callbacks) {
      const method = callback[hook] as (...args: unknown[]) => unknown
      await this.#runner.callback(() => method.apply(callback, [...args]), this.#signal)
    }
  }
}
