/** Laws of sessions: any way through a sequence gives what the whole of it gives, to the bit. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectSameBits, join, type Plain, random, steps, uniform } from '../arrays.js'
import {
  BatchNormalization,
  backend,
  defineCell,
  Dense,
  Dropout,
  Embedding,
  GRU,
  Masking,
  type ModelSession,
  Sequential,
  setSeed,
  TimeDistributed,
} from '../package.js'
import { law } from './law.js'
import { type Drawn, drawn, layerOf } from './models.js'

/** Step t of x [B, T, D], as a session takes it: [B, D]. */
const at = (x: Plain, t: number): Plain => {
  const { data, shape } = steps(x, t, t + 1)
  return { data, shape: [shape[0]!, ...shape.slice(2)] }
}
const plain = (y: { data: ArrayLike<number>; shape: readonly number[] }): Plain => ({
  data: y.data as Float32Array,
  shape: [...y.shape],
})
/** One step's output as a part of a sequence: [B, 1, K]. */
const asSequence = ({ data, shape }: Plain): Plain => ({
  data,
  shape: [shape[0]!, 1, ...shape.slice(1)],
})

/** Random layers that carry states, and what may stand around them. */
interface Walk {
  d: Drawn
  second: 'SimpleRNN' | 'GRU' | 'LSTM' | null
  masked: boolean
  around: boolean
  learned: boolean
  zoneout: number
  /** How many steps each part has; 1 by `step`, more by `predict`. */
  parts: number[]
}

const walk = fc.record({
  d: drawn({ T: 1 }),
  second: fc.constantFrom<Walk['second']>('SimpleRNN', 'GRU', 'LSTM', null),
  masked: fc.boolean(),
  around: fc.boolean(),
  learned: fc.boolean(),
  zoneout: fc.constantFrom(0, 0, 0.4),
  parts: fc.array(fc.constantFrom(1, 1, 2, 4), { minLength: 1, maxLength: 7 }),
})

function modelFor({ d, second, masked, around, learned, zoneout }: Walk): Sequential {
  setSeed(d.seed)
  const states = { goBackwards: false, initialState: learned ? 'learned' : 'zero', zoneout }
  const options = { ...states, returnSequences: true }
  const model = new Sequential()
  const inputShape = [null, d.D]
  if (masked) model.add(new Masking({ inputShape }))
  if (around && !masked) model.add(new TimeDistributed(new Dense(d.D), { inputShape }))
  model.add(layerOf(d, { ...options, ...(masked || around ? {} : { inputShape }) }))
  if (around) model.add(new BatchNormalization()).add(new Dropout(0.5))
  if (second) model.add(layerOf({ ...d, cell: second, options: {} }, options))
  if (around) model.add(new TimeDistributed(new Dense(3, { activation: 'softmax' })))
  for (const layer of model.layers) {
    const low = layer instanceof BatchNormalization ? 0.1 : -0.7 // variances are above 0
    layer.setWeights(layer.getWeights().map((w, i) => uniform(d.seed + i, [...w.shape], low, 0.7)))
  }
  return model
}

