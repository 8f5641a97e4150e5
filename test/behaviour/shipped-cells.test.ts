/** Cells of the package that are written as expressions, beside their published formulas. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import {
  type CellOptions,
  defineCell,
  GRU,
  IndRNN,
  type Layer,
  LayerNormLSTM,
  LSTM,
  Masking,
  MinimalGatedUnit,
  modelFromJson,
  PeepholeLSTM,
  ProjectedLSTM,
  RatedRecurrentUnit,
  Sequential,
  setFloatx,
  setSeed,
  SGD,
  SimpleRNN,
} from '../../lib/index.js'
import { Recurrent } from '../../lib/layers/base/recurrent.js'
import * as layers from '../../lib/layers/index.js'
import { filled, uniform } from '../arrays.js'

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

const [B, T, D, H, R] = [3, 6, 2, 4, 3]

// ---- formulas, number by number ----

type Vector = number[]
/** Weights by name: a matrix as its rows, a vector as its numbers. */
type Weights = Record<string, Vector[] & Vector>
type States = Record<string, Vector>

const sigmoid = (v: Vector) => v.map((x) => 1 / (1 + Math.exp(-x)))
const tanh = (v: Vector) => v.map(Math.tanh)
const relu = (v: Vector) => v.map((x) => Math.max(0, x))
const times = (x: Vector, W: Vector[]): Vector =>
  W[0]!.map((_, j) => x.reduce((sum, xi, i) => sum + xi * W[i]![j]!, 0))
const mul = (...list: Vector[]): Vector =>
  list[0]!.map((_, i) => list.reduce((product, v) => product * v[i]!, 1))
const add = (...list: Vector[]): Vector =>
  list[0]!.map((_, i) => list.reduce((sum, v) => sum + v[i]!, 0))
const rest = (v: Vector): Vector => v.map((x) => 1 - x)
function normalized(v: Vector): Vector {
  const mean = v.reduce((a, b) => a + b, 0) / v.length
  const variance = v.reduce((sum, x) => sum + (x - mean) ** 2, 0) / v.length
  return v.map((x) => (x - mean) / Math.sqrt(variance + 1e-5))
}

/** The states after a step. */
type Formula = (x: Vector, s: States, w: Weights) => States

const peephole =
  (see: (c: Vector, p: Vector & Vector[]) => Vector): Formula =>
  (x, { h, c }, w) => {
    const i = sigmoid(add(times(x, w.Wi!), times(h!, w.Ui!), see(c!, w.pi!), w.bi!))
    const f = sigmoid(add(times(x, w.Wf!), times(h!, w.Uf!), see(c!, w.pf!), w.bf!))
    const g = tanh(add(times(x, w.Wg!), times(h!, w.Ug!), w.bg!))
    const next = add(mul(f, c!), mul(i, g))
    const o = sigmoid(add(times(x, w.Wo!), times(h!, w.Uo!), see(next, w.po!), w.bo!))
    return { h: mul(o, tanh(next)), c: next }
  }

const quarter = (v: Vector, k: number) => v.slice(k * H, (k + 1) * H)

