/** Layers written as expressions: beside built-in ones, with several inputs, in files. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import {
  Dense,
  defineLayer,
  FormatError,
  Input,
  l2,
  type Layer,
  loadModel,
  LSTM,
  Masking,
  Model,
  modelFromJson,
  modelFromYaml,
  type NDArray,
  Sequential,
  setFloatx,
  setSeed,
  TimeDistributed,
} from '../../lib/index.js'
import { uniform } from '../arrays.js'

const { add, concat, dot, inTrainPhase, mul, tanh } = K
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-layers-'))
beforeAll(() => setFloatx('float64'))
afterAll(() => {
  setFloatx('float32')
  fs.rmSync(folder, { recursive: true })
})

const Own = defineLayer('Own', {
  options: { units: 4, scale: 1 },
  weights: {
    W: { shape: ({ inputShape, units }) => [inputShape.at(-1)!, units] },
    b: { shape: ({ units }) => [units] },
  },
  call: ({ x, W, b, options }) => mul(options.scale, tanh(add(dot(x, W), b))),
})

const far = (a: NDArray, b: NDArray) =>
  Math.max(...Array.from(a.data, (v, i) => Math.abs(v - b.data[i]!)))
const [N, T, D] = [6, 5, 3]
const rows = uniform(1, [N, D])
const steps = uniform(2, [N, T, D])

const options = { WRegularizer: 'l2', activityRegularizer: 'l1', WConstraint: 'maxnorm' } as const
const pairs: [string, (layer: Layer) => Layer[], Layer, Layer, typeof rows][] = [
  [
    'rows',
    (layer) => [layer, new Dense(2)],
    new Dense(4, { ...options, activation: 'tanh', inputDim: D }),
    new Own({ ...options, inputShape: [D] }),
    rows,
  ],
  [
    'steps',
    (layer) => [layer, new LSTM(2)],
    new Dense(4, { activation: 'tanh', inputShape: [null, D] }),
    new Own({ inputShape: [null, D] }),
    steps,
  ],
  [
    'steps, one by one',
    (layer) => [new TimeDistributed(layer, { inputShape: [null, D] })],
    new Dense(4, { activation: 'tanh' }),
    new Own(),
    steps,
  ],
]

it.each(pairs)('as Dense: outputs, gradients and updates of %s', async (_, around, a, b, x) => {
  const models = [a, b].map((layer) => new Sequential(around(layer)))
  const [theirs, own] = models as [Sequential, Sequential]
  own.setWeights(theirs.getWeights())
  for (const model of models) model.compile({ loss: 'mse', optimizer: 'sgd' })
  const predicted = await theirs.predict(x)
  expect(far(predicted, await own.predict(x))).toBeLessThan(1e-12)
  const y = uniform(3, [...predicted.shape])
  for (let i = 0; i < 3; i++) {
    const losses = [await theirs.trainOnBatch(x, y), await own.trainOnBatch(x, y)]
    expect(Math.abs(losses[0]! - losses[1]!)).toBeLessThan(1e-12)
  }
  for (const [i, w] of theirs.getWeights().entries())
    expect(far(w, own.getWeights()[i]!)).toBeLessThan(1e-12)
})

const Mixed = defineLayer('Mixed', {
  options: { share: 0.5 },
  weights: {
    gate: { shape: ({ inputShapes }) => [inputShapes[1]!.at(-1)!, inputShapes[0]!.at(-1)!] },
  },
  call({ inputs, gate, options }) {
    const [a, b] = inputs as [K.Expr, K.Expr]
    return add(mul(options.share, a), dot(b, gate))
  },
})

async function sameAfterFile(model: Model, x: unknown, y: unknown) {
  model.compile({ loss: 'mse', optimizer: 'adam' })
  await model.trainOnBatch(x as never, y as never)
  const file = path.join(folder, `${model.name}.h5`)
  await model.save(file)
  const again = await loadModel(file)
  const [a, b] = [
    await model.trainOnBatch(x as never, y as never),
    await again.trainOnBatch(x as never, y as never),
  ]
  expect(b).toBe(a)
  expect(again.getWeights()).toEqual(model.getWeights())
  expect(again.toJson()).toBe(model.toJson())
  expect(modelFromJson(model.toJson()).toJson()).toBe(model.toJson())
  const yaml = modelFromYaml(model.toYaml()).toJson()
  expect(JSON.parse(yaml)).toEqual(JSON.parse(model.toJson()))
  return again
}

describe('in files', () => {
  it('with options, regularizers and constraints', async () => {
    const layer = new Own({ units: 2, scale: 3, ...options, inputShape: [D], name: 'first' })
    const model = new Sequential([layer, new Own()])
    const again = await sameAfterFile(model, rows, uniform(4, [N, 4]))
    expect(again.layers[0]!.getConfig()).toMatchObject({
      name: 'first',
      definition: {
        options: { units: 2, scale: 3 },
        regularizers: { W: { l2: Math.fround(0.01) } },
      },
    })
  })
  it('with several inputs, in a functional model and in TimeDistributed', async () => {
    const [a, b] = [Input({ shape: [D] }), Input({ shape: [4] })]
    const shared = new Mixed({ gateRegularizer: l2(), share: 0.25 })
    const y = shared.call([shared.call([a, b]), b])
    const model = new Model({ input: [a, b], output: y })
    expect(model.countParams()).toBe(12)
    await sameAfterFile(model, [rows, uniform(5, [N, 4])], uniform(6, [N, D]))
    const wrapped = new Sequential([new TimeDistributed(new Own(), { inputShape: [T, D] })])
    await sameAfterFile(wrapped, steps, uniform(7, [N, T, 4]))
  })
  it.each([
    ['weights', { weights: [{ name: 'W', shape: [-1] }] }],
    ['options', { options: { name: 'x' } }],
    ['an expression', { expression: { inputs: [], nodes: [], outputs: [0] } }],
    ['an op', { expression: { inputs: [], nodes: [{ op: 'eval' }], outputs: [0] } }],
    ['regularizers', { regularizers: 7 }],
  ])('%s that are damaged are refused', (_, damage) => {
    const model = new Sequential([new Own({ inputShape: [D] })])
    const document = JSON.parse(model.toJson())
    Object.assign(document.config[0].config.definition, damage)
    expect(() => modelFromJson(JSON.stringify(document))).toThrow(FormatError)
  })
})

describe('masks', () => {
  const masked = (layer: Layer) => new Sequential([new Masking({ inputShape: [T, D] }), layer])
  const y = uniform(8, [N, T, 4])
  const x = { data: steps.data.slice(), shape: steps.shape }
  for (let b = 0; b < N; b++) x.data.fill(0, (b * T + 2) * D, (b + 1) * T * D)

  it('pass, or end here', async () => {
    const Ends = defineLayer('Ends', { mask: 'none', call: ({ x }) => concat(x, x) })
    setSeed(1)
    const passing = masked(new Own())
    const sum = async (model: Sequential) => {
      model.compile({ loss: 'mse', optimizer: 'sgd' })
      return model.evaluate(x, y.shape[2] === model.outputShape!.at(-1) ? y : uniform(8, [N, T, 6]))
    }
    const other = new Sequential([
      new Masking({ inputShape: [T, D] }),
      new TimeDistributed(new Own()),
    ])
    other.setWeights(passing.getWeights())
    expect(await sum(passing)).toBe(await sum(other))
    const ended = masked(new Ends())
    const plain = new Sequential([new Ends({ inputShape: [T, D] })])
    expect(await sum(ended)).toBe(await sum(plain))
  })
  it('that nothing has the steps of are an error', () => {
    const Mean = defineLayer('Mean', { call: ({ x }) => K.mean(x, 1) })
    expect(() => masked(new Mean()).compile({ loss: 'mse', optimizer: 'sgd' })).toThrow(
      /mean_\d+ \(Mean\): what call gives of an input with a mask must be \[B, 5, …\].*mask: 'none'/,
    )
  })
})

it('knows whether a batch trains', async () => {
  const Phase = defineLayer('Phase', { call: ({ x }) => inTrainPhase(mul(0, x), x) })
  const model = new Sequential([new Phase({ inputShape: [D] })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const zeros = { data: new Float32Array(N * D), shape: [N, D] }
  expect(await model.trainOnBatch(rows, zeros)).toBe(0)
  expect(await model.testOnBatch(rows, zeros)).toBeGreaterThan(0)
})

it('stays as it is when frozen, and takes initial weights', async () => {
  const W = uniform(9, [D, 4])
  const layer = new Own({ inputShape: [D], trainable: false, weights: [W, new Float64Array(4)] })
  const model = new Sequential([layer, new Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  await model.trainOnBatch(rows, uniform(10, [N, 1]))
  expect(Array.from(layer.getWeights()[0]!.data)).toEqual(Array.from(W.data))
})

describe('errors', () => {
  it('name the layer, the expression and the shapes', () => {
    const Bad = defineLayer('Bad', {
      weights: { W: { shape: [4, 2] } },
      call: ({ x, W }) => dot(x, W),
    })
    expect(() => new Sequential([new Bad({ inputShape: [D], name: 'bad' })])).toThrow(
      /^bad \(Bad\): dot\(x \[B, 3\], Bad\/W \[4, 2\]\): columns/,
    )
    const NoBatch = defineLayer('NoBatch', { call: ({ x }) => K.mean(x) })
    expect(() => new Sequential([new NoBatch({ inputShape: [D] })])).toThrow(
      /what call gives must be \[B, …\], got \[\]/,
    )
    const Idle = defineLayer('Idle', { weights: { W: { shape: [3] } }, call: ({ x }) => x })
    expect(() => new Sequential([new Idle({ inputShape: [D], name: 'idle' })])).toThrow(
      'idle (Idle): weight W must be part of what call gives, got one that it does not read. A shape of null leaves a weight out.',
    )
    expect(() => new Sequential([new Own({ inputShape: [null, null] })])).toThrow(
      /shape of W must be a list of positive integers, got \[null, 4\]\. The input is/,
    )
  })
  it('refuse options that there are none of', () => {
    expect(() => new Own({ unit: 3 } as never)).toThrow(/Own: unknown option `unit`.*`units`/)
    expect(() => new Own({ units: 'x' as never })).toThrow(
      /units must be a finite number, got the string 'x'/,
    )
    const call = ({ x }: { x: K.Expr }) => x
    expect(() => defineLayer('A', { options: { name: 'x' }, call })).toThrow(/new, got 'name'/)
    expect(() => defineLayer('A', { call: 7 as never })).toThrow(/call must be a function/)
    expect(() => new Own().getConfig()).toThrow(/part of a model/)
  })
  it('refuse a place whose inputs the weights do not fit', () => {
    const [a, b, c] = [Input({ shape: [D] }), Input({ shape: [4] }), Input({ shape: [5] })]
    const layer = new Mixed()
    layer.call([a, b])
    expect(() => layer.call([a, c])).toThrow(/inputs must be \[B, 3\], \[B, 4\].*made, got/)
  })
})
