/**
 * Files that Keras 3.15 wrote (test/golden/README.md), and what it predicts with them;
 * what cannot be read is refused by its name.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { unzipSync, zipSync } from 'fflate'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { H5Builder, readH5Bytes, writeH5 } from '../../lib/hdf5/file.js'
import { ACTIVATIONS } from '../../lib/saving/keras3/activations.js'
import { readNpy } from '../../lib/utils.js'
import { dataFile } from '../golden/loader.js'
import { type Entry, Recorded } from '../golden/recorded.js'
import { expectAllSameBits } from '../arrays.js'
import {
  Bidirectional,
  Dense,
  HiddenstateError,
  Input,
  loadModel,
  LSTM,
  Masking,
  Model,
  modelFromJson,
  type NDArray,
  Sequential,
} from '../package.js'

const recorded = new Recorded('keras3/files.zip')
const at = (name: string): string => recorded.at(name)
afterAll(() => recorded.remove())
const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
afterEach(() => warn.mockClear())

/** Layers and settings that are not here. Keras 3 reads them. */
const LACKING = [
  'bi_backward_layer.h5',
  'conv_groups.keras',
  'convlstm1d.keras',
  'convlstm2d_hard.keras',
  'fn_encoder_decoder.keras',
  'fn_ops.keras',
  'layer_normed_td.keras',
  'layernorm.keras',
  'masking_zero_output.keras',
  'mixed_bfloat16.keras',
  'mixed_float16.keras',
  'nested.keras',
  'noise_shape.h5',
  'normalization.keras',
  'ref_group_norm.keras',
  'regularized.keras',
  'rescaling.h5',
  'rnn_cells.keras',
]
const zeros = (value: unknown): never => (Array.isArray(value) ? value.map(zeros) : 0) as never
const { files } = recorded
const loads = files.filter(({ file, expected }) => expected === 'loads' && !LACKING.includes(file))
const refused = files.filter((entry) => !loads.includes(entry))

async function load({ file, format, architecture }: Entry): Promise<Model> {
  if (format !== 'keras-weights') return loadModel<Model>(at(file))
  const model = modelFromJson<Model>(readFileSync(at(architecture!), 'utf8'))
  await model.loadWeights(at(file))
  return model
}

describe('a file of Keras 3', () => {
  it.each(loads.map((entry) => [entry.file, entry] as const))(
    '%s predicts what Keras does',
    async (_file, entry) => recorded.checkOutputs(await load(entry), entry),
  )

  it.each(refused.map((entry) => [entry.file, entry] as const))(
    '%s is refused by the name of what it has',
    async (_file, entry) => recorded.checkRefusal(load(entry), entry),
  )
})

describe('a model of Keras 3', () => {
  it.each(['act_gelu.keras', 'act_hard_sigmoid.keras', 'bi_stacked.keras', 'masking_bi.keras'])(
    '%s is the same after save and loadModel',
    async (file) => {
      const x = await readNpy(at(recorded.entry(file).input as string))
      const model = await loadModel(at(file))
      await model.save(at('again.h5'))
      const again = await loadModel(at('again.h5'))
      expectAllSameBits(
        [(await again.predict(x)) as NDArray],
        [(await model.predict(x)) as NDArray],
      )
    },
  )

  it('compiles as it was compiled, and its optimizer starts anew with a warning', async () => {
    const model = await loadModel(at('lstm_last.keras'))
    expect(model.metricsNames[0]).toBe('loss')
    expect(warn.mock.calls.map(([text]) => text).join()).toMatch(
      /lstm_last\.keras: the optimizer's state is of Keras 3; the optimizer starts anew/,
    )
  })

  it('takes weights by the names of layers', async () => {
    const whole = await loadModel(at('lstm_last.keras'), { compile: false })
    const [first, last] = whole.layers as [LSTM, Dense]
    const width = first.inputShape!.at(-1)!
    const model = new Sequential([
      new LSTM(last.inputShape![1]!, { name: first.name, inputShape: [null, width] }),
      new Dense(2, { name: 'other' }),
    ])
    const other = model.layers[1]!.getWeights()
    expect(await model.loadWeights(at('lstm_last.weights.h5'), { byName: true })).toEqual([
      first.name,
    ])
    expectAllSameBits(model.layers[0]!.getWeights(), first.getWeights())
    expectAllSameBits(model.layers[1]!.getWeights(), other)
  })

  it('without names of layers takes them by class and place, as its first versions did', async () => {
    const model = await loadModel(at('stacked_same_class.keras'), { compile: false })
    const wanted = model.getWeights()
    for (const [i, layer] of model.layers.entries()) layer.name = `renamed_${i}`
    await model.loadWeights(at('stacked_same_class.weights.h5'))
    expectAllSameBits(model.getWeights(), wanted)
  })

  it('takes weights of a .keras file', async () => {
    const whole = await loadModel(at('lstm_last.keras'), { compile: false })
    const wanted = whole.getWeights()
    whole.setWeights(wanted.map((each) => each.toArray()).map((each) => zeros(each)))
    await whole.loadWeights(at('lstm_last.keras'))
    expectAllSameBits(whole.getWeights(), wanted)
  })

  it('of Keras 2 in a .keras file, which has no names of layers, loads too', async () => {
    const model = await loadModel(dataFile('tf-keras/v3.keras'))
    expect(model.getWeights().map(({ shape }) => shape)).toEqual([[4, 2], [2], [2, 1], [1]])
    expect(model.getWeights()[0]!.data.some((value) => value !== 0)).toBe(true)
  })

  it('says how many layers with weights there are, and there must be', async () => {
    const model = new Sequential([new Dense(3, { inputDim: 5 })])
    await expect(model.loadWeights(at('lstm_last.weights.h5'))).rejects.toThrow(
      /a weight file containing 2 layers into a model with 1 layers/,
    )
  })
})

