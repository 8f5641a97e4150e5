/** Callbacks: order, logs, what they may do, and what happens when they fail. */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits } from '../arrays.js'
import { Callback, EarlyStopping, LambdaCallback, type Logs, SGD } from '../package.js'
import { compiled, data, sleep } from './models.js'

const quiet = { verbose: 0 } as const

class Journal extends Callback {
  readonly lines: string[] = []
  constructor(readonly tag = '') {
    super()
  }
  #write(hook: string, at: number | '' = ''): void {
    this.lines.push(`${this.tag}${hook}${at === '' ? '' : ` ${at}`}`)
  }
  override onTrainBegin(): void {
    this.#write('train begin')
  }
  override onEpochBegin(epoch: number): void {
    this.#write('epoch begin', epoch)
  }
  override onBatchBegin(batch: number): void {
    this.#write('batch begin', batch)
  }
  override onBatchEnd(batch: number): void {
    this.#write('batch end', batch)
  }
  override onEpochEnd(epoch: number): void {
    this.#write('epoch end', epoch)
  }
  override onTrainEnd(): void {
    this.#write('train end')
  }
}

describe('callbacks', () => {
  it('are called in the order of Keras', async () => {
    const { x, y } = data(5)
    const journal = new Journal()
    await compiled().fit(x, y, { ...quiet, batchSize: 3, nbEpoch: 2, callbacks: [journal] })
    const epoch = (e: number) => [
      `epoch begin ${e}`,
      'batch begin 0',
      'batch end 0',
      'batch begin 1',
      'batch end 1',
      `epoch end ${e}`,
    ]
    expect(journal.lines).toEqual(['train begin', ...epoch(0), ...epoch(1), 'train end'])
  })

  it('several are called one after the other, each awaited', async () => {
    const { x, y } = data(4)
    const lines: string[] = []
    const note = (tag: string, wait: number) =>
      new LambdaCallback({
        onEpochEnd: async () => {
          await sleep(wait)
          lines.push(tag)
        },
      })
    await compiled().fit(x, y, { ...quiet, nbEpoch: 2, callbacks: [note('a', 15), note('b', 0)] })
    expect(lines).toEqual(['a', 'b', 'a', 'b'])
  })

  it('see the model, the parameters of the fit, and the logs', async () => {
    const { x, y } = data(7)
    const model = compiled()
    const sizes: unknown[] = []
    let epochLogs: Logs | undefined
    const callback = new LambdaCallback({
      onBatchEnd: (_, logs) => void sizes.push(logs?.size),
      onEpochEnd: (_, logs) => void (epochLogs = logs),
    })
    await model.fit(x, y, {
      ...quiet,
      batchSize: 3,
      nbEpoch: 1,
      validationData: [x, y],
      callbacks: [callback],
    })
    expect(callback.model).toBe(model)
    expect(callback.params).toMatchObject({
      batchSize: 3,
      nbEpoch: 1,
      nbSample: 7,
      verbose: 0,
      doValidation: true,
    })
    expect(sizes).toEqual([3, 3, 1])
    expect(Object.keys(epochLogs ?? {}).sort()).toEqual(['acc', 'loss', 'val_acc', 'val_loss'])
  })

  it('stopTraining ends the fit after the epoch, as in Keras', async () => {
    const { x, y } = data(6)
    const model = compiled()
    const journal = new Journal()
    const stop = new LambdaCallback({
      onBatchEnd: (batch) => void (batch === 0 && (model.stopTraining = true)),
    })
    const history = await model.fit(x, y, {
      ...quiet,
      batchSize: 2,
      nbEpoch: 9,
      callbacks: [stop, journal],
    })
    expect(history.epoch).toEqual([0])
    expect(journal.lines.filter((l) => l.startsWith('batch end'))).toHaveLength(3)
    expect(journal.lines.at(-1)).toBe('train end')
    // and the next fit runs
    expect((await model.fit(x, y, { ...quiet, nbEpoch: 2 })).epoch).toEqual([0, 1])
  })

  it('may change the learning rate and the weights between batches', async () => {
    const { x, y } = data(8)
    const model = compiled()
    const start = model.getWeights()
    const freeze = new LambdaCallback({
      onBatchBegin: () => {
        ;(model.optimizer as SGD).lr = 0
      },
    })
    await model.fit(x, y, { ...quiet, batchSize: 4, nbEpoch: 1, callbacks: [freeze] })
    expectAllSameBits(model.getWeights(), start, 'with lr 0')
    const restore = new LambdaCallback({ onBatchEnd: () => model.setWeights(start) })
    ;(model.optimizer as SGD).lr = 1
    await model.fit(x, y, { ...quiet, batchSize: 4, nbEpoch: 1, callbacks: [restore] })
    expectAllSameBits(model.getWeights(), start, 'restored after each batch')
  })

  it('predict and evaluate may be called from a callback', async () => {
    const { x, y } = data(8)
    const model = compiled()
    const seen: number[] = []
    const callback = new LambdaCallback({
      onEpochEnd: async () => {
        seen.push(((await model.evaluate(x, y, quiet)) as number[])[0] as number)
        await model.predict(x)
      },
    })
    const history = await model.fit(x, y, {
      ...quiet,
      nbEpoch: 3,
      validationData: [x, y],
      callbacks: [callback],
    })
    expect(seen).toEqual(history.history.val_loss)
  })

  it.each([
    [
      'throws',
      () => {
        throw new RangeError('mine')
      },
    ], // prettier-ignore
    ['rejects', () => Promise.reject(new RangeError('mine'))],
  ] as const)(
    'one that %s rejects the fit with its error; the model stays usable',
    async (_, hook) => {
      const { x, y } = data(8)
      const model = compiled()
      const bad = new LambdaCallback({ onBatchEnd: hook as never })
      await expect(model.fit(x, y, { ...quiet, batchSize: 2, callbacks: [bad] })).rejects.toThrow(
        RangeError,
      )
      const history = await model.fit(x, y, { ...quiet, nbEpoch: 1 })
      expect(history.history.loss?.[0]).toBeGreaterThan(0)
    },
  )

  it('EarlyStopping counts patience as Keras does', async () => {
    const { x, y } = data(8)
    const epochs = async (patience: number): Promise<number> => {
      const model = compiled()
      model.compile({ optimizer: new SGD({ lr: 0 }), loss: 'categorical_crossentropy' })
      const stop = new EarlyStopping({ monitor: 'loss', patience })
      return (await model.fit(x, y, { ...quiet, nbEpoch: 9, shuffle: false, callbacks: [stop] }))
        .epoch.length
    }
    expect(await epochs(0)).toBe(2) // the first epoch improves on nothing, the second stops
    expect(await epochs(1)).toBe(3)
    expect(await epochs(3)).toBe(5)
  })
})
