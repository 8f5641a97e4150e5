/** `model.quantize()`, and the model files that hold weights of few bits. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { fromBfloat16 } from '../../lib/files/half.js'
import { fromIntegers, linesOf, toBfloat16, toIntegers } from '../../lib/saving/compact/rounding.js'
import { expectSameBits, uniform } from '../arrays.js'
import {
  BatchNormalization,
  Bidirectional,
  ConfigError,
  Convolution1D,
  Convolution2D,
  ConvLSTM2D,
  Dense,
  Embedding,
  Flatten,
  FormatError,
  GRU,
  Highway,
  Input,
  type Layer,
  LocallyConnected1D,
  loadModel,
  LSTM,
  MaxoutDense,
  merge,
  Model,
  setFloatx,
  setSeed,
  Sequential,
  SimpleRNN,
  TimeDistributed,
} from '../package.js'
import { law } from '../property/law.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-quantize-'))
const file = path.join(folder, 'model.safetensors')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const words = Array.from({ length: 6 }, (_, n) =>
  Array.from({ length: 9 }, (_v, t) => (7 * n + t) % 40),
)
const image = { borderMode: 'same', dimOrdering: 'th' } as const

/** Layers whose weights are rounded, each way that they lie in memory; and what they are given. */
const CHAINS: Record<string, [layers: () => Layer[], x: unknown]> = {
  'words, LSTM both ways, GRU': [
    () => [
      new Embedding(40, 8, { inputLength: 9, maskZero: true }),
      new Bidirectional(new LSTM(12, { returnSequences: true })),
      new GRU(7),
      new Dense(3, { activation: 'softmax', name: 'last' }),
    ],
    words,
  ],
  'SimpleRNN, TimeDistributed, normalization': [
    () => [
      new SimpleRNN(9, { returnSequences: true, inputShape: [5, 4] }),
      new TimeDistributed(new Dense(6)),
      new BatchNormalization(),
      new Flatten(),
      new Highway(),
    ],
    uniform(1, [4, 5, 4]),
  ],
  'convolution, columns': [
    () => [
      new Convolution1D(6, 3, { inputShape: [10, 5] }),
      new LocallyConnected1D(4, 3),
      new Flatten(),
      new MaxoutDense(3),
    ],
    uniform(2, [3, 10, 5]),
  ],
  'convolution, rows': [
    () => [
      new Convolution2D(6, 3, 3, { inputShape: [2, 8, 8], ...image }),
      new Flatten(),
      new Dense(2),
    ],
    uniform(3, [3, 2, 8, 8]),
  ],
  ConvLSTM2D: [
    () => [
      new ConvLSTM2D(3, 3, 3, { inputShape: [4, 2, 6, 6], ...image }),
      new Flatten(),
      new Dense(2),
    ],
    uniform(4, [2, 4, 2, 6, 6]),
  ],
}

const chain = (name: string): Sequential => {
  setSeed(9)
  return new Sequential(CHAINS[name]![0]())
}

/** The largest difference, over the largest number. */
function distance(got: { data: ArrayLike<number> }, wanted: { data: ArrayLike<number> }): number {
  const largest = Math.max(...Array.from(wanted.data, Math.abs))
  return (
    Math.max(...Array.from(wanted.data, (value, i) => Math.abs(value - got.data[i]!))) / largest
  )
}

describe.each(Object.keys(CHAINS))('%s', (name) => {
  it.each([
    ['int8', 0.06, 1e-5],
    ['bfloat16', 0.03, 1e-6],
  ] as const)('as %s: near the model, and the same bits from its file', async (to, most, least) => {
    const model = chain(name)
    const x = CHAINS[name]![1] as never
    const wanted = await model.predict(x)
    const small = await model.quantize(to)
    const got = await small.predict(x)
    const far = distance(got, wanted)
    expect(far).toBeLessThan(most)
    expect(far, 'something was rounded').toBeGreaterThan(least)
    await small.save(file)
    const again = await loadModel(file)
    expectSameBits((await again.predict(x)) as typeof got, got)
    expectSameBits(await model.predict(x), wanted)
  })
})

