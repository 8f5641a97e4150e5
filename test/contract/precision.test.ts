/**
 * The precision of a model: decided when its first layer is added, by the option dtype or by
 * floatx; it keeps it.
 */
import { afterEach, describe, expect, it } from 'vitest'
import {
  ConfigError,
  Dense,
  Embedding,
  LSTM,
  Sequential,
  setFloatx,
  SGD,
  TimeDistributed,
} from '../package.js'

afterEach(() => setFloatx('float32'))

const dtypes = (model: Sequential) => [...new Set(model.getWeights().map((w) => w.dtype))]
const one = (options = {}) => new Dense(1, { inputDim: 1, init: 'one', ...options })

describe('an existing model', () => {
  it('keeps double precision in weights, data and learning rate', async () => {
    setFloatx('float64')
    const model = new Sequential([one()])
    model.compile({ loss: 'mse', optimizer: new SGD({ lr: 0.1 }) })
    setFloatx('float32')
    model.setWeights([[[0.1]], [0]])
    expect(model.getWeights()[0]!.data[0]).toBe(0.1)
    expect((await model.predict([[0.1]])).data[0]).toBe(0.1 * 0.1)
    model.setWeights([[[0.1]], [0.1]])
    expect(model.getWeights()[0]!.data[0]).toBe(0.1)
    model.setWeights([[[0]], [0]])
    await model.trainOnBatch([[0.1]], [[0.3]])
    expect(model.getWeights()[1]!.data[0]).toBeCloseTo(0.1 * 2 * 0.3, 15)
    expect(dtypes(model)).toEqual(['float64'])
  })

  it('keeps single precision', async () => {
    const model = new Sequential([one()])
    setFloatx('float64')
    model.add(one({ inputDim: null }))
    model.setWeights([[[0.1]], [0], [[1]], [0]])
    expect(dtypes(model)).toEqual(['float32'])
    expect(model.getWeights()[0]!.data[0]).toBe(Math.fround(0.1))
    expect((await model.predict([[1]])).dtype).toBe('float32')
    expect(dtypes(model)).toEqual(['float32'])
  })
})

describe('dtype', () => {
  it('of the first layer decides', async () => {
    const model = new Sequential([one({ dtype: 'float64' }), new Dense(1)])
    expect(dtypes(model)).toEqual(['float64'])
    expect((await model.predict([[1]])).dtype).toBe('float64')
  })

  it('of a later layer, or one inside it, decides for all', () => {
    const inner = new Dense(2, { dtype: 'float64' })
    const model = new Sequential([
      new LSTM(2, { inputShape: [3, 2], returnSequences: true }),
      new TimeDistributed(inner),
    ])
    expect(dtypes(model)).toEqual(['float64'])
  })

  it('twice the same is fine, two different ones are refused', () => {
    const layers = (second: 'float32' | 'float64') => [
      one({ name: 'a', dtype: 'float64' }),
      one({ name: 'b', dtype: second, inputDim: null }),
    ]
    expect(new Sequential(layers('float64')).layers).toHaveLength(2)
    expect(() => new Sequential(layers('float32'))).toThrow(ConfigError)
    expect(() => new Sequential(layers('float32'))).toThrow(
      "b (Dense): dtype must be 'float64', as that of a (Dense), got 'float32'. A model computes in one precision.",
    )
  })

  it('must be one of two', () => {
    expect(() => one({ dtype: 'float16' })).toThrow(
      /dtype must be 'float32', 'float64' or null, got/,
    )
  })

  it('is in no configuration', () => {
    expect(one({ dtype: 'float64' }).getConfig()).toEqual({
      ...one().getConfig(),
      name: expect.any(String),
    })
    expect(one({ dtype: 'float64' }).getConfig().input_dtype).toBe('float32')
  })
})

describe('word indices', () => {
  it('beyond 2^24 need double precision', async () => {
    const words = 2 ** 24 + 2
    expect(() => new Sequential([new Embedding(words, 1)])).toThrow(
      /inputDim must be at most 16777216 in float32, got 16777218/,
    )
    const model = new Sequential([
      new Embedding(words, 1, {
        dtype: 'float64',
        init: (shape) => new Float32Array(shape[0]! * shape[1]!),
      }),
    ])
    expect((await model.predict([[words - 1]])).shape).toEqual([1, 1, 1])
  })
})
