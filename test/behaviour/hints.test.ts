/** What a user is told where the first try goes wrong. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import type { Graph, Value } from '../../lib/spec.js'
import { uniform } from '../arrays.js'
import {
  Bidirectional,
  Dense,
  EarlyStopping,
  Layer,
  LSTM,
  Merge,
  ModelCheckpoint,
  modelFromJson,
  ReduceLROnPlateau,
  Sequential,
  TimeDistributed,
} from '../package.js'

afterEach(() => {
  vi.restoreAllMocks()
})

it.each(['val_fmeasure', 'fmeasure', 'val_fbeta_score', 'val_precision', 'recall', 'val_acc'])(
  'more of %s is better',
  (monitor) => {
    expect(new EarlyStopping({ monitor }).best).toBe(Number.NEGATIVE_INFINITY)
    expect(new ModelCheckpoint('x.h5', { monitor }).best).toBe(Number.NEGATIVE_INFINITY)
    expect(new ReduceLROnPlateau({ monitor }).best).toBe(Number.NEGATIVE_INFINITY)
  },
)

it.each(['loss', 'val_loss', 'val_mean_absolute_error'])('less of %s is better', (monitor) => {
  expect(new EarlyStopping({ monitor }).best).toBe(Number.POSITIVE_INFINITY)
})

class Own extends (Layer as unknown as new (args: unknown[], options: object) => object) {}
const dense = (T: number | null = 3) =>
  new Sequential([new TimeDistributed(new Dense(2), { inputShape: [T, 2] })])
/** What a subclass in JavaScript may say. */
const compiled = (layer: Layer, said: object) =>
  new Sequential([Object.assign(layer, said)]).compile({ loss: 'mse', optimizer: 'sgd' })
const attend = (graph: Graph, x: Value) =>
  graph.op('attend', [x], x.shape, { layer: 'd', className: 'Dense' })
const refusals: [string, () => unknown, RegExp][] = [
  [
    'a subclass of Layer',
    () => new Own([], {}),
    /layer must be one of those that the package exports/,
  ],
  [
    'a cell that is not there',
    () => compiled(new LSTM(2, { inputShape: [3, 2], name: 'l' }), { cell: 'peephole' }),
    /^l \(LSTM\): cell must be one of .*lstm.*, got the string 'peephole'/,
  ],
  [
    'an operation that is not there',
    () => compiled(new Dense(2, { inputDim: 2 }), { emit: attend }),
    /^d \(Dense\): operation must be one of .*dense.*, got the string 'attend'/,
  ],
  ['minDelta', () => new ReduceLROnPlateau({ minDelta: 1 } as object), /Did you mean `epsilon`/],
  [
    'a shape inside a wrapper',
    () => new Sequential([new Bidirectional(new LSTM(3, { inputShape: [4, 2] }))]),
    /The shape belongs to the wrapper/,
  ],
  [
    'a list of layers that is changed',
    () => (dense().layers as Layer[]).pop(),
    /model\.add\(layer\) and model\.pop\(\)/,
  ],
  [
    'another list of layers',
    () => Object.assign(dense(), { layers: [] }),
    /^model\.layers: .*model\.add\(layer\)/,
  ],
  [
    'another loss',
    () => Object.assign(dense(), { loss: 'mae' }),
    /^model\.loss: loss must be chosen by compile/,
  ],
  [
    'other metrics',
    () => Object.assign(dense(), { metrics: [] }),
    /^model\.metrics: .*model\.compile/,
  ],
  [
    'another optimizer',
    () => Object.assign(dense(), { optimizer: 'sgd' }),
    /^model\.optimizer: .*model\.compile/,
  ],
  [
    'an open length for dot',
    () => new Merge([dense(null), dense()], { mode: 'dot', dotAxes: 1 }),
    /Give the first layer of that branch its inputLength/,
  ],
]
it.each(refusals)('%s is refused with a hint', (_, make, message) => {
  expect(make).toThrow(
    expect.objectContaining({ code: expect.any(String), message: expect.stringMatching(message) }),
  )
})

