/**
 * Keras' layout: what Keras 1.2.2 wrote goes in, what goes out has the same form. The native side
 * is not needed here.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ModelCheckpoint } from '../../lib/callbacks/index.js'
import { FormatError } from '../../lib/errors.js'
import { H5Builder, type H5File, readH5, writeH5 } from '../../lib/hdf5/file.js'
import { Dense, Embedding, GRU, LSTM } from '../../lib/layers/index.js'
import { loadModel, modelFromJson } from '../../lib/model/models.js'
import { NDArray } from '../../lib/ndarray.js'
import { setSeed, uniform } from '../../lib/random.js'
import { asciiJson } from '../../lib/saving/layout.js'
import { Sequential } from '../../lib/model/sequential.js'
import { type Case, dataFile, type Golden, load } from '../golden/loader.js'

const root = mkdtempSync(path.join(tmpdir(), 'hs-saving-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const at = (name: string): string => path.join(root, name)

type FileCase = Case & {
  h5: string
  weights_h5: string
  json: string
  weights: Golden[]
  weight_names: string[]
  model: unknown
}
// layers of later issues
const LATER = ['Merge', 'Convolution1D', 'BatchNormalization', 'MaxPooling1D']
const cases = load<FileCase>('e_h5', 'float32').filter(
  (c) => !LATER.some((name) => JSON.stringify(c.model).includes(`"${name}"`)),
)
const rebuilt = (c: FileCase) => modelFromJson(readFileSync(dataFile(c.json), 'utf8'))

function expectWeights(model: Sequential, expected: readonly Golden[]): void {
  const weights = model.getWeights()
  expect(weights.map((w) => w.shape)).toEqual(expected.map((w) => w.shape))
  for (const [i, w] of weights.entries()) expect(w.data, `weight ${i}`).toEqual(expected[i]?.data)
}

/** All that a file holds below a group, but for the order of groups. */
async function content(file: H5File, group: string): Promise<Record<string, unknown>> {
  const out: Record<string, unknown> = {}
  const names = file.strings(group, 'layer_names')
  out.layers = names
  for (const name of names) {
    const place = group === '' ? name : `${group}/${name}`
    const weights = file.strings(place, 'weight_names')
    const expected = weights.map((w) => ({
      path: `${place}/${w}`,
      shape: file.dataset(`${place}/${w}`)?.shape ?? [],
    }))
    out[name] = {
      weights,
      dtypes: expected.map((e) => file.dataset(e.path)?.dtype),
      data: await file.read(expected),
    }
  }
  return out
}

test('five of the seven recorded files have layers of this package only', () => {
  expect(cases.map((c) => c.name)).toEqual([
    'sentiment_lstm',
    'sine_gru',
    'char_lstm',
    'bidirectional_lstm',
    'stateful_rnn',
  ])
})

describe.each(cases.map((c) => [c.name, c] as const))('%s', (_, c) => {
  test('loadWeights takes a file of save_weights and one of save', async () => {
    for (const file of [c.weights_h5, c.h5]) {
      const model = rebuilt(c)
      await model.loadWeights(dataFile(file))
      expectWeights(model, c.weights)
    }
  })

  test('saveWeights writes what Keras wrote', async () => {
    const model = rebuilt(c)
    await model.loadWeights(dataFile(c.weights_h5))
    await model.saveWeights(at('ours.weights.h5'))
    const [ours, keras] = await Promise.all(
      [at('ours.weights.h5'), dataFile(c.weights_h5)].map((f) =>
        readH5(f, (h5) => content(h5, '')),
      ),
    )
    expect(ours).toEqual(keras)
  })

  test('save writes the attributes and weights that Keras wrote; loadModel opens it, uncompiled', async () => {
    const model = rebuilt(c)
    await model.loadWeights(dataFile(c.weights_h5))
    await model.save(at('ours.h5'))
    await readH5(at('ours.h5'), async (ours) => {
      expect(ours.attribute('', 'keras_version')).toBe('1.2.2')
      expect(ours.attribute('', 'training_config')).toBeUndefined()
      expect(ours.hasGroup('optimizer_weights')).toBe(false)
    })
    const [ours, keras] = await Promise.all(
      [at('ours.h5'), dataFile(c.h5)].map((f) => readH5(f, (h5) => content(h5, 'model_weights'))),
    )
    expect(ours).toEqual(keras)
    const config = (f: string) =>
      readH5(f, async (h5) => JSON.parse(h5.attribute('', 'model_config') as string))
    expect(await config(at('ours.h5'))).toEqual(await config(dataFile(c.h5)))
    const again = await loadModel(at('ours.h5'))
    expectWeights(again, c.weights)
    await expect(again.fit([], [])).rejects.toMatchObject({ code: 'ERR_NOT_COMPILED' })
  })
})

