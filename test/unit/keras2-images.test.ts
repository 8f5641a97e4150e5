/**
 * Layers of rows and columns as Keras 2 writes them, against TensorFlow's definition of them: a
 * window that is not turned around, and 'SAME', which pads on the right what does not divide
 * (tensorflow.org/api_docs/python/tf/nn, “Notes on padding”).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { H5Builder, writeH5 } from '../../lib/hdf5/file.js'
import { asciiJson } from '../../lib/saving/layout.js'
import { type Plain, uniform } from '../arrays.js'
import { loadModel, modelFromJson } from '../package.js'

const root = mkdtempSync(path.join(tmpdir(), 'hs-images-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const [R, C, D] = [5, 4, 2]
const x = uniform(1, [1, R, C, D])
type Pair = readonly [number, number]
type Pixel = number | null // null: beyond the border

/**
 * [rows, columns, channels], each made of the pixels under its window,
 * [size₀·size₁] of each channel.
 */
function windows(
  [tall, wide]: Pair,
  [down, right]: Pair,
  padding: string,
  value: (pixels: Pixel[][]) => number[],
): number[][][] {
  const axis = (length: number, size: number, stride: number) => {
    const count =
      padding === 'same' ? Math.ceil(length / stride) : Math.floor((length - size) / stride) + 1
    const before =
      padding === 'same' ? Math.floor(Math.max((count - 1) * stride + size - length, 0) / 2) : 0
    return Array.from({ length: count }, (_, i) => i * stride - before)
  }
  const pixel = (r: number, c: number, d: number): Pixel =>
    r < 0 || r >= R || c < 0 || c >= C ? null : (x.data[(r * C + c) * D + d] as number)
  return axis(R, tall, down).map((top) =>
    axis(C, wide, right).map((left) =>
      value(
        Array.from({ length: D }, (_, d) =>
          Array.from({ length: tall * wide }, (_, i) =>
            pixel(top + Math.floor(i / wide), left + (i % wide), d),
          ),
        ),
      ),
    ),
  )
}

const text = (class_name: string, config: object): object => ({
  class_name: 'Sequential',
  config: {
    name: 's',
    layers: [{ class_name, config: { name: 'l', batch_input_shape: [null, R, C, D], ...config } }],
  },
  keras_version: '2.12.0',
})
const expectClose = (got: unknown, wanted: number[][][]): void => {
  const [flat, expected] = [(got as number[][][][]).flat(3), wanted.flat(2)]
  expect((got as number[][][][])[0]!.map((row) => row.length)).toEqual(
    wanted.map((row) => row.length),
  )
  for (const [i, number] of expected.entries()) expect(flat[i]).toBeCloseTo(number, 5)
}

