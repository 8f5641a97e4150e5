/**
 * e_h5: files that Keras wrote are loaded, predict, train on as recorded;
 * ours are written and read back.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadModel, modelFromJson, modelFromYaml } from '../package.js'
import type { Check } from './compare.js'
import { type CompileCase, type Model, type ModelCase, classesIn, giveAll, list } from './driver.js'
import { type Golden, dataFile } from './loader.js'
import { type Suite, golden } from './suite.js'

interface FileCase extends ModelCase, CompileCase {
  h5: string
  weights_h5: string
  json: string
  yaml: string
  inputs: Golden[]
  targets: Golden[]
  metrics_names: string[]
  predictions: Golden
  second_prediction_without_reset?: Golden | null
  /** Loss and metrics of five steps after loading. */
  resumed_after_load: number[][]
  weights_after_resume: Golden[]
}

/** Hyper-parameters may come back rounded to float32; the Keras version is ours to write. */
function comparable(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(comparable)
  if (node && typeof node === 'object') {
    const entries = Object.entries(node).filter(([key]) => key !== 'keras_version')
    return Object.fromEntries(
      entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, comparable(v)]),
    )
  }
  return typeof node === 'number' ? Number(node.toPrecision(6)) : node
}

async function resumes(who: string, model: Model, c: FileCase, check: Check): Promise<void> {
  for (const [step, expected] of c.resumed_after_load.entries()) {
    const got = list(await model.trainOnBatch(giveAll(c.inputs), giveAll(c.targets)))
    check.close(`${who}: resumed step ${step}`, got, expected, 1e-5, 2e-4)
  }
  for (const [i, w] of model.getWeights().entries()) {
    const expected = c.weights_after_resume[i] as Golden
    check.close(`${who}: ${c.weight_names[i]} after the resumed steps`, w, expected, 1e-4, 1e-3)
  }
}

const files: Suite<FileCase> = {
  name: 'e_h5',
  floatx: ['float32'],
  needs: (c) => [...classesIn(c.model), 'loadModel'],
  async run(c, check) {
    const folder = mkdtempSync(path.join(tmpdir(), 'golden-'))
    const [x, batchSize] = [giveAll(c.inputs), c.inputs[0]?.shape[0] as number]
    const predicts = async (who: string, model: Model, abs = 1e-6): Promise<void> => {
      check.close(
        `${who}: predictions`,
        await model.predict(x, { batchSize }),
        c.predictions,
        abs,
        1e-6,
      )
    }
    try {
      const loaded = await loadModel(dataFile(c.h5))
      for (const [i, w] of loaded.getWeights().entries()) {
        check.close(`${c.weight_names[i]} as loaded`, w, c.weights[i] as Golden, 0, 0)
      }
      await predicts('loadModel', loaded)
      if (c.second_prediction_without_reset) {
        const second = await loaded.predict(x, { batchSize })
        check.close('second prediction, states kept', second, c.second_prediction_without_reset)
      }
      loaded.resetStates()
      check.equal('toJson', comparable(JSON.parse(loaded.toJson())), comparable(c.model))
      check.equal('metricsNames', loaded.metricsNames, c.metrics_names)

      await loaded.save(path.join(folder, 'ours.h5'))
      const again = await loadModel(path.join(folder, 'ours.h5'))
      await predicts('our save, loadModel', again)
      again.resetStates()
      await resumes('loaded', loaded, c, check)
      await resumes('saved by us and loaded', again, c, check)

      const fromJson = modelFromJson(readFileSync(dataFile(c.json), 'utf8'))
      await fromJson.loadWeights(dataFile(c.weights_h5))
      await predicts('modelFromJson, loadWeights', fromJson)
      const fromYaml = modelFromYaml(readFileSync(dataFile(c.yaml), 'utf8'))
      await fromYaml.loadWeights(dataFile(c.weights_h5))
      await predicts('modelFromYaml, loadWeights', fromYaml)
      const back = modelFromYaml(loaded.toYaml())
      check.equal('toYaml and back', comparable(JSON.parse(back.toJson())), comparable(c.model))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

export const register = (): void => golden(files)
