/** What Keras 2 may leave out of a layer, and how it writes what every layer has. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { H5Builder, writeH5 } from '../../lib/hdf5/file.js'
import { asciiJson } from '../../lib/saving/layout.js'
import { expectAllSameBits, type Plain, uniform } from '../arrays.js'
import {
  BatchNormalization,
  type Bidirectional,
  Dense,
  GRU,
  type Layer,
  LSTM,
  loadModel,
  modelFromJson,
  type NDArray,
  Sequential,
  SGD,
  SimpleRNN,
} from '../package.js'

const root = mkdtempSync(path.join(tmpdir(), 'hs-keras2-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
afterEach(() => vi.restoreAllMocks())

const text = (class_name: string, config: object): string =>
  JSON.stringify({
    class_name: 'Sequential',
    config: { name: 's', layers: [{ class_name, config: { name: 'l', ...config } }] },
    keras_version: '2.12.0',
  })
const of = (class_name: string, config: object): Layer =>
  modelFromJson(text(class_name, config)).layers[0]!

/** A model of one layer as Keras 2 writes it, its weights called `names`. */
async function written(
  className: string,
  config: object,
  names: string[],
  arrays: Plain[],
): Promise<string> {
  const name = path.join(root, `${className}.h5`)
  const content = new H5Builder()
  content.group('').set('keras_version', '2.12.0')
  content.group('').set('backend', 'tensorflow')
  content.group('').set('model_config', asciiJson(JSON.parse(text(className, config))))
  content.group('model_weights').set('layer_names', ['l'])
  content.group('model_weights/l').set(
    'weight_names',
    names.map((each) => `l/${each}:0`),
  )
  for (const [i, each] of names.entries())
    content.dataset(`model_weights/l/l/${each}:0`, {
      ...arrays[i]!,
      data: Float32Array.from(arrays[i]!.data),
    })
  await writeH5(name, content)
  return name
}

const [B, T, D, H] = [3, 5, 2, 4]
const x = uniform(1, [B, T, D])
const y = uniform(2, [B, H])
const recurrent = { units: H, use_bias: false, batch_input_shape: [null, T, D], implementation: 2 }
const cells: [string, number, object, (options: object) => Layer][] = [
  ['SimpleRNN', 1, {}, (options) => new SimpleRNN(H, options)],
  [
    'LSTM',
    4,
    { unit_forget_bias: true, recurrent_activation: 'sigmoid' },
    (options) => new LSTM(H, options),
  ],
  [
    'GRU',
    3,
    { reset_after: false, recurrent_activation: 'sigmoid' },
    (options) => new GRU(H, options),
  ],
  [
    'GRU',
    3,
    { reset_after: true, recurrent_activation: 'sigmoid' },
    (options) => new GRU(H, options),
  ],
]

