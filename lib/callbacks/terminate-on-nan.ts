import { Callback, type Logs } from './callback.js'

/**
 * Stops training at the first batch whose loss is not finite.
 * Not in Keras 1.2.2 (it came with Keras 2).
 * @example
 * import { Dense, Sequential, TerminateOnNaN } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * await model.fit(x, y, { callbacks: [new TerminateOnNaN()], verbose: 0 })
 */
export class TerminateOnNaN extends Callback {
  override onBatchEnd(batch: number, logs: Logs): void {
    if (logs.loss === undefined || Number.isFinite(logs.loss)) return
    process.stdout.write(`Batch ${batch}: loss is ${logs.loss}, training ends\n`)
    this.model.stopTraining = true
  }
}
