/** `model.session()`: which layers can go step by step, and inputs that stay the same. */
import { describe, expect, it } from 'vitest'
import { uniform } from '../arrays.js'
import {
  Attention,
  AttentionPooling,
  BatchNormalization,
  Bidirectional,
  backend,
  ConfigError,
  Convolution1D,
  ConvLSTM2D,
  defineLayer,
  Dense,
  Embedding,
  Flatten,
  GlobalMaxPooling1D,
  GRU,
  Input,
  Lambda,
  type Layer,
  LSTM,
  Masking,
  MaxPooling1D,
  Merge,
  Model,
  merge,
  Permute,
  PReLU,
  RepeatVector,
  Sequential,
  SimpleRNN,
  setSeed,
  TimeDistributed,
} from '../package.js'

const inputShape = [null, 3] as const
const series = { inputShape, returnSequences: true }

describe('what cannot go step by step', () => {
  const behind = (...layers: Layer[]) => new Sequential([new GRU(4, series), ...layers])
  const cases: [string, () => Model, RegExp][] = [
    [
      'Bidirectional',
      () => new Sequential([new Bidirectional(new GRU(2), { inputShape })]),
      /backward half/,
    ],
    [
      'goBackwards',
      () => new Sequential([new LSTM(2, { ...series, goBackwards: true })]),
      /last step/,
    ],
    [
      'ConvLSTM2D',
      () => new Sequential([new ConvLSTM2D(2, 2, 2, { inputShape: [null, 4, 4, 1] })]),
      /ConvLSTM2D/,
    ],
    ['Convolution1D', () => behind(new Convolution1D(2, 3)), /convolution1d_\d+ .*several steps/],
    ['MaxPooling1D', () => behind(new MaxPooling1D()), /maxpooling1d/],
    ['GlobalMaxPooling1D', () => behind(new GlobalMaxPooling1D()), /globalmaxpooling1d/],
    ['AttentionPooling', () => behind(new AttentionPooling()), /attentionpooling/],
    ['Lambda', () => behind(new Lambda((x) => backend.cumsum(x, 1))), /TimeDistributed/],
    [
      'a function as activation',
      () => behind(new Dense(2, { activation: (x) => backend.tanh(x) })),
      /dense/,
    ],
    ['BatchNormalization, mode 2', () => behind(new BatchNormalization({ mode: 2 })), /all steps/],
    ['Permute', () => new Sequential([new Permute([2, 1], { inputShape: [5, 3] })]), /permute/],
    [
      'Flatten',
      () => new Sequential([new Flatten({ inputShape: [5, 3] }), new Dense(2)]),
      /flatten/,
    ],
    ['PReLU', () => new Sequential([new PReLU({ inputShape: [5, 3] })]), /prelu/],
    [
      'Attention to its own sequence',
      () => {
        const x = Input({ shape: [null, 3] })
        return new Model({ input: x, output: new Attention({ score: 'dot' }).call([x, x]) })
      },
      /attention/,
    ],
    [
      'a sequence beside what is none',
      () => {
        const [x, context] = [Input({ shape: [5, 3] }), Input({ shape: [2], name: 'context' })]
        const repeated = new RepeatVector(5).call(context)
        return new Model({ input: [x, context], output: merge([x, repeated], { mode: 'concat' }) })
      },
      /a sequence and something that is none/,
    ],
    [
      'steps that are joined',
      () => {
        const x = Input({ shape: [null, 3] })
        return new Model({ input: x, output: merge([x, x], { mode: 'concat', concatAxis: 1 }) })
      },
      /joins several steps/,
    ],
  ]
  it.each(cases)('%s', (_, make, text) => {
    const model = make()
    expect(() => model.session()).toThrow(ConfigError)
    expect(() => model.session()).toThrow(text)
    expect(() => model.session()).toThrow(/step by step/)
    try {
      model.session()
    } catch (error) {
      const names = model.layers.map((layer) => `${layer.name} (`)
      const { layer } = error as ConfigError
      expect(names.some((name) => layer!.startsWith(name))).toBe(true)
    }
  })

  it('a model without a sequence', () => {
    const model = new Sequential([new Dense(2, { inputDim: 3 })])
    expect(() => model.session()).toThrow(/must be a sequence to go through, \[B, T, …\], got/)
  })
})

