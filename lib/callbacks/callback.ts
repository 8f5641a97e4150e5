/** The base of callbacks. */
import type { FitParams } from '../training/hooks.js'
import type { Model } from '../model/model.js'
import { setClassName, setHidden } from '../console-text.js'
import type { Plain } from '../training/plain-data.js'

/**
 * Values of a batch (`batch`, `size`, `loss`, …) or an epoch (`loss`, `acc`, `val_loss`, …), under
 * Keras' own keys.
 */
export type Logs = Record<string, number>

type Hook = void | Promise<void>

/**
 * Base class of callbacks: override what you need. A hook may return a promise, which `fit` awaits.
 *
 * Hooks see `this.model` and `this.params`; setting `this.model.stopTraining = true` ends the
 * training after the epoch, as in Keras. Until its promise is settled, a hook may read and write
 * the model's weights and call `predict`, `evaluate` and `save`; calls of others on this model wait
 * for it. So it must not wait for something that itself waits for such a call. A callback with
 * batch hooks is called after every batch, which keeps native code from running many at once.
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
  static {
    setClassName(Callback, 'Callback')
  }
  /** Set by `fit` before `onTrainBegin`. */
  declare model: Model
  /** Set by `fit` before `onTrainBegin`. */
  declare params: FitParams

  /** Called by `fit` before `onTrainBegin`. */
  setModel(model: Model): void {
    setHidden(this, 'model', model) // all that it holds is not part of a callback
  }

  /** Called by `fit` before `onTrainBegin`. */
  setParams(params: FitParams): void {
    setHidden(this, 'params', params)
  }

  /** Whether it has batch hooks, so that native code must stop after every batch. */
  get wantsBatches(): boolean {
    const { onBatchBegin, onBatchEnd } = Callback.prototype
    return this.onBatchBegin !== onBatchBegin || this.onBatchEnd !== onBatchEnd
  }

  /**
   * Whether every rank of a distributed training has this callback (see `distribute`), or
   * rank 0 alone. What may change the model or end the training must be on every rank, where it
   * sees the same logs; what writes files or prints should be on one. Default: every rank. Not in
   * Keras.
   */
  get everyRank(): boolean {
    return true
  }

  /**
   * What this callback needs when the training goes on from a checkpoint: plain data (numbers,
   * strings, lists, plain objects, typed arrays, NDArrays), copied at once. Asked after a batch or
   * an epoch, when all hooks have been called. Default: nothing. Not in Keras.
   * @example
   * import { Callback } from 'hiddenstate'
   * class Counter extends Callback {
   *   count = 0
   *   onBatchEnd() {
   *     this.count++
   *   }
   *   getState() {
   *     return { count: this.count }
   *   }
   *   setState({ count }) {
   *     this.count = count
   *   }
   * }
   */
  getState(): Plain | undefined | Promise<Plain | undefined> {
    return undefined
  }

  /**
   * In a training that goes on from a checkpoint, after `onTrainBegin`; the hooks of the epoch
   * under way were called before the checkpoint and are not called again. Not called where there
   * was no state.
   * @param _state what `getState` gave
   */
  // biome-ignore lint/suspicious/noExplicitAny: each callback knows its own
  setState(_state: any): Hook {}

  /** Before the first epoch. */
  onTrainBegin(_logs: Logs): Hook {}
  /** After the last epoch; not when the fit fails or is aborted. */
  onTrainEnd(_logs: Logs): Hook {}
  /**
   * Once the training is over, however it ended: after `onTrainEnd`, or when the fit was aborted or
   * failed. Not in Keras. No batch runs any more, and the weights may still be set.
   * @param _reason what the fit rejects with; undefined when it ended by itself
   */
  onTrainSettled(_reason: unknown): Hook {}
  /**
   * Before an epoch.
   * @param _epoch from 0
   */
  onEpochBegin(_epoch: number, _logs: Logs): Hook {}
  /**
   * After an epoch and its validation.
   * @param _epoch from 0
   * @param _logs the epoch's values; what is added to the logs reaches the callbacks after this one
   *   and the history
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
