/**
 * State that training changes beside the gradient:
 * the running statistics of BatchNormalization (decision 0014).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, type Plain, uniform } from '../arrays.js'
import {
  BatchNormalization,
  type BatchNormalizationOptions,
  Dense,
  GRU,
  info,
  loadModel,
  type NDArray,
  Sequential,
  setThreads,
  TimeDistributed,
} from '../package.js'

const folder = mkdtempSync(path.join(tmpdir(), 'running-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const threads = info().threads
afterEach(() => setThreads(threads))

const C = 3
const build = (options: BatchNormalizationOptions = {}): Sequential => {
  const model = new Sequential([
    new BatchNormalization({ inputShape: [C], ...options }),
    new Dense(1),
  ])
  model.compile({ optimizer: 'sgd', loss: 'mse' })
  return model
}
const [x, y] = [uniform(1, [8, C], -1, 3), uniform(2, [8, 1])]
/** running_mean and running_std. */
const running = (model: Sequential): NDArray[] => model.getWeights().slice(2, 4)

/** Keras' formula on Theano: the variance with epsilon in it. */
function expected(batch: Plain, epsilon: number, momentum: number): number[][] {
  const n = batch.data.length / C
  const column = (c: number) => Array.from({ length: n }, (_, r) => batch.data[r * C + c] as number)
  const mean = (v: number[]) => v.reduce((a, b) => a + b, 0) / v.length
  const columns = Array.from({ length: C }, (_, c) => column(c))
  return [
    columns.map((v) => (1 - momentum) * mean(v)),
    columns.map(
      (v) => momentum + (1 - momentum) * (mean(v.map((e) => (e - mean(v)) ** 2)) + epsilon),
    ),
  ]
}

describe('running statistics', () => {
  it('follow a training batch, by momentum', async () => {
    const model = build({ momentum: 0.9, epsilon: 0.01 })
    await model.trainOnBatch(x, y)
    const want = expected(x, 0.01, 0.9)
    for (const [i, w] of running(model).entries())
      for (const [c, v] of w.data.entries()) expect(v).toBeCloseTo(want[i]?.[c] as number, 6)
  })

  it('stay where nothing is trained', async () => {
    const model = build()
    const before = model.getWeights()
    await model.predict(x)
    await model.testOnBatch(x, y)
    await model.evaluate(x, y, { verbose: 0 })
    model.predictOnBatchSync(x)
    expectAllSameBits(model.getWeights(), before)
  })

  it('are what predict normalises by, and not the batch', async () => {
    const model = build()
    const some = { data: x.data.slice(0, 2 * C), shape: [2, C] }
    const alone = await model.predict(some)
    const among = await model.predict(x)
    expectSameBits(among.slice(0, 2), alone)
  })

  it('stay in mode 1 and 2', async () => {
    for (const mode of [1, 2] as const) {
      const model = build({ mode })
      const before = running(model)
      await model.trainOnBatch(x, y)
      expectAllSameBits(running(model), before)
    }
  })

  it('stay, as all weights do, when the batch is not finite', async () => {
    const model = build()
    await model.trainOnBatch(x, y)
    const before = model.getWeights()
    expect(
      await model.trainOnBatch(x, { data: y.data.map(() => Number.NaN), shape: y.shape }),
    ).toBeNaN()
    expectAllSameBits(model.getWeights(), before)
  })

  it('stay when they alone would not be finite', async () => {
    const model = build()
    await model.trainOnBatch(x, y)
    const before = model.getWeights()
    // its variance overflows, its loss does not
    const huge = { data: x.data.map((v, i) => (i % 2 ? 1e30 : v)), shape: x.shape }
    expect(Number.isFinite(await model.trainOnBatch(huge, y))).toBe(true)
    expectAllSameBits(model.getWeights(), before)
  })

  it('go on in a layer that is not trainable', async () => {
    const model = build({ trainable: false })
    const [before, was] = [model.getWeights(), running(model)]
    await model.trainOnBatch(x, y)
    expectAllSameBits(model.getWeights().slice(0, 2), before.slice(0, 2))
    for (const [i, w] of running(model).entries()) expect(w.data).not.toEqual(was[i]?.data)
  })

  it('go on inside TimeDistributed', async () => {
    const model = new Sequential([
      new TimeDistributed(new BatchNormalization(), { inputShape: [2, C] }),
      new GRU(1),
    ])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    await model.trainOnBatch({ data: x.data, shape: [4, 2, C] }, uniform(3, [4, 1]))
    const want = expected(x, 0.001, 0.99)
    for (const [i, w] of running(model).entries())
      for (const [c, v] of w.data.entries()) expect(v).toBeCloseTo(want[i]?.[c] as number, 6)
  })

  it('live through compile, files and setWeights', async () => {
    const model = build()
    await model.trainOnBatch(x, y)
    const weights = model.getWeights()
    model.compile({ optimizer: 'adam', loss: 'mae' })
    expectAllSameBits(model.getWeights(), weights)
    const file = path.join(folder, 'bn.h5')
    await model.save(file)
    const again = await loadModel(file)
    expectAllSameBits(again.getWeights(), weights)
    await model.trainOnBatch(x, y)
    await again.trainOnBatch(x, y)
    expectAllSameBits(again.getWeights(), model.getWeights())
  })

  it('have the same bits for any number of threads', async () => {
    const big = { x: uniform(4, [3000, 20], -2, 2), y: uniform(5, [3000, 1]) }
    const trained = async (n: number, axis: number): Promise<NDArray[]> => {
      setThreads(n)
      const model = new Sequential([
        new BatchNormalization({ inputShape: [5, 4], axis }),
        new GRU(1),
      ])
      const start = new Sequential([
        new BatchNormalization({ inputShape: [5, 4], axis }),
        new GRU(1),
      ]).getWeights()
      model.setWeights(start.map((w, i) => uniform(10 + i, [...w.shape], 0.1, 1)))
      model.compile({ optimizer: 'sgd', loss: 'mse' })
      await model.fit({ data: big.x.data, shape: [3000, 5, 4] }, big.y, {
        batchSize: 1000,
        nbEpoch: 1,
        shuffle: false,
        verbose: 0,
      })
      return model.getWeights()
    }
    for (const axis of [1, 2]) {
      const one = await trained(1, axis)
      expectAllSameBits(await trained(2, axis), one)
      expectAllSameBits(await trained(3, axis), one)
    }
  })
})
