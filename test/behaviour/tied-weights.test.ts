/** A Dense that uses the W of another layer: `tiedTo`. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  Dense,
  Embedding,
  Flatten,
  GRU,
  Input,
  loadModel,
  Model,
  modelFromJson,
  Sequential,
  setFloatx,
  setSeed,
  setThreads,
  SGD,
  TimeDistributed,
} from '../../lib/index.js'
import { integers, uniform } from '../arrays.js'

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

const [B, T, V, D] = [3, 4, 6, 5]
const words = integers(1, [B, T], 1, V)
const next = integers(2, [B, T, 1], 0, V)

/** A language model whose words come out as they went in. */
function languageModel(more: object = {}, maskZero = false) {
  setSeed(1)
  const embedding = new Embedding(V, D, { name: 'words', maskZero, inputShape: [null] })
  const out = new Dense(V, { tiedTo: embedding, activation: 'softmax', ...more })
  const model = new Sequential([
    embedding,
    new GRU(D, { returnSequences: true }),
    maskZero ? new TimeDistributed(out) : out,
  ])
  model.compile({ loss: 'sparse_categorical_crossentropy', optimizer: new SGD({ lr: 1 }) })
  return model
}

it('computes x·Wᵀ + b, and lists W once', async () => {
  const embedding = new Embedding(V, D, { inputShape: [1] })
  const model = new Sequential([embedding, new Flatten(), new Dense(V, { tiedTo: embedding })])
  const [W, b] = [uniform(3, [V, D]), uniform(4, [V])]
  model.setWeights([W, b])
  expect(model.countParams()).toBe(V * D + V)
  const y = await model.predict({ data: Int32Array.of(2), shape: [1, 1] })
  const row = (i: number) => Array.from(W.data.slice(i * D, (i + 1) * D))
  const expected = Array.from(
    { length: V },
    (_, j) => row(2).reduce((sum, w, d) => sum + w * row(j)[d]!, 0) + b.data[j]!,
  )
  for (const [j, value] of expected.entries()) expect(y.data[j]).toBeCloseTo(value, 12)
})

it.each([
  ['Dense', false],
  ['TimeDistributed(Dense) behind a mask', true],
])('%s: the gradient of W is that of both uses', async (_title, maskZero) => {
  const model = languageModel({}, maskZero)
  const before = model
    .getWeights()
    .map((w) => ({ shape: w.shape, data: Float64Array.from(w.data) }))
  await model.trainOnBatch(words, next)
  const after = model.getWeights()
  const h = 1e-5
  for (const at of [0, 7, 13, V * D - 1]) {
    const losses: number[] = []
    for (const by of [h, -h]) {
      const moved = before.map((w) => ({ shape: w.shape, data: w.data.slice() }))
      moved[0]!.data[at]! += by
      model.setWeights(moved)
      losses.push((await model.evaluate(words, next, { verbose: 0 })) as number)
    }
    const gradient = before[0]!.data[at]! - after[0]!.data[at]!
    expect(Math.abs(gradient - (losses[0]! - losses[1]!) / (2 * h))).toBeLessThan(1e-8)
    expect(gradient).not.toBe(0)
  }
})

it('gives the same bits for any number of threads', async () => {
  const bits = []
  for (const threads of [1, 2]) {
    setThreads(threads)
    const model = languageModel()
    await model.trainOnBatch(words, next)
    bits.push(model.getWeights().map(({ data }) => Array.from(data as Float64Array)))
  }
  setThreads(2)
  expect(bits[1]).toEqual(bits[0])
})

it('a frozen embedding stays as it is, and so does what is tied to it', async () => {
  const model = languageModel()
  model.layers[0]!.trainable = false
  model.compile({ loss: 'sparse_categorical_crossentropy', optimizer: 'sgd' })
  const [W, ...rest] = model.getWeights()
  await model.trainOnBatch(words, next)
  const [same, ...others] = model.getWeights()
  expect(same!.data).toEqual(W!.data)
  expect(others.at(-1)!.data).not.toEqual(rest.at(-1)!.data)
})

it('comes back from a file, tied, and trains on to the same bits', async () => {
  const model = languageModel()
  await model.trainOnBatch(words, next)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tied-'))
  const file = path.join(folder, 'tied.h5')
  await model.save(file)
  const copy = await loadModel(file)
  fs.rmSync(folder, { recursive: true })
  expect(copy.countParams()).toBe(model.countParams())
  for (const each of [model, copy]) await each.trainOnBatch(words, next)
  expect(copy.getWeights().map(({ data }) => data)).toEqual(
    model.getWeights().map(({ data }) => data),
  )
})

it('works in functional models, by name too, and behind another Dense', async () => {
  const x = Input({ shape: [V] })
  const code = new Dense(2, { name: 'code', activation: 'tanh' })
  // W [6, 2] of code, transposed: [2, 6]
  const y = new Dense(V, { tiedTo: 'code', bias: false }).call(code.call(x))
  const model = new Model({ input: x, output: y })
  expect(model.countParams()).toBe(V * 2 + 2)
  const copy = modelFromJson(model.toJson()) as never as typeof model
  copy.setWeights(model.getWeights())
  const data = uniform(7, [2, V])
  expect((await copy.predict(data)).data).toEqual((await model.predict(data)).data)
})

it('says what it cannot be tied to', () => {
  const other = new Embedding(V, D, { name: 'other' })
  const build = (layer: Dense) => () =>
    new Sequential([new Embedding(V, D, { name: 'words', inputShape: [2] }), layer])
  const name = 'out'
  expect(build(new Dense(V, { tiedTo: other, name }))).toThrow(
    "out (Dense): tiedTo must be a layer that this one comes behind, got 'other'.",
  )
  expect(build(new Dense(V, { tiedTo: 'wordz', name }))).toThrow("got 'wordz'")
  expect(build(new Dense(7, { tiedTo: 'words', name }))).toThrow(
    'out (Dense): W of words (Embedding) must be [7, 5], which is used transposed, got [6, 5].',
  )
  expect(() => new Dense(V, { tiedTo: 'words', WRegularizer: 'l2', name })).toThrow(
    'out (Dense): WRegularizer must be null with tiedTo: W is that of the other layer, got one.',
  )
  expect(() => new Dense(V, { tiedTo: 'words', init: 'zero', name })).toThrow(
    "out (Dense): init must be left out with tiedTo: W is that of the other layer, got the string 'zero'.",
  )
  expect(() => new Dense(V, { tiedTo: 3 as never })).toThrow(
    'tiedTo must be a layer, its name, or null, got 3.',
  )
})