const dense = (outputs: number, name: string) => new Dense(outputs, { name, inputDim: 3 })
const filled = (model: Sequential, value: number) =>
  model.setWeights(
    model.getWeights().map((w) => new NDArray(new Float32Array(w.size).fill(value), w.shape)),
  )
const sums = (model: Sequential) =>
  model.getWeights().map((w) => Array.from(w.data).reduce((a, b) => a + b, 0))

describe('loadWeights', () => {
  test('by order, whatever the names; by name, whatever the order', async () => {
    const saved = new Sequential([dense(3, 'first'), new Dense(3, { name: 'second' })])
    saved.setWeights(
      saved.getWeights().map((w, i) => new NDArray(new Float32Array(w.size).fill(i + 1), w.shape)),
    )
    await saved.saveWeights(at('two.h5'))

    const other = new Sequential([dense(3, 'a'), new Dense(3, { name: 'b' })])
    expect(await other.loadWeights(at('two.h5'))).toEqual(['a', 'b'])
    expect(sums(other)).toEqual([9, 6, 27, 12])

    const swapped = new Sequential([dense(3, 'second'), new Dense(3, { name: 'new' })])
    filled(swapped, 0)
    const loaded = await swapped.loadWeights(at('two.h5'), { byName: true })
    expect(loaded).toEqual(['second'])
    expect(sums(swapped)).toEqual([27, 12, 0, 0])
  })

  test.each([
    [
      'another number of layers',
      () => new Sequential([dense(3, 'a')]),
      /two\.h5: You are trying to load a weight file containing 2 layers into a model with 1 layers\./,
    ],
    [
      'another number of arrays',
      () => new Sequential([new GRU(3, { name: 'g', inputShape: [2, 3] }), new Dense(3)]),
      /Layer #0 \(named "g" in the current model\) was found to correspond to layer first in the save file\. However the new layer g expects 9 weights, but the saved weights have 2 elements\. Was it saved with another consumeLess\?/,
    ],
    [
      'another shape',
      () => new Sequential([dense(4, 'a'), new Dense(3)]),
      /two\.h5: first\/first_W: shape must be \[3, 4\], got \[3, 3\]\./,
    ],
  ])('%s is refused and changes nothing', async (_, make, message) => {
    const model = make()
    const before = model.getWeights()
    await expect(model.loadWeights(at('two.h5'))).rejects.toBeInstanceOf(FormatError)
    await expect(model.loadWeights(at('two.h5'))).rejects.toThrow(message)
    expect(model.getWeights()).toEqual(before)
  })

  test('names beyond ASCII', async () => {
    const model = new Sequential([
      new Embedding(4, 2, { name: 'wörter', inputLength: 3 }),
      new LSTM(2, { name: '層' }),
    ])
    await model.save(at('names.h5'))
    const again = await loadModel(at('names.h5'))
    expect(again.layers.map((l) => l.name)).toEqual(['wörter', '層'])
    expect(again.getWeights()).toEqual(model.getWeights())
  })

  test('the layout before Keras 1.0: nb_layers, layer_k, param_p', async () => {
    const file = new H5Builder()
    file.group('').set('nb_layers', Float64Array.of(2))
    file.group('layer_0').set('nb_params', Float64Array.of(2))
    file.group('layer_1').set('nb_params', Float64Array.of(0))
    file.dataset('layer_0/param_0', { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) })
    file.dataset('layer_0/param_1', { shape: [2], data: Float32Array.of(7, 8) })
    await writeH5(at('legacy.h5'), file)
    const { Activation } = await import('../../lib/layers/index.js')
    const model = new Sequential([dense(2, 'a'), new Activation('tanh')])
    await model.loadWeights(at('legacy.h5'))
    expect(model.getWeights().map((w) => w.toArray())).toEqual([
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [7, 8],
    ])
    await expect(model.loadWeights(at('legacy.h5'), { byName: true })).rejects.toThrow(
      /legacy format that does not support name-based/,
    )
    await expect(new Sequential([dense(2, 'a')]).loadWeights(at('legacy.h5'))).rejects.toThrow(
      /containing 2 layers into a model with 1/,
    )
  })
})

