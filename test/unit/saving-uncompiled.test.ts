/**
 * Files whose training configuration names what this package does not know, and files that are
 * loaded without it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { H5Builder, writeH5 } from '../../lib/hdf5/file.js'
import { asciiJson } from '../../lib/saving/layout.js'
import { Dense, loadModel, Sequential, SGD } from '../package.js'

const root = mkdtempSync(path.join(tmpdir(), 'hs-uncompiled-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
afterEach(() => warn.mockClear())

const optimizer_config = { class_name: 'SGD', config: {} }
const x = [[1, 2, 3]]
const y = [[4, 5]]

/** A model whose file says `training` of how it was compiled. */
async function file(training: object | string): Promise<string> {
  const name = path.join(root, 'model.h5')
  const content = new H5Builder()
  const model = new Sequential([new Dense(2, { inputDim: 3, name: 'a' })])
  content
    .group('')
    .set('model_config', asciiJson({ class_name: 'Sequential', config: model.getConfig() }))
  content
    .group('')
    .set('training_config', typeof training === 'string' ? training : asciiJson(training))
  content.group('model_weights').set('layer_names', ['a'])
  content.group('model_weights/a').set('weight_names', ['a_W', 'a_b'])
  content.dataset('model_weights/a/a_W', {
    shape: [3, 2],
    data: Float32Array.from([1, 0, 0, 1, 1, 0]),
  })
  content.dataset('model_weights/a/a_b', { shape: [2], data: new Float32Array(2) })
  await writeH5(name, content)
  return name
}

test.each([
  [
    'optimizer',
    { optimizer_config: { class_name: 'TFOptimizer', config: {} }, loss: 'mse' },
    /optimizer .*TFOptimizer/,
  ],
  [
    'setting of an optimizer',
    { optimizer_config: { class_name: 'Adam', config: { k: 1 } }, loss: 'mse' },
    /`k`/,
  ],
  ['loss', { optimizer_config, loss: 'my_loss' }, /loss must be one of .*got the string 'my_loss'/],
  [
    'metric',
    { optimizer_config, loss: 'mse', metrics: ['my_metric'] },
    /metric must be .*got the string 'my_metric'/,
  ],
  [
    'weight of losses',
    { optimizer_config, loss: 'mse', loss_weights: [0.5, 1] },
    /lossWeights must be a list of 1, one for each of the outputs/,
  ],
])(
  'an unknown %s: the model predicts, and what needs it compiled says what is missing',
  async (_, training, why) => {
    const name = await file(training)
    const model = await loadModel(name)
    const told = { code: 'HIDDENSTATE_NOT_COMPILED' }
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/model\.h5: training_config: .*loaded, but not comp/), told],
    ])
    expect(warn.mock.calls[0]?.[0]).toMatch(why)
    expect(() => model.optimizer).toThrow(why)
    expect((await model.predict(x)).toArray()).toEqual([[4, 2]])
    for (const use of [
      () => model.fit(x, y),
      () => model.evaluate(x, y),
      () => model.trainOnBatch(x, y),
    ]) {
      await expect(use()).rejects.toMatchObject({
        code: 'ERR_NOT_COMPILED',
        message: expect.stringMatching(why),
      })
    }
    const changed = await loadModel(name)
    changed.add(new Dense(1))
    // the same, without a compile
    await expect(changed.fit(x, [1])).rejects.toThrow(/or whose layers have changed since/)
    model.compile({ optimizer: new SGD({ lr: 0.01 }), loss: 'mse' })
    await model.fit(x, y, { nbEpoch: 1, verbose: 0 })
    model.add(new Dense(1))
    // the file is out of it
    await expect(model.fit(x, [1])).rejects.toThrow(/or whose layers have changed since/)
  },
)

test('compile: false leaves out what the file says of training, and does not warn', async () => {
  for (const training of [
    { optimizer_config, loss: 'my_loss' },
    { optimizer_config, loss: 'mse' },
  ]) {
    const model = await loadModel(await file(training), { compile: false })
    expect((await model.predict(x)).toArray()).toEqual([[4, 2]])
    await expect(model.fit(x, y)).rejects.toThrow(/or whose layers have changed since/)
  }
  expect(warn).not.toHaveBeenCalled()
  const bad = loadModel(await file({}), { compile: 1 as unknown as boolean })
  await expect(bad).rejects.toThrow(/loadModel: compile must be true or false, got 1\./)
})

test('a training configuration that is no JSON is a damaged file', async () => {
  const name = await file('{"loss": ')
  await expect(loadModel(name)).rejects.toThrow(/attribute training_config must be a JSON object/)
  expect((await loadModel(name, { compile: false })).outputShape).toEqual([null, 2])
})
