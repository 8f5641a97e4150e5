/**
 * It learns: small tasks that need memory,
 * with a bound on the loss that no model without memory reaches.
 */
import { describe, expect, it } from 'vitest'
import { oneHot, type Plain, random } from '../arrays.js'
import {
  Adam,
  Bidirectional,
  Dense,
  Embedding,
  GRU,
  LSTM,
  Sequential,
  setSeed,
  SimpleRNN,
  TimeDistributed,
} from '../package.js'

const CELLS = [
  ['SimpleRNN', SimpleRNN],
  ['GRU', GRU],
  ['LSTM', LSTM],
] as const

/** Two of T numbers are marked; the target is their sum (Hochreiter and Schmidhuber 1997, 5.4). */
function adding(n: number, T: number, seed: number): { x: Plain; y: Plain } {
  const next = random(seed)
  const x = new Float32Array(n * T * 2)
  const y = new Float32Array(n)
  for (let i = 0; i < n; i++) {
    for (let t = 0; t < T; t++) x[(i * T + t) * 2] = next()
    const first = Math.floor(next() * (T / 2))
    const second = Math.floor(T / 2 + next() * (T / 2))
    for (const t of [first, second]) {
      x[(i * T + t) * 2 + 1] = 1
      y[i] = (y[i] as number) + (x[(i * T + t) * 2] as number)
    }
  }
  return { x: { data: x, shape: [n, T, 2] }, y: { data: y, shape: [n, 1] } }
}

/**
 * Answering 1 always, the best without memory, leaves the variance of a sum of two uniform numbers:
 * 1 / 6.
 */
const WITHOUT_MEMORY = 1 / 6

describe('learns', () => {
  it.each(CELLS.slice(1))(
    'the adding problem: %s',
    async (_, Cell) => {
      setSeed(1)
      const model = new Sequential([new Cell(24, { inputShape: [8, 2] }), new Dense(1)])
      model.compile({ optimizer: new Adam({ lr: 0.01 }), loss: 'mse' })
      const train = adding(1500, 8, 1)
      const test = adding(300, 8, 2)
      await model.fit(train.x, train.y, { batchSize: 50, nbEpoch: 12, verbose: 0 })
      const loss = await model.evaluate(test.x, test.y, { verbose: 0 })
      expect(loss).toBeLessThan(WITHOUT_MEMORY / 10)
      model.dispose()
    },
    60_000,
  )

  it('a delayed copy: each step repeats the symbol of two steps before', async () => {
    setSeed(2)
    const [n, T, K, delay] = [400, 10, 4, 2]
    const next = random(3)
    const ids = Int32Array.from({ length: n * T }, () => Math.floor(next() * K))
    const before = ids.map((_, i) => (i % T < delay ? 0 : (ids[i - delay] as number)))
    const x = { data: ids, shape: [n, T] }
    const y = { data: oneHot(before, K).data, shape: [n, T, K] }
    const model = new Sequential([
      new Embedding(K, 8, { inputLength: T }),
      new GRU(24, { returnSequences: true }),
      new TimeDistributed(new Dense(K, { activation: 'softmax' })),
    ])
    model.compile({
      optimizer: new Adam({ lr: 0.02 }),
      loss: 'categorical_crossentropy',
      metrics: ['accuracy'],
    })
    const history = await model.fit(x, y, { batchSize: 40, nbEpoch: 12, verbose: 0 })
    expect(history.history.acc?.at(-1)).toBeGreaterThan(0.97) // 0.2 + 0.8 / 4 = 0.4 without memory
    model.dispose()
  }, 60_000)

  it.each(CELLS)(
    'to continue a sine: %s',
    async (_, Cell) => {
      setSeed(3)
      const [n, T] = [300, 20]
      const next = random(4)
      const x = new Float32Array(n * T)
      const y = new Float32Array(n)
      for (let i = 0; i < n; i++) {
        const start = next() * 4 * Math.PI
        for (let t = 0; t <= T; t++) {
          const value = Math.sin(start + t * 0.3)
          if (t < T) x[i * T + t] = value
          else y[i] = value
        }
      }
      const model = new Sequential([new Cell(12, { inputShape: [null, 1] }), new Dense(1)])
      model.compile({ optimizer: new Adam({ lr: 0.02 }), loss: 'mse' })
      const history = await model.fit(
        { data: x, shape: [n, T, 1] },
        { data: y, shape: [n, 1] },
        { batchSize: 30, nbEpoch: 15, verbose: 0 },
      )
      // repeating the last value: about 0.045
      expect(history.history.loss?.at(-1)).toBeLessThan(0.01)
      model.dispose()
    },
    60_000,
  )

  it('which way round: a Bidirectional sees the end from the beginning', async () => {
    setSeed(5)
    const [n, T] = [400, 8]
    const next = random(6)
    const x = Float32Array.from({ length: n * T }, () => (next() < 0.5 ? -1 : 1))
    // Every step must say whether the last equals the first.
    const y = Float32Array.from({ length: n * T }, (_, i) => {
      const row = Math.floor(i / T) * T
      return x[row] === x[row + T - 1] ? 1 : 0
    })
    const model = new Sequential([
      new Bidirectional(new LSTM(12, { returnSequences: true }), { inputShape: [T, 1] } as never),
      new TimeDistributed(new Dense(8, { activation: 'tanh' })),
      new TimeDistributed(new Dense(1, { activation: 'sigmoid' })),
    ])
    model.compile({
      optimizer: new Adam({ lr: 0.02 }),
      loss: 'binary_crossentropy',
      metrics: ['accuracy'],
    })
    const history = await model.fit(
      { data: x, shape: [n, T, 1] },
      { data: y, shape: [n, T, 1] },
      { batchSize: 40, nbEpoch: 30, verbose: 0 },
    )
    expect(history.history.acc?.at(-1)).toBeGreaterThan(0.95)
    model.dispose()
  }, 60_000)
})
