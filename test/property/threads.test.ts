/** The number of threads changes no bit; nor do the order or size of batches when predicting. */
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, take, uniform } from '../arrays.js'
import { GRU, info, LSTM, Sequential, SimpleRNN, setSeed, setThreads } from '../package.js'
import { law } from './law.js'
import { type Deep, deep, deepModel, drawn, modelOf } from './models.js'

const before = info().threads
afterAll(() => setThreads(before))

async function trained(d: Deep, threads: number) {
  setThreads(threads)
  setSeed(d.seed)
  const model = deepModel(d)
  const x = uniform(d.seed, [3 * d.B, d.T, d.D])
  const y = uniform(d.seed + 1, [3 * d.B, 2])
  const history = await model.fit(x, y, { batchSize: d.B, nbEpoch: 2, verbose: 0 })
  const result = {
    weights: model.getWeights(),
    losses: history.history.loss,
    y: await model.predict(x),
  }
  model.dispose()
  return result
}

describe('threads', () => {
  law(
    '1, 2 and 3 threads train to the same bits',
    deep({ B: 33, D: 17, H: 33, T: 5 }),
    async (d) => {
      const one = await trained(d, 1)
      for (const threads of [2, 3]) {
        const other = await trained(d, threads)
        expectAllSameBits(other.weights, one.weights, `weights with ${threads} threads`)
        expectSameBits(other.y, one.y, `predictions with ${threads} threads`)
      }
    },
  )

  const shuffled = drawn({ B: 17, H: 33 }).chain((d) =>
    fc.record({
      d: fc.constant(d),
      order: fc.shuffledSubarray([...Array(d.B).keys()], { minLength: d.B }),
      batchSize: fc.integer({ min: 1, max: d.B }),
    }),
  )
  law(
    'the order and size of batches do not matter to predict',
    shuffled,
    async ({ d, order, batchSize }) => {
      setThreads(2)
      const model = modelOf(d)
      const x = uniform(d.seed, [d.B, d.T, d.D])
      const whole = await model.predict(x, { batchSize: d.B })
      const mixed = await model.predict(take(x, order), { batchSize })
      expectSameBits(
        mixed,
        take({ data: whole.data as Float32Array, shape: [...whole.shape] }, order),
      )
      expectSameBits(model.predictOnBatchSync(x), whole, 'predictOnBatchSync')
      model.dispose()
    },
  )

  it.each([
    ['LSTM', LSTM, {}],
    ['GRU', GRU, {}],
    ['GRU with reset after', GRU, { resetAfter: true }],
    ['SimpleRNN', SimpleRNN, {}],
  ])('%s: a stream of single steps has the same bits on 1 and 2 threads', (_, Layer, options) => {
    const H = 340 // enough for threads to share a step of any cell, and no whole number of panels
    setSeed(3)
    const model = new Sequential([
      new Layer(H, { ...options, batchInputShape: [1, 1, 17], stateful: true }),
    ])
    const x = uniform(5, [1, 1, 17])
    const streams = [1, 2].map((threads) => {
      setThreads(threads)
      model.resetStates()
      return Array.from({ length: 500 }, () => model.predictOnBatchSync(x)).filter(
        (_, i) => i % 100 === 99,
      )
    })
    streams[0]!.forEach((y, i) => {
      expectSameBits(streams[1]![i]!, y, `after ${100 * (i + 1)} steps`)
    })
    expect(new Set(streams[0]![0]!.data).size).toBeGreaterThan(H / 2)
    model.dispose()
  })
})
