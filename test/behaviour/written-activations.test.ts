/** Activations that are functions: each is the named one that it copies, also in files. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import {
  Activation,
  Convolution1D,
  Convolution2D,
  ConvLSTM2D,
  Dense,
  Flatten,
  Highway,
  type Layer,
  LocallyConnected1D,
  loadModel,
  LSTM,
  Masking,
  modelFromJson,
  Sequential,
  setFloatx,
  setSeed,
  TimeDistributed,
  TimeDistributedDense,
} from '../../lib/index.js'
import { uniform } from '../arrays.js'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-activations-'))
beforeAll(() => setFloatx('float64'))
afterAll(() => {
  setFloatx('float32')
  fs.rmSync(folder, { recursive: true })
})

const { div, exp, max, maximum, sub, sum, tanh } = K
const own = {
  relu: (x: K.Expr) => maximum(x, 0),
  tanh: (x: K.Expr) => tanh(x),
  softmax(x: K.Expr) {
    const e = exp(sub(x, max(x, -1, true)))
    return div(e, sum(e, -1, true))
  },
  linear: (x: K.Expr) => x,
}
type Name = keyof typeof own
type Made = (activation: Name | ((x: K.Expr) => K.Expr), first: object) => Layer[]
const steps = [null, 3] as const
const cases: [string, readonly (number | null)[], Made][] = [
  ['Dense', [3], (activation, first) => [new Dense(4, { activation, ...first })]],
  ['Activation', [3], (activation, first) => [new Dense(4, first), new Activation(activation)]],
  ['Dense of steps', steps, (activation, first) => [new Dense(4, { activation, ...first })]],
  [
    'Dense with an activity penalty',
    [3],
    (activation, first) => [new Dense(4, { activation, activityRegularizer: 'l2', ...first })],
  ],
  [
    'Dense in TimeDistributed behind a mask',
    steps,
    (activation, first) => [new Masking(first), new TimeDistributed(new Dense(4, { activation }))],
  ],
  [
    'TimeDistributedDense, then a mask for an LSTM',
    steps,
    (activation, first) => [
      new Masking(first),
      new TimeDistributedDense(4, { activation }),
      new LSTM(2),
    ],
  ],
  [
    'Convolution1D',
    steps,
    (activation, first) => [new Convolution1D(4, 2, { activation, ...first })],
  ],
  [
    'LocallyConnected1D',
    [6, 3],
    (activation, first) => [new LocallyConnected1D(4, 2, { activation, ...first })],
  ],
  [
    'Convolution2D, channels first',
    [2, 5, 5],
    (activation, first) => [
      new Convolution2D(4, 2, 2, { activation, dimOrdering: 'th', ...first }),
      new Flatten(),
    ],
  ],
]
const rows = Object.keys(own) as Name[]

describe.each(cases)('%s', (name, shape, make) => {
  it.each(rows)('with %s as a function', async (which) => {
    if (which === 'softmax' && name.startsWith('Convolution2D')) return // not of images
    const sizes = shape.map((extent) => extent ?? 6)
    const x = uniform(1, [5, ...sizes])
    if (name.includes('mask')) x.data.fill(0, 12, 18)
    const results = []
    for (const activation of [which, own[which]]) {
      setSeed(1)
      const model = new Sequential(make(activation, { inputShape: shape }))
      model.compile({ loss: 'mse', optimizer: 'sgd' })
      const y = await model.predict(x)
      const losses = []
      for (let i = 0; i < 3; i++) losses.push(await model.trainOnBatch(x, uniform(2, [...y.shape])))
      const weights = model.getWeights().flatMap(({ data }) => Array.from(data))
      results.push([...y.data, ...losses, ...weights])
    }
    const [named, written] = results as [number[], number[]]
    expect(Math.max(...named.map((v, i) => Math.abs(v - written[i]!)))).toBeLessThan(1e-12)
  })
})

it('is kept in files, and trains on with the same bits', async () => {
  const layers = cases
    .slice(0, 2)
    .flatMap(([, , make], i) => make(own.softmax, i === 0 ? { inputShape: [3] } : {}))
  const model = new Sequential([...layers])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  const [x, y] = [uniform(3, [4, 3]), uniform(4, [4, 4])]
  await model.trainOnBatch(x, y)
  const file = path.join(folder, 'model.h5')
  await model.save(file)
  const again = await loadModel(file)
  expect(await again.trainOnBatch(x, y)).toBe(await model.trainOnBatch(x, y))
  expect(again.getWeights()).toEqual(model.getWeights())
  expect(again.toJson()).toBe(model.toJson())
  expect(again.layers[0]!.getConfig().activation).toMatchObject({ name: 'softmax' })
  const document = JSON.parse(model.toJson())
  document.config[0].config.activation.expression.nodes[1].op = 'eval'
  const damaged = () => modelFromJson(JSON.stringify(document))
  expect(damaged).toThrow(/softmax|activation/)
  expect(damaged).toThrow(expect.objectContaining({ code: 'ERR_FILE_FORMAT' }))
})

describe('errors', () => {
  it('name the layer, the function and the shapes', () => {
    const of = (activation: (x: K.Expr) => K.Expr) => {
      return () => new Sequential([new Dense(4, { name: 'first', inputDim: 3, activation })])
    }
    expect(of((x) => sum(x, -1))).toThrow(
      /^first \(Dense\): activation: what the function gives must be \[B, 4\], as it is given, got \[B\]/,
    )
    expect(of((x) => x.dot(x))).toThrow(
      /^first \(Dense\): activation: dot\(x \[B, 4\], x \[B, 4\]\)/,
    )
    expect(() => new Dense(4, { activation: (x) => x }).getConfig()).toThrow(/part of a model/)
  })
  it('where the activation is inside', () => {
    const activation = own.relu as never
    expect(() => new Highway({ activation })).toThrow(
      /^Highway: activation must be the name of an activation, got a function\. defineLayer/,
    )
    expect(() => new ConvLSTM2D(3, 2, 2, { activation })).toThrow(/ConvLSTM2D: activation/)
  })
})
