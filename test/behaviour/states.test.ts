/** The states of stateful layers, read and set: what Keras has as `layer.states`. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, filled, uniform } from '../arrays.js'
import {
  Bidirectional,
  ConfigError,
  Convolution1D,
  ConvLSTM2D,
  Dense,
  Flatten,
  GRU,
  LambdaCallback,
  type Layer,
  loadModel,
  LSTM,
  type NDArray,
  Sequential,
  setSeed,
  ShapeError,
  SimpleRNN,
  StateError,
} from '../package.js'

const [B, T, D, H] = [2, 3, 4, 5]
const sequence = { batchInputShape: [B, T, D], stateful: true } as const
const image = (dimOrdering: 'tf' | 'th') =>
  ({
    batchInputShape: dimOrdering === 'tf' ? [B, T, 4, 5, 1] : [B, T, 1, 4, 5],
    stateful: true,
    dimOrdering,
  }) as const

/** The layers with states, the shapes of those, and data. */
const kinds: [string, () => Layer, number[][], number[]][] = [
  ['SimpleRNN', () => new SimpleRNN(H, sequence), [[B, H]], [B, T, D]],
  ['GRU', () => new GRU(H, sequence), [[B, H]], [B, T, D]],
  ['GRU, resetAfter', () => new GRU(H, { ...sequence, resetAfter: true }), [[B, H]], [B, T, D]],
  [
    'LSTM',
    () => new LSTM(H, sequence),
    [
      [B, H],
      [B, H],
    ],
    [B, T, D],
  ],
  [
    'ConvLSTM2D',
    () => new ConvLSTM2D(3, 2, 2, image('tf')),
    Array(2).fill([B, 3, 4, 3]),
    [B, T, 4, 5, 1],
  ],
  [
    "ConvLSTM2D, 'th'",
    () => new ConvLSTM2D(3, 2, 2, image('th')),
    Array(2).fill([B, 3, 3, 4]),
    [B, T, 1, 4, 5],
  ],
  [
    'Bidirectional',
    () => new Bidirectional(new LSTM(H, { stateful: true }), { batchInputShape: [B, T, D] }),
    Array(4).fill([B, H]),
    [B, T, D],
  ],
]

const shapes = (states: readonly NDArray[]) => states.map(({ shape }) => [...shape])
const isZero = (states: readonly NDArray[]) =>
  states.every(({ data }) => data.every((v) => v === 0))

describe.each(kinds)('%s', (name, make, expected, xShape) => {
  const x = uniform(1, xShape)
  const next = uniform(2, xShape)
  const built = () => {
    setSeed(7)
    const layer = make()
    return { layer, model: new Sequential([layer]) }
  }

  it('has zeros before the first batch, then what that leaves', async () => {
    const { layer, model } = built()
    expect(shapes(layer.getStates())).toEqual(expected)
    expect(isZero(layer.getStates())).toBe(true)
    const y = await model.predict(x)
    const states = layer.getStates()
    expect(shapes(states)).toEqual(expected)
    expect(isZero(states)).toBe(false)
    if (name === 'Bidirectional')
      expect([...y.data.slice(0, H)]).toEqual([...states[0]!.data.slice(0, H)])
    else expectSameBits(states[0]!, y)
    states[0]!.data.fill(0) // a copy
    expect(isZero(layer.getStates())).toBe(false)
    model.resetStates()
    expect(isZero(layer.getStates())).toBe(true)
  })

  it('goes on from states that are set, whichever call comes next', async () => {
    const { layer, model } = built()
    await model.predict(x)
    const states = layer.getStates()
    const y = await model.predict(next)
    for (const call of ['predict', 'predictOnBatch', 'predictOnBatchSync'] as const) {
      model.resetStates()
      layer.setStates(states.map((state) => state.toArray()))
      expectAllSameBits(layer.getStates(), states, call)
      expectSameBits(await model[call](next), y, call)
    }
    layer.resetStates()
    expect([...(await model.predict(next)).data]).not.toEqual([...y.data])
  })

  it('takes them before there is a plan, or before its first batch', async () => {
    const { layer, model } = built()
    await model.predict(x)
    const states = layer.getStates()
    const y = await model.predict(next)

    const early = built()
    early.layer.setStates(states)
    expectAllSameBits(early.layer.getStates(), states)
    expectSameBits(await early.model.predict(next), y)

    const planned = built()
    planned.model.compile({ loss: 'mse', optimizer: 'sgd' })
    planned.model.optimizerShapes() // makes the plan
    planned.layer.setStates(states)
    expectAllSameBits(planned.layer.getStates(), states)
    expectSameBits(await planned.model.predict(next), y)

    for (const of of ['layer', 'model'] as const) {
      const taken = built()
      taken.layer.setStates(states)
      taken[of].resetStates()
      expect(isZero(taken.layer.getStates())).toBe(true)
      expectSameBits(await taken.model.predict(x), await built().model.predict(x))
    }
  })

  it('keeps them over compile', async () => {
    const { layer, model } = built()
    await model.predict(x)
    const states = layer.getStates()
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    model.optimizerShapes()
    expectAllSameBits(layer.getStates(), states)
    await model.predict(next)
    const wanted = built()
    wanted.layer.setStates(states)
    await wanted.model.predict(next)
    expectAllSameBits(layer.getStates(), wanted.layer.getStates())
  })
})

