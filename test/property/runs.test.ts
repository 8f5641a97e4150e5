/** Laws of fit: how the work is cut into chunks does not matter, and a seed fixes all that is random. */
import { describe, expect } from 'vitest'
import { expectAllSameBits, uniform } from '../arrays.js'
import { LambdaCallback, setSeed } from '../package.js'
import { law } from './law.js'
import { type Deep, deep, deepModel } from './models.js'

const SMALL = { B: 9, D: 5, H: 9, T: 4 }

const data = (d: Deep) => ({ x: uniform(d.seed, [3 * d.B + 1, d.T, d.D]), y: uniform(d.seed + 1, [3 * d.B + 1, 2]) })

/** Two epochs; with a callback on each batch, fit asks native code for one batch at a time. */
async function run(d: Deep, { seed = d.seed, batchwise = false, shuffle = true as boolean | 'batch' } = {}) {
  setSeed(seed)
  const model = deepModel(d)
  const { x, y } = data(d)
  let batches = 0
  const callbacks = batchwise ? [new LambdaCallback({ onBatchEnd: () => void batches++ })] : []
  const history = await model.fit(x, y, { batchSize: d.B, nbEpoch: 2, verbose: 0, shuffle, callbacks })
  const weights = model.getWeights()
  model.dispose()
  return { weights, losses: history.history.loss, batches }
}

const differs = (a: { weights: { data: ArrayLike<number> }[] }, b: typeof a): boolean =>
  a.weights.some((w, i) => Array.from(w.data).some((v, j) => v !== b.weights[i]?.data[j]))

describe('runs', () => {
  law('a chunk of one batch at a time equals the whole epoch', deep(SMALL), async (d) => {
    const whole = await run(d)
    const chunked = await run(d, { batchwise: true })
    expect(chunked.batches).toBe(2 * Math.ceil((3 * d.B + 1) / d.B))
    expectAllSameBits(chunked.weights, whole.weights, 'weights')
    expect(chunked.losses).toEqual(whole.losses)
  })

  law(
    'the same seed gives the same run, another seed another',
    deep(SMALL),
    async (d) => {
      const first = await run(d)
      const again = await run(d)
      expectAllSameBits(again.weights, first.weights, 'weights')
      expect(again.losses).toEqual(first.losses)
      expect(differs(await run(d, { seed: d.seed + 1 }), first)).toBe(true)
    },
    0.6,
  )

  law(
    'fit without shuffling equals trainOnBatch over the batches',
    deep(SMALL),
    async (drawn) => {
      // A fit draws a number for its order, so the seed of dropout is another one.
      const d = { ...drawn, dropout: 0 }
      const fitted = await run(d, { shuffle: false })
      setSeed(d.seed)
      const model = deepModel(d)
      const { x, y } = data(d)
      const n = x.shape[0] as number
      for (let epoch = 0; epoch < 2; epoch++) {
        for (let from = 0; from < n; from += d.B) {
          const part = (a: typeof x) => {
            const width = a.data.length / n
            const to = Math.min(n, from + d.B)
            return { data: a.data.slice(from * width, to * width), shape: [to - from, ...a.shape.slice(1)] }
          }
          await model.trainOnBatch(part(x), part(y))
        }
      }
      expectAllSameBits(model.getWeights(), fitted.weights, 'weights')
      model.dispose()
    },
    0.6,
  )
})
