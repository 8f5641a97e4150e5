/**
 * c_train: 20 steps of every optimizer on a GRU and an LSTM: losses on the way, weights at the end.
 */
import {
  type CompileCase,
  type ModelCase,
  classesIn,
  compile,
  giveAll,
  list,
  ready,
} from './driver.js'
import { type Golden, rows } from './loader.js'
import { type Suite, golden } from './suite.js'

interface TrainCase extends ModelCase, CompileCase {
  inputs: Golden[]
  targets: Golden[]
  batch_size: number
  steps: number
  /** Loss, then metrics, of each step before its update. */
  logs: number[][]
  weights_after: Golden[]
}

/** The data are four batches, taken in turn. */
const BATCHES = 4

const train: Suite<TrainCase> = {
  name: 'c_train',
  floatx: ['float32', 'float64'],
  needs: (c) => [...classesIn(c.model), c.optimizer.class_name],
  async run(c, check) {
    const model = ready(c)
    compile(model, c)
    const n = c.batch_size
    for (let step = 0; step < c.steps; step++) {
      const from = (step % BATCHES) * n
      const part = (a: Golden): Golden => rows(a, from, from + n)
      const got = list(
        await model.trainOnBatch(giveAll(c.inputs.map(part)), giveAll(c.targets.map(part))),
      )
      const want = c.logs[step] as number[]
      check.equal(`numbers of step ${step}`, got.length, want.length)
      check.close(`loss of step ${step}`, got[0], want[0] as number, 1e-6, step < 5 ? 5e-5 : 1e-3)
      // After some steps a rounding may tip one sample of an accuracy over: allow one of the batch.
      const [abs, rel] = step < 5 ? [1e-5, 1e-4] : [1e-3 + 1.01 / n, 1e-3]
      check.close(`metrics of step ${step}`, got.slice(1), want.slice(1), abs, rel)
    }
    for (const [i, w] of model.getWeights().entries()) {
      check.close(
        `${c.weight_names[i]} after ${c.steps} steps`,
        w,
        c.weights_after[i] as Golden,
        1e-4,
        1e-3,
      )
    }
  },
}

export const register = (): void => golden(train)