const formulas: Record<string, { make(options: CellOptions): Layer; step: Formula }> = {
  'peepholes of vectors': {
    make: (o) => new PeepholeLSTM(H, o),
    step: peephole((c, p) => mul(c, p)),
  },
  'peepholes of matrices': {
    make: (o) => new PeepholeLSTM(H, { peepholes: 'matrix', ...o }),
    step: peephole((c, p) => times(c, p)),
  },
  'recurrent projection': {
    make: (o) => new ProjectedLSTM(H, { projectionDim: R, ...o }),
    step: (x, { r, c }, w) => {
      const { h, c: next } = peephole((cell, p) => mul(cell, p))(x, { h: r!, c: c! }, w)
      return { r: times(h!, w.P!), c: next! }
    },
  },
  'layer normalisation': {
    make: (o) => new LayerNormLSTM(H, o),
    step: (x, { h, c }, w) => {
      const ofX = mul(normalized(times(x, w.W!)), w.gx!)
      const gates = add(ofX, mul(normalized(times(h!, w.U!)), w.gh!), w.b!)
      const [i, f, g, o] = [0, 1, 2, 3].map((k) => quarter(gates, k))
      const next = add(mul(sigmoid(f!), c!), mul(sigmoid(i!), tanh(g!)))
      const seen = add(mul(normalized(next), w.gc!), w.bc!)
      return { h: mul(sigmoid(o!), tanh(seen)), c: next }
    },
  },
  'rated unit': {
    make: (o) => new RatedRecurrentUnit(H, o),
    step: (x, { h }, w) => {
      const g = relu(add(times(x, w.W!), times(h!, w.U!), w.b!))
      const z = sigmoid(add(times(x, w.Wz!), times(h!, w.Uz!), w.bz!))
      return { h: add(mul(rest(z), h!), mul(z, g)) }
    },
  },
  'minimal gated unit': {
    make: (o) => new MinimalGatedUnit(H, o),
    step: (x, { h }, w) => {
      const f = sigmoid(add(times(x, w.Wf!), times(h!, w.Uf!), w.bf!))
      const g = tanh(add(times(x, w.W!), times(mul(f, h!), w.U!), w.b!))
      return { h: add(mul(rest(f), h!), mul(f, g)) }
    },
  },
  'independent units': {
    make: (o) => new IndRNN(H, o),
    step: (x, { h }, w) => ({ h: relu(add(times(x, w.W!), mul(w.u!, h!), w.b!)) }),
  },
}

/** Data [B, T, D] whose sample b ends with b masked steps. */
const x = uniform(1, [B, T, D])
for (let b = 0; b < B; b++) x.data.fill(0, (b * T + T - b) * D, (b + 1) * T * D)
const length = (b: number) => T - b

function weightsOf(model: Sequential): Weights {
  const names = model.layers[1]!.kerasArrays().map(({ name }) => name.split('_').at(-1)!)
  return Object.fromEntries(
    model.getWeights().map(({ data, shape }, i) => {
      const [rows = 1, columns] = shape
      const all = Array.from(data as ArrayLike<number>)
      const list = columns
        ? Array.from({ length: rows }, (_, r) => all.slice(r * columns, (r + 1) * columns))
        : all
      return [names[i], list as never]
    }),
  )
}

/** Runs a formula over each sample's steps; `after` says what becomes of a new state. */
function run(
  step: Formula,
  widths: Record<string, number>,
  w: Weights,
  after = (_state: string, next: Vector, _before: Vector) => next,
): number[] {
  const first = Object.keys(widths)[0]!
  return Array.from({ length: B }, (_, b) => {
    let states: States = Object.fromEntries(
      Object.entries(widths).map(([name, width]) => [name, Array<number>(width).fill(0)]),
    )
    for (let t = 0; t < length(b); t++) {
      const row = Array.from(x.data.slice((b * T + t) * D, (b * T + t + 1) * D))
      const next = step(row, states, w)
      const before = states
      states = Object.fromEntries(
        Object.entries(next).map(([name, value]) => [name, after(name, value, before[name]!)]),
      )
    }
    return states[first]!
  }).flat()
}

/** A model of a masked layer, all of whose weights are random. */
function modelOf(layer: Layer): Sequential {
  setSeed(2)
  const model = new Sequential([new Masking({ inputShape: [T, D] }), layer])
  const weights = model.getWeights().map(({ shape }, i) => uniform(10 + i, [...shape]))
  model.setWeights(weights)
  return model
}

const far = (a: ArrayLike<number>, b: readonly number[]) =>
  Math.max(...b.map((value, i) => Math.abs(value - a[i]!)))