it('training goes on from them, too', async () => {
  const run = async (prepare: (model: Sequential) => Promise<unknown>) => {
    setSeed(3)
    const model = new Sequential([new LSTM(H, sequence), new Dense(1)])
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    await prepare(model)
    const loss = await model.trainOnBatch(uniform(2, [B, T, D]), filled(1, B, 1))
    return { loss, states: model.getStates(), weights: model.getWeights() }
  }
  const wanted = await run((model) => model.predict(uniform(1, [B, T, D])))
  const got = await run(async (model) => {
    const twin = new Sequential([new LSTM(H, sequence), new Dense(1)])
    twin.setWeights(model.getWeights())
    await twin.predict(uniform(1, [B, T, D]))
    model.setStates(twin.getStates())
  })
  expect(got.loss).toBe(wanted.loss)
  expectAllSameBits(got.states, wanted.states)
  expectAllSameBits(got.weights, wanted.weights)
  expect(got.loss).not.toBe((await run(async () => {})).loss)
})

it('double precision keeps every bit', async () => {
  const layer = new GRU(1, { batchInputShape: [1, 1, 1], stateful: true, dtype: 'float64' })
  const model = new Sequential([layer])
  layer.setStates([[[1 / 3]]])
  expect(layer.getStates()[0]!.data).toEqual(Float64Array.of(1 / 3))
  await model.predict([[[1]]])
  layer.setStates([[[1 / 3]]])
  expect(layer.getStates()[0]!.data).toEqual(Float64Array.of(1 / 3))
})

