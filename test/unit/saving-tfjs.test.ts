/** Models of TensorFlow.js: model.json and shards (test/golden/README.md). */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fromBfloat16, fromFloat16 } from '../../lib/files/half.js'
import { Recorded } from '../golden/recorded.js'
import { loadModel, type Model } from '../package.js'

const recorded = new Recorded('tfjs/files.zip')
afterAll(() => recorded.remove())
const load = (file: string): Promise<Model> => loadModel<Model>(recorded.at(file))
const pairs = (isWanted: (expected: string) => boolean) =>
  recorded.files
    .filter(({ expected }) => isWanted(expected))
    .map((entry) => [entry.file, entry] as const)

describe('a model of TensorFlow.js', () => {
  it.each(pairs((expected) => expected === 'loads'))(
    '%s predicts what it does there',
    async (file, entry) => recorded.checkOutputs(await load(file), entry),
  )

  it.each(pairs((expected) => expected !== 'loads'))('%s is refused', async (file, entry) =>
    recorded.checkRefusal(load(file), entry),
  )

  it('is compiled as it was', async () => {
    const model = await loadModel(recorded.at('t_optimizer/model.json'))
    expect(model.optimizer).toMatchObject({ lr: 0.001, beta1: 0.9 })
    expect(model.metricsNames).toEqual(['loss', 'mean_absolute_error'])
  })

  it('finds weights by name, in whatever order the manifest has them', async () => {
    const json = JSON.parse(readFileSync(recorded.at('h_lstm/model.json'), 'utf8'))
    const [{ paths, weights }] = json.weightsManifest
    const bytes = readFileSync(recorded.at(path.join('h_lstm', paths[0])))
    // the three arrays of the LSTM are first: the Dense goes before them, in a group of its own
    const ofLstm =
      4 *
      weights.slice(0, 3).reduce((n: number, w: { shape: number[] }) => {
        return n + w.shape.reduce((a, b) => a * b)
      }, 0)
    writeFileSync(recorded.at(path.join('h_lstm', 'dense.bin')), bytes.subarray(ofLstm))
    writeFileSync(recorded.at(path.join('h_lstm', 'lstm.bin')), bytes.subarray(0, ofLstm))
    json.weightsManifest = [
      { paths: ['dense.bin'], weights: weights.slice(3) },
      { paths: ['lstm.bin'], weights: weights.slice(0, 3) },
    ]
    const name = path.join('h_lstm', 'by-name.json')
    writeFileSync(recorded.at(name), JSON.stringify(json))
    await recorded.checkOutputs(await load(name), recorded.entry('h_lstm/model.json'))
  })

  const changed = async (change: (manifest: { weights: { [key: string]: unknown }[] }) => void) => {
    const json = JSON.parse(readFileSync(recorded.at('h_lstm/model.json'), 'utf8'))
    change(json.weightsManifest[0])
    const name = path.join('h_lstm', 'changed.json')
    writeFileSync(recorded.at(name), JSON.stringify(json))
    return load(name)
  }
  it.each([
    ['shape', [4, -20], /shape of weight 0 must be extents/],
    ['shape', [2 ** 40, 2 ** 40], /shape of weight 0 must be extents/],
    ['shape', [5, 20], /shards must be \d+ bytes in all/],
    ['dtype', 'complex64', /dtype of weight 0 must be one of float32/],
    ['name', 7, /name of weight 0 must be a text/],
    [
      'quantization',
      { dtype: 'uint8', scale: 'x' },
      /quantization of weight 0 must be scale and min/,
    ],
  ])('with a weight whose %s is %j is refused', async (key, value, message) => {
    const loading = changed(({ weights }) => {
      weights[0]![key] = value
    })
    await expect(loading).rejects.toThrow(message)
    await expect(loading).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' })
  })
})

it('numbers of 16 bits', () => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8000, 0x7c00, 0x7e00, 0x3555)
  const got = fromFloat16(halves)
  expect(Array.from(got)).toEqual([1, -2, 2 ** -24, -0, Infinity, NaN, 0.333251953125])
  expect(Array.from(fromBfloat16(Uint16Array.of(0x3f80, 0xc000, 0x4049)))).toEqual([
    1, -2, 3.140625,
  ])
})