describe.each(Object.entries(formulas))('%s', (_name, { make, step }) => {
  const widths = (layer: Layer): Record<string, number> =>
    layer instanceof ProjectedLSTM ? { r: R, c: H } : { h: H, c: H }

  it('computes the published formula', async () => {
    const layer = make({})
    const model = modelOf(layer)
    const y = await model.predict(x)
    expect(far(y.data, run(step, widths(layer), weightsOf(model)))).toBeLessThan(1e-12)
  })

  it('with zoneout, gives expected states outside of training', async () => {
    const layer = make({ zoneout: 0.3 })
    const model = modelOf(layer)
    const y = await model.predict(x)
    const mixed = (_state: string, next: Vector, before: Vector) =>
      next.map((value, i) => 0.7 * value + 0.3 * before[i]!)
    expect(far(y.data, run(step, widths(layer), weightsOf(model), mixed))).toBeLessThan(1e-12)
  })

  it('comes back from JSON as its own class, with its options', async () => {
    const model = modelOf(make({ zoneout: 0.3, name: 'own' }))
    const copy = modelFromJson(model.toJson())
    expect(copy.layers[1]).toBeInstanceOf(model.layers[1]!.constructor)
    expect(copy.layers[1]!.options).toEqual({ ...model.layers[1]!.options, inputDim: D })
    expect(model.toJson()).not.toContain('nodes')
    copy.setWeights(model.getWeights())
    expect((await copy.predict(x)).data).toEqual((await model.predict(x)).data)
  })
})

describe('zoneout', () => {
  const first = { inputShape: [null, D] }
  /** Every layer with a native cell: with zoneout it runs as the expression of its step. */
  const classes = Object.values(layers).filter(
    (value) => Object.getPrototypeOf(value) === Recurrent,
  ) as unknown as (typeof SimpleRNN)[]
  const builtIn: Record<string, (o: object) => Layer> = {
    ...Object.fromEntries(
      classes.map((Class) => [Class.className, (o: object) => new Class(H, o)]),
    ),
    'GRU with resetAfter': (o) => new GRU(H, { resetAfter: true, ...o }),
  }
  const ways: [string, object, masked?: boolean][] = [
    ['last step', {}],
    ['all steps, other activations', { returnSequences: true, activation: 'relu' }],
    ['goBackwards', { returnSequences: true, goBackwards: true }],
    ['truncate', { truncate: 2 }],
    ['learned states, masked', { initialState: 'learned' }, true],
    ['dropout', { dropoutW: 0.4, dropoutU: 0.3, returnSequences: true }],
    ['one mask of dropout', { dropoutW: 0.4, dropoutU: 0.3, consumeLess: 'gpu' }],
    ['without bias', { bias: false }],
    ['stateful', { stateful: true, batchInputShape: [B, T, D] }],
  ]
  describe.each(Object.entries(builtIn))('%s', (_name, make) => {
    it.each(ways)('of no state changes nothing: %s', async (_way, options, masked = false) => {
      const made = [0, { h: 0 }].map((zoneout) => {
        setSeed(2)
        const layer = make({ ...(masked ? {} : first), ...options, zoneout, name: 'one' })
        const model = new Sequential(masked ? [new Masking(first), layer] : [layer])
        model.setWeights(
          model.getWeights().map(({ shape }, i) => uniform(20 + i, [...shape], -0.5, 0.5)),
        )
        model.compile({ loss: 'mse', optimizer: 'sgd' })
        return model
      })
      const results = []
      for (const model of made) {
        setSeed(5)
        const { data, shape } = await model.predict(x, { batchSize: B })
        const losses = []
        for (let i = 0; i < 3; i++) losses.push(await model.trainOnBatch(x, filled(1, ...shape)))
        const weights = model.getWeights().flatMap((w) => Array.from(w.data as Float64Array))
        results.push([...data, ...losses, ...weights] as number[])
      }
      expect(far(results[1]!, results[0]!)).toBeLessThan(1e-12)
    })
  })

  const Counter = defineCell('Counter', {
    weights: { W: ['D', 'H'] },
    states: { n: {}, m: {} },
    step: ({ x, n, m, W }) => ({
      n: K.add(n, 1, K.mul(0, x.dot(W))),
      m: K.add(m, 1),
      y: K.concat(n, m),
    }),
  })
  /** Mean square of the counts of 21 steps' starts, 0 to 20, of 20,000 units. */
  async function meanSquare(zoneout: number | Record<string, number>): Promise<number> {
    const model = new Sequential([new Counter(20_000, { zoneout, inputShape: [21, 1] })])
    setSeed(3)
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    return model.trainOnBatch(filled(1, 1, 21, 1), filled(0, 1, 40_000)) as Promise<number>
  }

  it('keeps each unit by chance, in each step of training', async () => {
    // The count is binomial: mean 20·0.75 = 15, variance 20·0.25·0.75 = 3.75
    expect(await meanSquare(0.25)).toBeGreaterThan(228.75 - 2)
    expect(await meanSquare(0.25)).toBeLessThan(228.75 + 2)
    expect(await meanSquare(0)).toBe(400)
  })

  it('is of the states that it names, which must be there', async () => {
    const onlyM = await meanSquare({ m: 0.25 }) // n counts to 20
    expect(onlyM).toBeGreaterThan((400 + 228.75) / 2 - 1)
    expect(onlyM).toBeLessThan((400 + 228.75) / 2 + 1)
    const wrong = () => new Sequential([new LSTM(H, { ...first, zoneout: { g: 0.1 }, name: 'z' })])
    expect(wrong).toThrow("z (LSTM): zoneout must be by the names of states: h, c, got 'g'.")
    expect(() => new GRU(H, { zoneout: 1 })).toThrow(
      'zoneout must be a number from 0 to below 1, or one for each state, got 1.',
    )
  })

  it('draws the same for the same seed, and anew in the next batch', async () => {
    const losses = async () => {
      setSeed(3)
      const model = new Sequential([new LSTM(H, { ...first, zoneout: 0.5 })])
      model.compile({ loss: 'mse', optimizer: new SGD({ lr: 0 }) })
      return [
        await model.trainOnBatch(x, filled(1, B, H)),
        await model.trainOnBatch(x, filled(1, B, H)),
      ]
    }
    const [a, b] = await losses()
    expect(await losses()).toEqual([a, b])
    expect(a).not.toBe(b)
  })

  it.each(Object.entries(builtIn))(
    'gradients of %s are differences of the loss',
    async (_n, make) => {
      /** The loss of a training step, always of the same draws, and the weights after it. */
      const step = async (weights: readonly Float64Array[] | null, lr: number) => {
        setSeed(3)
        const layer = make({ ...first, zoneout: 0.4, initialState: 'learned' })
        const model = new Sequential([layer])
        const before = model.getWeights()
        if (weights) model.setWeights(before.map(({ shape }, i) => ({ data: weights[i]!, shape })))
        model.compile({ loss: 'mse', optimizer: new SGD({ lr }) })
        const loss = (await model.trainOnBatch(x, filled(1, B, H))) as number
        const data = (list: typeof before) => list.map((w) => Float64Array.from(w.data))
        return { loss, before: data(before), after: data(model.getWeights()) }
      }
      const { before, after } = await step(null, 1)
      const h = 1e-5
      for (const [k, weight] of before.entries()) {
        const at = (k * 5) % weight.length
        const [up, down] = await Promise.all(
          [h, -h].map((by) => {
            const moved = before.map((w) => w.slice())
            moved[k]![at]! += by
            return step(moved, 0)
          }),
        )
        const difference = (up!.loss - down!.loss) / (2 * h)
        expect(Math.abs(weight[at]! - after[k]![at]! - difference)).toBeLessThan(1e-8)
      }
    },
  )
})

