/** Laws of time: masks, direction, states, sequences. */
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import {
  expectAllClose,
  expectClose,
  expectSameBits,
  filled,
  join,
  reversed,
  steps,
  uniform,
} from '../arrays.js'
import { Bidirectional, Sequential } from '../package.js'
import { law } from './law.js'
import { type Drawn, drawn, layerOf, modelOf } from './models.js'

/** Two ways to compute one thing may add in another order: a few units in the last place. */
const ROUNDING = 2e-6

const dataOf = (d: Drawn, T = d.T) => uniform(d.seed, [d.B, T, d.D])
const plain = (a: { data: ArrayLike<number>; shape: readonly number[] }) => ({
  data: a.data as Float32Array,
  shape: [...a.shape],
})

describe('masks', () => {
  const padded = fc.record({
    d: drawn(),
    before: fc.integer({ min: 0, max: 3 }),
    after: fc.integer({ min: 0, max: 3 }),
  })

  law('padded and masked equals the shorter', padded, async ({ d, before, after }) => {
    const x = dataOf(d)
    const long = join([filled(0, d.B, before, d.D), x, filled(0, d.B, after, d.D)])
    const model = modelOf(d, { returnSequences: true }, true)
    const short = plain(await model.predict(x))
    const y = plain(await model.predict(long))
    // Backwards the padding behind comes first; the output is in the order of processing.
    const lead = d.options.goBackwards ? after : before
    expectClose(steps(y, lead, lead + d.T), short, ROUNDING, 'real steps')
    expect(
      steps(y, 0, lead).data.every((v) => v === 0),
      'outputs before the first real step are 0',
    ).toBe(true)
    model.dispose()
  })

  law('padding changes no gradient', padded, async ({ d, before, after }) => {
    const x = dataOf(d)
    const long = join([filled(0, d.B, before, d.D), x, filled(0, d.B, after, d.D)])
    const target = uniform(d.seed + 1, [d.B, d.H])
    const model = modelOf(d, {}, true)
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const start = model.getWeights()
    await model.trainOnBatch(x, target)
    const one = model.getWeights()
    model.setWeights(start)
    await model.trainOnBatch(long, target)
    expectAllClose(model.getWeights(), one, ROUNDING, 'weights after a step')
    model.dispose()
  })

  law('a sample that is masked throughout gives zeros and no gradient', drawn(), async (d) => {
    const model = modelOf(d, { returnSequences: true }, true)
    const nothing = filled(0, d.B, d.T, d.D)
    expect((await model.predict(nothing)).data.every((v) => v === 0)).toBe(true)
    model.dispose()
  })
})

describe('direction', () => {
  law('goBackwards equals reversed input', drawn(), async (d) => {
    const [forth, back] = [false, true].map((goBackwards) =>
      modelOf(d, { goBackwards, returnSequences: true }),
    )
    if (!forth || !back) throw new Error('unreachable')
    back.setWeights(forth.getWeights())
    expectSameBits(await back.predict(dataOf(d)), await forth.predict(reversed(dataOf(d))))
    forth.dispose()
    back.dispose()
  })

  law(
    'Bidirectional concat is the forward half beside the backward half',
    drawn(),
    async (d) => {
      const options = { goBackwards: false, returnSequences: true }
      const both = new Sequential([
        new Bidirectional(layerOf(d, options), { inputShape: [null, d.D] } as never),
      ])
      const weights = both.getWeights()
      const half = weights.length / 2
      const [forth, back] = [modelOf(d, options), modelOf(d, { ...options, goBackwards: true })]
      forth.setWeights(weights.slice(0, half))
      back.setWeights(weights.slice(half))
      const x = dataOf(d)
      const y = await both.predict(x)
      const f = await forth.predict(x)
      const b = reversed(plain(await back.predict(x)))
      for (let row = 0; row < d.B * d.T; row++) {
        for (let h = 0; h < d.H; h++) {
          expect(y.data[row * 2 * d.H + h]).toBe(f.data[row * d.H + h])
          expect(y.data[row * 2 * d.H + d.H + h]).toBe(b.data[row * d.H + h])
        }
      }
      for (const model of [both, forth, back]) model.dispose()
    },
    0.6,
  )
})

describe('states', () => {
  const halves = drawn({ minT: 2 }).chain((d) =>
    fc.record({ d: fc.constant(d), cut: fc.integer({ min: 1, max: d.T - 1 }) }),
  )

  law('stateful halves equal the whole', halves, async ({ d, cut }) => {
    const forward = { goBackwards: false, returnSequences: true }
    const whole = modelOf(d, forward)
    const parts = new Sequential([
      layerOf(d, { ...forward, stateful: true, batchInputShape: [d.B, null, d.D] }),
    ])
    parts.setWeights(whole.getWeights())
    const x = dataOf(d)
    const run = async () => {
      const first = plain(await parts.predict(steps(x, 0, cut), { batchSize: d.B }))
      const second = plain(await parts.predict(steps(x, cut, d.T), { batchSize: d.B }))
      return join([first, second])
    }
    const expected = await whole.predict(x)
    expectSameBits(await run(), expected, 'in two halves')
    parts.resetStates()
    expectSameBits(await run(), expected, 'again after resetStates')
    whole.dispose()
    parts.dispose()
  })

  law(
    'a stateful model that is not reset goes on',
    drawn(),
    async (d) => {
      const model = modelOf(d, { stateful: true, activation: 'tanh' })
      const x = dataOf(d)
      const first = await model.predict(x, { batchSize: d.B })
      const second = await model.predict(x, { batchSize: d.B })
      // The negative control of the law above: were states lost, both would be equal.
      const same =
        Buffer.compare(Buffer.from(first.data.buffer), Buffer.from(second.data.buffer)) === 0
      if (d.H * d.B * d.T > 8) expect(same).toBe(false)
      model.dispose()
    },
    0.4,
  )
})

describe('sequences', () => {
  const masked = fc.record({ d: drawn(), mask: fc.boolean() })
  law('the last of returnSequences is the output without', masked, async ({ d, mask }) => {
    const all = modelOf(d, { returnSequences: true }, mask)
    const last = modelOf(d, {}, mask)
    last.setWeights(all.getWeights())
    const y = plain(await all.predict(dataOf(d)))
    const end = steps(y, d.T - 1, d.T)
    expectSameBits(await last.predict(dataOf(d)), { data: end.data, shape: [d.B, d.H] })
    all.dispose()
    last.dispose()
  })

  law(
    'unroll and consumeLess change nothing but the layout of weights',
    drawn(),
    async (d) => {
      const model = modelOf(d, {}, false)
      const unrolled = new Sequential([
        layerOf(d, { unroll: true, batchInputShape: [null, d.T, d.D] }),
      ])
      unrolled.setWeights(model.getWeights())
      expectSameBits(await unrolled.predict(dataOf(d)), await model.predict(dataOf(d)))
      model.dispose()
      unrolled.dispose()
    },
    0.4,
  )
})