describe('the file', () => {
  it('of integers has a quarter of the size, of bfloat16 half', async () => {
    const model = new Sequential([new LSTM(128, { inputShape: [null, 64] })])
    const size = async (each: Model) => {
      await each.save(file)
      return statSync(file).size
    }
    const whole = await size(model)
    expect((await size(await model.quantize('int8'))) / whole).toBeLessThan(0.27)
    expect((await size(await model.quantize('bfloat16'))) / whole).toBeLessThan(0.52)
  })

  it('holds a model as it is, in its precision', async () => {
    for (const precision of ['float32', 'float64', 'mixed_bfloat16'] as const) {
      setFloatx(precision)
      const model = chain('words, LSTM both ways, GRU')
      setFloatx('float32')
      await model.save(file)
      const again = await loadModel(file)
      expect(again.floatx).toBe(precision)
      for (const [i, weight] of model.getWeights().entries())
        expect(again.getWeights()[i]!.data).toEqual(weight.data)
      expectSameBits((await again.predict(words)) as never, (await model.predict(words)) as never)
    }
  })

  it('holds weights that were set later, which no integers are', async () => {
    const model = await chain('words, LSTM both ways, GRU').quantize('int8')
    model.setWeights(model.getWeights().map(({ shape }, i) => uniform(i, [...shape])))
    await model.save(file)
    const again = await loadModel(file)
    for (const [i, weight] of model.getWeights().entries())
      expect(again.getWeights()[i]!.data).toEqual(weight.data)
  })

  it('is read by loadWeights, too, and needs no architecture', async () => {
    const model = chain('words, LSTM both ways, GRU')
    await model.save(file)
    const other = chain('words, LSTM both ways, GRU')
    other.setWeights(other.getWeights().map(({ shape }, i) => uniform(i, [...shape])))
    await other.loadWeights(file, { byName: false })
    expectSameBits((await other.predict(words)) as never, (await model.predict(words)) as never)
    await expect(loadModel(file, { architecture: other })).rejects.toThrow(
      /one of weights alone, got a whole model\. Leave `architecture` out/,
    )
  })

  it('is refused where it is damaged', async () => {
    const small = await chain('words, LSTM both ways, GRU').quantize('int8')
    await small.save(file)
    const bytes = readFileSync(file)
    const length = Number(bytes.readBigUInt64LE(0))
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length))
    const said = JSON.parse(header.__metadata__.hiddenstate_model)
    const refused = async (change: (h: typeof header, m: typeof said) => void, text: RegExp) => {
      const [h, m] = [structuredClone(header), structuredClone(said)]
      change(h, m)
      if (h.__metadata__) h.__metadata__.hiddenstate_model = JSON.stringify(m)
      const json = Buffer.from(JSON.stringify(h))
      const size = Buffer.alloc(8)
      size.writeBigUInt64LE(BigInt(json.length))
      writeFileSync(file, Buffer.concat([size, json, bytes.subarray(8 + length)]))
      const loading = loadModel(file)
      await expect(loading).rejects.toThrow(text)
      await expect(loading).rejects.toBeInstanceOf(FormatError)
    }
    const W = 'last/last_W'
    await refused((h) => delete h[W], /tensors must be one called last\/last_W/)
    await refused((h) => (h[`${W}:scales`].shape = [3, 1]), /shape of its scales must be/)
    await refused((_, m) => (m.floatx = 'int4'), /floatx must be one of float32/)
    await refused((_, m) => (m.layers = [['last']]), /layers must be names of layers/)
    await refused((_, m) => (m.document = { class_name: 'Odd' }), /class_name/)
    await refused(
      (h) => delete h.__metadata__,
      /must be one that model.save has written, got a safetensors file.*architecture/s,
    )
  })
})

describe('a model of integers', () => {
  it('is compiled and evaluated, but not trained', async () => {
    const model = chain('words, LSTM both ways, GRU')
    const settings = {
      loss: 'categorical_crossentropy',
      optimizer: 'sgd',
      metrics: ['accuracy'],
    } as const
    model.compile(settings)
    const y = words.map((_, n) => [0, 1, 2].map((k) => Number(k === n % 3)))
    const small = await model.quantize()
    await expect(small.evaluate(words, y)).rejects.toThrow(/compiled/)
    small.compile(settings)
    const [loss] = (await small.evaluate(words, y, { verbose: 0 })) as number[]
    const [wanted] = (await model.evaluate(words, y, { verbose: 0 })) as number[]
    expect(Math.abs(loss! - wanted!)).toBeLessThan(0.05)
    const weights = small.getWeights().map(({ data }) => [...data])
    const calls = [
      () => small.fit(words, y, { verbose: 0 }),
      () => small.trainOnBatch(words, y),
      () => small.gradients(words, y),
      () => small.fitGenerator([[words, y]] as never, { samplesPerEpoch: 6, nbEpoch: 1 }),
    ]
    for (const call of calls) {
      await expect(call()).rejects.toThrow(/one whose weights have gradients.*Train the model/)
      await expect(call()).rejects.toBeInstanceOf(ConfigError)
    }
    expect(small.getWeights().map(({ data }) => [...data])).toEqual(weights)
  })

  it('of bfloat16 trains on', async () => {
    const model = await chain('words, LSTM both ways, GRU').quantize('bfloat16')
    model.compile({ loss: 'mse', optimizer: 'adam' })
    const y = words.map(() => [0, 1, 0])
    const { history } = await model.fit(words, y, { nbEpoch: 5, verbose: 0 })
    expect(history.loss!.at(-1)).toBeLessThan(history.loss![0]!)
  })

  it('has sessions with the bits of predict', async () => {
    setSeed(2)
    const model = new Sequential([
      new LSTM(33, { inputShape: [null, 3], returnSequences: true }),
      new TimeDistributed(new Dense(2)),
    ])
    const small = await model.quantize('int8')
    const x = uniform(5, [1, 6, 3])
    const whole = (await small.predict(x)).data
    const session = small.session()
    for (let t = 0; t < 6; t++) {
      const { data } = await session.step(Array.from(x.data.slice(3 * t, 3 * t + 3)))
      expect([...data]).toEqual([...whole.slice(2 * t, 2 * t + 2)])
    }
  })

  it('may have several inputs', async () => {
    const [a, b] = [Input({ shape: [4] }), Input({ shape: [3] })]
    const out = new Dense(2).call(
      merge([new Dense(8).call(a), new Dense(8).call(b)], { mode: 'mul' }),
    )
    const model = new Model({ input: [a, b], output: out })
    const x = [uniform(6, [5, 4]), uniform(7, [5, 3])]
    const small = await model.quantize('int8')
    expect(small).toBeInstanceOf(Model)
    expect(distance(await small.predict(x), await model.predict(x))).toBeLessThan(0.03)
  })
})

