/**
 * Files in the layout of Keras 2, and every encoding of strings. Made by
 * test/golden/make/gen_keras2.py, predictions too.
 */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { modelDocument } from '../../lib/saving/document.js'
import { layersFromKeras2 } from '../../lib/saving/keras2/layers.js'
import { trainingFromKeras2 } from '../../lib/saving/keras2/training.js'
import { dataFile } from '../golden/loader.js'
import {
  Bidirectional,
  Dense,
  Dropout,
  FormatError,
  GRU,
  LSTM,
  loadModel,
  modelFromJson,
  Sequential,
  StateError,
  SimpleRNN,
} from '../package.js'

const at = (name: string): string => dataFile(`keras2/${name}`)
const expected = JSON.parse(readFileSync(at('expected.json'), 'utf8')) as Record<
  string,
  { x: never; y: never }
>
afterEach(() => vi.restoreAllMocks())

async function predicts(model: Sequential, name: string): Promise<void> {
  const { x, y } = expected[name] as { x: never; y: never }
  const got = (await model.predict(x)).toArray().flat(3) as number[]
  const wanted = (y as number[][]).flat(3)
  expect(got).toHaveLength(wanted.length)
  for (const [i, value] of got.entries()) expect(value, `${name} [${i}]`).toBeCloseTo(wanted[i]!, 6)
}

describe('a model of Keras 2', () => {
  it('with an LSTM: per-gate layout, mask, regularizer, constraint, training configuration', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const model = await loadModel(at('lstm.h5'))
    await predicts(model, 'lstm.h5')
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/lstm\.h5: .*starts anew/), { code: 'HIDDENSTATE_KERAS2' }],
    ])
    expect(model.layers.map((l) => l.name)).toEqual(['embedding_1', 'lstm_1', 'dense_1'])
    expect(model.getLayer({ name: 'lstm_1' })?.getConfig()).toMatchObject({
      output_dim: 3,
      inner_activation: 'hard_sigmoid',
      consume_less: 'cpu',
      init: 'glorot_uniform',
      inner_init: 'orthogonal',
      forget_bias_init: 'one',
      dropout_W: 0.25,
      dropout_U: 0.5,
      W_regularizer: { name: 'L1L2Regularizer', l2: 0.009999999776482582 },
    })
    expect(model.getLayer({ name: 'dense_1' })?.getConfig()).toMatchObject({
      W_constraint: { name: 'MaxNorm', m: 2 },
    })
    expect(model.optimizer).toMatchObject({ lr: 0.0020000000949949026, epsilon: 1e-7 })
    expect(model.metricsNames).toEqual(['loss', 'acc'])
    const { x } = expected['lstm.h5'] as { x: never }
    await model.fit(x, [0, 1, 0, 1, 1], { nbEpoch: 2, verbose: 0 })
  })

  it('with a bidirectional GRU of reset_after, from tf.keras: sigmoid gates as the file says, strings of h5py 3', async () => {
    const model = await loadModel(at('bidirectional_gru.h5'))
    await predicts(model, 'bidirectional_gru.h5')
    expect(model.inputShape).toEqual([null, null, 2])
    const [{ config }] = model.getConfig() as unknown as [{ config: { layer: { config: object } } }]
    expect(config.layer.config).toMatchObject({
      inner_activation: 'sigmoid',
      reset_after: true,
      consume_less: 'gpu',
    })
    expect(model.optimizer).toMatchObject({ lr: 0.003000000026077032, rho: 0.8999999761581421 })
    expect(model.metricsNames).toEqual(['loss', 'acc'])
  })

  it('with a GRU, from a list of layers and without training configuration', async () => {
    const model = await loadModel(at('gru.h5'))
    await predicts(model, 'gru.h5')
    expect(() => model.optimizer).toThrow(StateError)
    expect(model.layers[1]).toBeInstanceOf(Dropout)
  })

  it('saved by us is of Keras 1 again, and predicts the same', async () => {
    const model = await loadModel(at('gru.h5'))
    const again = modelFromJson(model.toJson())
    again.setWeights(model.getWeights())
    await predicts(again, 'gru.h5')
  })
})