describe('loadModel', () => {
  test('draws no initial values: the stream of setSeed stands where it stood', async () => {
    const model = new Sequential([new GRU(3, { inputShape: [4, 2] }), new Dense(2)])
    await model.save(at('seeded.h5'))
    setSeed(3)
    const untouched = uniform(2)
    setSeed(3)
    const again = await loadModel(at('seeded.h5'))
    expect(uniform(2)).toEqual(untouched)
    for (const [i, w] of again.getWeights().entries())
      expect(w.data).toEqual(model.getWeights()[i]?.data)
    setSeed(3)
    modelFromJson(model.toJson())
    expect(uniform(2)).not.toEqual(untouched)
  })

  /** A whole file with some attributes of the root changed. */
  async function altered(
    name: string,
    change: (root: Map<string, unknown>) => void,
  ): Promise<string> {
    const model = new Sequential([dense(2, 'a')])
    const file = new H5Builder()
    file
      .group('')
      .set('model_config', asciiJson({ class_name: 'Sequential', config: model.getConfig() }))
    file.group('model_weights').set('layer_names', ['a'])
    file.group('model_weights/a').set('weight_names', ['a_W', 'a_b'])
    file.dataset('model_weights/a/a_W', { shape: [3, 2], data: new Float32Array(6) })
    file.dataset('model_weights/a/a_b', { shape: [2], data: new Float32Array(2) })
    change(file.group(''))
    await writeH5(at(name), file)
    return at(name)
  }

  test('the unchanged file opens', async () => {
    expect((await loadModel(await altered('fine.h5', () => {}))).outputShape).toEqual([null, 2])
  })

  test.each([
    [
      'no model_config',
      'model_config',
      undefined,
      /attribute model_config must be there, got nothing\. A file of saveWeights is for model\.loadWeights\./,
    ],
    [
      'no JSON',
      'model_config',
      '{"class_name": ',
      /attribute model_config must be a JSON object, got '\{"class_name": '\./,
    ],
    [
      'a graph model',
      'model_config',
      '{"class_name": "Model", "config": {}}',
      /model_config: Model\.fromConfig: layers must be a list, got nothing/,
    ],
    [
      'no list',
      'model_config',
      '{"class_name": "Sequential", "config": {}}',
      /model_config: config must be a list of layers, got an object of class Object\./,
    ],
    [
      'an unknown layer',
      'model_config',
      '{"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": {}}]}',
      /model_config: .*Lambda/,
    ],
  ])('%s is refused', async (_, name, value, message) => {
    const file = await altered('refused.h5', (root) =>
      value === undefined ? root.delete(name) : root.set(name, value),
    )
    await expect(loadModel(file)).rejects.toBeInstanceOf(FormatError)
    await expect(loadModel(file)).rejects.toThrow(message)
    await expect(loadModel(file)).rejects.toThrow(/refused\.h5/)
  })

  test('a compiled model without optimizer state is compiled', async () => {
    const training = {
      optimizer_config: { class_name: 'Adam', config: { lr: 0.5 } },
      loss: 'mse',
      metrics: ['mae'],
      sample_weight_mode: null,
      loss_weights: null,
    }
    const model = await loadModel(
      await altered('compiled.h5', (root) => root.set('training_config', asciiJson(training))),
    )
    expect(model.optimizer).toMatchObject({ lr: 0.5 })
    expect(model.metricsNames).toEqual(['loss', 'mean_absolute_error'])
  })

  test('a path that is none', async () => {
    await expect(loadModel(3 as unknown as string)).rejects.toMatchObject({ code: 'ERR_OPTION' })
    await expect(loadModel('')).rejects.toMatchObject({ code: 'ERR_OPTION' })
  })
})

describe('saving', () => {
  test('a misspelled option is named', async () => {
    const model = new Sequential([dense(2, 'a')])
    await expect(model.save(at('x.h5'), { overwite: true } as never)).rejects.toThrow(
      /save: unknown option `overwite`\. Did you mean `overwrite`\?/,
    )
  })

  test('more layer names than an attribute holds are an error, not a cut list', async () => {
    const { Activation } = await import('../../lib/layers/index.js')
    const long = 'x'.repeat(600)
    const model = new Sequential([
      dense(2, 'a'),
      ...Array.from({ length: 120 }, (_, i) => new Activation('tanh', { name: `${long}${i}` })),
    ])
    await expect(model.saveWeights(at('many.h5'))).rejects.toThrow(
      /layer_names must be a list of at most 64,000 bytes, got 121 names/,
    )
  })
})

test('the same model gives the same bytes, whenever it is saved', async () => {
  setSeed(1)
  const model = new Sequential([new LSTM(3, { inputShape: [4, 2] }), new Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  await model.save(at('now.h5'))
  await new Promise((resolve) => setTimeout(resolve, 1100)) // the time in a file has whole seconds
  await model.save(at('later.h5'))
  expect(readFileSync(at('now.h5')).equals(readFileSync(at('later.h5')))).toBe(true)
})

test.each([
  ['model.json', /model\.toJson\(\)/],
  ['model.YAML', /model\.toYaml\(\)/],
  ['model.tflite', /path must be one that ends with \.h5, .*, got 'model\.tflite'/],
])('%s is no name for a model', async (name, message) => {
  const model = new Sequential([new Dense(1, { inputDim: 1 })])
  for (const call of [model.save(at(name)), model.saveWeights(at(name))]) {
    await expect(call).rejects.toThrow(message)
    await expect(call).rejects.toMatchObject({ name: 'ConfigError', code: 'ERR_OPTION' })
  }
  expect(() => new ModelCheckpoint(at(name))).toThrow(message)
  expect(existsSync(at(name))).toBe(false)
})