describe('what is refused', () => {
  const refused = async (made: () => Promise<unknown>, text: RegExp) => {
    await expect(made()).rejects.toThrow(text)
    await expect(made()).rejects.toBeInstanceOf(ConfigError)
  }
  it('is named', async () => {
    const model = new Sequential([new Dense(2, { inputDim: 2 })])
    await refused(() => model.quantize('int4' as never), /'int8'.*'bfloat16'/)
    const small = await model.quantize('int8')
    await refused(
      () => small.quantize('bfloat16'),
      /float32 or mixed_bfloat16, got one of mixed_int8/,
    )
    model.setWeights([
      [
        [1, Number.NaN],
        [0, 0],
      ],
      [0, 0],
    ])
    await refused(() => model.quantize(), /dense_\d+_W: weights to be quantized must be finite/)
    expect(() => setFloatx('mixed_int8' as never)).toThrow(/quantize\('int8'\)/)
  })
})

/** Of any size, and near 0 or the largest. */
const number = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ noNaN: true, min: -1, max: 1 }),
  fc.constantFrom(3.4028234663852886e38, -3.4028234663852886e38, 2e-43, -1e-38, 0),
)

law(
  'rounding to integers twice is rounding once, by half a scale at most, and stays finite',
  fc.record({
    list: fc.array(number, { minLength: 24, maxLength: 24 }),
    scales: fc.constantFrom('columns' as const, 'rows' as const, 'matrices' as const),
  }),
  async ({ list, scales }) => {
    const values = Float32Array.from(list)
    const lines = linesOf([2, 3, 4], scales)
    const once = toIntegers(values, lines)
    const back = fromIntegers(once.numbers, once.scales, lines)
    const twice = toIntegers(back, lines)
    expect(fromIntegers(twice.numbers, twice.scales, lines)).toEqual(back)
    const { depth, inner } = lines
    for (const [i, value] of values.entries()) {
      const scale = once.scales[Math.floor(i / (depth * inner)) * inner + (i % inner)]!
      expect(Math.abs(value - back[i]!)).toBeLessThanOrEqual(Math.max(scale * 0.51, 1e-33))
      expect(Number.isFinite(back[i])).toBe(true)
    }
    expect(fromBfloat16(toBfloat16(values)).every(Number.isFinite)).toBe(true)
  },
)

it('leaves packing the integers that it has found, in every layer of products', async () => {
  for (const layer of [
    new Dense(3, { inputDim: 8 }),
    new MaxoutDense(3, { inputDim: 8 }),
    new LocallyConnected1D(3, 2, { inputShape: [4, 4] }),
    new Convolution1D(3, 2, { inputShape: [4, 4] }),
  ]) {
    const small = await new Sequential([layer]).quantize('int8')
    // numbers that are integers themselves, so that inputs are not rounded either
    const shape = small.inputShape!.slice(1) as number[]
    const size = shape.reduce((a, b) => a * b, 1)
    for (let i = 0; i < size; i++) {
      const one = Float32Array.from({ length: size }, (_, j) => Number(i === j))
      const x = { data: one, shape: [1, ...shape] }
      const plain = Sequential.fromConfig(small.getConfig())
      plain.setWeights(small.getWeights())
      expect(
        distance(await small.predict(x as never), await plain.predict(x as never)),
      ).toBeLessThan(1e-6)
    }
  }
})

it('rounds to bfloat16 as IEEE says: to nearest, halves to even', () => {
  const ulp = 2 ** -7
  const bits = toBfloat16(
    Float32Array.of(1 + ulp / 2, 1 + (3 * ulp) / 2, 1 + ulp * 0.51, -1 - ulp / 2),
  )
  expect([...bits]).toEqual([0x3f80, 0x3f82, 0x3f81, 0xbf80])
})