describe('weights of Keras 2', () => {
  const rnn = () =>
    new Sequential([new SimpleRNN(3, { inputDim: 2, name: 'rnn' }), new Dense(1, { name: 'out' })])

  it('load by order and by name, from lists of names in pieces', async () => {
    for (const byName of [false, true]) {
      const model = rnn()
      await model.loadWeights(at('pieces.weights.h5'), { byName })
      await predicts(model, 'pieces.weights.h5')
    }
    const other = new Sequential([
      new Dense(2, { inputDim: 3, name: 'new' }),
      new Dense(1, { name: 'other' }),
    ])
    const before = other.getWeights().map((w) => w.toArray())
    await other.loadWeights(at('pieces.weights.h5'), { byName: true }) // no name agrees
    expect(other.getWeights().map((w) => w.toArray())).toEqual(before)
  })

  it.each(['cpu', 'mem', 'gpu'] as const)(
    'load into a layer with consumeLess %s',
    async (consumeLess) => {
      const model = new Sequential([
        new GRU(3, { inputShape: [5, 2], consumeLess }),
        new Dropout(0.5),
        new Dense(2),
      ])
      await model.loadWeights(at('gru.h5'))
      await predicts(model, 'gru.h5')
    },
  )

  it('of another form are refused, naming file, array, expected and found; nothing changes', async () => {
    const gates = new Sequential([new GRU(3, { inputDim: 2, resetAfter: true }), new Dense(2)])
    const before = gates.getWeights().map((w) => w.toArray())
    await expect(gates.loadWeights(at('gru.h5'))).rejects.toThrow(
      /gru\.h5: model_weights\/gru_1\/gru_1\/bias:0: shape must be \[2, 9\], got \[9\]\./,
    )
    expect(gates.getWeights().map((w) => w.toArray())).toEqual(before)
    const lstm = new Sequential([new LSTM(3, { inputDim: 2 }), new Dense(2)])
    await expect(lstm.loadWeights(at('gru.h5'))).rejects.toThrow(
      /kernel:0: shape must be \[2, 12\], got \[2, 9\]/,
    )
    const two = new Sequential([
      new Bidirectional(new GRU(3), { inputShape: [5, 2] }),
      new Dense(2),
    ])
    await expect(two.loadWeights(at('gru.h5'))).rejects.toThrow(
      /expects 6 weights, but the saved weights have 3/,
    )
    await expect(two.loadWeights(at('gru.h5'))).rejects.toBeInstanceOf(FormatError)
  })
})

describe('configurations of Keras 2', () => {
  const layer = (class_name: string, config: object) => ({
    class_name,
    config: { name: 'a', ...config },
  })
  const one = (class_name: string, config: object) =>
    layersFromKeras2([layer(class_name, config)], 'json') as unknown as [
      { config: Record<string, unknown> },
    ]

  it('are known by their version, or by what only they have', () => {
    const generation = (document: object, version?: string) =>
      modelDocument('json', { class_name: 'Sequential', config: [], ...document }, version).keras
    expect(generation({}, '2.11.0')).toBe(2)
    expect(generation({}, '1.2.2')).toBe(1)
    expect(generation({ config: { layers: [] } })).toBe(2)
    expect(generation({ config: { layers: [] }, keras_version: '2.2.4' })).toBe(2)
    expect(generation({}, '3.9.2')).toBe(3)
    expect(generation({ module: 'keras', registered_name: null })).toBe(3)
  })

  it('in JSON', () => {
    const dense = layer('Dense', {
      units: 2,
      use_bias: false,
      activation: 'relu',
      batch_input_shape: [null, 3],
    })
    const json = JSON.stringify({
      class_name: 'Sequential',
      config: [dense],
      keras_version: '2.1.6',
    })
    expect(modelFromJson(json).layers[0]?.getConfig()).toMatchObject({
      output_dim: 2,
      bias: false,
      activation: 'relu',
    })
  })

  it.each([
    ['GlorotNormal', 'glorot_normal'],
    [
      {
        class_name: 'VarianceScaling',
        config: { scale: 2, mode: 'fan_in', distribution: 'truncated_normal' },
      },
      'he_normal',
    ],
    [
      {
        class_name: 'VarianceScaling',
        config: { scale: 1, mode: 'fan_in', distribution: 'uniform' },
      },
      'lecun_uniform',
    ],
    [
      {
        class_name: 'VarianceScaling',
        config: { scale: 1, mode: 'fan_avg', distribution: 'uniform' },
      },
      'glorot_uniform',
    ],
    [{ class_name: 'Constant', config: { value: 3 } }, 'uniform'],
    ['orthogonal', 'orthogonal'],
  ])('initializer %j is %s', (value, name) => {
    expect(one('Dense', { kernel_initializer: value })[0].config.init).toBe(name)
  })

  it('name the axis of a BatchNormalization in a list', () => {
    expect(one('BatchNormalization', { axis: [1] })[0].config.axis).toBe(1)
    expect(one('BatchNormalization', { axis: -1 })[0].config.axis).toBe(-1)
    expect(() => one('BatchNormalization', { axis: [1, 2] })).toThrow(
      /axis of Keras 2 and 3 must be a number or a list of one/,
    )
  })

  it.each([
    [
      'ConvLSTM2D',
      { use_bias: false },
      /a \(ConvLSTM2D\): use_bias of Keras 2 and 3 must be true, got false\./,
    ],
    ['LSTM', { return_state: true }, /return_state of Keras 2 and 3 must be false/],
    [
      'GRU',
      { recurrent_constraint: { class_name: 'NonNeg', config: {} } },
      /recurrent_constraint of Keras 2 and 3 must be null/,
    ],
    [
      'Dense',
      { kernel_regularizer: { class_name: 'Orthogonal' } },
      /kernel_regularizer of Keras 2 and 3 must be null, L1, L2/,
    ],
    [
      'Dense',
      { dtype: { class_name: 'Policy', config: { name: 'mixed_float16' } } },
      /dtype of Keras 2 and 3 must be 'float32'/,
    ],
    [
      'Flatten',
      { data_format: 'channels_first' },
      /data_format of Keras 2 and 3 must be "channels_last"/,
    ],
  ])('%s with %j is refused', (name, config, message) => {
    expect(() => one(name, config)).toThrow(FormatError)
    expect(() => one(name, config)).toThrow(message)
  })

  it('refuse optimizers that Keras 1 cannot be', () => {
    const training = (class_name: string, config: object) => ({
      optimizer_config: { class_name, config },
    })
    expect(() => trainingFromKeras2(training('Adam', { amsgrad: true }))).toThrow(
      /amsgrad of Adam must be false, got true/,
    )
    const schedule = { learning_rate: { class_name: 'ExponentialDecay' } }
    expect(() => trainingFromKeras2(training('SGD', schedule))).toThrow(
      /learning_rate of SGD must be a number/,
    )
    expect(() => trainingFromKeras2(training('RMSprop', { momentum: 0.5 }))).toThrow(
      /momentum of RMSprop must be 0/,
    )
    expect(
      trainingFromKeras2(training('SGD', { momentum: 0.5, learning_rate: 0.1 })).optimizer_config,
    ).toEqual({
      class_name: 'SGD',
      config: { momentum: 0.5, lr: 0.1 },
    })
  })
})

