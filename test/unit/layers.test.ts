/** What layers accept and refuse; no native code. */
import { describe, expect, it } from 'vitest'
import { layerFromConfig } from '../../lib/saving/config.js'
import { ConfigError, ShapeError } from '../../lib/errors.js'
import {
  Activation,
  ActivityRegularization,
  Bidirectional,
  Dense,
  Dropout,
  Embedding,
  Flatten,
  GRU,
  LSTM,
  Masking,
  Permute,
  RepeatVector,
  Reshape,
  TimeDistributed,
} from '../../lib/layers/index.js'
import type { Layer } from '../../lib/layers/base/layer.js'
import { buildChain, lower } from './golden-models.js'

const caught = (run: () => unknown): Error & { code?: string } => {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

describe('bad options', () => {
  const cases: [string, () => unknown, string, RegExp][] = [
    [
      'unknown',
      () => new LSTM(3, { returnSequence: true } as never),
      'ERR_OPTION',
      /`returnSequences`/,
    ],
    ['later Keras', () => new Dense(3, { units: 4 } as never), 'ERR_OPTION', /units/],
    [
      'no argument',
      () => new Dense(undefined as never),
      'ERR_OPTION',
      /outputDim must be argument 1/,
    ],
    ['positional twice', () => new Dense(3, { outputDim: 4 } as never), 'ERR_OPTION', /outputDim/],
    ['options no object', () => new Dense(3, 'relu' as never), 'ERR_OPTION', /one object/],
    ['units 0', () => new GRU(0), 'ERR_OPTION', /positive integer/],
    ['units 1.5', () => new GRU(1.5), 'ERR_OPTION', /positive integer/],
    ['flag', () => new GRU(2, { stateful: 1 as never }), 'ERR_OPTION', /true or false/],
    ['share', () => new GRU(2, { dropoutW: 1.5 }), 'ERR_OPTION', /0 to 1/],
    ['consumeLess', () => new GRU(2, { consumeLess: 'foo' as never }), 'ERR_OPTION', /'gpu'/],
    [
      'activation',
      () => new Dense(2, { activation: 'sigmoide' as never }),
      'ERR_UNKNOWN_NAME',
      /'sigmoid'/,
    ],
    ['init', () => new Dense(2, { init: 'zeros' as never }), 'ERR_UNKNOWN_NAME', /'zero'/],
    [
      'regularizer',
      () => new Dense(2, { WRegularizer: 'L2' as never }),
      'ERR_UNKNOWN_NAME',
      /'l2'/,
    ],
    [
      'constraint',
      () => new Dense(2, { WConstraint: 'nope' as never }),
      'ERR_UNKNOWN_NAME',
      /constraint/,
    ],
    [
      'merge mode',
      () => new Bidirectional(new GRU(2), { mergeMode: 'cat' as never }),
      'ERR_UNKNOWN_NAME',
      /'concat'/,
    ],
    ['not recurrent', () => new Bidirectional(new Dense(2) as never), 'ERR_OPTION', /recurrent/],
    ['not a layer', () => new TimeDistributed({} as never), 'ERR_OPTION', /layer/],
    ['two open extents', () => new Reshape([-1, -1]), 'ERR_OPTION', /-1/],
    ['no permutation', () => new Permute([1, 1]), 'ERR_OPTION', /permutation/],
    ['input shape', () => new Dense(2, { inputShape: [0] }), 'ERR_OPTION', /positive integers/],
    ['name', () => new Dense(2, { name: '' }), 'ERR_OPTION', /non-empty/],
    [
      'unknown class',
      () => layerFromConfig({ class_name: 'Dens', config: {} }),
      'ERR_UNKNOWN_NAME',
      /'Dense'/,
    ],
    [
      'unknown key',
      () => layerFromConfig({ class_name: 'Dropout', config: { p: 0.1, foo: 1 } }),
      'ERR_OPTION',
      /foo/,
    ],
    ['no config', () => layerFromConfig({ class_name: 'Dense' }), 'ERR_OPTION', /object/],
    [
      'wrapper without layer',
      () => layerFromConfig({ class_name: 'TimeDistributed', config: {} }),
      'ERR_OPTION',
      /layer/,
    ],
    [
      'class __proto__',
      () => layerFromConfig({ class_name: '__proto__', config: {} }),
      'ERR_UNKNOWN_NAME',
      /one of/,
    ],
  ]
  it.each(cases)('%s', (_, run, code, message) => {
    const error = caught(run)
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})

it.each(['', '_', '__', 'a__b', '_dropout'])(
  'an unknown key %j is refused as it is spelt',
  (key) => {
    const config = { output_dim: 1, input_dim: 1, [key]: 1 }
    expect(() => layerFromConfig({ class_name: 'Dense', config })).toThrow(`key ${key} must be`)
    expect(() => Dense.fromConfig(config, () => new Dense(1))).toThrow(`key ${key} must be`)
  },
)

describe('bad inputs', () => {
  const cases: [string, () => unknown][] = [
    ['RNN on [B, D]', () => new GRU(3, { name: 'gru_1' }).build([null, 2])],
    ['RNN of unknown D', () => new GRU(3, { name: 'gru_1' }).build([null, 5, null])],
    [
      'stateful without batch',
      () => new GRU(3, { name: 'gru_1', stateful: true }).build([null, 4, 2]),
    ],
    [
      'unroll without length',
      () => new GRU(3, { name: 'gru_1', unroll: true }).build([null, null, 2]),
    ],
    ['Flatten of unknown T', () => new Flatten({ name: 'flatten_1' }).build([null, null, 2])],
    [
      'Reshape to another size',
      () => new Reshape([3, 5], { name: 'reshape_1' }).build([null, 4, 2]),
    ],
    ['Permute of another rank', () => new Permute([2, 1], { name: 'permute_1' }).build([null, 4])],
    ['RepeatVector of a sequence', () => new RepeatVector(2, { name: 'r' }).build([null, 4, 2])],
    ['softmax of 4 axes', () => new Activation('softmax', { name: 'a' }).build([null, 2, 3, 4])],
    [
      'weights of another shape',
      () => new Dense(3, { name: 'd', weights: [[[1, 2, 3]], [0, 0, 0]] }).build([null, 2]),
    ],
    ['identity of [2, 3]', () => new Dense(3, { name: 'd', init: 'identity' }).build([null, 2])],
    [
      'an init of other length',
      () => new Dense(3, { name: 'd', init: () => [1] }).build([null, 2]),
    ],
    [
      'Embedding of other T',
      () => new Embedding(5, 2, { name: 'e', inputLength: 4 }).build([null, 3]),
    ],
    [
      'noise of another shape',
      () => new Dropout(0.5, { name: 'd', noiseShape: [null, 3] }).build([null, 4]),
    ],
  ]
  it.each(cases)('%s', (_, run) => {
    const error = caught(run)
    expect(error).toBeInstanceOf(ShapeError)
    expect(error.message).toMatchSnapshot()
  })

  it('leave the layer as it was', () => {
    const layer = new Dense(3, { weights: [[[1, 2, 3]], [0, 0, 0]] })
    expect(() => layer.build([null, 2])).toThrow(ShapeError)
    expect([layer.built, layer.countParams(), layer.inputShape, layer.outputShape]).toEqual([
      false,
      0,
      undefined,
      undefined,
    ])
    layer.build([null, 1])
    expect(layer.getWeights().map((w) => [...w.data])).toEqual([
      [1, 2, 3],
      [0, 0, 0],
    ])
  })

  it('a layer is built once: in another place it has the same weights, and takes the same inputs', () => {
    const layer = new Dense(3)
    layer.build([null, 2])
    const before = layer.variables
    layer.build([null, 2])
    expect(layer.variables).toEqual(before)
    expect(() => layer.build([null, 4])).toThrow(
      /input must be \[B, 2\], for which its weights were made, got \[B, 4\]/,
    )
  })

  it('setWeights changes all or nothing', () => {
    const layer = new Dense(2)
    layer.build([null, 2])
    const before = layer.getWeights().map((w) => [...w.data])
    const wrong = caught(() =>
      layer.setWeights([
        [
          [1, 2],
          [3, 4],
        ],
        [[5, 6]],
      ]),
    )
    expect(wrong.message).toMatch(/\/b: shape must be \[2\], got \[1, 2\]/)
    expect(layer.getWeights().map((w) => [...w.data])).toEqual(before)
    expect(() =>
      layer.setWeights([
        [
          [1, 2],
          [3, 4],
        ],
      ]),
    ).toThrow(/2 arrays/)
  })
})

describe('masks', () => {
  const masked = () => new Masking({ inputShape: [4, 2] })

  it.each([
    ['Dense', () => new Dense(3)],
    ['Flatten', () => new Flatten()],
    ['Reshape', () => new Reshape([8])],
    ['Permute', () => new Permute([2, 1])],
  ])('%s refuses one', (name, make) => {
    const error = caught(() => lower(masked(), make()))
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.message).toContain(name.toLowerCase())
  })

  it.each([
    ['GRU', () => new GRU(3), false],
    ['GRU with sequences', () => new GRU(3, { returnSequences: true }), true],
    ['Bidirectional', () => new Bidirectional(new GRU(3)), false],
    [
      'Bidirectional with sequences',
      () => new Bidirectional(new GRU(3, { returnSequences: true })),
      true,
    ],
    ['TimeDistributed(Dense)', () => new TimeDistributed(new Dense(3)), true],
    ['TimeDistributed(RepeatVector)', () => new TimeDistributed(new RepeatVector(3)), true],
    ['Activation', () => new Activation('tanh'), true],
    ['Dropout', () => new Dropout(0.5), true],
    ['ActivityRegularization', () => new ActivityRegularization({ l1: 1 }), true],
  ])('%s', (_, make, passes) => {
    const layer = make()
    expect(layer.computeMask(true)).toBe(passes)
    const { ops, mask } = lower(masked(), layer)
    expect(mask).toBe(passes ? ops[0]?.maskOut : null)
  })

  it('Embedding makes one with maskZero', () => {
    expect(lower(new Embedding(9, 2)).mask).toBeNull()
    expect(lower(new Embedding(9, 2, { maskZero: true })).mask).toMatch(/^embedding_\d+\/mask$/)
  })
})

it('resetStates is for stateful layers', () => {
  expect(() => new GRU(2).resetStates()).toThrow(/stateful/)
  expect(() => new GRU(2, { stateful: true }).resetStates()).not.toThrow()
})

describe('names', () => {
  it('that a file would not give back are refused', () => {
    const bad = ['', ':a', '/abs', 'a//b', 'a/', '.', './a', 'a/.', 'a\0b', '\ud800', '\ufeffa']
    for (const name of bad) {
      const error = caught(() => new Dense(2, { name }))
      expect([error.code, error.message], JSON.stringify(name)).toEqual([
        'ERR_OPTION',
        expect.stringMatching(/Dense: name must be/),
      ])
    }
    for (const name of ['a/b', '..', '.a', 'a.', 'é😀', ' a', 'a:b'])
      expect(new Dense(2, { name }).name).toBe(name)
  })
})

describe('a layer inside another', () => {
  const built = (layer: Layer): unknown => buildChain([layer])

  it('must be new in a Bidirectional, which copies it: one of a model keeps its precision and trains as before', () => {
    const lstm = new LSTM(2, { inputShape: [3, 2] })
    built(lstm)
    const error = caught(() => new Bidirectional(lstm, { trainable: false }))
    expect([error.code, error.message]).toEqual([
      'ERR_OPTION',
      expect.stringMatching(/layer must be new/),
    ])
    expect([lstm.wrapper, lstm.kerasArrays().every((a) => a.trainable)]).toEqual([null, true])
  })

  it('stays as it is in a TimeDistributed that comes later', () => {
    const dense = new Dense(2, { inputShape: [2] })
    const wrapper = new TimeDistributed(dense, { inputShape: [3, 2], trainable: false })
    const other = new TimeDistributed(dense, { inputShape: [3, 4] })
    built(dense)
    built(wrapper)
    expect([dense.built, dense.wrapper, dense.kerasArrays().length]).toEqual([true, null, 2])
    expect([dense, wrapper].map((layer) => layer.kerasArrays().every((a) => a.trainable))).toEqual([
      true,
      false,
    ])
    expect(caught(() => built(other)).message).toMatch(/input must be \[B, 2\]/)
  })

  it('is as new again when building the wrapper failed', () => {
    const weights = [[[1]]]
    const wrapper = new Bidirectional(new LSTM(2), { inputShape: [3, 2], weights })
    for (let i = 0; i < 2; i++) expect(caught(() => built(wrapper)).code).toBe('ERR_SHAPE')
    expect([wrapper.forward.built, wrapper.forward.wrapper]).toEqual([false, null])
  })
})

it('trainable is true or false', () => {
  const dense = new Dense(2, { inputDim: 2 })
  for (const bad of [0, 1, null, 'no'] as never[]) {
    const error = caught(() => (dense.trainable = bad))
    expect([error.code, error.message]).toEqual([
      'ERR_OPTION',
      expect.stringMatching(/trainable must be true or false/),
    ])
  }
  dense.trainable = false
  expect(dense.getConfig().trainable).toBe(false)
})

it('wrappers in wrappers have an end', () => {
  let config: unknown = { class_name: 'Dense', config: { output_dim: 1 } }
  const wrap = (): void => {
    config = { class_name: 'TimeDistributed', config: { layer: config } }
  }
  for (let i = 0; i < 5; i++) wrap()
  expect(layerFromConfig(config).layerClass.className).toBe('TimeDistributed')
  for (let i = 0; i < 20_000; i++) wrap()
  expect(caught(() => layerFromConfig(config)).code).toBe('ERR_OPTION')
})
