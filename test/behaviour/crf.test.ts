/** The layer CRF beside all paths, and what it does in models. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Expr, sum } from '../../lib/functions/index.js'
import {
  Bidirectional,
  CRF,
  Dense,
  Input,
  loadModel,
  LSTM,
  Masking,
  Model,
  Ragged,
  Sequential,
  setFloatx,
  setSeed,
  setThreads,
  SGD,
  TimeDistributed,
} from '../../lib/index.js'
import { random } from '../arrays.js'
import { bruteForce, pathScore, type Scores } from './chains.js'

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

/** Which of T steps are real, at least one: none masked, padded behind, in front, with holes. */
function maskOf(kind: number, T: number, next: () => number): boolean[] {
  const n = 1 + Math.floor(next() * T)
  const steps = Array.from({ length: T }, (_, t) => t)
  if (kind === 0) return steps.map(() => true)
  if (kind === 1) return steps.map((t) => t < n)
  if (kind === 2) return steps.map((t) => t >= T - n)
  const one = Math.floor(next() * T)
  return steps.map((t) => t === one || next() < 0.5)
}

interface Case {
  T: number
  K: number
  boundary: boolean
  isMasked: boolean
}

/** A model whose scores e are its input: W = 1, b = 0. */
function modelOf({ T, K, boundary, isMasked }: Case, returns: 'path' | 'marginals') {
  const model = new Sequential()
  if (isMasked) model.add(new Masking({ inputShape: [T, K] }))
  model.add(new CRF(K, { boundary, returns, ...(isMasked ? {} : { inputShape: [T, K] }) }))
  return model
}

const numbers = (next: () => number, n: number, size = 2) =>
  Array.from({ length: n }, () => size * (2 * next() - 1))

const identity = (K: number): number[][] =>
  Array.from({ length: K }, (_, i) => Array.from({ length: K }, (_x, j) => Number(i === j)))

const N = 50
const CASES: Case[] = [1, 2, 3, 6].flatMap((T) =>
  [2, 3, 4].flatMap((K) => [
    { T, K, boundary: true, isMasked: true },
    { T, K, boundary: T % 2 === 0, isMasked: false },
  ]),
)

describe('all paths', () => {
  // 24 · 50 samples
  it.each(CASES)('T $T, K $K, boundary $boundary, masked $isMasked', async (of) => {
    const { T, K, boundary, isMasked } = of
    const next = random(T * 100 + K * 10 + Number(isMasked))
    const U = identity(K).map(() => numbers(next, K))
    const zeros = new Array<number>(K).fill(0)
    const [start, end] = [0, 1].map(() => (boundary ? numbers(next, K) : zeros))
    const samples = Array.from({ length: N }, (_, n) => {
      const mask = maskOf(isMasked ? n % 4 : 0, T, next)
      const x = mask.map((isReal) => (isReal ? numbers(next, K) : zeros))
      const tags = mask.map(() => Math.floor(next() * K))
      const scores: Scores = { e: x.filter((_e, t) => mask[t]), U, start: start!, end: end! }
      return { mask, x, tags, scores, known: bruteForce(scores) }
    })
    const weights = [identity(K), zeros, U, ...(boundary ? [start!, end!] : [])]
    const x = samples.map((each) => each.x)
    const model = modelOf(of, 'path')
    model.setWeights(weights)
    const paths = await model.predictClasses(x)
    const rows = await model.predict(x)
    const shares = modelOf(of, 'marginals')
    shares.setWeights(weights)
    const marginals = await shares.predict(x)
    model.compile({ loss: 'sparse_crf', optimizer: 'sgd', metrics: ['accuracy'] })
    const hot = modelOf(of, 'marginals')
    hot.setWeights(weights)
    hot.compile({ loss: 'crf', optimizer: 'sgd' })
    for (const [n, { mask, tags, scores, known }] of samples.entries()) {
      const real = mask.flatMap((isReal, t) => (isReal ? [t] : []))
      expect(real.map((t) => paths.data[n * T + t])).toEqual(known.best)
      const at = ({ data }: { data: ArrayLike<number> }, t: number) =>
        Array.from({ length: K }, (_, k) => data[(n * T + t) * K + k]!)
      for (const [t, isReal] of mask.entries()) {
        const [row, share] = [at(rows, t), at(marginals, t)]
        expect(row.reduce((a, b) => a + b)).toBe(isReal ? 1 : 0)
        const expected = isReal ? known.marginals[real.indexOf(t)]! : zeros
        // sums of at most 4^6 terms
        for (const k of zeros.keys()) expect(share[k]).toBeCloseTo(expected[k]!, 12)
      }
      const path = real.map((t) => tags[t]!)
      const nll = known.logZ - pathScore(scores, path)
      const y = [tags.map((tag) => [tag])]
      const [loss, acc] = (await model.testOnBatch([x[n]!], y)) as unknown as number[]
      expect(loss! * real.length).toBeCloseTo(nll, 10)
      const right = path.filter((tag, i) => tag === known.best[i]).length
      expect(acc).toBeCloseTo(right / real.length, 12)
      const ones = [tags.map((tag) => zeros.map((_, k) => Number(k === tag)))]
      expect(Number(await hot.testOnBatch([x[n]!], ones))).toBeCloseTo(loss!, 12)
    }
  })
})

