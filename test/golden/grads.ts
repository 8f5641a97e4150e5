/**
 * b_grads: one step of SGD with lr 1, so that the change of a weight is its gradient;
 * each gradient by name.
 */
import {
  type CompileCase,
  type ModelCase,
  classesIn,
  compile,
  give,
  giveAll,
  list,
  ready,
} from './driver.js'
import type { Golden } from './loader.js'
import { type Suite, golden } from './suite.js'

interface GradCase extends ModelCase, CompileCase {
  inputs: Golden[]
  targets: Golden[]
  sample_weight?: Golden | null
  class_weight?: Record<string, number> | null
  metrics_names?: string[]
  test_loss_before?: number | number[]
  /** With metrics: [loss, ...metrics]. */
  train_loss: number | number[]
  weights_after: Golden[]
}

const change = (after: ArrayLike<number>, before: ArrayLike<number>): number[] =>
  Array.from(after, (v, i) => v - (before[i] as number))

const grads: Suite<GradCase> = {
  name: 'b_grads',
  floatx: ['float32', 'float64'],
  needs: (c) => [...classesIn(c.model), c.optimizer.class_name],
  async run(c, check) {
    const model = ready(c)
    // The generator wrote the names that came out, not what went in.
    compile(model, { ...c, metrics: c.metrics_names?.includes('acc') ? ['accuracy'] : null })
    if (c.metrics_names) check.equal('metricsNames', model.metricsNames, c.metrics_names)
    const [x, y] = [giveAll(c.inputs), giveAll(c.targets)]
    const weighting = c.sample_weight ? { sampleWeight: give(c.sample_weight) } : {}
    if (c.test_loss_before !== undefined) {
      check.close(
        'testOnBatch',
        list(await model.testOnBatch(x, y, weighting)),
        list(c.test_loss_before),
        2e-6,
        2e-5,
      )
    }
    const classWeight = c.class_weight ? { classWeight: c.class_weight } : {}
    const logs = list(await model.trainOnBatch(x, y, { ...weighting, ...classWeight }))
    check.close('trainOnBatch', logs, list(c.train_loss), 2e-6, 2e-5)
    const after = model.getWeights()
    check.equal('number of weights', after.length, c.weights.length)
    for (const [i, w] of after.entries()) {
      const before = (c.weights[i] as Golden).data
      const expected = change((c.weights_after[i] as Golden).data, before)
      check.close(`gradient of ${c.weight_names[i]}`, change(w.data, before), expected, 1e-6, 1e-4)
    }
  },
}

export const register = (): void => golden(grads)