describe('sessions', () => {
  law(
    'any parts equal the whole',
    walk,
    async (w) => {
      const T = w.parts.reduce((sum, n) => sum + n, 0)
      const { B, D, seed } = w.d
      const x = uniform(seed, [B, T, D])
      // Rows are masked at other steps; the first step is, too.
      if (w.masked)
        for (let b = 0; b < B; b++)
          for (let t = b % 2; t < T; t += 3) x.data.fill(0, (b * T + t) * D, (b * T + t + 1) * D)
      const model = modelFor(w)
      const whole = await model.predict(x, { batchSize: B })
      const session = model.session({ batchSize: B })
      for (const isSync of [false, true]) {
        const made: Plain[] = []
        let t = 0
        for (const n of w.parts) {
          if (n > 1) made.push(plain(await session.predict(steps(x, t, t + n))))
          else if (isSync) made.push(asSequence(plain(session.stepSync(at(x, t)))))
          else made.push(asSequence(plain(await session.step(at(x, t)))))
          t += n
        }
        expectSameBits(join(made), whole, isSync ? 'stepSync' : 'step')
        session.reset()
      }
      model.dispose()
    },
    2,
  )

  law('without returnSequences, a step gives the output at that step', walk, async (w) => {
    const { B, D, seed } = w.d
    setSeed(seed)
    const last = { goBackwards: false, inputShape: [null, D] }
    const model = new Sequential([layerOf(w.d, last), new Dense(2)])
    const x = uniform(seed, [B, 4, D])
    const session = model.session({ batchSize: B })
    for (let t = 0; t < 4; t++)
      expectSameBits(await session.step(at(x, t)), await model.predict(steps(x, 0, t + 1)))
    session.reset()
    expectSameBits(await session.predict(x), await model.predict(x))
    model.dispose()
  })

  law('a state taken out and put in goes on as if nothing had been', walk, async (w) => {
    const { B, D, seed } = w.d
    const x = uniform(seed, [B, 6, D])
    const model = modelFor(w)
    const one = model.session({ batchSize: B })
    await one.predict(steps(x, 0, 3))
    const [forked, saved, taken] = [one.fork(), JSON.stringify(one.save()), one.state]
    const rest = await one.predict(steps(x, 3, 6))
    const again = model.session({ batchSize: B, state: JSON.parse(saved) })
    const other = model.session({ batchSize: B })
    await other.step(at(x, 5))
    other.state = taken
    for (const each of [forked, again, other])
      expectSameBits(await each.predict(steps(x, 3, 6)), rest)
    model.dispose()
  })
})

/** A cell with a state of two axes, and an output that is none of its states. */
const Pair = defineCell('Pair', {
  weights: { W: ['D', 'H'], U: ['H', 'H'], b: ['H'] },
  states: { h: { initial: 'learned' }, m: { shape: [2, 'H'] } },
  step: ({ x, h, m, W, U, b }) => {
    const next = backend.tanh(x.dot(W).add(h.dot(U)).add(b))
    const both = backend.mul(0.5, backend.add(m, backend.expandDims(next, 1)))
    return { h: next, m: both, y: backend.mul(next, backend.sum(both, 1)) }
  },
})

describe('cells that are written, of any states', () => {
  const x = uniform(4, [2, 6, 2])
  const modelOfPairs = (maskValue: number | null) => {
    setSeed(3)
    const inputShape = [null, 2]
    const own = maskValue === null ? { inputShape } : {}
    const model = new Sequential(maskValue === null ? [] : [new Masking({ maskValue, inputShape })])
    model.add(new Pair(3, { returnSequences: true, name: 'pair', ...own }))
    model.setWeights(model.getWeights().map((w, i) => uniform(i, [...w.shape])))
    return model
  }

  it.each([
    ['no mask', null, { h: 6, m: 12 }],
    ['a mask of ones', -9, { h: 6, m: 12, y: 6 }],
    ['masked steps', 0, { h: 6, m: 12, y: 6 }],
  ])('with %s', async (_, maskValue, sizes) => {
    const given = { data: x.data.slice(), shape: x.shape }
    if (maskValue === 0) given.data.fill(0, 0, 2).fill(0, 6, 8).fill(0, 20, 24)
    const model = modelOfPairs(maskValue)
    const session = model.session({ batchSize: 2 })
    const made: Plain[] = []
    for (let t = 0; t < 6; t++) made.push(asSequence(plain(session.stepSync(at(given, t)))))
    expectSameBits(join(made), await model.predict(given))
    const states = Object.entries(session.state.pair!)
    expect(Object.fromEntries(states.map(([name, { length }]) => [name, length]))).toEqual(sizes)
  })

  it('a masked step leaves states of two axes as they were', async () => {
    const model = modelOfPairs(0)
    const gap = { data: x.data.slice(), shape: x.shape }
    gap.data.fill(0, 4, 6).fill(0, 16, 18) // step 2 of both
    const y = plain(await model.predict(gap))
    const without = join([steps(x, 0, 2), steps(x, 3, 6)])
    const shorter = plain(await model.predict(without))
    expectSameBits(join([steps(y, 0, 2), steps(y, 3, 6)]), shorter)
    expectSameBits(steps(y, 2, 3), steps(y, 1, 2))
  })
})

