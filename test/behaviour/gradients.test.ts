/**
 * `model.gradients`: what the next step of training would follow, checked by central differences.
 */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, filled, integers, uniform } from '../arrays.js'
import {
  Activation,
  ActivityRegularization,
  Adam,
  BatchNormalization,
  Dense,
  Dropout,
  Embedding,
  GRU,
  l2,
  LambdaCallback,
  LSTM,
  Masking,
  Merge,
  type NDArray,
  Sequential,
  setSeed,
  SGD,
  TimeDistributed,
} from '../package.js'

const [N, T, D] = [3, 4, 2]
const double = { dtype: 'float64' } as const

/** Of the loss that testOnBatch gives, by central differences over every weight that trains. */
async function differences(
  model: Sequential,
  loss: () => Promise<unknown>,
  trains: (i: number) => boolean = () => true,
): Promise<number[][]> {
  const weights = model.getWeights()
  const step = 1e-5
  const out: number[][] = []
  for (const [i, weight] of weights.entries()) {
    if (!trains(i)) continue
    const gradient: number[] = []
    for (let k = 0; k < weight.size; k++) {
      const at = async (change: number): Promise<number> => {
        const changed = weights.map((w) => ({ data: w.data.slice(), shape: w.shape }))
        changed[i]!.data[k]! += change
        model.setWeights(changed)
        return (await loss()) as number
      }
      gradient.push(((await at(step)) - (await at(-step))) / (2 * step))
    }
    out.push(gradient)
  }
  model.setWeights(weights)
  return out
}

function expectNear(got: readonly NDArray[], wanted: readonly number[][]): void {
  expect(got.map(({ size }) => size)).toEqual(wanted.map(({ length }) => length))
  const largest = Math.max(...wanted.flat().map(Math.abs))
  expect(largest).toBeGreaterThan(0.01)
  // central differences in double precision: about eps^(2/3) of the loss
  for (const [i, { data }] of got.entries())
    for (const [k, value] of data.entries())
      expect(Math.abs(value - wanted[i]![k]!)).toBeLessThan(1e-7 * largest + 1e-8)
}

describe('are the derivatives of the loss', () => {
  it.each<[string, () => Sequential, () => { x: object; y: object; sampleWeight?: number[] }]>([
    [
      'with masks, penalties and sample weights',
      () =>
        new Sequential([
          new Masking({ maskValue: 0, inputShape: [T, D], ...double }),
          new LSTM(3, { WRegularizer: l2({ l: 0.1 }), returnSequences: true }),
          new GRU(2, { goBackwards: true }),
          new ActivityRegularization({ l2: 0.2 }),
          new Dense(1, { bRegularizer: l2({ l: 0.3 }) }),
        ]),
      () => {
        const x = uniform(1, [N, T, D])
        x.data.fill(0, 2 * T * D + 3 * D) // the last step of the last sample
        return { x, y: uniform(2, [N, 1]), sampleWeight: [1, 0, 2] }
      },
    ],
    [
      'of words',
      () =>
        new Sequential([
          new Embedding(6, 3, { inputLength: T, ...double }),
          new GRU(2),
          new Dense(1),
        ]),
      () => ({ x: integers(1, [N, T], 0, 6), y: uniform(2, [N, 1]) }),
    ],
    [
      'of a layer in two places',
      () => {
        const shared = new Dense(2, { inputDim: 2, activation: 'tanh', ...double })
        return new Sequential([
          new Merge([new Sequential([shared]), new Sequential([shared, new Activation('tanh')])], {
            mode: 'mul',
          }),
          new Dense(1),
        ])
      },
      () => ({ x: [uniform(1, [N, 2]), uniform(3, [N, 2])], y: uniform(2, [N, 1]) }),
    ],
  ])('%s', async (_, make, data) => {
    setSeed(5)
    const model = make()
    // clipping comes later
    model.compile({ loss: 'mse', optimizer: new SGD({ lr: 0.1, clipnorm: 1e-3 }) })
    const { x, y, sampleWeight = null } = data()
    const got = await model.gradients(x as never, y as never, { sampleWeight })
    const weights = model.getWeights()
    expect(got.map(({ shape }) => shape)).toEqual(weights.map(({ shape }) => shape))
    expect(got.every(({ data }) => data instanceof Float64Array)).toBe(true)
    expectNear(
      got,
      await differences(model, () => model.testOnBatch(x as never, y as never, { sampleWeight })),
    )
    expectAllSameBits(await model.gradients(x as never, y as never, { sampleWeight }), got)
  })
})

