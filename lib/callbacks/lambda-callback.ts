import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { Callback, type Logs } from './callback.js'

/** One function per hook; each may return a promise. */
export interface LambdaCallbackOptions {
  /** Before the first epoch. */
  onTrainBegin?: (logs: Logs) => unknown
  /** After the last epoch. */
  onTrainEnd?: (logs: Logs) => unknown
  /**
   * Once the training is over, however it ended;
   * with what the fit rejects with, if it does. Not in Keras.
   */
  onTrainSettled?: (reason: unknown) => unknown
  /** Before an epoch; epochs count from 0. */
  onEpochBegin?: (epoch: number, logs: Logs) => unknown
  /** After an epoch and its validation. */
  onEpochEnd?: (epoch: number, logs: Logs) => unknown
  /** Before a batch; batches count from 0 in each epoch. */
  onBatchBegin?: (batch: number, logs: Logs) => unknown
  /** After a batch. */
  onBatchEnd?: (batch: number, logs: Logs) => unknown
}

const none: Record<keyof LambdaCallbackOptions, null> = {
  onTrainBegin: null,
  onTrainEnd: null,
  onTrainSettled: null,
  onEpochBegin: null,
  onEpochEnd: null,
  onBatchBegin: null,
  onBatchEnd: null,
}

/**
 * A callback made of functions.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * import { Dense, LambdaCallback, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [
 *   [
 *     [0, 1],
 *     [1, 0],
 *     [1, 1],
 *     [0, 0],
 *   ],
 *   [1, 1, 2, 0],
 * ]
 * const printer = new LambdaCallback({
 *   onEpochEnd: (epoch, logs) => console.log(epoch, logs.loss),
 * })
 * await model.fit(x, y, { callbacks: [printer], verbose: 0 })
 * @see keras.callbacks.LambdaCallback
 */
export class LambdaCallback extends Callback {
  constructor(options?: LambdaCallbackOptions) {
    super()
    for (const [key, value] of Object.entries(
      resolveOptions<Record<string, unknown>>('LambdaCallback', none, options),
    )) {
      if (value === null) continue
      if (typeof value !== 'function') {
        fail(ConfigError, 'ERR_OPTION', {
          where: 'LambdaCallback',
          what: key,
          expected: 'a function',
          actual: describe(value),
        })
      }
      Object.defineProperty(this, key, { value, configurable: true, writable: true })
    }
  }
}
