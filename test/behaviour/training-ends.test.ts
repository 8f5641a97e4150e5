/**
 * However a training ends, its callbacks are told, and EarlyStopping gives the best weights back.
 */
import { describe, expect, it, vi } from 'vitest'
import { expectAllSameBits } from '../arrays.js'
import {
  Activation,
  Callback,
  Dense,
  Dropout,
  EarlyStopping,
  Embedding,
  Flatten,
  LambdaCallback,
  type Logs,
  type NDArray,
  Sequential,
  setSeed,
} from '../package.js'
import { compiled, data, slow, sleep } from './models.js'

const { x, y } = data(12)
const quiet = { verbose: 0, batchSize: 4 } as const

/** Adds a made-up value to the logs of each epoch, and keeps the weights of the best one. */
class Script extends Callback {
  best: NDArray[] = []
  constructor(readonly scores: readonly number[]) {
    super()
  }
  override onEpochEnd(epoch: number, logs: Logs): void {
    logs.score = this.scores[epoch]!
    if (this.scores.slice(0, epoch).every((s) => s > this.scores[epoch]!))
      this.best = this.model.getWeights()
  }
}

const stopping = (patience = 100) =>
  new EarlyStopping({ monitor: 'score', patience, restoreBestWeights: true })
const boom = (at: number) =>
  new LambdaCallback({
    onEpochEnd: (epoch) => {
      if (epoch === at) throw new Error('boom')
    },
  })

/** How each training ends: what is asked of it, and what it rejects with. */
const ends: [
  name: string,
  run: (model: Sequential, callbacks: Callback[]) => Promise<unknown>,
  rejects?: RegExp,
][] = [
  ['by patience', (model, callbacks) => model.fit(x, y, { ...quiet, nbEpoch: 5, callbacks })],
  [
    'after the last epoch',
    (model, callbacks) => model.fit(x, y, { ...quiet, nbEpoch: 4, callbacks }),
  ],
  [
    'by stopTraining of another callback',
    (model, callbacks) => {
      const stop = new LambdaCallback({
        onEpochEnd: (epoch) => void (model.stopTraining = epoch === 3),
      })
      return model.fit(x, y, { ...quiet, nbEpoch: 9, callbacks: [...callbacks, stop] })
    },
  ],
  [
    'by an error of a callback',
    (model, callbacks) =>
      model.fit(x, y, { ...quiet, nbEpoch: 9, callbacks: [...callbacks, boom(3)] }),
    /boom/,
  ],
  [
    'by an error of a callback that comes first',
    (model, callbacks) =>
      model.fit(x, y, { ...quiet, nbEpoch: 9, callbacks: [boom(3), ...callbacks] }),
    /boom/,
  ],
  [
    'by an abort within an epoch',
    (model, callbacks) => {
      const controller = new AbortController()
      const abort = new LambdaCallback({
        onBatchEnd: () =>
          void (
            callbacks[0]!.model.history!.epoch.length === 3 && controller.abort(new Error('enough'))
          ),
      })
      const { signal } = controller
      return model.fit(x, y, { ...quiet, nbEpoch: 9, callbacks: [...callbacks, abort], signal })
    },
    /enough/,
  ],
  [
    'by an error of a source',
    (model, callbacks) => {
      function* source() {
        for (let i = 0; i < 10; i++) yield [x, y] as const
        throw new Error('no more')
      }
      return model.fitGenerator(source(), {
        samplesPerEpoch: 36,
        nbEpoch: 9,
        verbose: 0,
        callbacks,
      })
    },
    /no more/,
  ],
]

describe('EarlyStopping with restoreBestWeights', () => {
  it.each(ends)('%s', async (name, run, rejects) => {
    const model = compiled()
    const script = new Script([3, 1, 2, 2, 2, 2, 2, 2, 2])
    const early = stopping(name === 'by patience' ? 1 : 100)
    const end = run(model, [script, early])
    await (rejects ? expect(end).rejects.toThrow(rejects) : end)
    expect(early.bestEpoch).toBe(1)
    expect(early.stoppedEpoch).toBe(name === 'by patience' ? 3 : null)
    expectAllSameBits(model.getWeights(), script.best, 'weights of the best epoch')
  })

  it('leaves the last weights without it, and those of an epoch that never ended', async () => {
    const last: NDArray[][] = []
    const keep = new LambdaCallback({ onEpochEnd: () => void last.push(model.getWeights()) })
    const model = compiled()
    const early = new EarlyStopping({ monitor: 'score', patience: 100 })
    await model.fit(x, y, { ...quiet, nbEpoch: 3, callbacks: [new Script([1, 2, 3]), early, keep] })
    expectAllSameBits(model.getWeights(), last.at(-1)!)
    const before = model.getWeights()
    const failing = new LambdaCallback({
      onBatchBegin: () => {
        throw new Error('at once')
      },
    })
    const fit = model.fit(x, y, { ...quiet, callbacks: [new Script([1]), stopping(), failing] })
    await expect(fit).rejects.toThrow('at once')
    expectAllSameBits(model.getWeights(), before)
  })

  it('says so with verbose, and takes true and false alone', async () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    const early = new EarlyStopping({
      monitor: 'score',
      patience: 9,
      verbose: 1,
      restoreBestWeights: true,
    })
    await compiled().fit(x, y, { ...quiet, nbEpoch: 3, callbacks: [new Script([2, 1, 3]), early] })
    expect(write.mock.calls.join('')).toBe('Restored the weights of epoch 00001\n')
    write.mockRestore()
    expect(() => new EarlyStopping({ restoreBestWeights: 1 as never })).toThrow(
      /restoreBestWeights must be true or false/,
    )
  })
})