describe('a recurrent layer without bias', () => {
  it.each(cells)(
    '%s with %i gates and %j predicts and trains as one whose bias is held at 0',
    async (...all) => {
      const [className, gates, own, make] = all
      const [kernel, inner] = [uniform(3, [D, gates * H]), uniform(4, [H, gates * H])]
      const file = await written(
        className,
        { ...recurrent, ...own },
        ['kernel', 'recurrent_kernel'],
        [kernel, inner],
      )
      const model = await loadModel(file)
      expect(model.countParams()).toBe((D + H) * gates * H)
      const given = model.layers[0]!.options as { innerActivation?: string; resetAfter?: boolean }
      const { innerActivation, resetAfter } = given
      const options = {
        inputShape: [T, D],
        consumeLess: 'gpu',
        ...(className !== 'SimpleRNN' && { innerActivation }),
      }
      const twin = new Sequential([make({ ...options, ...(resetAfter ? { resetAfter } : {}) })])
      const zeros = Array.from({ length: resetAfter ? 2 : 1 }, () => new Float32Array(gates * H))
      const hold = (weights: NDArray[]) => twin.setWeights([...weights.slice(0, 2), ...zeros])
      hold(model.getWeights())
      expectAllSameBits([await model.predict(x)], [await twin.predict(x)])
      for (const each of [model, twin])
        each.compile({ loss: 'mse', optimizer: new SGD({ lr: 0.1, momentum: 0.9 }) })
      for (let step = 0; step < 3; step++) {
        await model.trainOnBatch(x, y)
        await twin.trainOnBatch(x, y)
        expect(twin.getWeights()[2]!.data.some((v) => v !== 0)).toBe(true) // a bias would learn
        hold(twin.getWeights())
      }
      expectAllSameBits(model.getWeights(), twin.getWeights().slice(0, 2))
      await model.save(file)
      const again = await loadModel(file)
      expectAllSameBits(again.getWeights(), model.getWeights())
      expectAllSameBits([await again.predict(x)], [await model.predict(x)])
      expect(await again.trainOnBatch(x, y)).toBe(await model.trainOnBatch(x, y))
    },
  )

  it('also inside a Bidirectional, and not in the configuration of one with', () => {
    const layer = { class_name: 'LSTM', config: { name: 'i', units: H, use_bias: false } }
    const both = of('Bidirectional', { layer, batch_input_shape: [null, T, D] }) as Bidirectional
    expect(both.getWeights()).toHaveLength(2 * 8)
    expect(both.forward.getConfig()).toMatchObject({ bias: false })
    expect(new LSTM(H).getConfig()).not.toHaveProperty('bias')
  })
})

describe('a BatchNormalization', () => {
  const config = { axis: [1], epsilon: 0.001, momentum: 0.5, batch_input_shape: [null, H] }
  it.each([
    ['scale', false, true, ['beta']],
    ['center', true, false, ['gamma']],
    ['both', false, false, []],
  ] as const)(
    'without %s has neither weight nor training of it',
    async (_, scale, center, names) => {
      const all = [...names, 'moving_mean', 'moving_variance']
      const arrays = all.map((name, i) =>
        uniform(10 + i, [H], ...(name === 'moving_variance' ? [0.5, 2] : [])),
      )
      const file = await written('BatchNormalization', { ...config, scale, center }, all, arrays)
      const model = await loadModel(file)
      const whole = new Sequential([new BatchNormalization({ momentum: 0.5, inputShape: [H] })])
      const fill = (weights: readonly NDArray[]) => {
        const left = [...weights]
        const own = (there: boolean, value: number) =>
          there ? left.shift()! : new Float32Array(H).fill(value)
        whole.setWeights([own(scale, 1), own(center, 0), ...left])
      }
      fill(model.getWeights())
      const rows = uniform(20, [6, H])
      expectAllSameBits([await model.predict(rows)], [await whole.predict(rows)])
      for (const each of [model, whole])
        each.compile({ loss: 'mse', optimizer: new SGD({ lr: 0.1 }) })
      for (let step = 0; step < 2; step++) {
        await model.trainOnBatch(rows, uniform(21, [6, H]))
        await whole.trainOnBatch(rows, uniform(21, [6, H]))
        const [gamma, beta, ...running] = whole.getWeights() as [NDArray, NDArray, NDArray, NDArray]
        fill([...(scale ? [gamma] : []), ...(center ? [beta] : []), ...running])
      }
      const [gamma, beta, ...running] = whole.getWeights() as [NDArray, NDArray, NDArray, NDArray]
      expectAllSameBits(model.getWeights(), [
        ...(scale ? [gamma] : []),
        ...(center ? [beta] : []),
        ...running,
      ])
      expect(modelFromJson(model.toJson()).countParams()).toBe(model.countParams())
    },
  )
})

