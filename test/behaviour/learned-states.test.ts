/** `initialState: 'learned'`: the states before the first step are parameters. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, filled, uniform } from '../arrays.js'
import {
  Bidirectional,
  ConfigError,
  Dense,
  GRU,
  type Layer,
  loadModel,
  LSTM,
  Masking,
  modelFromJson,
  type SimpleRNNOptions,
  Sequential,
  setSeed,
  SGD,
  SimpleRNN,
} from '../package.js'

const [N, T, D, H] = [3, 4, 2, 3]
const learned = { initialState: 'learned' } as const

type Make = (options: SimpleRNNOptions) => Layer
const cells: [string, Make, states: string[]][] = [
  ['SimpleRNN', (o) => new SimpleRNN(H, o), ['h0']],
  ['GRU', (o) => new GRU(H, o), ['h0']],
  ['GRU, resetAfter', (o) => new GRU(H, { ...o, resetAfter: true }), ['h0']],
  ['LSTM', (o) => new LSTM(H, o), ['h0', 'c0']],
  ["LSTM, 'gpu'", (o) => new LSTM(H, { ...o, consumeLess: 'gpu' }), ['h0', 'c0']],
]

/** Its last weights, h0 first, set to what cannot be taken for anything else. */
function withStates(model: Sequential, states: number): Sequential {
  const weights = model.getWeights()
  for (const [i, weight] of weights.slice(-states).entries())
    weight.data.set(uniform(20 + i, [H]).data)
  model.setWeights(weights)
  return model
}