/** x [B, T, D] with zeros at masked steps, tags [B, T, 1], of a model that masks zeros. */
function padded(seed: number, [B, T, D, K]: readonly number[], masked = true) {
  const next = random(seed)
  const masks = Array.from({ length: B! }, (_, b) => maskOf(masked ? b % 4 : 0, T!, next))
  const x = masks.map((mask) =>
    mask.map((isReal) => (isReal ? numbers(next, D!, 1) : new Array<number>(D!).fill(0))),
  )
  const y = masks.map((mask) => mask.map(() => [Math.floor(next() * K!)]))
  return { x, y, masks }
}

describe('gradients of the loss', () => {
  it.each([
    ['masked', { isMasked: true, boundary: true }],
    ['without start and end', { isMasked: false, boundary: false }],
    ['from one-hot targets', { isMasked: true, boundary: true, isHot: true }],
    ['with weights of steps', { isMasked: true, boundary: true, isWeighted: true }],
  ])('%s', async (_, { isMasked, boundary, isHot = false, isWeighted = false }: Rest) => {
    const [B, T, D, K] = [5, 6, 3, 4]
    const { x, y } = padded(3, [B, T, D, K], isMasked)
    const model = new Sequential([
      ...(isMasked ? [new Masking({ inputShape: [T, D] })] : []),
      new LSTM(3, { returnSequences: true, inputShape: [T, D] }),
      new CRF(K, { boundary }),
    ])
    model.compile({
      loss: isHot ? 'crf' : 'sparse_crf',
      optimizer: new SGD({ lr: 1 }),
      sampleWeightMode: isWeighted ? 'temporal' : null,
    })
    const targets = isHot ? y.map((tags) => tags.map(([tag]) => identity(K)[tag!]!)) : y
    const next = random(8)
    const sampleWeight = isWeighted ? y.map((tags) => tags.map(() => next())) : null
    const start = model.getWeights().map((w) => ({
      data: Float64Array.from(w.data as Float64Array, () => 1.4 * next() - 0.7),
      shape: w.shape,
    }))
    const step = async (weights: typeof start) => {
      model.setWeights(weights)
      return Number(await model.trainOnBatch(x, targets, { sampleWeight }))
    }
    await step(start)
    const after = model.getWeights()
    const STEP = 1e-5 // error about STEP² + 1e-16 / STEP
    for (const [i, w] of start.entries())
      for (const at of w.data.keys()) {
        const analytic = w.data[at]! - (after[i]!.data[at] as number)
        const losses: number[] = []
        for (const sign of [1, -1]) {
          const moved = start.map((each) => ({ ...each, data: each.data.slice() }))
          moved[i]!.data[at]! += sign * STEP
          losses.push(await step(moved))
        }
        const numeric = (losses[0]! - losses[1]!) / (2 * STEP)
        expect(Math.abs(analytic - numeric)).toBeLessThan(1e-8)
      }
  })
})
interface Rest {
  isMasked: boolean
  boundary: boolean
  isHot?: boolean
  isWeighted?: boolean
}

