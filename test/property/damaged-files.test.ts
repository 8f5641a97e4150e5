/**
 * Files of real Keras, damaged: they load as before or are refused by name; nothing crashes, hangs
 * or takes the memory.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { H5Builder, readH5, writeH5 } from '../../lib/hdf5/file.js'
import type { H5Attribute, H5Data } from '../../lib/hdf5/protocol.js'
import { dataFile } from '../golden/loader.js'
import { FormatError, loadModel, type Sequential } from '../package.js'
import { anyChanges, damaged } from './damage.js'
import { law } from './law.js'

const MODELS = [
  'adadelta_merge',
  'bidirectional_lstm',
  'char_lstm',
  'conv_bn_gru',
  'sentiment_lstm',
  'sine_gru',
  'stateful_rnn',
]
const folder = mkdtempSync(path.join(tmpdir(), 'hs-damaged-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const FILE = path.join(folder, 'damaged.h5')
const golden = (name: string): string => dataFile(`h5/${name}.h5`)

/**
 * The golden models weigh some kilobytes; the library's worker needs 128 MB and more. What a bomb
 * takes is beyond this.
 */
const MEMORY = 768 * 2 ** 20
/** A load takes milliseconds, a refusal a second; more where the machine is busy. */
const TIME = 15_000

/** Loads what is in FILE: a model, or null where it was refused as it must be. */
async function load(): Promise<Sequential | null> {
  const before = process.memoryUsage().rss
  const start = performance.now()
  const model = await loadModel(FILE).catch((error: unknown) => {
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).message).toContain('damaged.h5')
    return null
  })
  expect(performance.now() - start, 'milliseconds').toBeLessThan(TIME)
  expect(process.memoryUsage().rss - before, 'bytes').toBeLessThan(MEMORY)
  return model
}

const shapes = (model: Sequential): unknown => [
  model.toJson(),
  model.getWeights().map((w) => w.shape),
]

const anyModel = fc.constantFrom(...MODELS)
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('bytes', () => {
  law(
    'damaged anywhere',
    fc.record({ name: anyModel, changes: anyChanges }),
    async ({ name, changes }) => {
      writeFileSync(FILE, damaged(readFileSync(golden(name)), changes))
      const model = await load()
      if (!model) return
      for (const { data } of model.getWeights()) expect(data.length).toBeLessThan(1e6)
      model.dispose()
    },
    2,
  )

  // the seldom drawn places: the superblock, the first headers
  law(
    'damaged in its first kilobyte',
    fc.record({ name: anyModel, at: fc.nat(1023), bits: fc.integer({ min: 1, max: 255 }) }),
    async ({ name, at, bits }) => {
      const bytes = Uint8Array.from(readFileSync(golden(name)))
      bytes[at]! ^= bits
      writeFileSync(FILE, bytes)
      ;(await load())?.dispose()
    },
  )
})

describe('content', () => {
  interface Content {
    groups: Map<string, Map<string, H5Attribute>>
    datasets: Map<string, H5Data>
  }

  /** A golden file as groups, attributes and datasets, to be written anew. */
  async function contentOf(name: string): Promise<Content> {
    const groups: Content['groups'] = new Map()
    const datasets: Content['datasets'] = new Map()
    await readH5(golden(name), async (file) => {
      const visit = async (group: string): Promise<void> => {
        const attributes = new Map<string, H5Attribute>()
        for (const key of [
          'layer_names',
          'weight_names',
          'keras_version',
          'model_config',
          'training_config',
        ]) {
          const value = file.attribute(group, key)
          if (value !== undefined) attributes.set(key, value)
        }
        groups.set(group, attributes)
        for (const child of file.children(group)) {
          const at = group === '' ? child : `${group}/${child}`
          const info = file.dataset(at)
          if (info) datasets.set(at, (await file.read([{ path: at, shape: info.shape }]))[0]!)
          else await visit(at)
        }
      }
      await visit('')
    })
    return { groups, datasets }
  }

  async function write({ groups, datasets }: Content): Promise<void> {
    const file = new H5Builder()
    for (const [group, attributes] of groups)
      for (const [key, value] of attributes) file.group(group).set(key, value)
    for (const group of groups.keys()) file.group(group)
    for (const [at, { shape, data }] of datasets) file.dataset(at, { shape, data: data.slice() })
    await writeH5(FILE, file)
  }

  it.each(MODELS)('%s, written anew, is the same model', async (name) => {
    await write(await contentOf(name))
    const [model, expected] = [await load(), await loadModel(golden(name))]
    expect(model).not.toBeNull()
    expect(shapes(model!)).toEqual(shapes(expected))
    expect(model!.getWeights().map((w) => [...w.data])).toEqual(
      expected.getWeights().map((w) => [...w.data]),
    )
    model!.dispose()
    expected.dispose()
  })

  const attribute = fc.constantFrom<H5Attribute | null>(
    null, // not there
    '{}',
    '[[[[',
    'null',
    '{"class_name": "Sequential", "config": {"layers": []}}',
    '\u0000',
    ['x'],
    ['/', '..', 'a/b'],
    ['lstm_1', 'lstm_1'],
    Float32Array.of(1, 2, 3),
    new Float32Array(0),
  )
  law(
    'an attribute of another type',
    fc.record({ name: anyModel, at: share, value: attribute }),
    async ({ name, at, value }) => {
      const content = await contentOf(name)
      const all = [...content.groups].flatMap(([group, attributes]) =>
        [...attributes.keys()].map((key) => [group, key] as const),
      )
      const [group, key] = all[Math.floor(at * all.length)]!
      if (value === null) content.groups.get(group)!.delete(key)
      else content.groups.get(group)!.set(key, value)
      await write(content)
      ;(await load())?.dispose()
    },
  )

  const extent = fc.constantFrom(
    '0',
    '-1',
    '1e99',
    '4294967295',
    '2147483647',
    '99999999',
    '1.5',
    'null',
    '"9"',
    '[]',
    '{}',
    'true',
  )
  law(
    'a number of the configuration that is hostile',
    fc.record({ name: anyModel, at: share, value: extent }),
    async ({ name, at, value }) => {
      const content = await contentOf(name)
      const root = content.groups.get('')!
      const config = root.get('model_config') as string
      const numbers = [...config.matchAll(/(?<=[ [])-?\d+(\.\d+)?(?=[,\]}])/g)]
      const one = numbers[Math.floor(at * numbers.length)]!
      root.set(
        'model_config',
        `${config.slice(0, one.index)}${value}${config.slice(one.index + one[0].length)}`,
      )
      await write(content)
      ;(await load())?.dispose()
    },
    2,
  )

  law(
    'a dataset of another shape, or none',
    fc.record({
      name: anyModel,
      at: share,
      shape: fc.constantFrom<number[] | null>(null, [], [0], [1], [3, 5], [1, 1, 1, 1, 1]),
    }),
    async ({ name, at, shape }) => {
      const content = await contentOf(name)
      const keys = [...content.datasets.keys()].filter((key) => key.startsWith('model_weights/'))
      const key = keys[Math.floor(at * keys.length)]!
      const same = JSON.stringify(content.datasets.get(key)!.shape) === JSON.stringify(shape)
      if (shape === null) content.datasets.delete(key)
      else
        content.datasets.set(key, {
          shape,
          data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
        })
      await write(content)
      const model = await load()
      expect(model === null || same, key).toBe(true)
      model?.dispose()
    },
  )
})
