import { Callback, type Logs } from './callback.js'

/**
 * What `fit` returns: one value per epoch for everything in the epoch's logs.
 * @example
 * import { Dense, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * const { epoch, history } = await model.fit(x, y, { nbEpoch: 3, verbose: 0 })
 * console.log(epoch, history.loss) // [ 0, 1, 2 ] and three numbers
 * @see keras.callbacks.History
 */
export class History extends Callback {
  /** Indices of the epochs run. */
  epoch: number[] = []
  history: Record<string, number[]> = {}

  override getState(): { epoch: number[]; history: Record<string, number[]> } {
    return { epoch: this.epoch, history: this.history }
  }

  override setState(state: { epoch: number[]; history: Record<string, number[]> }): void {
    Object.assign(this, state)
  }

  override onTrainBegin(): void {
    this.epoch = []
    this.history = {}
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    this.epoch.push(epoch)
    for (const [key, value] of Object.entries(logs)) (this.history[key] ??= []).push(value)
  }
}