/** Fifty sessions, each in a sequence of its own, 2,000 steps of one number. */
describe('many sessions side by side', () => {
  const [N, T, D] = [50, 2000, 1]
  setSeed(8)
  const model = new Sequential([
    new GRU(3, { inputShape: [null, D], returnSequences: true, initialState: 'learned' }),
    new Dense(2),
  ])
  model.setWeights(model.getWeights().map((w, i) => uniform(i, [...w.shape])))
  const x = uniform(5, [N, T, D])
  const sequence = (n: number): Plain => ({
    data: x.data.slice(n * T * D, (n + 1) * T * D),
    shape: [1, T, D],
  })
  const outputs = new Float32Array(N * T * 2)
  const put = (n: number, t: number, data: ArrayLike<number>) => outputs.set(data, (n * T + t) * 2)

  it('in a random order, one by one, and as whole sequences', { timeout: 60_000 }, async () => {
    const whole = await model.predict(x)
    const expected = { data: outputs, shape: [N, T, 2] }
    const sessions = Array.from({ length: N }, () => model.session())
    const places = new Int32Array(N)
    const next = random(6)
    const open = Array.from({ length: N }, (_, n) => n)
    while (open.length > 0) {
      const which = Math.floor(next() * open.length)
      const n = open[which]!
      const t = places[n]!
      places[n] = t + 1
      put(n, t, sessions[n]!.stepSync(x.data[n * T + t]!).data)
      if (places[n] === T) open.splice(which, 1)
    }
    expectSameBits(expected, whole, 'random order')
    const last = sessions.map(({ state }) => state)

    outputs.fill(0)
    for (const [n, session] of sessions.entries()) {
      session.reset()
      for (let t = 0; t < T; t++) put(n, t, session.stepSync(x.data[n * T + t]!).data)
      expect(session.state).toEqual(last[n])
    }
    expectSameBits(expected, whole, 'one by one')

    outputs.fill(0)
    for (const [n, session] of sessions.entries()) {
      session.reset()
      const made = await session.predict({ ...sequence(n), shape: [T, D] })
      put(n, 0, made.data)
      expect(session.state).toEqual(last[n])
    }
    expectSameBits(expected, whole, 'each at once')
  })

  it('all under way at one time, with forks among them', async () => {
    const [count, length] = [20, 60]
    const whole = await model.predict(steps(x, 0, length))
    const sessions: ModelSession[] = Array.from({ length: count }, () => model.session())
    const next = random(7)
    const places = sessions.map(() => 0)
    const made: Promise<void>[] = []
    while (places.some((t) => t < length)) {
      const n = Math.floor(next() * count)
      const t = places[n]!
      if (t === length) continue
      if (next() < 0.02) {
        await Promise.all(made.splice(0))
        sessions[n] = sessions[n]!.fork()
      }
      const size = Math.min(length - t, next() < 0.2 ? 3 : 1)
      const given = { data: x.data.slice(n * T + t, n * T + t + size), shape: [size, D] }
      const one = size > 1 ? sessions[n]!.predict(given) : sessions[n]!.step(given.data[0]!)
      given.data.fill(Number.NaN) // it was copied
      places[n] = t + size
      made.push(one.then(({ data }) => put(n, t, data)))
    }
    await Promise.all(made)
    for (let n = 0; n < count; n++)
      for (let i = 0; i < length * 2; i++)
        if (outputs[n * T * 2 + i] !== whole.data[n * length * 2 + i])
          expect.unreachable(`session ${n}, number ${i}`)
  })
})

it('words go in as numbers', async () => {
  setSeed(2)
  const layers = [new Embedding(7, 4, { maskZero: true, inputLength: 5 }), new GRU(3)]
  const model = new Sequential([...layers, new Dense(7, { activation: 'softmax' })])
  const words = [0, 3, 6, 0, 2]
  const one = model.session()
  for (const word of words) one.stepSync(word)
  const [session, two] = [model.session(), model.session({ batchSize: 2 })]
  let y = await session.step(0)
  for (const word of words.slice(1)) y = await session.step(word)
  const whole = await model.predict([words])
  expectSameBits({ data: y.data as Float32Array, shape: [1, 7] }, whole)
  for (const word of words) y = await two.step([word, 6 - word])
  const both = await model.predict([words, words.map((word) => 6 - word)])
  expectSameBits(y, both)
  expect(one.state).toEqual(session.state)
})