describe('Conv2D', () => {
  const filters = 3
  it.each([
    [[2, 3], [2, 1], 'same'],
    [[3, 3], [1, 1], 'same'],
    [[3, 3], [1, 2], 'same'],
    [[4, 1], [1, 1], 'same'],
    [[2, 2], [1, 3], 'valid'],
  ] as [Pair, Pair, string][])(
    'with kernel_size %j, strides %j, padding %s',
    async (kernel_size, strides, padding) => {
      const kernel = uniform(2, [...kernel_size, D, filters])
      const bias = uniform(3, [filters])
      const file = path.join(root, 'conv.h5')
      const content = new H5Builder()
      const config = {
        filters,
        kernel_size,
        strides,
        padding,
        dilation_rate: [1, 1],
        groups: 1,
        data_format: null,
      }
      content.group('').set('keras_version', '2.12.0')
      content.group('').set('backend', 'tensorflow')
      content.group('').set('model_config', asciiJson(text('Conv2D', config)))
      content.group('model_weights').set('layer_names', ['l'])
      content.group('model_weights/l').set('weight_names', ['l/kernel:0', 'l/bias:0'])
      const stored = ({ data, shape }: Plain) => ({ shape, data: Float32Array.from(data) })
      content.dataset('model_weights/l/l/kernel:0', stored(kernel))
      content.dataset('model_weights/l/l/bias:0', stored(bias))
      await writeH5(file, content)
      const model = await loadModel(file)
      const at = (i: number, d: number, f: number) =>
        kernel.data[(i * D + d) * filters + f] as number
      const wanted = windows(kernel_size, strides, padding, (pixels) =>
        Array.from({ length: filters }, (_, f) =>
          pixels.reduce(
            (sum, channel, d) =>
              channel.reduce<number>((part, v, i) => part + (v ?? 0) * at(i, d, f), sum),
            bias.data[f] as number,
          ),
        ),
      )
      expectClose((await model.predict(x)).toArray(), wanted)
      const again = modelFromJson(model.toJson())
      again.setWeights(model.getWeights())
      expectClose((await again.predict(x)).toArray(), wanted)
    },
  )

  it.each([
    ['data_format', 'channels_first', '"channels_last" or null'],
    ['dilation_rate', [2, 2], '[1,1] or 1'],
    ['groups', 2, '1'],
    ['kernel_size', [3], 'a number or a list of two'],
    ['padding', 'causal', "'valid' or 'same'"],
  ])('with %s %j is refused', (key, value, expected) => {
    const config = { filters, kernel_size: [3, 3], [key]: value }
    expect(() => modelFromJson(JSON.stringify(text('Conv2D', config)))).toThrow(
      `l (Conv2D): ${key} of Keras 2 and 3 must be ${expected}`,
    )
  })
})

describe('other layers of rows and columns', () => {
  const present = (pixels: Pixel[]) => pixels.filter((v) => v !== null)
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length
  const predict = async (name: string, config: object) =>
    (await modelFromJson(JSON.stringify(text(name, config))).predict(x)).toArray()

  it.each([
    [[2, 2], null, 'valid'],
    [[2, 2], [1, 1], 'same'],
    [[3, 2], [2, 2], 'same'],
    [[2, 3], [2, 3], 'same'],
  ] as [Pair, Pair | null, string][])(
    'pools of %j by %j, %s',
    async (pool_size, strides, padding) => {
      const config = { pool_size, strides, padding, data_format: 'channels_last' }
      const max = windows(pool_size, strides ?? pool_size, padding, (all) =>
        all.map((p) => Math.max(...present(p))),
      )
      expectClose(await predict('MaxPooling2D', config), max)
      const average = windows(pool_size, strides ?? pool_size, padding, (all) =>
        all.map((p) => mean(present(p))),
      )
      expectClose(await predict('AveragePooling2D', config), average)
    },
  )

  it('UpSampling2D and ZeroPadding2D, whose sides are pairs of pairs', async () => {
    const at = (r: number, c: number) => [0, 1].map((d) => x.data[(r * C + c) * D + d] ?? 0)
    const tall = Array.from({ length: 2 * R }, (_, r) =>
      Array.from({ length: 3 * C }, (_, c) => at(Math.floor(r / 2), Math.floor(c / 3))),
    )
    expectClose(await predict('UpSampling2D', { size: [2, 3], interpolation: 'nearest' }), tall)
    await expect(
      predict('UpSampling2D', { size: [2, 3], interpolation: 'bilinear' }),
    ).rejects.toThrow(/interpolation/)
    const inside = (r: number, c: number) => r >= 0 && r < R && c >= 0 && c < C
    const padded = (top: number, bottom: number, left: number, right: number) =>
      Array.from({ length: top + R + bottom }, (_, r) =>
        Array.from({ length: left + C + right }, (_, c) =>
          inside(r - top, c - left) ? at(r - top, c - left) : [0, 0],
        ),
      )
    expectClose(await predict('ZeroPadding2D', { padding: [[1, 0], [2, 3]] }), padded(1, 0, 2, 3)) // biome-ignore format: one line
    expectClose(await predict('ZeroPadding2D', { padding: [1, 2] }), padded(1, 1, 2, 2))
  })
})
