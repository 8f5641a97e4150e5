import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { Callback, type Logs } from './callback.js'

/** One function per hook; each may return a promise. */
export interface LambdaCallbackOptions {
  onTrainBegin?: (logs: Logs) => unknown
  onTrainEnd?: (logs: Logs) => unknown
  onEpochBegin?: (epoch: number, logs: Logs) => unknown
  onEpochEnd?: (epoch: number, logs: Logs) => unknown
  onBatchBegin?: (batch: number, logs: Logs) => unknown
  onBatchEnd?: (batch: number, logs: Logs) => unknown
}

const none: Record<keyof LambdaCallbackOptions, null> = {
  onTrainBegin: null,
  onTrainEnd: null,
  onEpochBegin: null,
  onEpochEnd: null,
  onBatchBegin: null,
  onBatchEnd: null,
}

/**
 * A callback made of functions.
 * @throws ConfigError `ERR_OPTION`
 * @example
 * await model.fit(x, y, { callbacks: [new LambdaCallback({ onEpochEnd: (epoch, logs) => console.log(epoch, logs.loss) })] })
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
