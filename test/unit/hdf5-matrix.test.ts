/** HDF5Matrix: rows from a file, training on them, and what it refuses. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { H5Builder, writeH5 } from '../../lib/hdf5/file.js'
import { expectAllSameBits, expectSameBits } from '../arrays.js'
import {
  Dense,
  FormatError,
  LambdaCallback,
  type Logs,
  LSTM,
  NDArray,
  Sequential,
  setSeed,
  utils,
} from '../package.js'

const { HDF5Matrix } = utils
const folder = mkdtempSync(path.join(tmpdir(), 'hs-matrix-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const FILE = path.join(folder, 'data.h5')
const [N, T, D] = [53, 4, 3]
const x = new NDArray(Float32Array.from({ length: N * T * D }, (_, i) => Math.sin(i)), [N, T, D]) // biome-ignore format: one line
const y = new NDArray(Float32Array.from({ length: N }, (_, i) => i % 2), [N, 1]) // biome-ignore format: one line

beforeAll(async () => {
  const file = new H5Builder()
  file.dataset('train/x', { shape: x.shape, data: (x.data as Float32Array).slice() })
  file.dataset('train/y', { shape: y.shape, data: (y.data as Float32Array).slice() })
  file.dataset('scalar', { shape: [], data: Float32Array.of(1) })
  await writeH5(FILE, file)
})

const open = (name: string, options?: object) => HDF5Matrix.open(FILE, `train/${name}`, options)

function model(): Sequential {
  setSeed(4)
  const made = new Sequential([
    new LSTM(4, { inputShape: [T, D] }),
    new Dense(1, { activation: 'sigmoid' }),
  ])
  made.compile({ loss: 'binary_crossentropy', optimizer: 'adam', metrics: ['accuracy'] })
  return made
}

describe('HDF5Matrix', () => {
  it('gives rows, from start to end, through a normalizer', async () => {
    const whole = await open('x')
    expect([whole.shape, whole.length]).toEqual([[N, T, D], N])
    expectSameBits(await whole.rows(7, 20), x.slice(7, 20))
    const part = await open('x', {
      start: 10,
      end: 30,
      normalizer: (rows: NDArray) => rows.reshape([-1, T * D]),
    })
    expect(part.shape).toEqual([20, T, D])
    expectSameBits(await part.rows(0, 5), x.slice(10, 15).reshape([5, T * D]))
    await Promise.all([whole.close(), part.close()])
    await whole.close()
    await expect(whole.rows(0, 1)).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
  })

  it('many calls at once, from two matrices of a file', async () => {
    const [a, b] = [await open('x'), await open('y')]
    const found = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b).rows(i, i + 3)),
    )
    for (const [i, rows] of found.entries()) expectSameBits(rows, (i % 2 ? x : y).slice(i, i + 3))
    await Promise.all([a.close(), b.close()])
  })

  it('trains as the same arrays in memory do', async () => {
    const log = () => {
      const lines: string[] = []
      const note = (hook: string) => (at: number, logs: Logs) =>
        void lines.push(`${hook} ${at} ${JSON.stringify(logs)}`)
      const callback = new LambdaCallback({
        onEpochBegin: note('epoch begin'),
        onBatchBegin: note('batch begin'),
        onBatchEnd: note('batch end'),
        onEpochEnd: note('epoch end'),
      })
      return { lines, callback }
    }
    const [mx, my] = [await open('x'), await open('y')]
    for (const options of [
      { shuffle: false },
      { shuffle: false, validationSplit: 0.25 },
      { shuffle: false, validationData: [x.slice(0, 20), y.slice(0, 20)] },
      { shuffle: false, sampleWeight: Array.from({ length: N }, (_, i) => i % 3) },
      { shuffle: false, classWeight: { 0: 1, 1: 3 } },
    ] as const) {
      const [a, b] = [model(), model()]
      const [logA, logB] = [log(), log()]
      const common = { ...options, batchSize: 8, nbEpoch: 2, verbose: 0 } as const
      const inMemory = await a.fit(x, y, { ...common, callbacks: [logA.callback] })
      const fromFile = await b.fit(mx, my, { ...common, callbacks: [logB.callback] })
      expectAllSameBits(b.getWeights(), a.getWeights(), JSON.stringify(options))
      expect(fromFile.history).toEqual(inMemory.history)
      expect(logB.lines).toEqual(logA.lines)
      expect(logB.callback.params).toEqual(logA.callback.params)
    }
    await Promise.all([mx.close(), my.close()])
  })

  it('evaluates, predicts, and is validation data too; x from a file and y from memory', async () => {
    const made = model()
    const [mx, my] = [await open('x'), await open('y')]
    expectSameBits(
      await made.predict(mx, { batchSize: 8 }),
      await made.predict(x, { batchSize: 8 }),
    )
    expectSameBits(
      await made.predictClasses(mx, { batchSize: 8 }),
      await made.predictClasses(x, { batchSize: 8 }),
    )
    const wanted = await made.evaluate(x, y, { batchSize: 8, verbose: 0 })
    expect(await made.evaluate(mx, my, { batchSize: 8, verbose: 0 })).toEqual(wanted)
    expect(await made.evaluate(mx, y, { batchSize: 8, verbose: 0 })).toEqual(wanted)
    const options = {
      shuffle: false,
      batchSize: 8,
      nbEpoch: 1,
      verbose: 0,
      validationData: [mx, my],
    } as const
    const { history } = await made.fit(mx, y, options)
    expect(history.val_loss).toEqual([(await made.evaluate(x, y, { batchSize: 8, verbose: 0 }) as number[])[0]]) // biome-ignore format: one line
    await Promise.all([mx.close(), my.close()])
  })

  it("shuffles whole batches with 'batch', anew in each epoch", async () => {
    const seen: number[][] = [[], [], []]
    let epoch = 0
    const rows = { shape: [20, 2], rows: async (from: number, to: number) => {
      seen[epoch]!.push(from)
      return new NDArray(new Float32Array(2 * (to - from)), [to - from, 2])
    } } // biome-ignore format: a source of one's own
    const made = new Sequential([new Dense(1, { inputDim: 2 })])
    made.compile({ loss: 'mse', optimizer: 'sgd' })
    setSeed(1)
    const callbacks = [new LambdaCallback({ onEpochEnd: (e) => void (epoch = e + 1) })]
    await made.fit(rows, new Float32Array(20), {
      batchSize: 3,
      nbEpoch: 3,
      shuffle: 'batch',
      verbose: 0,
      callbacks,
    })
    for (const starts of seen) {
      expect([...starts].sort((a, b) => a - b)).toEqual([0, 3, 6, 9, 12, 15, 18])
      expect(starts.at(-1)).toBe(18) // what is left over stays at the end
    }
    expect(new Set(seen.map(String)).size).toBe(3)
  })

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'shuffle true',
      async () => model().fit(await open('x'), await open('y'), { verbose: 0 }),
      /shuffle must be 'batch' or false/,
    ],
    [
      'other numbers of rows',
      async () => model().fit(await open('x'), await open('y', { end: 9 }), { shuffle: false }),
      /must be 53 each.*got 9/,
    ],
    [
      'a missing dataset',
      () => HDF5Matrix.open(FILE, 'x'),
      /data\.h5: x: dataset must be rows of numbers, got nothing/,
    ],
    [
      'a scalar',
      () => HDF5Matrix.open(FILE, 'scalar'),
      /must be rows of numbers, got float32 \[\]/,
    ],
    [
      'rows that are not there',
      () => open('x', { end: 60 }),
      /rows must be within the 53 there are, got 0 to 60/,
    ],
    ['no rows', () => open('x', { start: 5, end: 5 }), /rows must be within/],
    ['a negative start', () => open('x', { start: -1 }), /start must be an integer >= 0/],
    [
      'no file',
      () => HDF5Matrix.open(path.join(folder, 'none.h5'), 'x'),
      /none\.h5: file must be readable/,
    ],
    ['a folder', () => HDF5Matrix.open(folder, 'x'), /file must be readable/],
    [
      'a bad normalizer',
      async () => (await open('x', { normalizer: () => [[1]] })).rows(0, 2),
      /rows of the normalizer must be 2/,
    ],
  ])('refuses %s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(message)
  })

  it('refuses a damaged file, and works on', async () => {
    const damaged = path.join(folder, 'damaged.h5')
    for (const bytes of [Buffer.from('no HDF5 at all'), readFileSync(FILE).subarray(0, 900)]) {
      writeFileSync(damaged, bytes)
      await expect(HDF5Matrix.open(damaged, 'train/x')).rejects.toBeInstanceOf(FormatError)
    }
    const good = await open('x')
    expect((await good.rows(0, 1)).shape).toEqual([1, T, D])
    await good.close()
  })
})

it('validation data are loaded last: nothing is left of them where an option is refused', async () => {
  const [a, b] = [await open('x'), await open('y')]
  const made = model()
  const load = vi.spyOn(made.runner, 'load')
  const options = { validationData: [x, y] as const, verbose: 0 } as const
  await expect(made.fit(a, b, options)).rejects.toThrow(/shuffle must be 'batch' or false/)
  expect(load).not.toHaveBeenCalled()
  await made.fit(a, b, { ...options, shuffle: false, nbEpoch: 1 })
  expect(load).toHaveBeenCalled()
  await Promise.all([a.close(), b.close()])
})
