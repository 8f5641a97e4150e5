/**
 * Models as later versions of Keras and TensorFlow.js write them: what is written computes the same
 * when it is read, and the table of docs/interop.md says what is refused.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it, test } from 'vitest'
import { type FormatName, FORMATS } from '../../lib/saving/formats.js'
import {
  Adam,
  AtrousConvolution1D,
  BatchNormalization,
  Bidirectional,
  Convolution1D,
  Dense,
  Dropout,
  Embedding,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  GRU,
  Input,
  l2,
  Lambda,
  type Layer,
  loadModel,
  LSTM,
  Masking,
  maxnorm,
  MaxPooling1D,
  merge,
  Model,
  NDArray,
  Sequential,
  setSeed,
  SimpleRNN,
  TimeDistributed,
} from '../package.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-out-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => path.join(folder, name)

const [B, T, D] = [4, 5, 3]
const inputShape = [null, D]
const gates = { innerActivation: 'sigmoid' } as const
const sequences = { ...gates, returnSequences: true }
const chain = (...layers: Layer[]) => new Sequential(layers)
const words = (maskZero: boolean) => new Embedding(9, D, { maskZero, inputLength: T })

/** Every kind of model that is written; in none of them a name means something else elsewhere. */
const MODELS: Record<string, () => Model> = {
  SimpleRNN: () => chain(new SimpleRNN(3, { inputShape }), new Dense(2)),
  LSTM: () =>
    chain(
      new LSTM(3, { inputShape, ...gates, WRegularizer: l2({ l: 0.1 }), dropoutW: 0.1 }),
      new Dense(2, { WConstraint: maxnorm({ m: 3 }), activation: 'softmax' }),
    ),
  GRU: () => chain(new GRU(3, { inputShape, ...gates, bias: false }), new Dense(2)),
  'GRU, resetAfter': () => chain(new GRU(3, { inputShape, ...sequences, resetAfter: true })),
  stateful: () =>
    chain(new LSTM(3, { batchInputShape: [B, T, D], stateful: true, ...gates }), new Dense(1)),
  stacked: () =>
    chain(
      new LSTM(3, { inputShape, ...sequences, goBackwards: true }),
      new Dropout(0.5),
      new GRU(3, sequences),
      new SimpleRNN(2),
    ),
  'Bidirectional, TimeDistributed': () =>
    chain(
      new Bidirectional(new LSTM(3, sequences), { inputShape }),
      new Bidirectional(new GRU(2, sequences), { mergeMode: 'ave' }),
      new TimeDistributed(new Dense(2, { activation: 'tanh' })),
    ),
  Masking: () =>
    chain(new Masking({ inputShape }), new LSTM(3, sequences), new GRU(3, gates), new Dense(2)),
  'Masking, Bidirectional sequences': () =>
    chain(
      new Masking({ inputShape }),
      new Bidirectional(new LSTM(3, { ...sequences, zeroOutputForMask: true })),
      new TimeDistributed(new Dense(2)),
    ),
  Embedding: () => chain(words(false), new LSTM(3, gates)),
  'Embedding, maskZero': () => chain(words(true), new LSTM(3, sequences), new LSTM(2, gates)),
  BatchNormalization: () =>
    chain(new LSTM(3, { inputShape, ...gates }), new BatchNormalization({ epsilon: 1e-5 })),
  Convolution1D: () =>
    chain(
      new Convolution1D(4, 2, { inputShape, activation: 'relu' }),
      new Convolution1D(4, 3, { borderMode: 'same' }),
      new AtrousConvolution1D(3, 2, { atrousRate: 2, borderMode: 'causal' }),
      new MaxPooling1D({ poolLength: 2 }),
      new GlobalMaxPooling1D(),
    ),
  'functional, two inputs and outputs': () => {
    const [x, z] = [Input({ shape: inputShape }), Input({ shape: [2] })]
    const state = new LSTM(3, gates).call(x)
    const both = merge([state, z], { mode: 'concat' })
    const output = [new Dense(2).call(both), new Dense(1).call(state)]
    return new Model({ input: [x, z], output })
  },
  'functional, a shared layer': () => {
    const [x, z] = [Input({ shape: inputShape }), Input({ shape: inputShape })]
    const shared = new GRU(3, gates)
    return new Model({
      input: [x, z],
      output: merge([shared.call(x), shared.call(z)], { mode: 'mul' }),
    })
  },
}