describe('a .keras zip', () => {
  const whole = unzipSync(readFileSync(at('lstm_last.keras')))

  it('that unpacks to more than the limits allow is refused before it is unpacked', async () => {
    await expect(
      loadModel(at('lstm_last.keras'), { limits: { inflatedBytes: 1000 } }),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT' })
  })

  it('may hold other files', async () => {
    writeFileSync(at('more.keras'), zipSync({ ...whole, 'assets/words.txt': new Uint8Array(9) }))
    await expect(loadModel(at('more.keras'), { compile: false })).resolves.toBeInstanceOf(
      Sequential,
    )
  })

  it('of Windows, where Keras 2 made one name of a path, loads', async () => {
    const builder = new H5Builder()
    await readH5Bytes('weights', whole['model.weights.h5']!.slice(), async (file) => {
      const copy = async (group: string): Promise<void> => {
        const windows = group.replace(/\/(?!vars)/g, '\\')
        if (file.hasGroup(group)) builder.group(windows)
        for (const child of file.children(group)) {
          const place = group === '' ? child : `${group}/${child}`
          const info = file.dataset(place)
          if (!info) await copy(place)
          else
            builder.dataset(
              `${windows}/${child}`,
              (await file.read([{ path: place, shape: info.shape }]))[0]!,
            )
        }
      }
      await copy('layers')
    })
    await writeH5(at('windows.h5'), builder)
    const weights = new Uint8Array(readFileSync(at('windows.h5')))
    writeFileSync(at('windows.keras'), zipSync({ ...whole, 'model.weights.h5': weights }))
    const wanted = (await loadModel(at('lstm_last.keras'), { compile: false })).getWeights()
    const model = await loadModel(at('windows.keras'), { compile: false })
    expectAllSameBits(model.getWeights(), wanted)
  })

  it('with damage anywhere loads or is refused with a code', { timeout: 60_000 }, async () => {
    const bytes = new Uint8Array(readFileSync(at('zip_deflated.keras')))
    let state = 1
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state % below
    }
    for (let i = 0; i < 40; i++) {
      const damaged = bytes.slice(0, random(4) === 0 ? random(bytes.length) : bytes.length)
      for (let k = random(4); k >= 0; k--) damaged[random(damaged.length)] = random(256)
      writeFileSync(at('damaged.keras'), damaged)
      const error = await loadModel(at('damaged.keras'), { compile: false }).then(
        (model) => model.dispose(),
        (reason: unknown) => reason,
      )
      if (error !== undefined) expect(error, `round ${i}`).toBeInstanceOf(HiddenstateError)
    }
  })
})