describe('onTrainSettled', () => {
  const journal = () => {
    const lines: string[] = []
    const note = (tag: string) =>
      new LambdaCallback({
        onTrainEnd: () => void lines.push(`${tag} end`),
        onTrainSettled: (reason) =>
          void lines.push(`${tag} settled ${reason instanceof Error ? reason.message : reason}`),
      })
    return { lines, note }
  }

  it('comes after onTrainEnd, or with the reason', async () => {
    const { lines, note } = journal()
    const model = compiled()
    await model.fit(x, y, { ...quiet, nbEpoch: 1, callbacks: [note('a'), note('b')] })
    await expect(model.fit(x, y, { ...quiet, callbacks: [note('c'), boom(0)] })).rejects.toThrow(
      'boom',
    )
    expect(lines).toEqual([
      'a end',
      'b end',
      'a settled undefined',
      'b settled undefined',
      'c settled boom',
    ])
  })

  it('is not called for a fit that never began', async () => {
    const { lines, note } = journal()
    await expect(compiled().fit([[1]], y, { ...quiet, callbacks: [note('a')] })).rejects.toThrow()
    expect(lines).toEqual([])
  })

  it('its errors reject a fit that went well, reach nobody else, and never hide what ended a fit', async () => {
    const { lines, note } = journal()
    const broken = new LambdaCallback({
      onTrainSettled: () => {
        throw new Error('broken')
      },
    })
    const model = compiled()
    await expect(
      model.fit(x, y, { ...quiet, nbEpoch: 1, callbacks: [broken, note('a')] }),
    ).rejects.toThrow('broken')
    await expect(
      model.fit(x, y, { ...quiet, callbacks: [broken, note('b'), boom(0)] }),
    ).rejects.toThrow('boom')
    expect(lines).toEqual(['a end', 'a settled undefined', 'b settled boom'])
    await model.fit(x, y, { ...quiet, nbEpoch: 1 })
  })

  it('is called for a model that is disposed of during its fit', async () => {
    const { lines, note } = journal()
    const { model, x: many, y: targets } = slow()
    const scores = new Script(Array(50).fill(1))
    const fit = model.fit(many, targets, {
      verbose: 0,
      nbEpoch: 50,
      callbacks: [note('a'), scores, stopping()],
    })
    await sleep(20)
    model.dispose()
    await expect(fit).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(lines).toEqual([expect.stringMatching(/^a settled .*disposed/)])
  })
})

describe('a run that is rejected in a later batch', () => {
  const make = () => {
    setSeed(3)
    const model = new Sequential([
      // so that word indices are known batch by batch only
      new Activation('linear', { inputShape: [2] }),
      new Embedding(5, 3),
      new Flatten(),
      new Dropout(0.5),
      new Dense(1),
    ])
    model.compile({ optimizer: 'adam', loss: 'mse' })
    return model
  }
  const words = (n: number) => ({
    data: Float32Array.from({ length: 2 * n }, (_, i) => i % 5),
    shape: [n, 2],
  })
  const targets = (n: number) => ({
    data: Float32Array.from({ length: n }, (_, i) => Math.sin(i)),
    shape: [n, 1],
  })
  const options = { batchSize: 4, nbEpoch: 1, shuffle: false, verbose: 0 } as const
  const step = (model: Sequential) => model.runner.plan().read('random/step').data[0]

  it.each([
    ['at once', false],
    ['batch by batch', true],
  ])('keeps the batches before it, run %s', async (_, batchwise) => {
    const model = make()
    const bad = words(32)
    bad.data[63] = 99
    const callbacks = batchwise ? [new LambdaCallback({ onBatchEnd: () => {} })] : []
    await expect(model.fit(bad, targets(32), { ...options, callbacks })).rejects.toThrow(/99/)
    expect(step(model)).toBe(7)
    expect(model.runner.dropoutState.step).toBe(7)
    expect(model.runner.plan().read('optimizer/iterations').data[0]).toBe(7)
    expect(model.optimizerWeights()).not.toBeNull()

    const after = model.getWeights()
    await model.fit(words(12), targets(12), options)
    expect([step(model), model.runner.dropoutState.step]).toEqual([10, 10])

    const twin = make()
    await twin.fit(words(28), targets(28), options)
    expectAllSameBits(after, twin.getWeights(), 'weights after the error')
    await twin.fit(words(12), targets(12), options)
    expectAllSameBits(model.getWeights(), twin.getWeights(), 'weights of the next fit')
  })

  it('says what is wrong with it when the model is disposed meanwhile', async () => {
    const model = make()
    const plan = model.runner.plan()
    const data = plan.load({ x: [words(4)], y: [targets(4)] })
    vi.spyOn(plan, 'run').mockImplementation(async () => {
      model.dispose()
      throw new Error('what is wrong')
    })
    await expect(model.runner.run('fit', { mode: 'train', data, batchSize: 4 })).rejects.toThrow(
      'what is wrong',
    )
  })
})

it('validation data are freed at once where the training data cannot be loaded', async () => {
  const model = compiled()
  const load = vi.spyOn(model.runner, 'load')
  let dispose = vi.fn()
  load.mockImplementationOnce((arrays) => {
    const loaded = model.runner.load(arrays)
    dispose = vi.spyOn(loaded, 'dispose')
    load.mockImplementationOnce(() => {
      throw new Error('no memory left')
    })
    return loaded
  })
  await expect(model.fit(x, y, { ...quiet, validationData: [x, y] })).rejects.toThrow(/no memory/)
  expect(dispose).toHaveBeenCalledOnce()
})
