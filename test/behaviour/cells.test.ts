/** Cells written as expressions beside the built-in ones. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import {
  Bidirectional,
  Dense,
  defineCell,
  GRU,
  IndRNN,
  type Layer,
  LSTM,
  loadModel,
  Masking,
  modelFromJson,
  modelFromYaml,
  type NDArray,
  Sequential,
  setFloatx,
  setSeed,
  SimpleRNN,
  TimeDistributed,
} from '../../lib/index.js'
import { uniform } from '../arrays.js'

const { add, dot, hardSigmoid, mul, sub, tanh } = K

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

const square = ['H', 'H'] as const
const input = ['D', 'H'] as const
const cells = {
  SimpleRNN: defineCell('OwnSimpleRNN', {
    weights: { W: input, U: square, b: ['H'] },
    states: { h: {} },
    step: ({ x, h, W, U, b }) => ({ h: tanh(add(dot(x, W), dot(h, U), b)) }),
  }),
  // Weights in the order of native gates, i f g o and z r g: dropout draws a mask for each.
  LSTM: defineCell('OwnLSTM', {
    weights: {
      ...{ Wi: input, Wf: input, Wc: input, Wo: input },
      ...{ Ui: square, Uf: square, Uc: square, Uo: square },
      ...{ bi: ['H'], bf: ['H'], bc: ['H'], bo: ['H'] },
    },
    states: { h: {}, c: {} },
    step({ x, h, c, ...w }) {
      const i = hardSigmoid(add(x.dot(w.Wi), h.dot(w.Ui), w.bi))
      const f = hardSigmoid(add(x.dot(w.Wf), h.dot(w.Uf), w.bf))
      const c1 = add(mul(f, c), mul(i, tanh(add(x.dot(w.Wc), h.dot(w.Uc), w.bc))))
      const o = hardSigmoid(add(x.dot(w.Wo), h.dot(w.Uo), w.bo))
      return { h: mul(o, tanh(c1)), c: c1 }
    },
  }),
  GRU: defineCell('OwnGRU', {
    weights: {
      ...{ Wz: input, Wr: input, Wh: input, Uz: square, Ur: square, Uh: square },
      ...{ bz: ['H'], br: ['H'], bh: ['H'] },
    },
    states: { h: {} },
    step({ x, h, ...w }) {
      const z = hardSigmoid(add(x.dot(w.Wz), h.dot(w.Uz), w.bz))
      const r = hardSigmoid(add(x.dot(w.Wr), h.dot(w.Ur), w.br))
      const g = tanh(add(x.dot(w.Wh), r.mul(h).dot(w.Uh), w.bh))
      return { h: add(mul(z, h), mul(sub(1, z), g)) }
    },
  }),
}
const builtIn = { SimpleRNN, LSTM, GRU }
const [B, T, D, H] = [4, 7, 3, 5]

/** Own arrays (all W, all U, all b) in the order of Keras' (gate by gate), and back. */
const LETTERS = { SimpleRNN: [''], LSTM: ['i', 'f', 'c', 'o'], GRU: ['z', 'r', 'h'] }
const KERAS = { SimpleRNN: [''], LSTM: ['i', 'c', 'f', 'o'], GRU: ['z', 'r', 'h'] }
type Name = keyof typeof cells
function toOwn(name: Name, keras: readonly NDArray[]): NDArray[] {
  const at = (kind: number, gate: string) => keras[KERAS[name].indexOf(gate) * 3 + kind]!
  const own = [0, 1, 2].flatMap((kind) => LETTERS[name].map((gate) => at(kind, gate)))
  return [...own, ...keras.slice(own.length)]
}

const far = (a: NDArray, b: NDArray): number =>
  Math.max(...Array.from(a.data, (x, i) => Math.abs(x - b.data[i]!)))