describe('what stands around', () => {
  const x = uniform(1, [1, 4, 3])
  const rows = Array.from({ length: 4 }, (_, t) => x.data.slice(3 * t, 3 * t + 3))

  it.each<[string, () => Layer[]]>([
    [
      'Lambda in TimeDistributed',
      () => [new TimeDistributed(new Lambda((v) => backend.square(v)))],
    ],
    [
      'a layer of defineLayer that sees each step',
      () => [
        new (defineLayer('Halve', { steps: 'each', call: ({ x: v }) => backend.mul(v, 0.5) }))(),
      ],
    ],
    [
      'a model',
      () => [
        new Sequential([new SimpleRNN(3, { ...series, inputShape: [null, 4] }), new Dense(2)]),
      ],
    ],
    ['PReLU shared over the steps', () => [new PReLU({ sharedAxes: [1] })]],
    [
      'what reads the last output',
      () => [new LSTM(3), new RepeatVector(2), new GRU(2, { returnSequences: true })],
    ],
    [
      'TimeDistributed recurrent layers',
      () => [
        new TimeDistributed(new Sequential([new RepeatVector(3, { inputShape: [4] }), new GRU(2)])),
      ],
    ],
  ])('%s', async (_, make) => {
    const model = new Sequential([new GRU(4, series), ...make()])
    const session = model.session()
    for (const [t, row] of rows.entries()) {
      const y = await session.step(row)
      const whole = await model.predict({ data: x.data.slice(0, 3 * t + 3), shape: [1, t + 1, 3] })
      const expected =
        model.outputShape![1] === null ? whole.data.slice(-y.data.length) : whole.data
      expect([...y.data]).toEqual([...expected])
    }
  })

  it('a layer of defineLayer keeps in files that it sees each step', () => {
    const Halve = defineLayer('Halve', { steps: 'each', call: ({ x: v }) => backend.mul(v, 0.5) })
    const model = new Sequential([new Halve({ inputShape })])
    const again = Sequential.fromConfig(model.getConfig())
    expect([...again.session().stepSync([2, 4, 6]).data]).toEqual([1, 2, 3])
    expect(() => defineLayer('Other', { steps: 'one' as 'each', call: ({ x: v }) => v })).toThrow(
      /steps must be 'each' or 'all'/,
    )
  })

  it('branches of a Merge, one layer in two places, and models inside', async () => {
    const [a, b] = [Input({ shape: [null, 3] }), Input({ shape: [null, 3] })]
    const shared = new GRU(2, { returnSequences: true, name: 'shared' })
    const inside = new Sequential([new LSTM(2, { ...series, name: 'read' })], { name: 'inside' })
    const all = merge([shared.call(a), shared.call(b), inside.call(b)], { mode: 'concat' })
    const model = new Model({ input: [a, b], output: all })
    const session = model.session()
    const [p, q] = [uniform(1, [5, 3]), uniform(2, [5, 3])]
    const y = await session.predict([p, q])
    const whole = await model.predict([
      { ...p, shape: [1, 5, 3] },
      { ...q, shape: [1, 5, 3] },
    ])
    expect([...y.data]).toEqual([...whole.data])
    expect(Object.keys(session.state)).toEqual(['shared', 'shared:2', 'inside/read'])
    await expect(session.predict([p, uniform(2, [4, 3])])).rejects.toThrow(
      /as many in each, got 5 and 4/,
    )
    const branches = [1, 2].map(() => new Sequential([new SimpleRNN(2, series)]))
    const merged = new Sequential([new Merge(branches, { mode: 'sum' }), new GRU(2)])
    expect(Object.keys(merged.session().state)).toHaveLength(3)
  })
})

