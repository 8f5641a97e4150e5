/**
 * Laws of fit: how the work is cut into chunks, and layers into models, does not matter; a seed
 * fixes all that is random.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectAllClose, expectAllSameBits, expectSameBits, uniform } from '../arrays.js'
import { slow } from '../behaviour/models.js'
import { Dense, LambdaCallback, Merge, Sequential, setSeed } from '../package.js'
import type { RunRequest } from '../../lib/native.js'
import { law } from './law.js'
import { type Deep, deep, deepModel } from './models.js'

const SMALL = { B: 9, D: 5, H: 9, T: 4 }

const data = (d: Deep) => ({
  x: uniform(d.seed, [3 * d.B + 1, d.T, d.D]),
  y: uniform(d.seed + 1, [3 * d.B + 1, 2]),
})

/** Two epochs; with a callback on each batch, fit asks native code for one batch at a time. */
async function run(
  d: Deep,
  { seed = d.seed, batchwise = false, shuffle = true as boolean | 'batch', make = deepModel } = {},
) {
  setSeed(seed)
  const model = make(d)
  const { x, y } = data(d)
  let batches = 0
  const callbacks = batchwise ? [new LambdaCallback({ onBatchEnd: () => void batches++ })] : []
  const history = await model.fit(x, y, {
    batchSize: d.B,
    nbEpoch: 2,
    verbose: 0,
    shuffle,
    callbacks,
  })
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

  it('the losses of an epoch have the same bits wherever its runs are cut', async () => {
    const cuts: Pick<RunRequest, 'maxBatches' | 'maxMs'>[] = [
      { maxMs: 60_000 }, // one run
      { maxBatches: 1 },
      { maxBatches: 7 },
      { maxMs: 2 },
      {}, // as usual
    ]
    const all = []
    for (const cut of cuts) {
      const { model, x, y } = slow()
      const { runner } = model
      const run = runner.run.bind(runner)
      runner.run = (call, request, signal) => run(call, { ...request, ...cut }, signal)
      // thirds: sums are rounded
      const options = { batchSize: 3, nbEpoch: 2, verbose: 0, validationSplit: 0.25 } as const
      const { history } = await model.fit(x, y, options)
      all.push({ history, evaluated: await model.evaluate(x, y, { batchSize: 3, verbose: 0 }) })
      model.dispose()
    }
    for (const one of all) expect(one).toEqual(all[0])
  })

  law('a model inside a model learns what its layers in a row do', deep(SMALL), async (d) => {
    const inside = (deepness: Deep) => {
      const model = new Sequential([new Sequential([deepModel(deepness)])])
      model.compile({ optimizer: deepness.optimizer, loss: 'mse' })
      return model
    }
    expectAllSameBits((await run(d, { make: inside })).weights, (await run(d)).weights)
  })

  law(
    'a Merge gives what its branches give, and sends the gradient to each',
    deep({ ...SMALL, B: 4 }),
    async (drawn) => {
      const d = { ...drawn, dropout: 0 }
      const { x } = data(d)
      setSeed(d.seed)
      const [a, b] = [deepModel(d), deepModel(d)]
      const sum = new Sequential([new Merge([a, b], { mode: 'sum' })])
      const [ya, yb] = [await a.predict(x), await b.predict(x)]
      const both = Float32Array.from(ya.data, (v, i) => Math.fround(v + (yb.data[i] as number)))
      expectSameBits(await sum.predict([x, x]), { data: both, shape: ya.shape })
      // What is joined and cut apart again by weights
      // that take one part alone learns as that part alone.
      const model = new Sequential([
        new Merge([a, b], { mode: 'concat' }),
        new Dense(2, { bias: false, trainable: false }),
      ])
      model.layers[1]?.setWeights([
        { data: Float32Array.of(1, 0, 0, 1, 0, 0, 0, 0), shape: [4, 2] },
      ])
      model.compile({ optimizer: d.optimizer, loss: 'mse' })
      const kept = b.getWeights()
      const twin = Sequential.fromConfig(a.getConfig())
      twin.setWeights(a.getWeights())
      twin.compile({ optimizer: d.optimizer, loss: 'mse' })
      const { y } = data(d)
      await model.trainOnBatch([x, x], y)
      await twin.trainOnBatch(x, y)
      expectAllClose(a.getWeights(), twin.getWeights(), 1e-5)
      if (d.optimizer === 'sgd') expectAllSameBits(b.getWeights(), kept)
      for (const one of [a, b, sum, model, twin]) one.dispose()
    },
    0.5,
  )

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

  const cut = fc.record({
    d: deep({ ...SMALL, T: 9 }),
    checkpoint: fc.oneof(fc.constant('auto'), fc.integer({ min: 1, max: 10 })),
    truncate: fc.constantFrom(null, 2, 3),
  })
  law(
    'checkpoint changes no bit',
    cut,
    async ({ d, checkpoint, truncate }) => {
      const options = { ...d.options, truncate }
      const whole = await run({ ...d, options })
      const parts = await run({ ...d, options: { ...options, checkpoint } })
      expectAllSameBits(parts.weights, whole.weights, 'weights')
      expect(parts.losses).toEqual(whole.losses)
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
            return {
              data: a.data.slice(from * width, to * width),
              shape: [to - from, ...a.shape.slice(1)],
            }
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