/** Both models, with the same weights. */
function pair(name: Name, options: object, around: (layer: Layer) => Layer[]) {
  setSeed(3)
  const models = [new builtIn[name](H, options), new cells[name](H, options)].map((layer) => {
    const model = new Sequential(around(layer))
    model.compile({ loss: 'mse', optimizer: 'adam' })
    return model
  })
  const [theirs, own] = models as [Sequential, Sequential]
  const biases = { seed: 5 }
  const weights = theirs.getWeights().map((w, i) => {
    const { data } = uniform(biases.seed + i, [w.size], -0.5, 0.5)
    return w.shape.length === 1 ? { data, shape: w.shape } : w
  })
  theirs.setWeights(weights as never)
  own.setWeights(toOwn(name, theirs.getWeights()))
  return { theirs, own }
}

const x = uniform(1, [B, T, D])
const masked = { data: x.data.slice(), shape: x.shape }
for (let b = 0; b < B; b++)
  for (let t = 0; t < T; t++)
    if (t >= 3 + b || (b === 1 && t === 0))
      masked.data.fill(0, (b * T + t) * D, (b * T + t + 1) * D)

const first = { inputShape: [null, D] }
const cases: [string, object, (layer: Layer) => Layer[], object?][] = [
  ['last step', first, (layer) => [layer]],
  ['all steps', { ...first, returnSequences: true }, (layer) => [layer]],
  ['goBackwards', { ...first, returnSequences: true, goBackwards: true }, (layer) => [layer]],
  ['truncate', { ...first, returnSequences: true, truncate: 3 }, (layer) => [layer]],
  ['learned states', { ...first, initialState: 'learned' }, (layer) => [layer]],
  ['mask', { returnSequences: true }, (layer) => [new Masking(first), layer], masked],
  ['mask, last', { initialState: 'learned' }, (layer) => [new Masking(first), layer], masked],
  [
    'dropout',
    { ...first, dropoutW: 0.4, dropoutU: 0.3, returnSequences: true },
    (layer) => [layer],
  ],
  ['one mask', { ...first, dropoutW: 0.4, dropoutU: 0.3, consumeLess: 'gpu' }, (layer) => [layer]],
  ['stateful', { batchInputShape: [B, T, D], stateful: true }, (layer) => [layer, new Dense(2)]],
]

describe.each(Object.keys(cells) as Name[])('%s as expressions', (name) => {
  it.each(cases)(
    '%s: outputs, gradients and three updates are those of the built-in layer',
    async (what, options, around, data = x) => {
      if (what === 'one mask' && name !== 'SimpleRNN') return // its arrays lie in another order
      const { theirs, own } = pair(name, options, around)
      const predicted = await theirs.predict(data as never, { batchSize: B })
      const y = uniform(2, [...predicted.shape])
      expect(far(predicted, await own.predict(data as never, { batchSize: B }))).toBeLessThan(1e-12)
      setSeed(7)
      const [a, b] = [[] as number[], [] as number[]]
      for (const [model, losses] of [
        [theirs, a],
        [own, b],
      ] as const) {
        setSeed(7)
        for (let i = 0; i < 3; i++) losses.push(await model.trainOnBatch(data as never, y))
      }
      for (const [i, loss] of a.entries()) expect(Math.abs(loss - b[i]!)).toBeLessThan(1e-12)
      const weights = toOwn(name, theirs.getWeights())
      // Adam divides by the root of what may be small.
      for (const [i, w] of own.getWeights().entries())
        expect(far(w, weights[i]!)).toBeLessThan(1e-9)
    },
  )
  it.each([
    ['all steps', { returnSequences: true }],
    ['the last, dropout', { dropoutW: 0.4, dropoutU: 0.3 }],
    ['backwards, truncate', { goBackwards: true, truncate: 2, returnSequences: true }],
  ])('checkpoint, %s: the same bits', async (_, options) => {
    const weights = async (checkpoint: 'auto' | 3 | null) => {
      setSeed(9)
      const dense = new TimeDistributed(new Dense(D), { inputShape: [T, D] })
      const model = new Sequential([dense, new cells[name](H, { ...options, checkpoint })])
      model.compile({ loss: 'mse', optimizer: 'adam' })
      const y = uniform(2, [B, ...(model.outputShape as number[]).slice(1)])
      for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y)
      return model.getWeights().map(({ data }) => data)
    }
    const whole = await weights(null)
    expect(await weights(3)).toEqual(whole)
    expect(await weights('auto')).toEqual(whole)
  })
  it('in Bidirectional, and from JSON and YAML without the class', async () => {
    const layer = new cells[name](H, { returnSequences: true })
    const own = new Sequential([new Bidirectional(layer, { inputShape: [T, D] })])
    const expected = await own.predict(x)
    for (const copy of [modelFromJson(own.toJson()), modelFromYaml(own.toYaml())]) {
      copy.setWeights(own.getWeights())
      expect(far(await copy.predict(x), expected)).toBe(0)
      expect(JSON.parse(copy.toJson())).toEqual(JSON.parse(own.toJson()))
    }
  })
})