describe('in models', () => {
  const [B, T, D, K] = [8, 7, 3, 4]
  const make = (options: object = {}) => {
    setSeed(2)
    return new Sequential([
      new Masking({ inputShape: [null, D] }),
      new Bidirectional(new LSTM(4, { returnSequences: true })),
      new CRF(K, options),
    ])
  }
  const bits = (arrays: readonly { data: ArrayLike<number> }[]) =>
    arrays.map(({ data }) => Array.from(data))

  it('gives the same bits with any number of threads', async () => {
    const { x, y } = padded(4, [64, 20, D, 9])
    const runs: unknown[] = []
    for (const n of [1, 2, 3, 4]) {
      setThreads(n)
      setSeed(2)
      const model = new Sequential([
        new Masking({ inputShape: [null, D] }),
        new LSTM(16, { returnSequences: true }),
        new CRF(9),
      ])
      model.compile({ loss: 'sparse_crf', optimizer: 'adam', metrics: ['acc'] })
      const { history } = await model.fit(x, y, { nbEpoch: 2, batchSize: 32, verbose: 0 })
      runs.push([history, bits(model.getWeights()), bits([await model.predict(x)])])
    }
    setThreads(1)
    for (const run of runs.slice(1)) expect(run).toEqual(runs[0])
  })

  it('stays finite over 2,000 steps, and over scores far apart', async () => {
    setFloatx('float32')
    try {
      const model = new Sequential([new CRF(3, { inputShape: [null, 3] })])
      model.compile({ loss: 'sparse_crf', optimizer: 'sgd' })
      const apart = identity(3).map((row) => row.map((each) => 200 * each - 100))
      model.setWeights([identity(3), [0, 0, 0], apart, [300, 0, 0], [0, 0, 0]])
      const { x, y } = padded(6, [2, 2000, 3, 3], false)
      const loss = Number(await model.trainOnBatch(x, y))
      expect(Number.isFinite(loss)).toBe(true)
      for (const { data } of model.getWeights())
        expect(Array.from(data as Float32Array).every(Number.isFinite)).toBe(true)
      const still = await model.testOnBatch(x, y)
      expect(Number.isFinite(Number(still))).toBe(true)
    } finally {
      setFloatx('float64')
    }
  })

  it('loses no digits over long sequences', async () => {
    const T = 4000
    const next = random(12)
    const x = [Array.from({ length: T }, () => numbers(next, 4, 50))]
    const y = [Array.from({ length: T }, () => [Math.floor(4 * next())])]
    const losses: number[] = []
    for (const floatx of ['float32', 'float64'] as const) {
      setFloatx(floatx)
      const model = new Sequential([new CRF(4, { inputShape: [null, 4] })])
      model.compile({ loss: 'sparse_crf', optimizer: 'sgd' })
      const zeros = [0, 0, 0, 0]
      model.setWeights([identity(4), zeros, identity(4), zeros, zeros])
      losses.push(Number(await model.testOnBatch(x, y)))
    }
    // Numbers of a step are below 200, a float's digit of which is 1.5e-5. Their sum over all steps
    // would be 1e5, a digit 8e-3.
    expect(Math.abs(losses[0]! - losses[1]!)).toBeLessThan(2e-5)
  })

  it.each([{}, { boundary: false, bias: false, returns: 'marginals' }])(
    'is saved with its loss, %j',
    async (options) => {
      const { x, y } = padded(5, [B, T, D, K])
      const model = make(options)
      model.compile({ loss: 'sparse_crf', optimizer: 'adam', metrics: ['accuracy'] })
      await model.fit(x, y, { nbEpoch: 2, verbose: 0 })
      const folder = mkdtempSync(path.join(tmpdir(), 'hiddenstate-crf-'))
      const file = path.join(folder, 'tagger.h5')
      try {
        await model.save(file)
        const again = (await loadModel(file)) as Sequential
        expect(again.metricsNames).toEqual(['loss', 'acc'])
        expect(bits([await again.predict(x)])).toEqual(bits([await model.predict(x)]))
        const train = (each: Sequential) =>
          each.fit(x, y, { nbEpoch: 2, verbose: 0, shuffle: false })
        expect((await train(again)).history).toEqual((await train(model)).history)
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
  )

  it('takes sequences of any length', async () => {
    const { x, y, masks } = padded(9, [B, T, D, K], false)
    const lengths = masks.map((_, b) => 1 + (b % T))
    const cut = <S>(list: S[][]) => list.map((each, b) => each.slice(0, lengths[b]))
    setSeed(2)
    const model = new Sequential([
      new LSTM(4, { returnSequences: true, inputShape: [null, D] }),
      new CRF(K),
    ])
    model.compile({ loss: 'sparse_crf', optimizer: 'adam', metrics: ['accuracy'] })
    await model.fit(Ragged.from(cut(x)), Ragged.from(cut(y)), { nbEpoch: 1, verbose: 0 })
    const paths = (await model.predictClasses(Ragged.from(cut(x)))) as unknown as Ragged
    for (const [b, steps] of cut(x).entries()) {
      const alone = await model.predictClasses([steps])
      expect(Array.from(paths.at(b).data)).toEqual(Array.from(alone.data))
    }
  })

  it('a sample of weight 0 does not count, nor does a frozen layer learn', async () => {
    const { x, y } = padded(7, [B, T, D, K])
    const trained = async (samples: typeof y, frozen: boolean) => {
      const model = make()
      model.layers[2]!.trainable = !frozen
      model.compile({ loss: 'sparse_crf', optimizer: 'sgd' })
      const before = bits(model.layers[2]!.getWeights())
      await model.trainOnBatch(x, samples, { sampleWeight: x.map((_, b) => Number(b > 0)) })
      return { before, crf: bits(model.layers[2]!.getWeights()), all: bits(model.getWeights()) }
    }
    const other = y.map((tags, b) => (b === 0 ? tags.map(([tag]) => [(tag! + 1) % K]) : tags))
    const run = await trained(y, false)
    expect(await trained(other, false)).toEqual(run)
    expect(run.crf).not.toEqual(run.before)
    const frozen = await trained(y, true)
    expect(frozen.crf).toEqual(frozen.before)
    expect(frozen.all).not.toEqual(run.all)
  })

  it('is one of several outputs, inside a model, too', async () => {
    const x = Input({ shape: [T, D] })
    const h = new LSTM(4, { returnSequences: true }).call(x)
    const inner = new Sequential([new CRF(K, { inputShape: [T, 4] })])
    const tags = inner.call(h)
    const other = new TimeDistributed(new Dense(1), { name: 'other' }).call(h)
    const model = new Model({ input: x, output: [tags, other] })
    model.compile({ loss: ['crf', 'mse'], optimizer: new SGD({ lr: 0.5 }) })
    const { x: data, y } = padded(2, [B, T, D, K], false)
    const hot = y.map((each) => each.map(([tag]) => identity(K)[tag!]!))
    const targets = [hot, y]
    const [, before] = (await model.trainOnBatch(data, targets)) as number[]
    for (let n = 0; n < 20; n++) await model.trainOnBatch(data, targets)
    const [, after] = (await model.testOnBatch(data, targets)) as number[]
    expect(after!).toBeLessThan(before!)
  })

  it('a function as metric sees the path', async () => {
    const { x, y } = padded(1, [B, T, D, K], false)
    const model = new Sequential([new CRF(K, { inputShape: [T, D] })])
    const ones = (_y: Expr, path: Expr) => sum(path, -1)
    model.compile({ loss: 'sparse_crf', optimizer: 'sgd', metrics: [ones] })
    // a mean, which a card adds up in parts
    expect(((await model.testOnBatch(x, y)) as number[])[1]).toBeCloseTo(1, 12)
  })

  it('refuses what does not fit it', async () => {
    const dense = new Sequential([new TimeDistributed(new Dense(K), { inputShape: [T, D] })])
    const compile = (model: Sequential, more: object) => () =>
      model.compile({ loss: 'crf', optimizer: 'sgd', ...more })
    expect(compile(dense, {})).toThrow("output for the loss 'crf' must be that of a CRF")
    const model = make()
    expect(compile(model, { metrics: ['mse'] })).toThrow("'accuracy' or functions")
    expect(compile(model, { targetDim: 1 })).toThrow("null with the loss 'crf', which says it")
    expect(() => new CRF(K, { returns: 'best' as never })).toThrow("'path' or 'marginals'")
    expect(() => new Sequential([new CRF(K, { inputShape: [D] })])).toThrow('[B, T, D]')
    model.compile({ loss: 'sparse_crf', optimizer: 'sgd' })
    const { x, y } = padded(1, [B, T, D, K])
    const weights = bits(model.getWeights())
    const wrong = y.map((tags) => tags.map(() => [K]))
    await expect(model.trainOnBatch(x, wrong)).rejects.toThrow(`The output has ${K} classes`)
    expect(bits(model.getWeights())).toEqual(weights)
  })
})