describe('inputs that stay the same', () => {
  function translator() {
    setSeed(6)
    const source = Input({ shape: [null], name: 'source' })
    const target = Input({ shape: [null], name: 'target' })
    const words = new Embedding(9, 4, { maskZero: true })
    const encoder = new GRU(3, { returnSequences: true, name: 'encoder' })
    const encoded = new Bidirectional(encoder).call(words.call(source))
    const query = new LSTM(6, { returnSequences: true }).call(words.call(target)) // the same words
    const seen = new Attention({ score: 'additive' }).call([query, encoded])
    const both = merge([query, seen], { mode: 'concat' })
    const output = new TimeDistributed(new Dense(9, { activation: 'softmax' })).call(both)
    return { model: new Model({ input: [source, target], output }), encoder }
  }
  const [source, target] = [
    [3, 1, 4, 1, 0],
    [0, 5, 8, 0, 2],
  ]

  it('are read once, and the steps are those of the whole model', async () => {
    const { model } = translator()
    const whole = await model.predict([[source!], [target!]])
    const session = model.session({ fixed: { source: source! } })
    const twice = model.session({ batchSize: 2, fixed: { source: [target!, source!] } })
    const y: number[] = []
    for (const word of target!) {
      y.push(...session.stepSync(word).data)
      await twice.step([word, word])
    }
    expect(y).toEqual([...whole.data])
    const other = await twice.fork().step([7, 7])
    const alone = await session.step(7)
    expect([...other.data.slice(9)]).toEqual([...alone.data])
    const forked = session.fork()
    expect(forked.stepSync(1).data).toEqual((await session.step(1)).data)
  })

  it('are read with the weights of the first step, until reset', async () => {
    const { model } = translator()
    const session = model.session({ fixed: { source: source! } })
    const first = await session.step(2)
    const encoder = model.layers.find(({ name }) => name.startsWith('bidirectional'))!
    encoder.setWeights(encoder.getWeights().map((w) => uniform(1, [...w.shape])))
    const again = model.session({ fixed: { source: source! }, state: session.save() })
    const kept = session.fork()
    expect((await kept.step(3)).data).not.toEqual((await again.step(3)).data)
    session.reset()
    const second = await session.step(2)
    expect(second.data).not.toEqual(first.data)
    const whole = await model.predict([[source!], [[2]]])
    expect([...second.data]).toEqual([...whole.data])
  })

  it('and inputs that are no sequences come with each step', async () => {
    setSeed(2)
    const x = Input({ shape: [null, 3], name: 'x' })
    const speaker = Input({ shape: [2], name: 'speaker' })
    const memory = Input({ shape: [4, 3], name: 'memory' })
    // A mask that is made once, and read by a layer that runs at each step.
    const masked = new Masking().call(memory)
    const spoken = new RepeatVector(4).call(new Dense(3).call(speaker))
    const read = new GRU(4).call(merge([masked, spoken], { mode: 'sum' }))
    const both = merge([read, new GRU(4).call(x)], { mode: 'concat' })
    const outputs = [new Dense(2).call(both), new Dense(1).call(speaker), masked]
    const model = new Model({ input: [x, speaker, memory], output: outputs })
    const fixed = uniform(3, [4, 3])
    fixed.data.fill(0, 6, 9)
    const sequence = uniform(5, [3, 3])
    const session = model.session({ fixed: { memory: fixed } })
    const [y, z, m] = await model.predict([
      { ...sequence, shape: [1, 3, 3] },
      [[1, 2]],
      { ...fixed, shape: [1, 4, 3] },
    ])
    for (const given of [{ x: sequence, speaker: [1, 2] }, [sequence, [1, 2]]] as const) {
      const [p, q, r] = await session.predict(given as never)
      expect([...p.data, ...q.data, ...r.data]).toEqual([...y.data, ...z.data, ...m.data])
      expect([p.shape, q.shape, r.shape]).toEqual([[2], [1], [4, 3]])
      session.reset()
    }
  })

  it('of names that there are', () => {
    const { model } = translator()
    expect(() => model.session({ fixed: { sourse: source! } })).toThrow(/Did you mean 'source'/)
    expect(() => model.session({ fixed: [source!] as never })).toThrow(
      /fixed must be an object of arrays/,
    )
    expect(() => model.session({ fixed: { source: [[1]] } })).toThrow(
      /fixed\.source must be \[n\], got \[1, 1\]/,
    )
    expect(() => model.session({ fixed: { source: [99] } })).toThrow(/from 0 to 8, got 99/)
    expect(() => model.session({ fixed: { source: source!, target: target! } })).toThrow(
      /a sequence/,
    )
    const [a, b] = [Input({ shape: [null, 3] }), Input({ shape: [null, 3] })]
    const two = new Model({ input: [a, b], output: merge([a, b], { mode: 'sum' }) })
    expect(() => two.session().stepSync(1)).toThrow(/a list of 2 arrays/)
  })
})