describe('functions as activations of built-in cells', () => {
  const pairs: [string, (o: object) => Layer][] = [
    ['SimpleRNN', (o) => new SimpleRNN(H, o)],
    ['LSTM', (o) => new LSTM(H, o)],
    ['GRU', (o) => new GRU(H, o)],
  ]
  it.each(pairs)('%s with them is that with the names; also from a file', async (name, make) => {
    const gates = name === 'SimpleRNN' ? {} : { innerActivation: 'sigmoid' }
    const functions = name === 'SimpleRNN' ? {} : { innerActivation: (x: K.Expr) => K.sigmoid(x) }
    const first = { inputShape: [T, D], returnSequences: true }
    const named = new Sequential([make({ ...first, ...gates, activation: 'softsign' })])
    const own = new Sequential([
      make({ ...first, ...functions, activation: (x: K.Expr) => K.div(x, K.add(1, K.abs(x))) }),
    ])
    own.setWeights(named.getWeights())
    const y = Array.from((await named.predict(x)).data)
    expect(far((await own.predict(x)).data, y)).toBeLessThan(1e-12)
    const copy = modelFromJson(own.toJson())
    copy.setWeights(named.getWeights())
    expect((await copy.predict(x)).data).toEqual((await own.predict(x)).data)
  })
})