describe('a cell', () => {
  const message = (make: () => unknown): string => {
    try {
      make()
    } catch (error) {
      return (error as Error).message
    }
    return 'no error'
  }
  const build = (Class: new (n: number, options: object) => Layer) => () =>
    new Sequential([new Class(6, { inputShape: [5, 4], name: 'one' })])
  it('says what is wrong with its step', () => {
    const transposed = defineCell('Rated', {
      weights: { Wx: ['H', 'D'], Wh: ['H', 'H'] },
      states: { h: {} },
      step: ({ x, h, Wx, Wh }) => ({ h: tanh(add(dot(x, Wx), dot(h, Wh))) }),
    })
    expect(message(build(transposed))).toBe(
      'Rated: step: dot(x[t] [B, 4], Rated/Wx [6, 4]): columns of the left must be the rows of the right, 6, got 4. Transposed? Use .T.',
    )
    const forgetful = defineCell('Rated', {
      weights: { W: ['D', 'H'] },
      states: { h: {}, c: {} },
      step: (({ x, W }: { x: K.Expr; W: K.Expr }) => ({ h: dot(x, W) })) as never,
    })
    expect(message(build(forgetful))).toBe(
      "Rated: step's result: it must be an object with h, c, got one without c.",
    )
    const wide = defineCell('Rated', {
      weights: { W: ['D', 2] },
      states: { h: {} },
      step: ({ x, W }) => ({ h: dot(x, W) }),
    })
    expect(message(build(wide))).toBe(
      'Rated: new value of h must be [B, 6] as it was before, got [B, 2].',
    )
  })
  it('has options of its own, which weights, states and the step may depend on', async () => {
    const Leaky = defineCell('Leaky', {
      options: { leak: 0.5, isWide: false },
      weights: ({ isWide }) => ({ W: isWide ? ['D', '2H'] : ['D', 'H'] }),
      states: ({ isWide }) => ({ h: { shape: [isWide ? '2H' : 'H'] } }),
      step: ({ x, h, W }, { leak }) => ({ h: add(mul(leak, h), dot(x, W)) }),
    })
    const own = new Sequential([new Leaky(3, { leak: 0.25, isWide: true, inputShape: [2, 1] })])
    own.setWeights([new Float64Array(6).fill(1)].map((data) => ({ data, shape: [1, 6] })))
    const x = uniform(1, [1, 2, 1])
    const expected = Array<number>(6).fill(0.25 * x.data[0]! + x.data[1]!)
    expect(Array.from((await own.predict(x)).data)).toEqual(expected)
    const copy = modelFromJson(own.toJson())
    copy.setWeights(own.getWeights())
    expect((await copy.predict(x)).data).toEqual((await own.predict(x)).data)
    expect(copy.layers[0]!.options).toMatchObject({ leak: 0.25, isWide: true })
    expect(message(() => new Leaky(3, { leak: 'much' as never }))).toBe(
      "Leaky: leak must be a finite number, got the string 'much'.",
    )
    const bad = { options: { truncate: 1 }, weights: {}, states: { h: {} }, step: () => ({}) }
    expect(message(() => defineCell('Bad', bad as never))).toBe(
      "defineCell 'Bad': options must be named otherwise than those of all cells, got 'truncate'.",
    )
  })
  it('has an output of its own width, also where steps are masked', async () => {
    const Projected = defineCell('Projected', {
      weights: { W: ['D', 'H'], U: ['H', 'H'], P: ['H', 2] },
      states: { h: {} },
      step({ x, h, W, U, P }) {
        const next = tanh(add(dot(x, W), dot(h, U)))
        return { h: next, y: dot(next, P) }
      },
    })
    const model = new Sequential([
      new Masking({ inputShape: [T, D] }),
      new Projected(H, { returnSequences: true }),
    ])
    expect(model.outputShape).toEqual([null, T, 2])
    const y = await model.predict(masked)
    const step = (b: number, t: number) =>
      Array.from(y.data.slice((b * T + t) * 2, (b * T + t + 1) * 2))
    expect(step(1, 0)).toEqual([0, 0])
    expect(step(0, 3)).toEqual(step(0, 2))
    expect(step(0, 2)).not.toEqual(step(0, 1))
  })
})

