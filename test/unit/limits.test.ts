/**
 * What a text or a file may ask for: budgets checked before the work,
 * each named and raised by its option.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { zipSync } from 'fflate'
import { afterAll, describe, expect, it } from 'vitest'
import { mnist } from '../../lib/datasets/index.js'
import {
  Dense,
  FormatError,
  type Limits,
  loadModel,
  modelFromJson,
  modelFromYaml,
  Sequential,
  TimeDistributed,
  utils,
} from '../package.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-limits-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => path.join(folder, name)

const dense = (i: number, units = 1) => ({
  class_name: 'Dense',
  config: { output_dim: units, input_dim: 1, name: `d${i}` },
})
const jsonOf = (layers: object[]) => JSON.stringify({ class_name: 'Sequential', config: layers })
const layers = (n: number) => Array.from({ length: n }, (_, i) => dense(i))
const keys = (n: number) => Array.from({ length: n }, (_, i) => `k${i}: 1\n`).join('')

function refusal(use: () => unknown): FormatError {
  try {
    use()
  } catch (error) {
    return error as FormatError
  }
  throw new Error('nothing was refused')
}

const tooMuch = (key: keyof Limits, limit: number, actual: number | 'more') =>
  expect.objectContaining({
    code: 'ERR_LIMIT',
    expected: `at most ${limit} (limits.${key})`,
    actual: String(actual),
    message: expect.stringMatching(new RegExp(`raise it: limits: \\{ ${key}: \\d+ \\}`)),
  })

describe('a text for a model', () => {
  const model = jsonOf(layers(3))
  const yaml = new Sequential([new Dense(1, { inputDim: 1 })]).toYaml()
  it.each<[string, keyof Limits, number, number | 'more', (limits?: Limits) => unknown]>([
    [
      'JSON that is long',
      'textLength',
      model.length - 1,
      model.length,
      (limits) => modelFromJson(model, { limits }),
    ],
    ['JSON that is deep', 'depth', 2, 'more', (limits) => modelFromJson(model, { limits })],
    ['JSON of many values', 'values', 10, 'more', (limits) => modelFromJson(model, { limits })],
    ['JSON of many layers', 'layers', 2, 3, (limits) => modelFromJson(model, { limits })],
    [
      'JSON of many parameters',
      'parameterBytes',
      23,
      24,
      (limits) => modelFromJson(model, { limits }),
    ],
    [
      'YAML that is long',
      'textLength',
      yaml.length - 1,
      yaml.length,
      (limits) => modelFromYaml(yaml, { limits }),
    ],
    ['YAML that is deep', 'depth', 2, 'more', (limits) => modelFromYaml(yaml, { limits })],
    ['YAML of many values', 'values', 10, 'more', (limits) => modelFromYaml(yaml, { limits })],
    ['YAML of many layers', 'layers', 0, 1, (limits) => modelFromYaml(yaml, { limits })],
    [
      'YAML of many parameters',
      'parameterBytes',
      7,
      8,
      (limits) => modelFromYaml(yaml, { limits }),
    ],
  ])('%s: refused by a limit, read by the default', (_, key, limit, actual, read) => {
    expect(refusal(() => read({ [key]: limit }))).toBeInstanceOf(FormatError)
    expect(refusal(() => read({ [key]: limit }))).toEqual(tooMuch(key, limit, actual))
    expect(read()).toBeInstanceOf(Sequential)
  })

  it.each<[string, keyof Limits, number, number | 'more', () => unknown]>([
    [
      'layers',
      'layers',
      5000,
      20_000,
      () => modelFromJson(jsonOf(layers(20_000)), { limits: { values: 1e6 } }),
    ],
    ['keys of YAML', 'values', 200_000, 'more', () => modelFromYaml(keys(200_000))],
    ['items of YAML', 'values', 200_000, 'more', () => modelFromYaml('- x\n'.repeat(1e6))],
    ['comments of YAML', 'values', 200_000, 'more', () => modelFromYaml('#\n'.repeat(1e6))],
    ['anchors', 'aliases', 1000, 'more', () => modelFromYaml(Array.from({ length: 2000 }, (_, i) => `- &a${i} x\n`).join(''))], // biome-ignore format: one line
    ['brackets of YAML', 'depth', 100, 'more', () => modelFromYaml('['.repeat(1e6))],
    ['levels of YAML', 'depth', 100, 'more', () => modelFromYaml(Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}-\n`).join(''))], // biome-ignore format: one line
    [
      'brackets of JSON',
      'depth',
      100,
      'more',
      () => modelFromJson('['.repeat(1e6) + ']'.repeat(1e6)),
    ],
    ['units', 'parameterBytes', 2 ** 31, 3.6e9, () => modelFromJson(jsonOf([dense(0, 9e8)]))],
    ['units inside a wrapper', 'parameterBytes', 2 ** 31, 3.6e9, () => modelFromJson(jsonOf([{ class_name: 'TimeDistributed', config: { layer: { class_name: 'Dense', config: { output_dim: 9e8 } }, batch_input_shape: [null, 2, 1] } }]))], // biome-ignore format: one line
    ['gates', 'parameterBytes', 2 ** 31, 4 * 4 * 40_000 ** 2, () => modelFromJson(jsonOf([{ class_name: 'LSTM', config: { output_dim: 40_000, batch_input_shape: [null, 2, 40_000] } }]))], // biome-ignore format: one line
    ['filters', 'parameterBytes', 2 ** 31, 4 * 2 ** 40, () => modelFromJson(jsonOf([{ class_name: 'Convolution1D', config: { nb_filter: 2 ** 20, filter_length: 2 ** 20, batch_input_shape: [null, 2 ** 21, 1] } }]))], // biome-ignore format: one line
  ])('%s without measure', (_, key, limit, actual, read) => {
    expect(refusal(read)).toEqual(tooMuch(key, limit, actual))
  })

  it('repeated by aliases counts as often', () => {
    const text = `a: &a [${'x, '.repeat(99)}]\nb: &b [${'*a, '.repeat(99)}]\nc: [${'*b, '.repeat(99)}]\n`
    expect(refusal(() => modelFromYaml(text))).toEqual(tooMuch('values', 200_000, 'more'))
  })

  it('marks inside strings of JSON do not count', () => {
    const named = jsonOf([{ ...dense(0), config: { ...dense(0).config, name: '[[[{{,,::\\"]' } }])
    expect(modelFromJson(named, { limits: { depth: 4, values: 16 } }).layers[0]!.name).toBe(
      '[[[{{,,::\\"]',
    )
    const quoted = jsonOf([{ ...dense(0), config: { ...dense(0).config, name: '\\"[[[{{,,::' } }])
    expect(modelFromJson(quoted, { limits: { depth: 4, values: 16 } }).layers[0]!.name).toBe(
      '\\"[[[{{,,::',
    )
  })

  it('JSON is counted before it is parsed', () => {
    expect(refusal(() => modelFromJson(`[${'1,'.repeat(200_001)}`))).toEqual(
      tooMuch('values', 200_000, 'more'),
    )
  })

  it('limits are options like others', () => {
    expect(() => modelFromJson(model, { limits: { layer: 3 } as Limits })).toThrow(
      /Did you mean `layers`/,
    )
    for (const bad of [-1, Number.NaN, '3', null])
      expect(() => modelFromJson(model, { limits: { layers: bad as number } })).toThrow(
        /limits\.layers must be/,
      )
    expect(
      modelFromJson(model, { limits: { layers: Number.POSITIVE_INFINITY } }).layers,
    ).toHaveLength(3)
  })

  it('models made in code have no such limit', () => {
    const model = new Sequential([new TimeDistributed(new Dense(2), { inputShape: [2, 1] })])
    expect(model.countParams()).toBe(4)
  })
})

describe('a file of a model', () => {
  it('is refused for its configuration, and leaves no model behind', async () => {
    await new Sequential([new Dense(3, { inputDim: 2 })]).save(at('m.h5'))
    for (const limits of [
      { layers: 0 },
      { parameterBytes: 35 },
      { depth: 1 },
      { values: 3 },
      { textLength: 9 },
    ]) {
      const [[key, limit]] = Object.entries(limits) as [[keyof Limits, number]]
      const error = await loadModel(at('m.h5'), { limits }).then(
        () => null,
        (reason) => reason,
      )
      expect(error).toBeInstanceOf(FormatError)
      expect(error).toMatchObject({
        code: 'ERR_LIMIT',
        expected: `at most ${limit} (limits.${key})`,
      })
      expect(error.message).toContain('m.h5')
    }
    expect((await loadModel(at('m.h5'))).countParams()).toBe(9)
  })
})

describe('a compressed file', () => {
  const zeros = utils.formatNpy({ data: new Float32Array(2 ** 20), shape: [2 ** 20] })
  writeFileSync(
    at('four.npz'),
    zipSync({ 'a.npy': zeros, 'b.npy': zeros, 'c.npy': zeros, 'd.npy': zeros }),
  )
  const total = 4 * zeros.length

  it('npz: the sum of its arrays counts', async () => {
    await expect(
      utils.readNpz(at('four.npz'), { limits: { inflatedBytes: total - 1 } }),
    ).rejects.toEqual(tooMuch('inflatedBytes', total - 1, total))
    const arrays = await utils.readNpz(at('four.npz'), { limits: { inflatedBytes: total } })
    expect([...arrays.keys()]).toEqual(['a', 'b', 'c', 'd'])
    expect(arrays.get('d')!.shape).toEqual([2 ** 20])
  })

  it('npz: many small bombs are one large one', async () => {
    const bomb = zipSync(
      Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`${i}.npy`, zeros])),
    )
    expect(bomb.length).toBeLessThan(2 ** 20)
    writeFileSync(at('bomb.npz'), bomb)
    await expect(utils.readNpz(at('bomb.npz'))).rejects.toEqual(
      tooMuch('inflatedBytes', 2 ** 28, 65 * zeros.length),
    )
  })

  it('npz: an array that is larger than it claims is refused', async () => {
    const bytes = zipSync({ 'a.npy': zeros })
    bytes.set([0, 0, 1, 0], Buffer.from(bytes).indexOf('PK\u0001\u0002') + 24) // 65,536 bytes
    writeFileSync(at('lies.npz'), bytes)
    await expect(utils.readNpz(at('lies.npz'))).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' })
  })

  it('gzip: stopped while it is unpacked', async () => {
    writeFileSync(at('zeros.pkl.gz'), gzipSync(Buffer.alloc(2 ** 22)))
    const limits = { inflatedBytes: 2 ** 22 - 1 }
    await expect(mnist.loadData({ path: at('zeros.pkl.gz'), limits })).rejects.toEqual(
      tooMuch('inflatedBytes', 2 ** 22 - 1, 'more'),
    )
    await expect(mnist.loadData({ path: at('zeros.pkl.gz') })).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
    })
  })

  it('its size raises the default', async () => {
    expect(readFileSync(at('four.npz')).length * 64).toBeLessThan(2 ** 28)
    await expect(utils.readNpz(at('four.npz'))).resolves.toBeInstanceOf(Map)
  })
})

describe('the time grows with the size alone', () => {
  /** CPU time, the lesser of two. */
  const cost = (use: () => unknown): number =>
    Math.min(
      ...[1, 2].map(() => {
        const before = process.cpuUsage()
        use()
        const { user, system } = process.cpuUsage(before)
        return user + system
      }),
    )
  const readJson = (n: number) => {
    const json = jsonOf(layers(n))
    return () => modelFromJson(json)
  }
  const readYaml = (n: number) => {
    const text = keys(n)
    return () => refusal(() => modelFromYaml(text))
  }
  // what took the square gave ratios of 60 and 46
  it.each([
    ['layers of JSON', readJson, 400, 40],
    ['keys of YAML', readYaml, 2000, 25],
  ])(
    '%s: 10 times as many cost far less than 100 times as much',
    { timeout: 120_000 },
    (_, prepare, n, most) => {
      const [small, large] = [prepare(n), prepare(10 * n)]
      small() // compiles
      expect(cost(large) / cost(small)).toBeLessThan(most)
    },
  )
})
