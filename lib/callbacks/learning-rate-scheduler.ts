import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { Callback } from './callback.js'

/**
 * Sets the learning rate at the beginning of each epoch.
 * @param schedule epoch (from 0) → learning rate
 * @throws ConfigError `ERR_OPTION` when it is no function, or (in `fit`) returns no finite number
 * @example
 * import { Dense, LearningRateScheduler, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(1, { inputDim: 2 })])
 * model.compile({ loss: 'mse', optimizer: 'sgd' })
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * const callbacks = [new LearningRateScheduler((epoch) => 0.1 / (epoch + 1))]
 * await model.fit(x, y, { callbacks, verbose: 0 })
 * @see keras.callbacks.LearningRateScheduler
 */
export class LearningRateScheduler extends Callback {
  readonly schedule: (epoch: number) => number

  constructor(schedule: (epoch: number) => number) {
    super()
    if (typeof schedule !== 'function') {
      const actual = describe(schedule)
      fail(ConfigError, 'ERR_OPTION', {
        where: 'LearningRateScheduler',
        what: 'schedule',
        expected: 'a function',
        actual,
      })
    }
    this.schedule = schedule
  }

  override onEpochBegin(epoch: number): void {
    const lr: unknown = this.schedule(epoch)
    if (typeof lr !== 'number' || !Number.isFinite(lr)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'LearningRateScheduler',
        what: `learning rate of epoch ${epoch}`,
        expected: 'a finite number',
        actual: describe(lr),
      })
    }
    ;(this.model.optimizer as { lr: number }).lr = lr
  }
}