describe('what a newcomer found', () => {
  const step = ({ x, h, W, U }: Record<string, K.Expr>) => ({ h: add(dot(x!, W!), dot(h!, U!)) })
  const weights = { W: ['D', 'H'], U: ['H', 'H'] } as const
  const Plain = defineCell('PlainOne', { weights, states: { h: {} }, step: step as never })
  const says = (make: () => unknown) => {
    try {
      make()
      return 'no error'
    } catch (error) {
      return (error as Error).message
    }
  }

  it.each(['WRegularizer', 'URegularizer'])('a file keeps which weights %s is of', async (key) => {
    setSeed(1)
    const model = new Sequential([new Plain(H, { inputShape: [T, D], [key]: 'l2' })])
    const copy = modelFromJson(model.toJson())
    copy.setWeights(model.getWeights())
    const y = uniform(3, [B, H])
    const losses = []
    for (const each of [model, copy]) {
      each.compile({ loss: 'mse', optimizer: 'sgd' })
      losses.push(await each.evaluate(x, y, { verbose: 0 }))
    }
    expect(losses[1]).toBe(losses[0])
    const twice = modelFromJson(copy.toJson())
    expect(JSON.parse(twice.toJson())).toEqual(JSON.parse(model.toJson()))
  })

  it('a file keeps how weights begin', () => {
    const model = new Sequential([new Plain(H, { inputShape: [T, D], init: 'one' })])
    const [W, U] = modelFromJson(model.toJson()).getWeights()
    expect(Array.from(W!.data).every((w) => w === 1)).toBe(true)
    expect(Array.from(U!.data).every((w) => w === 1)).toBe(false)
  })

  const make = (definition: object) => () =>
    new Sequential([
      new (defineCell('Bad', { weights, states: { h: {} }, step, ...definition } as never))(2, {
        inputShape: [3, 1],
      }),
    ])
  it.each([
    [
      make({ weights: { ...weights, b: ['H'] } }),
      'Bad: step: weight b must be part of what the step gives, got one that it does not read. A cell with options may have weights by them: weights: (options) => ({ … }).',
    ],
    [
      make({
        states: { h: {}, n: { initial: 'learned' } },
        step: (v: never) => ({ ...step(v), n: 0 }),
      }),
      'Bad: new value of n must be [B, 2] as it was before, got [].',
    ],
    [
      make({ weights: { ...weights, h0: ['H'] } }),
      "defineCell 'Bad': names of weights and states must be different, and other than x, y (what the layer gives) and h0, got 'h0'.",
    ],
    [
      make({ weights: { ...weights, U: ['K', 'H'] } }),
      "defineCell 'Bad': an extent must be 'D', 'H', '4H' or a positive integer, got K.",
    ],
    [
      make({ weights: { ...weights, U: ['H', 2.5] } }),
      "defineCell 'Bad': an extent must be 'D', 'H', '4H' or a positive integer, got 2.5.",
    ],
    [
      make({ weights: { ...weights, b: 'H' } }),
      "defineCell 'Bad': weight b must be a list of extents, such as ['D', 'H'], got H.",
    ],
    [
      make({ step: (v: never) => ({ ...step(v), gate: 1 }) }),
      "Bad: step's result: it must be an object with h, and y if the layer gives no state, got one with 'gate'.",
    ],
    [
      make({ step: () => undefined }),
      "Bad: step's result: it must be an object with h, got nothing.",
    ],
    [
      () => defineCell('LSTM', { weights, states: { h: {} }, step: step as never }),
      "defineCell 'LSTM': name must be one that no layer of the package has, got 'LSTM'. Files go by the names of classes.",
    ],
  ])('%#', (wrong, message) => {
    expect(says(wrong)).toBe(message)
  })

  it('dropout of a product that there is not is refused', () => {
    const model = new Sequential([new IndRNN(2, { inputShape: [3, 1], dropoutU: 0.5 })])
    expect(says(() => model.compile({ loss: 'mse', optimizer: 'sgd' }))).toBe(
      'IndRNN: dropoutU must be 0 for a step without a product of a state, got 0.5.',
    )
  })

  it('a weight of null is left out', () => {
    const Optional = defineCell('Optional', {
      options: { bias: true },
      weights: ({ bias }) => ({ ...weights, b: bias ? ['H'] : null }),
      states: { h: {} },
      step({ x, h, W, U, b }, { bias }) {
        const sum = add(dot(x, W), dot(h, U))
        return { h: bias ? add(sum, b) : sum }
      },
    })
    const count = (bias: boolean) =>
      new Sequential([new Optional(3, { bias, inputShape: [2, 1] })]).countParams()
    expect([count(true), count(false)]).toEqual([15, 12])
  })
})