it('targets without their last axis of 1 are told so', async () => {
  const model = new Sequential([new LSTM(1, { inputShape: [3, 2], returnSequences: true })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  await expect(model.trainOnBatch(uniform(1, [4, 3, 2]), uniform(2, [4, 3]))).rejects.toThrow(
    /The last axis, of 1, is missing: \[4, 3, 1\]/,
  )
})

it('a last axis of 1 that inputs lack, or that is one too many, is told', async () => {
  const steps = new Sequential([new LSTM(3, { inputShape: [3, 1] })])
  await expect(steps.predict(uniform(1, [2, 3]))).rejects.toThrow(
    /The last axis, of 1, is missing: \[2, 3, 1\]/,
  )
  const flat = new Sequential([new Dense(3, { inputDim: 3 })])
  flat.compile({ loss: 'mse', optimizer: 'sgd' })
  const surplus = uniform(1, [4, 3, 1])
  const told = /got \[4, 3, 1\]\. The last axis, of 1, is one too many: \[4, 3\]/
  await expect(flat.predict(surplus)).rejects.toThrow(told)
  await expect(flat.trainOnBatch(uniform(1, [4, 3]), surplus)).rejects.toThrow(told)
})

it.each([
  [
    'Bidirectional',
    { layer: { class_name: 'LSTM', config: { output_dim: 2 } }, merge_mode: 'add' },
    'merge_mode',
  ],
  [
    'Bidirectional',
    { layer: { class_name: 'LSTM', config: { output_dim: 2 } }, merge_mode: null },
    'merge_mode',
  ],
  ['MaxPooling1D', { border_mode: 'causal' }, 'border_mode'],
  ['ReLU', { max_value: -1 }, 'max_value'],
  ['PReLU', { shared_axes: [0] }, 'shared_axes'],
  ['PReLU', { shared_axes: [9] }, 'shared_axes'],
  ['MaxoutDense', { output_dim: 2, nb_feature: 0 }, 'nb_feature'],
  ['Reshape', { target_shape: [] }, 'target_shape'],
  ['Reshape', { target_shape: [5] }, 'target_shape'],
])('%s: %o is refused as the file spells it', (name, config, key) => {
  const layer = {
    class_name: name,
    config: { name: 'l', batch_input_shape: [null, 8, 2], ...config },
  }
  const text = JSON.stringify({ class_name: 'Sequential', config: [layer], keras_version: '1.2.2' })
  expect(() => modelFromJson(text)).toThrow(`l (${name}): ${key} must be `)
})

it('a ConvLSTM2D of Keras 2 in the other order of axes is refused, not computed in this one', () => {
  const config = { name: 'l', batch_input_shape: [null, 3, 5, 5, 1], filters: 2, kernel_size: 3 }
  const text = (data_format: string) =>
    JSON.stringify({
      class_name: 'Sequential',
      config: [{ class_name: 'ConvLSTM2D', config: { ...config, data_format } }],
      keras_version: '2.2.4',
    })
  expect(() => modelFromJson(text('channels_first'))).toThrow(
    'data_format of Keras 2 and 3 must be "channels_last"',
  )
  expect(modelFromJson(text('channels_last')).outputShape).toEqual([null, 3, 3, 2])
})

it.each([[[3]], [[3, 3, 9]]])(
  'a ConvLSTM2D of Keras 2 with kernel_size %o is refused',
  (kernel_size) => {
    const config = { name: 'l', batch_input_shape: [null, 3, 5, 5, 1], filters: 2, kernel_size }
    const layer = { class_name: 'ConvLSTM2D', config }
    const text = JSON.stringify({
      class_name: 'Sequential',
      config: [layer],
      keras_version: '2.2.4',
    })
    expect(() => modelFromJson(text)).toThrow(
      'l (ConvLSTM2D): kernel_size of Keras 2 and 3 must be a number or a list of two',
    )
  },
)

it.each([
  [
    'W_regularizer',
    { name: 'L1L2Regularizer', l1: 'much' },
    'regularizer: l1 must be a finite number',
  ],
  ['W_regularizer', { name: 'L1L2Regularizer', l3: 1 }, 'L1L2Regularizer: unknown option `l3`'],
  ['b_constraint', { name: 'MaxNorm', m: 'much' }, 'MaxNorm: m must be a finite number'],
  ['b_constraint', { name: 'MaxNorm', n: 1 }, 'MaxNorm: unknown option `n`'],
])('a bad %s %o names its layer', (key, value, message) => {
  const config = { name: 'l', output_dim: 2, batch_input_shape: [null, 2], [key]: value }
  const layer = { class_name: 'Dense', config }
  const text = JSON.stringify({ class_name: 'Sequential', config: [layer], keras_version: '1.2.2' })
  expect(() => modelFromJson(text)).toThrow(`l (Dense): ${key}: ${message}`)
})

it('a key of Keras 2 is called as Keras 2 calls it', () => {
  const layer = {
    class_name: 'GaussianNoise',
    config: { name: 'l', batch_input_shape: [null, 2], stddev: -1 },
  }
  const text = JSON.stringify({ class_name: 'Sequential', config: [layer], keras_version: '2.2.4' })
  expect(() => modelFromJson(text)).toThrow(
    'l (GaussianNoise): stddev must be a finite number from 0',
  )
})

it('the split is named where it does not fit the batches of a stateful model', async () => {
  const model = new Sequential([new LSTM(1, { batchInputShape: [4, 3, 2], stateful: true })])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const fitting = model.fit(uniform(1, [12, 3, 2]), uniform(2, [12, 1]), {
    validationSplit: 0.2,
    verbose: 0,
  })
  await expect(fitting).rejects.toThrow(
    /^fit: the samples that validationSplit 0\.2 leaves: batches of a stateful model/,
  )
})

it('directions that are frozen stay so in a configuration; one alone is warned of', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const model = new Sequential([new Bidirectional(new LSTM(3), { inputShape: [4, 2] })])
  const both = model.layers[0] as Bidirectional
  both.forward.trainable = false
  both.backward.trainable = false
  const loaded = modelFromJson(model.toJson()).layers[0] as Bidirectional
  expect([loaded.forward.trainable, loaded.backward.trainable]).toEqual([false, false])
  expect(warn).not.toHaveBeenCalled()
  both.backward.trainable = true
  model.toJson()
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('one direction is frozen'), {
    code: 'HIDDENSTATE_CONFIG',
  })
})

it('loadWeights by name says when nothing was loaded', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'hs-hints-'))
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const named = (name: string) => new Sequential([new Dense(1, { inputDim: 2, name })])
  await named('a').saveWeights(path.join(directory, 'w.h5'))
  await named('a').loadWeights(path.join(directory, 'w.h5'), { byName: true })
  expect(warn).not.toHaveBeenCalled()
  await named('b').loadWeights(path.join(directory, 'w.h5'), { byName: true })
  expect(warn).toHaveBeenCalledWith(expect.stringMatching(/byName has loaded nothing/), {
    code: 'HIDDENSTATE_BY_NAME',
  })
  rmSync(directory, { recursive: true })
})
