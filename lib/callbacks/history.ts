import { Callback, type Logs } from './callback.js'

/**
 * What `fit` returns: one value per epoch for everything in the epoch's logs.
 * @example
 * const { epoch, history } = await model.fit(x, y, { nbEpoch: 3 })
 * history.loss // three numbers; epoch is [0, 1, 2]
 * @see keras.callbacks.History
 */
export class History extends Callback {
  /** Indices of the epochs run. */
  epoch: number[] = []
  history: Record<string, number[]> = {}

  override onTrainBegin(): void {
    this.epoch = []
    this.history = {}
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    this.epoch.push(epoch)
    for (const [key, value] of Object.entries(logs)) (this.history[key] ??= []).push(value)
  }
}