describe('lists of names', () => {
  it.each([
    'fixed-nullpad',
    'fixed-nullterm',
    'fixed-spacepad',
    'fixed-utf8',
    'variable-utf8',
    'variable-ascii',
    'empty-null',
  ])('as %s strings', async (encoding) => {
    const name = /utf8/.test(encoding) ? 'dénse' : 'dense_1'
    for (const byName of [false, true]) {
      const model = new Sequential([
        new Dense(2, { inputDim: 3, name }),
        new Dropout(0.5, { name: 'dropout_1' }),
      ])
      await model.loadWeights(at(`strings-${encoding}.h5`), { byName })
      expect(model.getWeights().map((w) => w.toArray())).toEqual([
        [
          [0, 1],
          [2, 3],
          [4, 5],
        ],
        [0.5, -0.5],
      ])
    }
  })
})

describe("Keras' own attention", () => {
  const query = { class_name: 'InputLayer', name: 'q', inbound_nodes: [] }
  const value = { class_name: 'InputLayer', name: 'v', inbound_nodes: [] }
  const attention = (config: object): string => {
    const input = (name: string) => ({ name, batch_input_shape: [null, null, 2] })
    const layers = [
      { ...query, config: input('q') },
      { ...value, config: input('v') },
      {
        class_name: 'Attention',
        name: 'a',
        config: { name: 'a', ...config },
        inbound_nodes: [
          [
            ['q', 0, 0, {}],
            ['v', 0, 0, {}],
          ],
        ],
      },
    ]
    const [input_layers, output_layers] = [
      [
        ['q', 0, 0],
        ['v', 0, 0],
      ],
      [['a', 0, 0]],
    ]
    const functional = { name: 'm', layers, input_layers, output_layers }
    return JSON.stringify({ class_name: 'Model', config: functional, keras_version: '2.11.0' })
  }
  const [q, v] = [
    [
      [
        [1, 0],
        [0.5, -1],
      ],
    ],
    [
      [
        [0.3, 0.2],
        [-1, 1],
        [2, 0.5],
      ],
    ],
  ]

  it('is the mean of the values, weighted by the softmax of products', async () => {
    const model = modelFromJson(attention({ use_scale: false, score_mode: 'dot', dropout: 0 }))
    const got = (await model.predict([q, v] as never)) as unknown as { toArray(): number[][][] }
    const wanted = q[0]!.map((row) => {
      const scores = v[0]!.map((each) => Math.exp(row[0]! * each[0]! + row[1]! * each[1]!))
      const sum = scores.reduce((a, b) => a + b, 0)
      return [0, 1].map((d) => scores.reduce((all, s, i) => all + (s / sum) * v[0]![i]![d]!, 0))
    })
    for (const [t, row] of got.toArray()[0]!.entries())
      for (const [d, number] of row.entries()) expect(number).toBeCloseTo(wanted[t]![d]!, 6)
  })

  it('of a learned scale is refused by name', () => {
    expect(() => modelFromJson(attention({ use_scale: true }))).toThrow(
      /a \(Attention\): use_scale of Keras 2 and 3 must be false, got true/,
    )
  })
})