describe.each(cells)('%s', (_, make, states) => {
  const options = { inputShape: [T, D], name: 'r' } as const

  it('has them after its other weights, zeros at first', async () => {
    const build = (more: object) => {
      setSeed(4)
      return new Sequential([make({ ...options, ...more })])
    }
    const [plain, model] = [build({}), build(learned)]
    const names = model.layers[0]!.kerasArrays().map(({ name }) => name)
    expect(names.slice(-states.length)).toEqual(states.map((state) => `r_${state}`))
    const n = plain.getWeights().length
    expectAllSameBits(model.getWeights().slice(0, n), plain.getWeights())
    expectAllSameBits(
      model.getWeights().slice(n),
      states.map(() => filled(0, H)),
    )
    expectSameBits(
      await model.predict(uniform(1, [N, T, D])),
      await plain.predict(uniform(1, [N, T, D])),
    )
  })

  it('begins with them: as a stateful layer whose states are set', async () => {
    const model = withStates(new Sequential([make({ ...options, ...learned })]), states.length)
    const stateful = make({ name: 'r', batchInputShape: [N, T, D], stateful: true })
    const twin = new Sequential([stateful])
    const weights = model.getWeights()
    twin.setWeights(weights.slice(0, -states.length))
    twin.setStates(
      weights.slice(-states.length).map(({ data }) => ({
        data: Float32Array.from({ length: N * H }, (_, i) => data[i % H]!),
        shape: [N, H],
      })),
    )
    expectSameBits(
      await model.predict(uniform(1, [N, T, D])),
      await twin.predict(uniform(1, [N, T, D])),
    )
  })

  it('gives h0 for a sample that is masked, and before the first real step', async () => {
    const masked = (returnSequences: boolean) =>
      withStates(
        new Sequential([
          new Masking({ inputShape: [T, D] }),
          make({ ...learned, returnSequences }),
        ]),
        states.length,
      )
    const x = uniform(1, [2, T, D])
    x.data.fill(0, 0, T * D + D) // all of the first sample, one step of the second
    for (const sequences of [false, true]) {
      const model = masked(sequences)
      const h0 = [...model.getWeights().at(-states.length)!.data]
      const { data } = await model.predict(x)
      expect([...data.slice(0, H)]).toEqual(h0)
      if (!sequences) continue
      expect([...data.slice((T - 1) * H, T * H)]).toEqual(h0)
      expect([...data.slice(T * H, (T + 1) * H)]).toEqual(h0)
      expect([...data.slice((T + 1) * H, (T + 2) * H)]).not.toEqual(h0)
    }
  })

  it('trains, saves and loads them', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-learned-'))
    try {
      const model = new Sequential([make({ ...options, ...learned })])
      model.compile({ loss: 'mse', optimizer: 'adam' })
      const [x, y] = [uniform(1, [N, T, D]), uniform(2, [N, H])]
      await model.trainOnBatch(x, y)
      for (const state of model.getWeights().slice(-states.length))
        expect(state.data.every((v) => v !== 0)).toBe(true)
      await model.save(path.join(folder, 'model.h5'))
      const loaded = await loadModel(path.join(folder, 'model.h5'))
      expect(loaded.layers[0]!.getConfig()).toEqual(model.layers[0]!.getConfig())
      await model.trainOnBatch(x, y)
      await loaded.trainOnBatch(x, y)
      expectAllSameBits(loaded.getWeights(), model.getWeights())
      expect(modelFromJson(model.toJson()).countParams()).toBe(model.countParams())
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})

it('each direction of a Bidirectional has its own', async () => {
  const model = new Sequential([
    new Bidirectional(new LSTM(H, learned), { inputShape: [T, D], name: 'b' }),
    new Dense(1),
  ])
  const names = model.layers[0]!.kerasArrays().map(({ name }) => name)
  expect(
    names.filter((name) => /_[hc]0$/.test(name)).map((name) => name.replace(/lstm_\d+/, 'l')),
  ).toEqual(['forward_l_h0', 'forward_l_c0', 'backward_l_h0', 'backward_l_c0'])
  model.compile({ loss: 'mse', optimizer: new SGD({ lr: 1 }) })
  await model.trainOnBatch(uniform(1, [N, T, D]), uniform(2, [N, 1]))
  const [forward, backward] = [0, 1].map((i) => model.getWeights()[i * 14 + 12]!)
  expect(forward!.data).not.toEqual(backward!.data)
})

it('the gradients are the derivatives of the loss', async () => {
  const model = new Sequential([
    new Masking({ inputShape: [T, D], dtype: 'float64' }),
    new LSTM(H, { ...learned, name: 'l', checkpoint: 2 }),
  ])
  withStates(model, 2)
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const x = uniform(1, [N, T, D])
  x.data.fill(0, 0, T * D + D)
  const y = uniform(2, [N, H])
  const got = (await model.gradients(x, y)).slice(-2)
  const weights = model.getWeights()
  for (const [i, gradient] of got.entries())
    for (let k = 0; k < H; k++) {
      const at = async (change: number) => {
        const changed = weights.map((w) => ({ data: w.data.slice(), shape: w.shape }))
        changed.at(i - 2)!.data[k]! += change
        model.setWeights(changed)
        return (await model.testOnBatch(x, y)) as number
      }
      const wanted = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5
      expect(Math.abs(wanted)).toBeGreaterThan(1e-4)
      // central differences in double
      expect(Math.abs(gradient.data[k]! - wanted)).toBeLessThan(1e-8)
    }
})

describe('the option', () => {
  it('is in a configuration only when it is given', () => {
    expect(new GRU(2).getConfig()).not.toHaveProperty('initial_state')
    expect(new GRU(2, { initialState: 'zero' }).getConfig()).not.toHaveProperty('initial_state')
    expect(new GRU(2, learned).getConfig().initial_state).toBe('learned')
  })

  it('is refused where states are carried, and for other words', () => {
    const both = () => new LSTM(2, { ...learned, stateful: true, name: 'l' })
    expect(both).toThrow(ConfigError)
    expect(both).toThrow(
      "l (LSTM): initialState must be 'zero' with stateful: true, got 'learned'.",
    )
    expect(() => new GRU(2, { initialState: 'random' as never })).toThrow(
      "initialState must be 'zero' or 'learned'",
    )
  })
})
