/**
 * Bad input, one row each: a typed error at once, that says where, expected and got; the model
 * stays as it was. "As it was" means every weight bit for bit, and that it still trains.
 */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, filled, integers, oneHot, uniform } from '../arrays.js'
import {
  Dense,
  Embedding,
  GRU,
  HiddenstateError,
  LSTM,
  NDArray,
  RepeatVector,
  Sequential,
  type SGD,
  ShapeError,
} from '../package.js'
import { compiled, D, data, small, T } from './models.js'

// Bad calls do not type-check: that is another test (test/types).
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any
type Row = [what: string, code: string | RegExp, call: (model: Any) => unknown, says?: RegExp]

const quiet = { verbose: 0, nbEpoch: 1 } as const
const { x, y } = data()
const N = 20
const nested = (rows: number[][][]): number[][][] => rows
const plain = () => filled(0, 4, T, D)
const NESTED = Array.from({ length: 2 }, () => Array.from({ length: T }, () => [1, 2, 3]))

const wrong: Record<string, Row[]> = {
  shapes: [
    [
      'x of the wrong rank',
      'ERR_SHAPE',
      (m) => m.fit(uniform(1, [N, T]), y, quiet),
      /\[B, 5, 3\].*\[20, 5\]/,
    ],
    [
      'x with other features',
      'ERR_SHAPE',
      (m) => m.fit(uniform(1, [N, T, D + 1]), y, quiet),
      /\[20, 5, 4\]/,
    ],
    [
      'x with other steps',
      'ERR_SHAPE',
      (m) => m.predict(uniform(1, [N, T + 1, D])),
      /\[20, 6, 3\]/,
    ],
    [
      'y of the wrong width',
      'ERR_SHAPE',
      (m) => m.fit(x, uniform(1, [N, 3]), quiet),
      /dense_\d+.*2.*3/s,
    ],
    ['y of the wrong rank', 'ERR_SHAPE', (m) => m.fit(x, uniform(1, [N, 2, 2]), quiet)],
    [
      'fewer targets than inputs',
      'ERR_SHAPE',
      (m) => m.fit(x, uniform(1, [N - 1, 2]), quiet),
      /20.*19|19.*20/,
    ],
    [
      'too many sample weights',
      'ERR_SHAPE',
      (m) => m.fit(x, y, { ...quiet, sampleWeight: filled(1, N + 1) }),
    ],
    [
      'sample weights per step without temporal',
      /ERR_(SHAPE|OPTION)/,
      (m) => m.fit(x, y, { ...quiet, sampleWeight: filled(1, N, T) }),
      /temporal/,
    ],
    [
      'a shape that does not fit its data',
      'ERR_SHAPE',
      (m) => m.predict({ data: new Float32Array(7), shape: [1, T, D] }),
      /15.*7/,
    ],
    [
      'validation data of another shape',
      'ERR_SHAPE',
      (m) =>
        m.fit(x, y, {
          ...quiet,
          validationData: [uniform(1, [4, T, D + 1]), oneHot([0, 1, 0, 1], 2)],
        }),
    ],
    [
      'validation data without targets',
      /ERR_(OPTION|SHAPE)/,
      (m) => m.fit(x, y, { ...quiet, validationData: [x] }),
    ],
    [
      'ragged arrays',
      'ERR_SHAPE',
      (m) =>
        m.predict(
          nested([
            [[1, 2, 3]],
            [
              [1, 2, 3],
              [1, 2, 3],
            ],
          ]),
        ),
      /ragged|length|same/i,
    ],
    ['no samples', 'ERR_SHAPE', (m) => m.fit(filled(0, 0, T, D), filled(0, 0, 2), quiet)],
    ['no samples to predict', 'ERR_SHAPE', (m) => m.predict([])],
    ['an empty batch', 'ERR_SHAPE', (m) => m.trainOnBatch(filled(0, 0, T, D), filled(0, 0, 2))],
  ],
  values: [
    ['x is nothing', /ERR_(OPTION|SHAPE)/, (m) => m.predict(undefined)],
    ['x is a string', /ERR_(OPTION|SHAPE)/, (m) => m.predict('abc')],
    [
      'x holds strings',
      /ERR_(OPTION|SHAPE)/,
      (m) => m.predict(NESTED.map((s) => s.map((r) => r.map(String)))),
    ],
    [
      'x holds null',
      /ERR_(OPTION|SHAPE)/,
      (m) => m.predict(NESTED.map((s) => s.map((r) => [null, ...r.slice(1)]))),
    ],
    [
      'x of big integers',
      /ERR_(OPTION|SHAPE)/,
      (m) => m.predict({ data: new BigInt64Array(4 * T * D), shape: [4, T, D] }),
    ],
    [
      'a negative extent',
      /ERR_(OPTION|SHAPE)/,
      (m) => m.predict({ data: new Float32Array(0), shape: [-1, T, D] }),
    ],
    ['x for two inputs', /ERR_(OPTION|SHAPE)/, (m) => m.fit([x, x], y, quiet)],
    ['x by the names of inputs', /ERR_(OPTION|SHAPE)/, (m) => m.fit({ input: x }, y, quiet)],
    [
      'a class without weight',
      /ERR_(OPTION|SHAPE)/,
      (m) => m.fit(x, y, { ...quiet, classWeight: { 0: 1 } }),
      /1/,
    ],
    [
      'class weights that are no numbers',
      /ERR_(OPTION|SHAPE)/,
      (m) => m.fit(x, y, { ...quiet, classWeight: { 0: 1, 1: 'a' } }),
    ],
  ],
  options: [
    [
      'an unknown option',
      'ERR_OPTION',
      (m) => m.fit(x, y, { ...quiet, epochs: 3 }),
      /epochs.*nbEpoch/,
    ],
    [
      'a misspelt option',
      'ERR_OPTION',
      (m) => m.fit(x, y, { ...quiet, batchsize: 3 }),
      /batchSize/,
    ],
    ['batchSize 0', 'ERR_OPTION', (m) => m.fit(x, y, { ...quiet, batchSize: 0 }), /batchSize/],
    ['batchSize 1.5', 'ERR_OPTION', (m) => m.predict(x, { batchSize: 1.5 }), /batchSize/],
    ['nbEpoch -1', 'ERR_OPTION', (m) => m.fit(x, y, { verbose: 0, nbEpoch: -1 }), /nbEpoch/],
    ['shuffle: yes', 'ERR_OPTION', (m) => m.fit(x, y, { ...quiet, shuffle: 'yes' }), /shuffle/],
    ['options as a number', 'ERR_OPTION', (m) => m.fit(x, y, 32)],
    [
      'a callback that is none',
      'ERR_OPTION',
      (m) => m.fit(x, y, { ...quiet, callbacks: [{}] }),
      /callback/i,
    ],
    [
      'an unknown optimizer',
      'ERR_UNKNOWN_NAME',
      (m) => m.compile({ optimizer: 'adan', loss: 'mse' }),
      /adam/,
    ],
    [
      'an unknown loss',
      'ERR_UNKNOWN_NAME',
      (m) => m.compile({ optimizer: 'sgd', loss: 'binary_crossentrop' }),
      /binary_crossentropy/,
    ],
    [
      'an unknown metric',
      'ERR_UNKNOWN_NAME',
      (m) => m.compile({ optimizer: 'sgd', loss: 'mse', metrics: ['acuracy'] }),
      /accuracy/,
    ],
    ['no loss', /ERR_(OPTION|UNKNOWN_NAME)/, (m) => m.compile({ optimizer: 'sgd' }), /loss/],
    [
      'parameters beyond any memory',
      'ERR_OUT_OF_MEMORY',
      () => new Sequential([new Dense(1e9, { inputDim: 1e9 })]),
      /dense_\d+/,
    ],
    [
      'a value beyond any memory',
      'ERR_OUT_OF_MEMORY',
      () =>
        new Sequential([new RepeatVector(2 ** 40, { inputShape: [4] })]).predict([[1, 2, 3, 4]]),
    ],
    [
      'nbEpoch without end',
      'ERR_OPTION',
      (m) => m.fit(x, y, { verbose: 0, nbEpoch: Number.POSITIVE_INFINITY }),
      /nbEpoch/,
    ],
    [
      'a learning rate that is no number',
      'ERR_OPTION',
      () => {
        const other = compiled()
        ;(other.optimizer as SGD).lr = Number.NaN
        return other.trainOnBatch(x, y)
      },
      /lr/,
    ],
    [
      'an unknown layer',
      'ERR_UNKNOWN_NAME',
      () => Sequential.fromConfig([{ class_name: 'LTSM', config: {} }]),
      /LSTM/,
    ],
  ],
  weights: [
    ['too few arrays', 'ERR_SHAPE', (m) => m.setWeights(m.getWeights().slice(1))],
    [
      'a transposed array',
      'ERR_SHAPE',
      (m) =>
        m.setWeights(
          m.getWeights().map((w: NDArray) => ({ data: w.data, shape: [...w.shape].reverse() })),
        ),
      /\[3, 6\].*\[6, 3\]|\[6, 3\].*\[3, 6\]/,
    ],
    ['no list', /ERR_(SHAPE|OPTION)/, (m) => m.setWeights(5)],
    ['no numbers', /ERR_(SHAPE|OPTION)/, (m) => m.setWeights(m.getWeights().map(() => 'a'))],
  ],
}

