/** Regularizers and constraints that are functions: each is the named one that it copies. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as K from '../../lib/functions/index.js'
import {
  Activation,
  activityL2,
  Bidirectional,
  type ConstraintFunction,
  Convolution1D,
  Dense,
  defineCell,
  defineLayer,
  Embedding,
  GRU,
  Input,
  info,
  l1l2,
  type Layer,
  loadModel,
  LSTM,
  maxnorm,
  Model,
  modelFromJson,
  modelFromYaml,
  type RegularizerFunction,
  Sequential,
  setFloatx,
  setSeed,
  setThreads,
  TimeDistributed,
  unitnorm,
} from '../../lib/index.js'
import { integers, type Plain, uniform } from '../arrays.js'

const { abs, add, clip, div, log, mul, sqrt, square, sub, sum } = K
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-penalties-'))
beforeAll(() => setFloatx('float64'))
afterAll(() => {
  setFloatx('float32')
  fs.rmSync(folder, { recursive: true })
})

const [S, R] = [Math.fround(0.03), Math.fround(0.07)]
const l1l2Own: RegularizerFunction = (w) => add(mul(S, sum(abs(w))), mul(R, sum(square(w))))
const named = l1l2({ l1: 0.03, l2: 0.07 })
const norms = (w: K.Expr) => sqrt(sum(square(w), 0, true))
const maxnormOwn: ConstraintFunction = (w) =>
  mul(w, div(clip(norms(w), 0, 0.5), add(1e-7, norms(w))))
const unitnormOwn: ConstraintFunction = (w) => div(w, add(1e-7, norms(w)))
const both = [
  { WRegularizer: named, bRegularizer: named, activityRegularizer: activityL2({ l: 0.07 }) },
  {
    WRegularizer: l1l2Own,
    bRegularizer: l1l2Own,
    activityRegularizer: (y: K.Expr) => mul(R, sum(square(y))),
  },
] as const
const held = [
  { WConstraint: maxnorm({ m: 0.5 }), bConstraint: 'nonneg' },
  { WConstraint: maxnormOwn, bConstraint: (b: K.Expr) => K.maximum(b, 0) },
] as const

const [N, T, D] = [7, 4, 3]
const rows = uniform(1, [N, D])
const steps = uniform(2, [N, T, D])
const words = integers(3, [N, T], 0, 6)
type Which = 0 | 1
const cases: [string, (which: Which) => Layer[], Plain][] = [
  ['Dense', (i) => [new Dense(4, { ...both[i], inputDim: D }), new Dense(1)], rows],
  [
    'Dense with an activation behind it',
    (i) => [
      new Dense(4, { ...both[i], inputDim: D, activation: (x: K.Expr) => K.tanh(x) }),
      new Activation('relu'),
    ],
    rows,
  ],
  ['a frozen layer', (i) => [new Dense(4, { ...both[i], inputDim: D, trainable: false })], rows],
  [
    'TimeDistributed(Dense), twice in a model',
    (i) => {
      const layer = new TimeDistributed(new Dense(D, both[i]), { inputShape: [T, D] })
      return [layer, layer, new LSTM(2)]
    },
    steps,
  ],
  [
    'Convolution1D',
    (i) => [new Convolution1D(3, 2, { ...both[i], ...held[i], inputShape: [T, D] })],
    steps,
  ],
  [
    'LSTM, gate by gate',
    (i) => [
      new LSTM(3, {
        WRegularizer: both[i].WRegularizer,
        URegularizer: both[i].WRegularizer,
        bRegularizer: both[i].bRegularizer,
        inputShape: [T, D],
      }),
    ],
    steps,
  ],
  [
    'Bidirectional',
    (i) => [
      new Bidirectional(new GRU(3, { WRegularizer: both[i].WRegularizer }), { inputShape: [T, D] }),
    ],
    steps,
  ],
  [
    'Embedding, whose gradient is by rows',
    (i) => [
      new Embedding(6, 3, {
        WRegularizer: both[i].WRegularizer,
        WConstraint: held[i].WConstraint,
        inputLength: T,
      }),
      new LSTM(2),
    ],
    words,
  ],
  ['constraints', (i) => [new Dense(4, { ...held[i], inputDim: D })], rows],
  [
    'constraints of what is frozen',
    (i) => [new Dense(4, { ...held[i], inputDim: D, trainable: false }), new Dense(1)],
    rows,
  ],
]

describe.each(cases)('%s', (_, make, x) => {
  it.each(['sgd', 'adam'] as const)('is as the named ones, by %s', async (optimizer) => {
    const results: number[][] = []
    for (const which of [0, 1] as const) {
      setSeed(1)
      const model = new Sequential(make(which))
      model.compile({ loss: 'mse', optimizer })
      const y = uniform(4, [N, ...(model.outputShape!.slice(1) as number[])])
      const numbers: number[] = [(await model.evaluate(x, y)) as number]
      for (let step = 0; step < 3; step++) numbers.push((await model.trainOnBatch(x, y)) as number)
      const gradients = await model.gradients(x, y)
      for (const { data } of [...model.getWeights(), ...gradients]) numbers.push(...data)
      numbers.push(...(await model.predict(x)).data)
      results.push(numbers)
    }
    const [want, got] = results as [number[], number[]]
    expect(got.length).toBe(want.length)
    expect(Math.max(...want.map((v, i) => Math.abs(v - got[i]!)))).toBeLessThan(1e-11)
  })
})

it('a penalty with a product agrees with differences', async () => {
  const penalty: RegularizerFunction = (w) => {
    const inner = w.T.dot(w)
    return sum(square(sub(inner, 0.5)))
  }
  setSeed(5)
  const model = new Sequential([new Dense(2, { WRegularizer: penalty, inputDim: D, bias: false })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const y = uniform(6, [N, 2])
  const [gradient] = await model.gradients(rows, y)
  const W = Array.from(model.getWeights()[0]!.data)
  for (const [i] of W.entries()) {
    const at = async (h: number) => {
      model.setWeights([{ data: W.map((v, k) => v + (k === i ? h : 0)), shape: [D, 2] } as never])
      return model.evaluate(rows, y)
    }
    const difference = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5
    expect(Math.abs(difference - gradient!.data[i]!)).toBeLessThan(1e-7)
  }
})

it('a shared layer counts once, its output in each place', async () => {
  const losses: number[] = []
  for (const which of [0, 1] as const) {
    setSeed(2)
    const [a, b] = [Input({ shape: [D] }), Input({ shape: [D] })]
    const shared = new Dense(2, both[which])
    const y = [shared.call(a), shared.call(b)]
    const model = new Model({ input: [a, b], output: y })
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    const targets = [uniform(7, [N, 2]), uniform(8, [N, 2])]
    for (let i = 0; i < 2; i++)
      losses.push(...((await model.trainOnBatch([rows, uniform(9, [N, D])], targets)) as number[]))
  }
  const half = losses.length / 2
  for (let i = 0; i < half; i++)
    expect(Math.abs(losses[i]! - losses[half + i]!)).toBeLessThan(1e-12)
})

const Scale = defineLayer('Scale', {
  weights: { gamma: { shape: [D], init: 'one' } },
  call: ({ x, gamma }) => mul(x, gamma),
})
const everywhere = (): Sequential => {
  setSeed(3)
  return new Sequential([
    new Bidirectional(new LSTM(2, { WRegularizer: l1l2Own, returnSequences: true }), {
      inputShape: [T, D],
    }),
    new TimeDistributed(new Dense(D, { ...both[1], ...held[1] })),
    new Scale({ gammaRegularizer: l1l2Own, gammaConstraint: unitnormOwn }),
  ])
}

describe('in files', () => {
  it('a model trains on with the same bits', async () => {
    const model = everywhere()
    model.compile({ loss: 'mse', optimizer: 'adam' })
    await model.trainOnBatch(steps, steps)
    const file = path.join(folder, 'model.h5')
    await model.save(file)
    const again = await loadModel(file)
    for (let i = 0; i < 2; i++)
      expect(await again.trainOnBatch(steps, steps)).toBe(await model.trainOnBatch(steps, steps))
    expect(again.getWeights()).toEqual(model.getWeights())
    expect(again.toJson()).toBe(model.toJson())
  })
  it('a checkpoint goes on with the same bits', async () => {
    const fit = { nbEpoch: 3, batchSize: 3, verbose: 0 } as const
    const dir = path.join(folder, 'checkpoints')
    const named = () => {
      const model = everywhere()
      for (const [i, layer] of model.layers.entries()) layer.name = `layer_${i}`
      const [first, second] = model.layers as unknown as [
        { options: { layer: Layer } },
        { layer: Layer },
      ]
      first.options.layer.name = 'lstm'
      second.layer.name = 'dense'
      model.compile({ loss: 'mse', optimizer: 'adam' })
      return model
    }
    const whole = named()
    await whole.fit(steps, steps, fit)
    await named().fit(steps, steps, { ...fit, nbEpoch: 1, checkpoint: { dir } })
    const resumed = named()
    await resumed.fit(steps, steps, { ...fit, resume: dir })
    expect(resumed.getWeights()).toEqual(whole.getWeights())
  })
  it('a penalty that depends on the shape is right for each weight of a cell', async () => {
    const Cell = defineCell('Narrow', {
      weights: { W: ['D', 'H'], V: ['D', 2], P: [2, 'H'], U: ['H', 'H'], b: ['H'], c: [2] },
      states: { h: {} },
      step: ({ x, h, W, V, P, U, b, c }) => ({
        h: K.tanh(add(x.dot(W), add(x.dot(V), c).dot(P), h.dot(U), b)),
      }),
    })
    const size = (dims: readonly unknown[]) => dims.reduce<number>((a, b) => a * Number(b), 1)
    const scaled: RegularizerFunction = (w) => mul(size(w.shape), sum(square(w)))
    const penalties = { WRegularizer: scaled, URegularizer: scaled, bRegularizer: scaled }
    setSeed(5)
    const model = new Sequential([new Cell(D, { ...penalties, inputShape: [T, D] })])
    model.setWeights(model.getWeights().map(({ shape }, i) => uniform(20 + i, [...shape])))
    const y = await model.predict(steps)
    const file = path.join(folder, 'cell.h5')
    let each = model
    for (let round = 0; round < 3; round++) {
      each.compile({ loss: 'mse', optimizer: 'sgd' })
      const penalty = each
        .getWeights()
        .reduce(
          (all, { shape, data }) =>
            all + size(shape) * Array.from(data).reduce((a, w) => a + w * w, 0),
          0,
        )
      expect(penalty).toBeGreaterThan(1)
      expect(await each.evaluate(steps, y)).toBeCloseTo(penalty, 12)
      await each.save(file)
      each = round === 0 ? ((await loadModel(file)) as Sequential) : modelFromYaml(each.toYaml())
      each.setWeights(model.getWeights())
    }
    const { config } = JSON.parse(model.toJson()).config[0]
    expect(config.W_regularizer.others).toHaveLength(1) // V; W is the first
    expect(config.U_regularizer.others).toHaveLength(1) // U; P is the first
    const same = new Sequential([new Cell(D, { WRegularizer: l1l2Own, inputShape: [T, D] })])
    expect(JSON.parse(same.toJson()).config[0].config.W_regularizer).not.toHaveProperty('others')
    config.W_regularizer.others = 3
    const damaged = { class_name: 'Sequential', config: [{ class_name: 'Narrow', config }] }
    expect(() => modelFromJson(JSON.stringify(damaged))).toThrow(
      /what a function gives for others must be a list, got 3/,
    )
  })
  it('what is damaged is refused', () => {
    const text = everywhere().toJson()
    const damaged = () => modelFromJson(text.replace('"op":"square"', '"op":"squeeze"'))
    expect(damaged).toThrow(expect.objectContaining({ code: 'ERR_FILE_FORMAT' }))
  })
})

it('gives the same bits on any number of threads', async () => {
  const before = info().threads
  const bits: string[] = []
  try {
    for (const threads of [1, 3]) {
      setThreads(threads)
      setSeed(4)
      const options = { ...both[1], ...held[1] }
      const model = new Sequential([new Dense(200, { ...options, inputDim: 300 })])
      model.compile({ loss: 'mse', optimizer: 'adam' })
      const [x, y] = [uniform(5, [64, 300]), uniform(6, [64, 200])]
      const loss = await model.fit(x, y, { nbEpoch: 2, verbose: 0 })
      const sums = model.getWeights().map(({ data }) => Array.from(data).reduce((a, b) => a + b, 0))
      bits.push(JSON.stringify([loss.history, sums]))
    }
  } finally {
    setThreads(before)
  }
  expect(new Set(bits).size).toBe(1)
})

it('a constraint without a finite value leaves the update, and is told', async () => {
  setSeed(6)
  const WConstraint: ConstraintFunction = (w) => log(sub(0, square(w)))
  const model = new Sequential([new Dense(1, { WConstraint, inputDim: D, name: 'first' })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  await model.trainOnBatch(rows, uniform(7, [N, 1]))
  const [message] = warn.mock.calls.at(-1)!
  warn.mockRestore()
  expect(message).toMatch(/constraint of first\/W/)
  expect(message).not.toMatch(/did not change/)
  expect(model.getWeights()[0]!.data.every(Number.isFinite)).toBe(true)
})

describe('errors', () => {
  const of = (options: object) => () =>
    new Sequential([new Dense(2, { ...options, inputDim: D, name: 'first' })])
  it('name the layer, the parameter and the shapes', () => {
    expect(of({ WRegularizer: square })).toThrow(
      /^first \(Dense\): penalty on W: what the function gives must be a number, \[\], got \[3, 2\]\. Sum it/,
    )
    expect(of({ bConstraint: (b: K.Expr) => sum(b) })).toThrow(
      /^first \(Dense\): constraint of b: what the function gives must be \[2\], as it is given, got \[\]/,
    )
    expect(of({ WRegularizer: (w: K.Expr) => sum(w.dot(w)) })).toThrow(
      /^first \(Dense\): penalty on W: dot\(W \[3, 2\], W \[3, 2\]\)/,
    )
    expect(of({ activityRegularizer: (y: K.Expr) => y })).toThrow(
      /activityRegularizer: what the function gives must be a number, \[\], got \[B, 2\]/,
    )
  })
  it('of one that is no layer of a model', () => {
    expect(() => new Dense(2, { WRegularizer: l1l2Own }).getConfig()).toThrow(/part of a model/)
  })
})

it('unitnorm as a function is unitnorm', async () => {
  const results: number[][] = []
  for (const WConstraint of [unitnorm(), unitnormOwn]) {
    setSeed(8)
    const model = new Sequential([new Dense(4, { WConstraint, inputDim: D })])
    model.compile({ loss: 'mse', optimizer: 'rmsprop' })
    await model.trainOnBatch(rows, uniform(9, [N, 4]))
    results.push(Array.from(model.getWeights()[0]!.data))
  }
  for (const [i, v] of results[0]!.entries()) expect(results[1]![i]).toBeCloseTo(v, 12)
})