it('are those of what trained at compile, without statistics', async () => {
  const model = new Sequential([
    new Dense(3, { inputDim: 2, name: 'frozen', trainable: false }),
    new BatchNormalization({ name: 'norm' }),
    new Dense(1, { name: 'last' }),
  ])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  model.layers[2]!.trainable = false // from the next compile on
  const got = await model.gradients(uniform(1, [4, 2]), uniform(2, [4, 1]))
  expect(got.map(({ shape }) => [...shape])).toEqual([[3], [3], [3, 1], [1]]) // gamma, beta, W, b
})

it('are what training follows, with the dropout of that batch', async () => {
  setSeed(9)
  const model = new Sequential([
    new GRU(4, { inputShape: [T, D], dropoutW: 0.5, dropoutU: 0.5, ...double }),
    new Dropout(0.5),
    new Dense(2),
  ])
  model.compile({ loss: 'mse', optimizer: new SGD({ lr: 1 }) })
  const [x, y] = [uniform(1, [N, T, D]), uniform(2, [N, 2])]
  const seen: NDArray[][] = []
  for (let step = 0; step < 3; step++) {
    const got = await model.gradients(x, y)
    const before = model.getWeights()
    await model.trainOnBatch(x, y)
    for (const [i, after] of model.getWeights().entries())
      for (const [k, value] of after.data.entries())
        expect(Math.abs(before[i]!.data[k]! - got[i]!.data[k]! - value)).toBeLessThan(1e-14)
    seen.push(got)
  }
  expect(seen[0]![0]!.data).not.toEqual(seen[1]![0]!.data)
})

it('change nothing', async () => {
  const run = async (looks: boolean) => {
    setSeed(2)
    const model = new Sequential([
      new Embedding(9, 3, { batchInputShape: [N, T] }),
      new GRU(4, { stateful: true, returnSequences: true, dropoutW: 0.3 }),
      new TimeDistributed(new Dense(3)),
      new BatchNormalization(),
      new GRU(2, { stateful: true }),
    ])
    model.compile({ loss: 'mse', optimizer: new Adam() })
    const losses: unknown[] = []
    for (let step = 0; step < 4; step++) {
      if (looks) await model.gradients(integers(7 + step, [N, T], 0, 9), uniform(step, [N, 2]))
      losses.push(await model.trainOnBatch(integers(step, [N, T], 0, 9), uniform(step, [N, 2])))
    }
    const state = model.optimizerWeights()!
    return { losses, arrays: [...model.getWeights(), ...model.getStates(), ...state] }
  }
  const [plain, looked] = [await run(false), await run(true)]
  expect(looked.losses).toEqual(plain.losses)
  expectAllSameBits(looked.arrays, plain.arrays)
})

it('are not finite where the loss is not, and the model stays as it was', async () => {
  const model = new Sequential([new Dense(1, { inputDim: 1 })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const before = model.getWeights()
  const got = await model.gradients([[Number.NaN]], [[1]])
  expect(got[0]!.data[0]).toBeNaN()
  expectAllSameBits(model.getWeights(), before)
  const [dW] = await model.gradients([[1]], [[1]])
  expect(dW!.data[0]).not.toBeNaN()
})

it('may be asked for during a fit, by its callbacks and by others', async () => {
  const model = new Sequential([new Dense(1, { inputDim: 1, weights: [[[2]], [0]] })])
  model.compile({ loss: 'mse', optimizer: new SGD({ lr: 0 }) })
  const seen: number[] = []
  const look = async () => {
    seen.push((await model.gradients([[3]], [[5]]))[0]!.data[0]!)
  }
  const fitting = model.fit(filled(1, 8, 1), filled(0, 8, 1), {
    batchSize: 1,
    nbEpoch: 2,
    verbose: 0,
    callbacks: [new LambdaCallback({ onEpochEnd: look })],
  })
  await Promise.all([fitting, look()])
  expect(seen).toEqual([6, 6, 6])
})

it('errors', async () => {
  const model = new Sequential([new Dense(1, { inputDim: 1 })])
  const x = [[1]]
  await expect(model.gradients(x, x)).rejects.toMatchObject({ code: 'ERR_NOT_COMPILED' })
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  await expect(model.gradients([[1, 2]], x)).rejects.toMatchObject({ code: 'ERR_SHAPE' })
  await expect(model.gradients(x, [[1], [2]])).rejects.toMatchObject({ code: 'ERR_SHAPE' })
  await expect(model.gradients(x, x, { sampleWeights: [1] } as never)).rejects.toThrow(
    /sampleWeight/,
  )
  model.dispose()
  await expect(model.gradients(x, x)).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
})