it('the step is not called again for a batch like the last one', async () => {
  let calls = 0
  const Counted = defineCell('Counted', {
    weights: { W: input, U: square },
    states: { h: {} },
    step({ x, h, W, U }) {
      calls++
      return { h: tanh(add(dot(x, W), dot(h, U))) }
    },
  })
  const model = new Sequential([new Counted(H, { inputShape: [T, D] })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const y = uniform(2, [B, H])
  await model.trainOnBatch(x, y)
  expect(calls).toBeGreaterThan(0)
  calls = 0
  await model.trainOnBatch(x, y)
  await model.predictOnBatch(x)
  expect(calls).toBe(0)
})

describe('where a written cell stands', () => {
  it('TimeDistributed runs it over the parts of each sample', async () => {
    const parts = new Sequential([
      new TimeDistributed(new cells.LSTM(H), { inputShape: [3, T, D] }),
    ])
    const alone = new Sequential([new cells.LSTM(H, { inputShape: [T, D] })])
    alone.setWeights(parts.getWeights())
    const x = uniform(5, [2, 3, T, D])
    const y = await parts.predict(x)
    expect(y.shape).toEqual([2, 3, H])
    const each = await alone.predict({ ...x, shape: [6, T, D] })
    expect(y.data).toEqual(each.data)
  })

  it('an .h5 file holds it with its weights', async () => {
    const model = new Sequential([new cells.GRU(H, { inputShape: [T, D] }), new Dense(1)])
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'cells-')), 'own.h5')
    await model.save(file)
    const x = uniform(6, [4, T, D])
    const loaded = await loadModel(file)
    expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data)
    fs.rmSync(path.dirname(file), { recursive: true })
  })
})