describe('zeroOutputForMask', () => {
  const x = [
    [[1], [2], [9], [9]],
    [[9], [3], [9], [4]],
  ]
  const real = [
    [1, 1, 0, 0],
    [0, 1, 0, 1],
  ]
  const made = (wrap: (zeroOutputForMask: boolean) => LSTM | Bidirectional) => {
    const both = [false, true].map(
      (zero) => new Sequential([new Masking({ maskValue: 9, inputShape: [4, 1] }), wrap(zero)]),
    ) as [Sequential, Sequential]
    both[1].setWeights(both[0].getWeights())
    return both
  }
  it.each([
    [
      'forwards',
      (zero: boolean) => new LSTM(3, { returnSequences: true, zeroOutputForMask: zero }),
    ],
    [
      'backwards',
      (zero: boolean) =>
        new LSTM(3, { returnSequences: true, goBackwards: true, zeroOutputForMask: zero }),
    ],
    [
      'both ways',
      (zero: boolean) =>
        new Bidirectional(new LSTM(3, { returnSequences: true, zeroOutputForMask: zero })),
    ],
  ])('%s: masked steps are 0, others as without it', async (way, wrap) => {
    const [plain, zeroed] = made(wrap)
    const [a, b] = [(await plain.predict(x)).toArray(), (await zeroed.predict(x)).toArray()]
    for (const [n, steps] of real.entries())
      for (const [t, isReal] of steps.entries()) {
        const place = way === 'backwards' ? 3 - t : t
        expect(b[n][place]).toEqual(isReal ? a[n][place] : a[n][place].map(() => 0))
      }
  })

  it('is refused where a mask meets the last output alone', () => {
    const [plain, zeroed] = made((zero) => new LSTM(3, { zeroOutputForMask: zero }))
    expect(() => plain.compile({ loss: 'mse', optimizer: 'sgd' })).not.toThrow()
    expect(() => zeroed.compile({ loss: 'mse', optimizer: 'sgd' })).toThrow(
      /zeroOutputForMask must be false where a mask meets the last output alone, got true/,
    )
  })

  it('is in a configuration where it is on', () => {
    const [plain, zeroed] = made((zero) => new LSTM(3, { zeroOutputForMask: zero }))
    expect(JSON.stringify(plain.getConfig())).not.toContain('zero_output')
    expect(JSON.stringify(zeroed.getConfig())).toContain('"zero_output_for_mask":true')
  })
})

describe('a document of Keras 3', () => {
  const dense = { module: 'keras.layers', class_name: 'Dense', config: { name: 'd', units: 2 } }
  it('with a layer that is none is refused', () => {
    const document = {
      module: 'keras',
      class_name: 'Sequential',
      config: { layers: [dense, null] },
    }
    expect(() => modelFromJson(JSON.stringify(document))).toThrow(
      /layer must be \{ class_name, config \}, got null/,
    )
  })

  it('keeps operations that make no mask of its layers, to be refused by name', () => {
    const tensor = (name: string) => ({
      class_name: '__keras_tensor__',
      config: { keras_history: [name, 0, 0] },
    })
    const input = { class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, 3] } }
    const call = (layer: object, ...args: unknown[]) => ({
      ...layer,
      inbound_nodes: [{ args, kwargs: {} }],
    })
    const compares = { class_name: 'NotEqual', name: 'n', config: { name: 'n' } }
    const document = (...args: unknown[]) => ({
      module: 'keras',
      class_name: 'Functional',
      config: {
        name: 'm',
        layers: [
          { ...input, name: 'x', inbound_nodes: [] },
          call(compares, ...args),
          call({ ...dense, name: 'd' }, tensor('x')),
        ],
        input_layers: ['x', 0, 0],
        output_layers: ['d', 0, 0],
      },
    })
    for (const args of [
      [tensor('x'), 0],
      [2, tensor('x')],
    ])
      expect(() => modelFromJson(JSON.stringify(document(...args)))).toThrow(/n \(NotEqual\)/)
  })
})

describe("Keras 3's own activations", () => {
  // of -3, -0.5, 0.25 and 2, by their formulas in Python's math
  it.each([
    ['gelu', [-0.004049694, -0.1542688, 0.1496766, 1.9545]],
    ['hard_sigmoid', [0, 0.4166667, 0.5416667, 0.8333333]],
    ['hard_silu', [-0, -0.2083333, 0.1354167, 1.666667]],
    ['mish', [-0.1456475, -0.2207438, 0.1695724, 1.943959]],
    ['log_sigmoid', [-3.048587, -0.974077, -0.5759394, -0.126928]],
    ['tanh_shrink', [-2.004945, -0.03788284, 0.005081338, 1.035972]],
    ['leaky_relu', [-0.6, -0.1, 0.25, 2]],
    ['relu6', [0, 0, 0.25, 2]],
    ['hard_tanh', [-1, -0.5, 0.25, 1]],
  ])('%s', async (name, wanted) => {
    const x = Input({ shape: [4] })
    const model = new Model(x, new Dense(4, { activation: ACTIVATIONS[name]! }).call(x) as never)
    const identity = Array.from({ length: 4 }, (_, i) => [0, 1, 2, 3].map((k) => (k === i ? 1 : 0)))
    model.setWeights([identity, [0, 0, 0, 0]] as never)
    const [got] = ((await model.predict([[-3, -0.5, 0.25, 2]])) as NDArray).toArray()
    for (const [i, value] of wanted.entries()) expect(got[i]).toBeCloseTo(value, 5)
  })
})
