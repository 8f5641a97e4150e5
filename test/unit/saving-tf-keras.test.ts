/**
 * Files that a real Keras 2 wrote (test/golden/make/gen_tf_keras.py):
 * what it predicts with them, to 1e-5.
 */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { dataFile } from '../golden/loader.js'
import { expectAllSameBits, uniform } from '../arrays.js'
import { Dense, loadModel, LSTM, type Model, type NDArray, Sequential } from '../package.js'

const at = (name: string): string => dataFile(`tf-keras/${name}`)
const expected = JSON.parse(readFileSync(at('expected.json'), 'utf8')) as Record<
  string,
  { x: never; y: unknown[] }
>
const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
afterEach(() => warn.mockClear())

const flat = (values: unknown): number[] => (values as unknown[]).flat(4) as number[]

function expectClose(got: NDArray, wanted: unknown[]): void {
  const numbers = flat(got.toArray())
  expect(numbers).toHaveLength(flat(wanted).length)
  for (const [i, value] of flat(wanted).entries())
    expect(Math.abs(numbers[i]! - value), `[${i}]`).toBeLessThan(1e-5)
}

describe('a file of tf_keras 2.21 predicts what Keras does', () => {
  it.each(Object.keys(expected))('%s', async (name) => {
    const { x, y } = expected[name]!
    const model = await loadModel(at(`${name}.h5`))
    expectClose(await model.predict(x), y)
    const again = await loadModel(at(`${name}.h5`), { compile: false })
    expectClose(await again.predict(x), y)
  })
})

describe('how it was compiled', () => {
  it.each([
    ['text_adam', { lr: 0.0010000000474974513, beta1: 0.9, epsilon: 1e-7 }, ['loss', 'acc']],
    ['text_objects', { lr: 0.003000000026077032, rho: 0.8 }, ['loss', 'binary_accuracy']],
    ['text_legacy', { momentum: 0.5, nesterov: true }, ['loss']],
  ])(
    '%s: optimizer, loss and metrics of objects and of registered names',
    async (name, optimizer, metrics) => {
      const model = await loadModel(at(`${name}.h5`))
      expect(model.optimizer).toMatchObject(optimizer)
      expect(model.metricsNames).toEqual(metrics)
      await model.fit(expected[name]!.x, [[0], [1], [1]], { nbEpoch: 1, verbose: 0 })
    },
  )

  it.each([
    ['text_logits', /from_logits of BinaryCrossentropy must be false, got true/],
    ['text_my_loss', /loss must be one of .* 'my_loss'/],
    ['text_my_metric', /metric must be .* 'my_metric'/],
    ['text_adamw', /weight_decay of AdamW must be null, got 0\.004/],
    ['text_schedule', /learning_rate of Adam must be a number, got \{/],
  ])('%s is unknown here: a warning, and fit says what is missing', async (name, why) => {
    const model = await loadModel(at(`${name}.h5`))
    expect(warn.mock.calls).toEqual([[expect.stringMatching(why), expect.anything()]])
    const fit = model.fit(expected[name]!.x, [[0], [1], [1]])
    await expect(fit).rejects.toMatchObject({
      code: 'ERR_NOT_COMPILED',
      message: expect.stringMatching(why),
    })
  })
})

describe('what cannot be read is refused by its name', () => {
  it.each([
    ['refused_cell', /'rnn'?.*RNN/],
    ['refused_class', /'layer_normalization': class_name must be one of .*LayerNormalization/],
  ])('%s', async (name, message) => {
    await expect(loadModel(at(`${name}.h5`))).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(message),
    })
  })
})

it('a functional model predicts what the same layers in a row do', async () => {
  const model = await loadModel<Model>(at('functional.h5'))
  expect(model.layers.map(({ layerClass }) => layerClass.className)).toEqual([
    'InputLayer',
    'LSTM',
    'Dense',
  ])
  const [, lstm, dense] = model.layers
  const chain = new Sequential([
    new LSTM(3, { inputShape: [6, 4], consumeLess: 'gpu', innerActivation: 'sigmoid' }),
    new Dense(1, { activation: dense!.getConfig().activation }),
  ])
  chain.setWeights([...lstm!.getWeights(), ...dense!.getWeights()])
  const x = uniform(1, [5, 6, 4])
  expectAllSameBits([await model.predict(x)], [await chain.predict(x)], 'predictions')
})