/** Rows that already failed at construction leave no model to compare. */
describe.each(Object.entries(wrong))('%s', (_, rows) => {
  it.each(rows)('%s', async (_what, code, call, says) => {
    const model = compiled()
    const before = model.getWeights()
    let error: unknown
    try {
      await call(model)
    } catch (e) {
      error = e
    }
    expect(error).toBeInstanceOf(HiddenstateError)
    const { code: got, message, expected, actual } = error as HiddenstateError
    expect(got, message).toMatch(code)
    expect(message).not.toMatch(/undefined|\[object/)
    expect([typeof expected, typeof actual], 'expected and actual on the error').toEqual([
      'string',
      'string',
    ])
    if (says) expect(message).toMatch(says)
    expectAllSameBits(model.getWeights(), before, 'weights after the error')
    const history = await model.fit(x, y, quiet)
    expect(history.history.loss?.[0]).toBeGreaterThan(0)
    model.dispose()
  })
})

describe('moments', () => {
  it.each([
    ['fit', (m: Any) => m.fit(x, y, quiet)],
    ['evaluate', (m: Any) => m.evaluate(x, y, { verbose: 0 })],
    ['trainOnBatch', (m: Any) => m.trainOnBatch(x, y)],
    ['testOnBatch', (m: Any) => m.testOnBatch(x, y)],
  ])('%s before compile', async (name, call) => {
    const model = small()
    await expect(async () => call(model)).rejects.toMatchObject({ code: 'ERR_NOT_COMPILED' })
    await expect(async () => call(model)).rejects.toThrow(new RegExp(`${name}|compile`))
    expect((await model.predict(x)).shape).toEqual([N, 2]) // as in Keras, predict needs none
  })

  it('an empty model', async () => {
    const model = new Sequential()
    await expect(async () => model.predict(x)).rejects.toBeInstanceOf(HiddenstateError)
    expect(() => model.compile({ optimizer: 'sgd', loss: 'mse' })).toThrow(HiddenstateError)
  })
})

describe('recurrent layers', () => {
  it('T = 0 is refused', async () => {
    const model = new Sequential([new GRU(3, { inputShape: [null, D] }), new Dense(2)])
    await expect(async () => model.predict(filled(0, 4, 0, D))).rejects.toBeInstanceOf(ShapeError)
  })

  it('a stateful model wants its own batch size', async () => {
    const model = new Sequential([new LSTM(3, { batchInputShape: [3, T, D], stateful: true })])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const before = model.getWeights()
    const target = filled(0, 4, 3)
    await expect(async () => model.trainOnBatch(plain(), target)).rejects.toThrow(/3.*4/)
    await expect(async () => model.predict(plain(), { batchSize: 3 })).rejects.toBeInstanceOf(
      ShapeError,
    )
    await expect(async () =>
      model.fit(plain(), target, { ...quiet, batchSize: 3 }),
    ).rejects.toBeInstanceOf(ShapeError)
    expectAllSameBits(model.getWeights(), before)
    const state = await model.predict(filled(1, 3, T, D), { batchSize: 3 })
    model.resetStates()
    expect((await model.predict(filled(1, 3, T, D), { batchSize: 3 })).data).toEqual(state.data)
  })

  it('a refused batch leaves the states alone', async () => {
    const model = new Sequential([new GRU(3, { batchInputShape: [2, T, D], stateful: true })])
    const good = uniform(4, [2, T, D])
    await model.predict(good, { batchSize: 2 })
    const expected = await model.predict(good, { batchSize: 2 })
    model.resetStates()
    await model.predict(good, { batchSize: 2 })
    await expect(async () =>
      model.predict(filled(0, 2, T, D + 1), { batchSize: 2 }),
    ).rejects.toBeInstanceOf(ShapeError)
    expect((await model.predict(good, { batchSize: 2 })).data).toEqual(expected.data)
  })
})

describe('labels and word indices', () => {
  it.each([
    ['too large', 5],
    ['negative', -1],
    ['not whole', 1.5],
  ])('a label that is %s', async (_, label) => {
    const model = new Sequential([
      new LSTM(4, { inputShape: [T, D] }),
      new Dense(5, { activation: 'softmax' }),
    ])
    model.compile({ optimizer: 'sgd', loss: 'sparse_categorical_crossentropy' })
    const before = model.getWeights()
    const labels = { data: Float32Array.from([0, 1, label, 4]), shape: [4, 1] }
    await expect(async () => model.trainOnBatch(plain(), labels)).rejects.toBeInstanceOf(
      HiddenstateError,
    )
    await expect(async () => model.fit(plain(), labels, quiet)).rejects.toThrow(String(label))
    expectAllSameBits(model.getWeights(), before)
    model.dispose()
  })

  it.each([
    ['too large', 7],
    ['negative', -1],
    ['not whole', 2.5],
    ['not a number', Number.NaN],
  ])('a word index that is %s', async (_, id) => {
    const model = new Sequential([new Embedding(7, 3, { inputLength: 4 }), new GRU(2)])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const before = model.getWeights()
    const ids = { data: Float32Array.from(integers(1, [8], 0, 7).data), shape: [2, 4] }
    ids.data[5] = id
    const call = async () => model.trainOnBatch(ids, filled(0, 2, 2))
    await expect(call).rejects.toBeInstanceOf(HiddenstateError)
    await expect(call).rejects.toThrow(/embedding_\d+/)
    await expect(async () => model.predict(ids)).rejects.toBeInstanceOf(HiddenstateError)
    expectAllSameBits(model.getWeights(), before)
    model.dispose()
  })

  it('arrays of every dtype are taken', async () => {
    const model = small()
    const values = Array.from({ length: T * D }, (_, i) => i % 2)
    const expected = await model.predict({ data: Float32Array.from(values), shape: [1, T, D] })
    for (const Type of [Float64Array, Int32Array, Uint8Array]) {
      const got = await model.predict({ data: Type.from(values), shape: [1, T, D] } as Any)
      expect(got.data).toEqual(expected.data)
    }
    expect((await model.predict(NDArray.from(values, [1, T, D], 'bool'))).data).toEqual(
      expected.data,
    )
  })
})

describe('a program that extends Object.prototype', () => {
  it('does not reach the spec: a model compiles and trains', async () => {
    const prototype = Object.prototype as Any
    prototype.extend = () => {}
    try {
      const model = compiled()
      const { history } = await model.fit(x, y, quiet)
      expect(history.loss).toEqual([expect.any(Number)])
      model.dispose()
    } finally {
      delete prototype.extend
    }
  })
})