describe('a model', () => {
  const nested = () => {
    const inner = new Sequential([new GRU(2, { ...sequence, returnSequences: true })])
    const lstm = new LSTM(3, { stateful: true })
    return { inner, lstm, model: new Sequential([inner, lstm, new Dense(1)]) }
  }

  it('has those of its layers, those inside models too', async () => {
    const { inner, lstm, model } = nested()
    await model.predict(uniform(1, [B, T, D]))
    expect(shapes(model.getStates())).toEqual([
      [B, 2],
      [B, 3],
      [B, 3],
    ])
    expectAllSameBits(model.getStates(), [...inner.getStates(), ...lstm.getStates()])
    const other = nested()
    other.model.setWeights(model.getWeights())
    other.model.setStates(model.getStates())
    expectSameBits(
      await other.model.predict(uniform(2, [B, T, D])),
      await model.predict(uniform(2, [B, T, D])),
    )
  })

  it('without stateful layers has none', () => {
    const model = new Sequential([new GRU(2, { inputShape: [T, D] })])
    expect(model.getStates()).toEqual([])
    expect(() => model.setStates([])).not.toThrow()
    expect(() => model.setStates([[1]])).toThrow(ShapeError)
  })

  it('has them no more once it is disposed', async () => {
    const model = new Sequential([new GRU(2, sequence)])
    await model.predict(uniform(1, [B, T, D]))
    model.dispose()
    expect(() => model.getStates()).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
    expect(() => model.setStates([])).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
  })

  it('keeps them over compile where its steps are fewer than a window', async () => {
    const layers = () => [
      new Convolution1D(3, 2, { batchInputShape: [B, null, D] }),
      new GRU(2, { stateful: true, name: 'g' }),
    ]
    const model = new Sequential(layers())
    await model.predict(uniform(1, [B, T, D]))
    const states = model.getStates()
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    await model.evaluate(uniform(2, [B, T, D]), filled(0, B, 2), { verbose: 0 })
    const twin = new Sequential(layers())
    twin.setWeights(model.getWeights())
    twin.setStates(states)
    await twin.predict(uniform(2, [B, T, D]))
    expectAllSameBits(model.getStates(), twin.getStates())
  })

  it('does not save them', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-states-'))
    try {
      const model = new Sequential([new GRU(2, sequence)])
      await model.predict(uniform(1, [B, T, D]))
      await model.save(path.join(folder, 'model.h5'))
      expect(isZero((await loadModel(path.join(folder, 'model.h5'))).getStates())).toBe(true)
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('errors', () => {
  const layer = () => new LSTM(H, { ...sequence, name: 'lstm' })
  const added = () => new Sequential([layer()]).layers[0]!
  it.each<[string, () => unknown, new (...args: never[]) => Error, string]>([
    [
      'no list',
      () => added().setStates(5 as never),
      ShapeError,
      'states must be a list of 2 arrays (h, c), got 5',
    ],
    [
      'too few',
      () => added().setStates([filled(0, B, H)]),
      ShapeError,
      'states must be a list of 2 arrays (h, c), got 1',
    ],
    [
      'another shape',
      () => added().setStates([filled(0, B, H), filled(0, B, H + 1)]),
      ShapeError,
      'lstm (LSTM): shape of state c must be [2, 5], got [2, 6]',
    ],
    [
      'not stateful',
      () => new GRU(2, { name: 'g' }).getStates(),
      ConfigError,
      'g (GRU): layer must be stateful',
    ],
    [
      'not stateful',
      () => new Flatten({ name: 'f' }).setStates([]),
      ConfigError,
      'f (Flatten): layer must be stateful',
    ],
    [
      'no model',
      () => layer().getStates(),
      StateError,
      'lstm (LSTM): layer must be part of a model',
    ],
    [
      'no model',
      () => layer().setStates([]),
      StateError,
      'lstm (LSTM): layer must be part of a model',
    ],
    [
      'an image of unknown size',
      () =>
        new Sequential([
          new ConvLSTM2D(1, 2, 2, { batchInputShape: [1, 2, null, 3, 1], stateful: true }),
        ]),
      ShapeError,
      'image of a stateful layer must be known, got [1, 2, null, 3, 1]',
    ],
  ])('%s', (_, call, Class, text) => {
    expect(call).toThrow(Class)
    expect(call).toThrow(text)
  })

  it('all are set or none', async () => {
    const model = new Sequential([layer()])
    await model.predict(uniform(1, [B, T, D]))
    const before = model.getStates()
    expect(() => model.setStates([filled(1, B, H), filled(1, B, 1)])).toThrow(ShapeError)
    expectAllSameBits(model.getStates(), before)
  })

  it('a fit is not disturbed, but by its callbacks', async () => {
    const model = new Sequential([layer(), new Dense(1)])
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    const [x, y] = [uniform(1, [B, T, D]), filled(0, B, 1)]
    const fitting = model.fit(x, y, {
      batchSize: B,
      nbEpoch: 2,
      shuffle: false,
      verbose: 0,
      callbacks: [
        new LambdaCallback({
          onEpochEnd: () => model.setStates([filled(0.5, B, H), filled(0.25, B, H)]),
        }),
        new LambdaCallback({
          onTrainEnd: () => expect(model.layers[0]!.getStates()[0]!.data[0]).toBe(0.5),
        }),
      ],
    })
    for (const set of [
      () => model.setStates(model.getStates()),
      () => model.layers[0]!.setStates([x, x]),
    ])
      expect(set).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/ERR_BUSY|ERR_SHAPE/) }),
      )
    expect(() => model.setStates([filled(0, B, H), filled(0, B, H)])).toThrow(
      expect.objectContaining({ code: 'ERR_BUSY' }),
    )
    await fitting
  })
})
