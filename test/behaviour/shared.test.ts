/**
 * Layers and models in several places of a model: one set of weights, whose gradient is the sum
 * over its places; listed, counted, penalised and saved once.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, integers, uniform } from '../arrays.js'
import {
  Activation,
  Dense,
  Embedding,
  GRU,
  l2,
  loadModel,
  LSTM,
  Merge,
  modelFromJson,
  Sequential,
  SGD,
  TimeDistributed,
} from '../package.js'

const compiled = (model: Sequential): Sequential => {
  model.compile({ loss: 'mse', optimizer: new SGD({ lr: 0.1 }) })
  return model
}
const one = () => new Sequential([new Dense(1, { inputDim: 1, weights: [[[1]], [0]] })])
const wrap = (...layers: ConstructorParameters<typeof Sequential>[0] & object) =>
  new Sequential(layers)

/**
 * After one batch of x = [1], [1] with targets 3 and 0: w = 1 - 0.1 · (sum of the gradients -2 and
 * 1) = 1.1, and so is b.
 */
describe('a siamese model has one set of weights', () => {
  const concat = { mode: 'concat' } as const
  it.each<[string, () => Sequential]>([
    [
      'two wrappers',
      () => {
        const c = one()
        return wrap(new Merge([wrap(c), wrap(c)], concat))
      },
    ],
    [
      'the model itself beside a wrapper',
      () => {
        const c = one()
        return wrap(new Merge([c, wrap(c)], concat))
      },
    ],
    [
      'a layer in two models',
      () => {
        const d = new Dense(1, { inputDim: 1, weights: [[[1]], [0]] })
        return wrap(new Merge([wrap(d), wrap(d)], concat))
      },
    ],
    [
      'not first',
      () => {
        const c = one()
        const identity = () => new Activation('linear', { inputShape: [1] })
        return wrap(new Merge([wrap(identity(), c), wrap(identity(), c)], concat))
      },
    ],
    [
      'nested',
      () => {
        const c = one()
        return wrap(new Merge([wrap(wrap(c)), wrap(wrap(c))], concat))
      },
    ],
  ])('%s', async (_, make) => {
    const model = compiled(make())
    expect(model.countParams()).toBe(2)
    expect(model.getWeights()).toHaveLength(2)
    await model.trainOnBatch([[[1]], [[1]]], [[3, 0]])
    const [w, b] = model.getWeights()
    expect(w!.data[0]).toBeCloseTo(1.1, 6)
    expect(b!.data[0]).toBeCloseTo(0.1, 6)
    const [y] = (await model.predict([[[1]], [[1]]])).toArray() as number[][]
    expect(y![0]).toBeCloseTo(1.2, 6)
    expect(y![1]).toBeCloseTo(1.2, 6)
  })
})

/** Both branches read the same words through one embedding. */
function twoReaders(): Sequential {
  const words = new Embedding(7, 3, { inputLength: 4, name: 'words', WRegularizer: l2({ l: 0.1 }) })
  const branches = [
    new Sequential([words, new GRU(2, { name: 'a' })]),
    new Sequential([words, new LSTM(2, { name: 'b' })]),
  ]
  return compiled(
    new Sequential([new Merge(branches, { mode: 'concat' }), new Dense(1, { name: 'out' })]),
  )
}
const x = [integers(1, [6, 4], 0, 7), integers(2, [6, 4], 0, 7)]
const y = uniform(3, [6, 1])

it('an embedding under two recurrent layers trains, is penalised once, and is the same after save and load', async () => {
  const model = twoReaders()
  const single = new Sequential([
    new Embedding(7, 3, { inputLength: 4, WRegularizer: l2({ l: 0.1 }) }),
    new GRU(2),
  ])
  expect(model.flattenedLayers.map(({ name }) => name)).toEqual(['words', 'a', 'b', 'out'])
  const [words] = model.getWeights()
  const squares = Array.from(words!.data).reduce((sum, v) => sum + v * v, 0)
  const plain = twoReaders()
  plain.setWeights(model.getWeights())
  const predicted = await model.predict(x)
  const mse = Array.from(y.data).reduce((sum, v, i) => sum + (v - predicted.data[i]!) ** 2, 0) / 6
  expect(await model.evaluate(x, y, { verbose: 0 })).toBeCloseTo(mse + 0.1 * squares, 5)
  expect(single.countParams()).toBeLessThan(model.countParams())

  await model.fit(x, y, { nbEpoch: 3, verbose: 0, shuffle: false })
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-shared-'))
  try {
    const file = path.join(folder, 'model.h5')
    await model.save(file)
    const loaded = await loadModel(file)
    expectAllSameBits(loaded.getWeights(), model.getWeights(), 'weights')
    await Promise.all(
      [model, loaded].map((each) => each.fit(x, y, { nbEpoch: 2, verbose: 0, shuffle: false })),
    )
    expectAllSameBits(loaded.getWeights(), model.getWeights(), 'weights after going on')
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
  expect(modelFromJson(model.toJson()).countParams()).toBe(model.countParams())
})

it('a layer inside TimeDistributed and beside it', async () => {
  const d = new Dense(3, { inputDim: 3, name: 'd' })
  const steps = new Sequential([new TimeDistributed(d, { inputShape: [2, 3] }), new GRU(3)])
  const flat = new Sequential([d])
  const model = compiled(new Sequential([new Merge([steps, flat], { mode: 'sum' })]))
  expect(model.countParams()).toBe(steps.countParams())
  const before = d.getWeights()
  await model.trainOnBatch([uniform(1, [4, 2, 3]), uniform(2, [4, 3])], uniform(3, [4, 3]))
  expect(d.getWeights()[0]!.data).not.toEqual(before[0]!.data)
  expectAllSameBits(flat.getWeights(), d.getWeights(), 'the same layer')
})

it('refuses other inputs, a stateful layer in two places, and one branch twice', () => {
  const d = new Dense(2, { inputDim: 3 })
  new Sequential([d])
  expect(() => new Sequential([new Dense(4, { inputDim: 3 }), d])).toThrow(
    /input must be .*3.* got .*4/,
  )
  const state = new GRU(2, { stateful: true, batchInputShape: [2, 3, 1] })
  const both = new Sequential([
    new Merge([new Sequential([state]), new Sequential([state])], { mode: 'sum' }),
  ])
  expect(() => compiled(both)).toThrow(/stateful layer must be in one place/)
  const branch = new Sequential([new Dense(2, { inputDim: 3 })])
  expect(() => new Merge([branch, branch], { mode: 'sum' })).toThrow(/another model, got .* again/)
})