const WRITTEN: readonly FormatName[] = ['keras1', 'keras2', 'keras3', 'tfjs']

const ended = (format: FormatName, name: string) =>
  at(`${format}-${name.replace(/\W+/g, '-')}${FORMATS[format].endings[0]}`)

/** Weights that are all different, and inputs with masked steps at the end. */
function prepared(make: () => Model): { model: Model; x: NDArray[] } {
  setSeed(3)
  const model = make()
  let k = 0
  model.setWeights(
    model.getWeights().map(({ shape, size }) => {
      const numbers = Float32Array.from({ length: size }, () => 0.1 + (((k += 7) % 13) - 4) / 20)
      return new NDArray(numbers.map(Math.abs), shape) // variances are positive
    }),
  )
  const isWords = model.layers.some(({ layerClass }) => layerClass.className === 'Embedding')
  const x = model.inputShapes.map((shape) => {
    const dims = shape.map((size, axis) => size ?? [B, T][axis]!)
    const size = dims.reduce((a, b) => a * b, 1)
    const width = size / B
    const numbers = Float32Array.from({ length: size }, (_, i) => {
      if (i % width >= width * (1 - (Math.floor(i / width) % 3) * 0.2)) return 0
      return isWords ? 1 + (i % 8) : Math.sin(i)
    })
    return new NDArray(numbers, dims)
  })
  return { model, x }
}

const outputs = async (model: Model, x: NDArray[]): Promise<NDArray[]> => {
  const y = (await model.predict(x.length === 1 ? x[0]! : x, { batchSize: B })) as
    | NDArray
    | NDArray[]
  return Array.isArray(y) ? y : [y]
}

/** How far the outputs are from those of the model that was written, or the refusal. */
async function roundTrip(format: FormatName, name: string): Promise<number | string> {
  const { model, x } = prepared(MODELS[name]!)
  const file = ended(format, name)
  try {
    await model.save(file, { format })
  } catch (error) {
    return (error as Error).message
  }
  const [expected, again] = [await outputs(model, x), await loadModel(file)]
  const found = await outputs(again, x)
  expect(found.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape))
  return Math.max(
    ...found.flatMap(({ data }, i) =>
      Array.from(data, (value, k) => Math.abs(value - expected[i]!.data[k]!)),
    ),
  )
}

test('the table of round trips is that of docs/interop.md', async () => {
  const rows: string[] = []
  for (const name of Object.keys(MODELS)) {
    const cells: string[] = []
    for (const format of WRITTEN) {
      const result = await roundTrip(format, name)
      if (typeof result === 'number') expect(result, `${format} ${name}`).toBeLessThan(1e-6)
      cells.push(typeof result === 'number' ? 'the same' : 'refused')
    }
    rows.push(`| ${name} | ${cells.join(' | ')} |`)
  }
  const table = [
    `| | ${WRITTEN.join(' | ')} |`,
    `|---|${WRITTEN.map(() => '---|').join('')}`,
    ...rows,
  ]
  expect(readFileSync('docs/interop.md', 'utf8')).toContain(table.join('\n'))
}, 60_000)