describe('what every layer has', () => {
  const shapes: Record<string, number[]> = {
    Conv1D: [5, 2],
    GlobalMaxPooling1D: [5, 2],
    Flatten: [5, 2],
    Dense: [2],
  }
  it.each(Object.keys(shapes))('data_format null or its default changes nothing in %s', (name) => {
    const own = { Conv1D: { filters: 2, kernel_size: [2] }, Dense: { units: 2 } }[name] ?? {}
    const config = { ...own, batch_input_shape: [null, ...shapes[name]!] }
    const shape = of(name, config).outputShape
    for (const data_format of [null, 'channels_last'])
      expect(of(name, { ...config, data_format }).outputShape).toEqual(shape)
    expect(() => of(name, { ...config, data_format: 'channels_first' })).toThrow(
      `l (${name}): data_format of Keras 2 and 3 must be "channels_last" or null, got "channels_first"`,
    )
  })

  const dense = { units: 2, batch_input_shape: [null, 3] }
  const policy = (class_name: string, name: string) => ({ class_name, config: { name } })
  it.each(['Policy', 'DTypePolicy'])('dtype may be a %s of float32 or float64', (kind) => {
    expect(of('Dense', { ...dense, dtype: policy(kind, 'float32') }).floatx).toBe('float32')
    expect(of('Dense', { ...dense, dtype: policy(kind, 'float64') }).floatx).toBe('float64')
    expect(() => of('Dense', { ...dense, dtype: policy(kind, 'mixed_float16') })).toThrow(
      /^l \(Dense\): dtype of Keras 2 and 3 must be 'float32' or 'float64', got .*mixed_float16/,
    )
    const bare = { ...dense, dtype: { class_name: kind, config: {} } }
    expect(() => of('Dense', bare)).toThrow(/dtype of Keras 2 and 3 must be/)
  })

  it.each([
    [
      'LSTM',
      { unit_forget_bias: 'no' },
      /unit_forget_bias of Keras 2 and 3 must be true or false, got "no"/,
    ],
    ['LSTM', { implementation: 7 }, /implementation of Keras 2 and 3 must be 0, 1 or 2, got 7/],
    ['GRU', { use_bias: 'no' }, /use_bias must be true or false, got the string 'no'/],
    ['GRU', { recurrent_activation: 'soft' }, /recurrent_activation/],
    ['GRU', { dropout: 2 }, /dropout must be a number from 0 to 1, got 2/],
  ])('%s with %j is refused as the file spells it', (name, bad, message) => {
    const config = { units: 2, batch_input_shape: [null, 3, 2] }
    expect(of(name, config)).toBeTruthy()
    expect(() => of(name, { ...config, ...bad })).toThrow(message)
    expect(() => of(name, { ...config, ...bad })).toThrow(/^l \((LSTM|GRU)\): /)
  })

  it('a class that was registered is taken for ours, with a warning', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    expect(of('Custom>Dense', dense)).toBeInstanceOf(Dense)
    expect(warn.mock.calls).toEqual([
      [
        "l (Custom>Dense): a class that was registered as 'Custom>Dense' is taken for Keras' own Dense.",
        expect.anything(),
      ],
    ])
    expect(() => of('Custom>Mine', dense)).toThrow(/Custom>Mine/)
  })

  it('backward_layer must be the mirror of layer', () => {
    const inner = (own: object) => ({ class_name: 'LSTM', config: { name: 'i', units: 2, ...own } })
    const both = (backward: object) => ({
      layer: inner({}),
      backward_layer: inner({ name: 'j', go_backwards: true, ...backward }),
      batch_input_shape: [null, 3, 2],
    })
    expect(of('Bidirectional', both({})).outputShape).toEqual([null, 4])
    expect(() => of('Bidirectional', both({ units: 3 }))).toThrow(
      /l \(Bidirectional\): backward_layer of Keras 2 and 3 must be the same as layer/,
    )
  })

  it.each(['Functional', 'Model'])('a %s inside a Sequential is named', (class_name) => {
    const config = { name: 'inner', layers: [], input_layers: [], output_layers: [] }
    expect(() => of(class_name, config)).toThrow(/input_layers must be one tensor or more/)
    const inKeras1 = {
      class_name: 'Sequential',
      config: [{ class_name, config }],
      keras_version: '1.2.2',
    }
    expect(() => modelFromJson(JSON.stringify(inKeras1))).toThrow(
      class_name === 'Model' ? /input_layers must be one/ : /'inner': class_name must be one of/,
    )
  })
})
