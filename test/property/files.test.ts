/** What goes out comes back: weights, JSON, YAML, HDF5. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect } from 'vitest'
import { expectAllSameBits, expectSameBits, uniform } from '../arrays.js'
import { loadModel, modelFromJson, modelFromYaml, Sequential } from '../package.js'
import { law } from './law.js'
import { type Deep, deep, deepModel } from './models.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hs-files-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SMALL = { B: 3, D: 5, H: 5, T: 3 }
const dataOf = (d: Deep) => ({
  x: uniform(d.seed, [d.B, d.T, d.D]),
  y: uniform(d.seed + 1, [d.B, 2]),
})

describe('files', () => {
  law(
    'setWeights of getWeights changes nothing, and of others sets them',
    deep(SMALL),
    async (d) => {
      const [a, b] = [deepModel(d), deepModel(d)]
      const weights = a.getWeights()
      a.setWeights(weights)
      expectAllSameBits(a.getWeights(), weights)
      b.setWeights(weights)
      expectAllSameBits(b.getWeights(), weights)
      expectSameBits(await b.predict(dataOf(d).x), await a.predict(dataOf(d).x))
      a.dispose()
      b.dispose()
    },
  )

  law('JSON, YAML and configuration give the same model', deep(SMALL), async (d) => {
    const model = deepModel(d)
    const copies = [
      modelFromJson(model.toJson()),
      modelFromYaml(model.toYaml()),
      Sequential.fromConfig(model.getConfig()),
    ]
    for (const copy of copies) {
      expect(JSON.parse(copy.toJson())).toEqual(JSON.parse(model.toJson()))
      copy.setWeights(model.getWeights())
      expectSameBits(await copy.predict(dataOf(d).x), await model.predict(dataOf(d).x))
      copy.dispose()
    }
    model.dispose()
  })

  law(
    'a saved model goes on as if it had not been saved',
    deep(SMALL),
    async (drawn) => {
      // Dropout draws other numbers in a new model,
      // and Keras does not save Nadam's momentum schedule.
      const d: Deep = {
        ...drawn,
        dropout: 0,
        optimizer: drawn.optimizer === 'nadam' ? 'adam' : drawn.optimizer,
      }
      const { x, y } = dataOf(d)
      const file = path.join(folder, `${d.seed}.h5`)
      const model = deepModel(d)
      for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y)
      await model.save(file)
      const loaded = await loadModel(file)
      expectAllSameBits(loaded.getWeights(), model.getWeights(), 'weights')
      expectSameBits(await loaded.predict(x), await model.predict(x), 'predictions')
      expect(JSON.parse(loaded.toJson())).toEqual(JSON.parse(model.toJson()))
      for (let i = 0; i < 3; i++) {
        expect(await loaded.trainOnBatch(x, y), `loss of step ${i}`).toEqual(
          await model.trainOnBatch(x, y),
        )
      }
      expectAllSameBits(loaded.getWeights(), model.getWeights(), 'weights after further steps')
      model.dispose()
      loaded.dispose()
    },
    0.4,
  )

  law(
    'saveWeights and loadWeights',
    deep(SMALL),
    async (d) => {
      const file = path.join(folder, `${d.seed}.weights.h5`)
      const [a, b] = [deepModel(d), deepModel(d)]
      await a.saveWeights(file)
      await b.loadWeights(file)
      expectAllSameBits(b.getWeights(), a.getWeights())
      a.dispose()
      b.dispose()
    },
    0.4,
  )
})
