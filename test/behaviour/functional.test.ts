/** Functional models: what the cases of Keras (test/golden/functional.ts) do not hold. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, uniform } from '../arrays.js'
import {
  backend as K,
  Callback,
  Dense,
  Dropout,
  Embedding,
  Flatten,
  GRU,
  Input,
  loadModel,
  LSTM,
  Masking,
  Merge,
  merge,
  Model,
  modelFromJson,
  Sequential,
  setSeed,
  type Tensor,
  TimeDistributed,
} from '../package.js'

const N = 12
const x = [uniform(1, [N, 5, 3]), uniform(2, [N, 2])]
const y = { kind: uniform(3, [N, 2], 0, 1), amount: uniform(4, [N, 1]) }

function twoHeads() {
  const series = Input({ shape: [5, 3], name: 'series' })
  const rest = Input({ shape: [2], name: 'rest' })
  const read = new Dropout(0.3).call(new LSTM(4).call(series))
  const both = merge([read, rest], { mode: 'concat' })
  const kind = new Dense(2, { activation: 'softmax', name: 'kind' }).call(both)
  const amount = new Dense(1, { name: 'amount' }).call(both)
  const model = new Model({ input: [series, rest], output: [kind, amount] })
  return model.compile({
    optimizer: 'adam',
    loss: ['categorical_crossentropy', 'mse'],
    lossWeights: { amount: 0.3 },
    metrics: { kind: 'accuracy' },
  })
}

it('goes on from a checkpoint to the same bits, with several inputs and outputs', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-functional-'))
  const options = {
    nbEpoch: 4,
    batchSize: 4,
    verbose: 0,
    validationData: [x, y],
    sampleWeight: { kind: uniform(5, [N], 0.5, 1) },
  } as const
  class Stop extends Callback {
    override onEpochEnd(epoch: number): void {
      if (epoch === 1) throw new Error('stopped')
    }
  }
  try {
    setSeed(7)
    const whole = twoHeads()
    const start = whole.getWeights()
    const { history } = await whole.fit(x, y, { ...options, checkpoint: { dir: `${dir}/a` } })
    setSeed(7)
    const first = twoHeads()
    first.setWeights(start)
    const checkpoint = { dir: `${dir}/b`, everyBatches: 1 }
    await expect(
      first.fit(x, y, { ...options, checkpoint, callbacks: [new Stop()] }),
    ).rejects.toThrow('stopped')
    const second = twoHeads()
    const again = second.fit(x, y, { ...options, checkpoint, resume: 'auto' })
    await expect(again).rejects.toMatchObject({ code: 'ERR_RESUME' }) // other layer names
    const same = await loadModel<typeof whole>(
      path.join(dir, 'b', fs.readdirSync(`${dir}/b`).sort().at(-1)!, 'model.h5'),
    )
    class Idle extends Stop {
      override onEpochEnd(): void {}
    }
    Object.defineProperty(Idle, 'name', { value: 'Stop' })
    const { history: resumed } = await same.fit(x, y, {
      ...options,
      checkpoint,
      resume: 'auto',
      callbacks: [new Idle()],
    })
    expectAllSameBits(same.getWeights(), whole.getWeights(), 'weights')
    expect(resumed).toEqual(history)
  } finally {
    fs.rmSync(dir, { recursive: true })
  }
})

it('one layer reads sequences of two lengths with one set of weights', async () => {
  const [a, b] = [Input({ shape: [5, 3] }), Input({ shape: [8, 3] })]
  const gru = new GRU(2)
  const model = new Model({ input: [a, b], output: [gru.call(a), gru.call(b)] })
  expect(model.countParams()).toBe(gru.countParams())
  expect([gru.getOutputShapeAt(0), gru.getInputShapeAt(1)]).toEqual([
    [null, 2],
    [null, 8, 3],
  ])
  expect(() => gru.output).toThrow(/number of calls, for output must be 1, got 2.*getOutputAt/)
  const long = uniform(6, [N, 8, 3])
  const [p, q] = await model.predict([x[0]!, long])
  const alone = new Sequential([new GRU(2, { inputShape: [null, 3] })])
  alone.setWeights(gru.getWeights())
  expectAllSameBits([p, q], [await alone.predict(x[0]!), await alone.predict(long)])
  expect(() => gru.call(Input({ shape: [5, 4] }))).toThrow(/input must be .*weights were made/)
})

it('an output that is also inside, and one that is there twice, add their gradients', async () => {
  const input = Input({ shape: [3] })
  const inside = new Dense(3, { activation: 'tanh', name: 'inside' }).call(input)
  const last = new Dense(2, { name: 'last' }).call(inside)
  const model = new Model({ input, output: [inside, last, inside] })
  model.compile({ optimizer: 'sgd', loss: 'mse', lossWeights: [1, 2, 0.5] })
  const [from, to] = [
    uniform(7, [N, 3]),
    [uniform(8, [N, 3]), uniform(9, [N, 2]), uniform(10, [N, 3])],
  ]
  const analytic = await model.gradients(from, to)
  const weights = model.getWeights()
  for (const [k, w] of weights.entries()) {
    for (const i of [0, w.data.length - 1]) {
      const loss = async (step: number) => {
        const moved = weights.map((each) => ({ data: each.data.slice(), shape: each.shape }))
        moved[k]!.data[i]! += step
        model.setWeights(moved)
        return (await model.testOnBatch(from, to))[0]
      }
      const difference = ((await loss(1e-2)) - (await loss(-1e-2))) / 2e-2
      expect(analytic[k]!.data[i]).toBeCloseTo(difference, 3) // float32, steps of 0.01
    }
  }
})

it('a mask of what is merged is where all masks are, and is joined along the steps', async () => {
  const data = [[[[1], [0], [2], [3]]], [[[4], [5], [0], [6]]]]
  const [a, b] = [Input({ shape: [4, 1] }), Input({ shape: [4, 1] })]
  const masked = [new Masking().call(a), new Masking().call(b)]
  const read = new GRU(2)
  const joined = merge(masked, { mode: 'concat', concatAxis: 1 })
  const model = new Model({ input: [a, b], output: [read.call(joined), read.call(merge(masked))] })
  const [along, sum] = await model.predict(data)
  const alone = new Sequential([new GRU(2, { inputShape: [null, 1] })])
  alone.setWeights(read.getWeights())
  expectAllSameBits(
    [along, sum],
    [
      await alone.predict([[[1], [2], [3], [4], [5], [6]]]),
      await alone.predict([[[1 + 4], [3 + 6]]]),
    ],
    'without the masked steps',
  )
})

it('the output of any layer of a model is the beginning of another', async () => {
  const chain = new Sequential([
    new Dense(3, { inputDim: 2, activation: 'tanh' }),
    new Dense(1, { name: 'last' }),
  ])
  const [first] = chain.layers
  const inner = new Model({ input: chain.input, output: first!.output })
  const data = uniform(1, [4, 2])
  const h = await inner.predict(data)
  expectAllSameBits([await chain.outputOf(first!.name, data)], [h], 'outputOf')
  const last = new Sequential([new Dense(1, { inputDim: 3 })])
  last.setWeights(chain.layers[1]!.getWeights())
  expectAllSameBits([await last.predict(h)], [await chain.predict(data)])
  await expect(chain.outputOf('nobody', data)).rejects.toMatchObject({ code: 'ERR_UNKNOWN_NAME' })
})

it('refuses by name', () => {
  const input = Input({ shape: [3] })
  expect(() => new Merge(null, { mode: ((a: unknown) => a) as never })).toThrow(
    /mode must be .* got a function\. merge\(tensors, \{ mode \}\) takes a function/,
  )
  expect(() => new Dense(2).call([[1, 2]] as never)).toThrow(/must be a tensor.*Data go to/)
  expect(() => new Dense(2).call([input, input])).toThrow(/must be one tensor, got 2\. merge/)
  expect(() => new Model({ input: new Dense(1).call(input), output: input })).toThrow(
    /of Input\(\)/,
  )
  const two = new Model({ input, output: [new Dense(1).call(input), new Dense(1).call(input)] })
  expect(() => new Sequential([two as never])).toThrow(/one with one output, got .* has 2/)
  expect(() =>
    new TimeDistributed(two as never, { inputShape: [4, 3] }).call(Input({ shape: [4, 3] })),
  ).toThrow(/one input and one output/)
  expect(() => new Merge().call(input)).toThrow(/a list of two or more, got 1/)
})

it('word indices are checked where they come in, whatever the layer is inside of', async () => {
  const words = Input({ shape: [4], name: 'words', dtype: 'int32' })
  const inner = new Sequential([new Embedding(7, 2, { inputLength: 4 }), new Flatten()])
  const model = new Model({ input: words, output: inner.call(words) })
  await expect(model.predict([[1, 2, 3, 9]])).rejects.toThrow(
    /words \(InputLayer\): word indices in x.*from 0 to 6, got 9/,
  )
})

it('merges by a function, which a file keeps', async () => {
  const [a, b] = [Input({ shape: [3] }), Input({ shape: [3] })]
  const distance = merge([a, b], { mode: ([p, q]) => K.sum(K.abs(K.sub(p!, q!)), -1, true) })
  expect(distance.shape).toEqual([null, 1])
  const model = new Model({ input: [a, b], output: distance })
  const [p, q] = [uniform(1, [2, 3]), uniform(2, [2, 3])]
  const y = await model.predict([p, q])
  const expected = [0, 1].map((n) =>
    [0, 1, 2].reduce((sum, i) => sum + Math.abs(p.data[n * 3 + i]! - q.data[n * 3 + i]!), 0),
  )
  for (const [n, value] of expected.entries()) expect(y.data[n]).toBeCloseTo(value, 6)
  const copy = modelFromJson(model.toJson()) as never as typeof model
  expect((await copy.predict([p, q])).data).toEqual(y.data)
})

describe('K.function of tensors', () => {
  it('gives what layers of a model give, with the weights that they have', async () => {
    const model = new Sequential([
      new LSTM(3, { inputShape: [5, 2], returnSequences: true }),
      new Dropout(0.5),
      new Dense(1),
    ])
    const [first] = model.layers
    const look = K.function(
      [model.input as Tensor, K.learningPhase()],
      [first!.output as Tensor, model.output as Tensor],
    )
    const x = uniform(1, [4, 5, 2])
    const [inner, outer] = await look([x, 0])
    expect(inner!.shape).toEqual([4, 5, 3])
    expect(outer!.data).toEqual((await model.predict(x)).data)
    model.setWeights(
      model.getWeights().map(({ data, shape }) => ({ data: data.map(() => 0), shape })),
    )
    const [after] = await look([x, 0])
    expect(Array.from(after!.data).every((h) => h === 0)).toBe(true)
    await expect(look([x, 1])).rejects.toThrow(
      'function: learning phase must be 0: layers are computed outside of training, got 1.',
    )
    expect(() => K.function([K.placeholder([2])], [model.output as Tensor] as never)).toThrow(
      'function: inputs and outputs must be tensors of a model, or expressions, got both.',
    )
  })
})