describe('refusals', () => {
  const refusals: [what: string, format: FormatName, make: () => Model, message: RegExp][] = [
    [
      'the slope of hard_sigmoid',
      'keras3',
      () => chain(new LSTM(2, { inputShape, name: 'memory' })),
      /memory \(LSTM\): innerActivation must be one of .*for Keras 3, got "hard_sigmoid"\. .*keras2.*0\.2/,
    ],
    [
      'a function',
      'keras2',
      () => chain(new Dense(2, { inputDim: 3, activation: (x) => x.mul(2) })),
      /dense_\d+ \(Dense\): activation must be one of .*, got a function/,
    ],
    [
      'a layer of its own',
      'keras3',
      () => chain(new Lambda((x) => x.mul(2), { inputShape: [3] })),
      /lambda_\d+ \(Lambda\): layer must be one that it has, to be written for Keras 3/,
    ],
    [
      'learned states',
      'keras3',
      () => chain(new GRU(2, { inputShape, ...gates, initialState: 'learned' })),
      /gru_\d+ \(GRU\): initialState must be "zero", to be written for Keras 3, got "learned"/,
    ],
    [
      'an option of Keras 1 alone',
      'keras2',
      () => chain(new Embedding(9, 3, { dropout: 0.5 })),
      /\(Embedding\): dropout must be 0, to be written for Keras 2, got 0\.5/,
    ],
    [
      'a mode of batch normalization',
      'keras2',
      () => chain(new BatchNormalization({ mode: 1, inputShape: [3] })),
      /\(BatchNormalization\): mode must be 0/,
    ],
    [
      'masked steps in both directions',
      'keras3',
      () => chain(new Masking({ inputShape }), new Bidirectional(new LSTM(2, sequences))),
      /\(Bidirectional\): zeroOutputForMask must be true with masks .*Give the layer inside/,
    ],
    [
      'causal convolution',
      'tfjs',
      () => chain(new Convolution1D(2, 2, { inputShape, borderMode: 'causal' })),
      /borderMode must be another, to be written for TensorFlow\.js, got "causal"/,
    ],
    [
      'the mean of masked steps',
      'tfjs',
      () => chain(words(true), new GlobalAveragePooling1D({ acceptMask: true })),
      /acceptMask must be another/,
    ],
    [
      'models inside',
      'keras3',
      () => chain(new Sequential([new Dense(2, { inputDim: 3 })]) as unknown as Layer),
      /layer must be one that it has, .*got "Sequential"/,
    ],
  ]
  it.each(refusals)('%s (%s)', async (_what, format, make, message) => {
    const file = at(`refused${FORMATS[format].endings[0]}`)
    await expect(make().save(file, { format })).rejects.toThrow(message)
    await expect(make().save(file, { format })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'ERR_OPTION',
    })
  })
})

describe.each(['keras2', 'keras3'] as const)('%s', (format) => {
  it('is compiled as it was', async () => {
    const { model } = prepared(MODELS.LSTM!)
    const optimizer = new Adam({ lr: 0.01, clipnorm: 1 })
    model.compile({ loss: 'mse', optimizer, metrics: ['mae'] })
    await model.save(ended(format, 'compiled'), { format })
    const { compiled } = await loadModel(ended(format, 'compiled'))
    expect(compiled!.optimizer).toMatchObject({ clipnorm: 1 })
    expect(compiled!.optimizer.getConfig('float32')).toEqual(optimizer.getConfig('float32'))
    expect(compiled).toMatchObject({ loss: 'mean_squared_error', metrics: ['mean_absolute_error'] })
  })

  it('leaves the training out, with a warning, where it has no words for it', async () => {
    const { model } = prepared(MODELS.LSTM!)
    model.compile({ loss: 'cosine_proximity', optimizer: 'sgd' })
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    await model.save(ended(format, 'uncompiled'), { format })
    expect((await warned).message).toMatch(/has no 'cosine_proximity': how the model was compiled/)
    expect((await loadModel(ended(format, 'uncompiled'))).compiled).toBeNull()
  })

  it('the same model gives the same bytes', async () => {
    const { model } = prepared(MODELS.stacked!)
    await model.save(ended(format, 'now'), { format })
    await new Promise((resolve) => setTimeout(resolve, 2100)) // a zip counts two seconds
    await model.save(ended(format, 'later'), { format })
    expect(readFileSync(ended(format, 'later')).equals(readFileSync(ended(format, 'now')))).toBe(
      true,
    )
  })
})
