/**
 * Layers that Keras 2 has in another form, in files of tf_keras 2.21; made by
 * test/golden/make/gen_tf_keras_layers.py, predictions too.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { dataFile } from '../golden/loader.js'
import {
  Activation,
  Convolution1D,
  Dense,
  Flatten,
  GlobalAveragePooling1D,
  LSTM,
  loadModel,
  Masking,
  modelFromJson,
  ReLU,
  Sequential,
  Softmax,
} from '../package.js'

const at = (name: string): string => dataFile(`tf-keras-layers/${name}`)
const expected = JSON.parse(readFileSync(at('expected.json'), 'utf8')) as Record<
  string,
  { x: never; y: never }
>

/**
 * Within 1e-5 of `size`, the largest number there is:
 * float32 on both sides, summed in other orders.
 */
function expectClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length)
  const size = Math.max(1, ...wanted.map(Math.abs))
  for (const [i, value] of got.entries())
    expect(Math.abs(value - wanted[i]!) / size, `[${i}]`).toBeLessThan(1e-5)
}
const flat = (nested: unknown): number[] => (nested as number[][]).flat(4) as number[]

describe('a model of Keras 2 predicts what Keras 2 predicts', () => {
  it.each(Object.keys(expected))('%s', async (name) => {
    const { x, y } = expected[name]!
    const model = await loadModel(at(`${name}.h5`))
    expectClose(flat((await model.predict(x)).toArray()), flat(y))
    const again = modelFromJson(model.toJson())
    again.setWeights(model.getWeights())
    expectClose(flat((await again.predict(x)).toArray()), flat(y))
  })

  it('and its weights go into a model of ours, whatever the backend was', async () => {
    const { x, y } = expected.conv1d_open!
    const model = new Sequential([
      new Convolution1D(5, 4, { borderMode: 'same_tf', subsampleLength: 3, inputShape: [null, 4] }),
    ])
    await model.loadWeights(at('conv1d_open.h5'))
    const steps = (await model.predict(x)).toArray() as number[][][]
    expectClose(
      steps.flatMap((sample) =>
        sample[0]!.map((_, k) => Math.max(...sample.map((step) => step[k]!))),
      ),
      flat(y),
    )
    const flipped = new Sequential([
      new Convolution1D(5, 4, { borderMode: 'same_tf', subsampleLength: 3, inputShape: [null, 4] }),
    ])
    await flipped.loadWeights(at('conv1d_open.h5'), { backend: 'theano' })
    expect(flipped.getWeights()[0]!.toArray()).toEqual(
      (model.getWeights()[0]!.toArray() as unknown[]).reverse(),
    )
  })
})

describe('what only Keras 2 says is refused elsewhere', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'maxValue',
      () => new ReLU({ maxValue: -1 }),
      /maxValue must be null or a finite number from 0 on, got -1/,
    ],
    [
      'slope',
      () => new ReLU({ negativeSlope: null as never }),
      /negativeSlope must be a finite number/,
    ],
    [
      'border',
      () => new Convolution1D(2, 2, { borderMode: 'sane' as never }),
      /'same_tf' or 'causal'/,
    ],
    [
      'axis',
      () => new Sequential([new Softmax({ axis: 0, inputShape: [3] })]),
      /of an axis 0, other than the batch/,
    ],
    ['no axis', () => new Sequential([new Softmax({ axis: 2, inputShape: [3] })]), /of an axis 2/],
  ])('%s', (_, run, message) => expect(run).toThrow(message))
})

describe('acceptMask', () => {
  const start = () => new Masking({ inputShape: [4, 3] })

  it('is off: a mask is refused, as in Keras 1.2.2', () => {
    expect(() => new Sequential([start(), new Dense(2)])).toThrow(/without a mask/)
    expect(() => new Sequential([start(), new Flatten()])).toThrow(/without a mask/)
  })

  it('lets Dense hand it on, and Flatten end it; the configuration says so where a mask comes', async () => {
    const x = [
      [
        [1, 2, 3],
        [0, 0, 0],
        [3, 2, 1],
        [0, 0, 0],
      ],
    ]
    const passing = new Sequential([start(), new Dense(2, { acceptMask: true }), new LSTM(2)])
    const cut = new Sequential(
      [start(), new Dense(2), new LSTM(2)].map((l, i) =>
        i === 0 ? new Activation('linear', { inputShape: [4, 3] }) : l,
      ),
    )
    cut.setWeights(passing.getWeights())
    const two = [[x[0]![0]!, x[0]![2]!]]
    const short = new Sequential([new Dense(2, { inputShape: [2, 3] }), new LSTM(2)])
    short.setWeights(passing.getWeights())
    const got = flat((await passing.predict(x)).toArray())
    expectClose(got, flat((await short.predict(two)).toArray()))
    expect(got).not.toEqual(flat((await cut.predict(x)).toArray()))
    const flattened = new Sequential([
      start(),
      new Flatten({ acceptMask: true }),
      new Dense(2, { acceptMask: true }),
    ])
    const [, flatten, dense] = flattened.getConfig() as unknown as { config: object }[]
    expect(flatten?.config).toMatchObject({ accept_mask: true })
    expect(dense?.config).not.toHaveProperty('accept_mask')
    expect((await flattened.predict(x)).shape).toEqual([1, 2])
  })

  it('averages real steps alone; a sample without any has no mean', async () => {
    const model = new Sequential([start(), new GlobalAveragePooling1D({ acceptMask: true })])
    const x = [
      [
        [1, 2, 3],
        [0, 0, 0],
        [3, 2, 1],
        [0, 0, 0],
      ],
      [
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
      ],
    ]
    expect((await model.predict(x)).toArray()).toEqual([
      [2, 2, 2],
      [Number.NaN, Number.NaN, Number.NaN],
    ])
  })
})
