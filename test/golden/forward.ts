/** a_forward: outputs of every layer, in each way the package can be asked for them. */
import { Check } from './compare.js'
import { type ModelCase, classesIn, give, giveAll, ready } from './driver.js'
import type { Golden } from './loader.js'
import { type Suite, golden } from './suite.js'

interface ForwardCase extends ModelCase {
  /** One per batch; a model that begins with Merge takes a list. */
  inputs: (Golden | Golden[])[]
  output_shape: (number | null)[]
  outputs: { test: Golden[]; train?: Golden[] }
  first_batch_again_after_reset_states?: Golden
}

const asList = (x: Golden | Golden[]): Golden[] => (Array.isArray(x) ? x : [x])
const batchOf = (x: Golden | Golden[]): number => asList(x)[0]?.shape[0] ?? 0

/** BatchNormalization of mode 2 normalises by the batch at hand in every phase. */
const seesBatch = ({ model: { config } }: ForwardCase): boolean =>
  config.some((layer) => layer.class_name === 'BatchNormalization' && layer.config.mode === 2)

function differs(compare: (to: Check) => void): boolean {
  const check = new Check()
  compare(check)
  return check.problems.length > 0
}

const forward: Suite<ForwardCase> = {
  name: 'a_forward',
  floatx: ['float32', 'float64'],
  needs: (c) => classesIn(c.model),
  async run(c, check) {
    const model = ready(c)
    const weights = model.getWeights()
    check.equal('number of weights', weights.length, c.weights.length)
    for (const [i, w] of weights.entries())
      check.close(`${c.weight_names[i]} as set`, w, c.weights[i] as Golden, 0, 0)
    check.equal('outputShape', model.outputShape, c.output_shape)

    for (const [i, x] of c.inputs.entries()) {
      const y = await model.predict(giveAll(asList(x)), { batchSize: batchOf(x) })
      check.close(`output of batch ${i}`, y, c.outputs.test[i] as Golden)
    }
    const [x, y] = [c.inputs[0] as Golden, c.outputs.test[0] as Golden]
    const given = giveAll(asList(x))
    if (c.first_batch_again_after_reset_states) {
      model.resetStates()
      const again = await model.predict(given, { batchSize: batchOf(x) })
      check.close('first batch after resetStates', again, c.first_batch_again_after_reset_states)
    } else {
      check.close('predictOnBatch', await model.predictOnBatch(given), y)
      check.close('predictOnBatchSync', model.predictOnBatchSync(given), y)
      if (batchOf(x) > 2) {
        const inTwos = await model.predict(given, { batchSize: 2 })
        const compare = (to: Check) => to.close('predict in batches of 2', inTwos, y)
        if (seesBatch(c)) check.ok('outputs depend on the batch', differs(compare))
        else compare(check)
      }
    }
    if (c.outputs.train) {
      // The training phase is seen through a loss: the mean square of the output against zeros.
      const e = c.outputs.train[0] as Golden
      model.compile({ optimizer: 'sgd', loss: 'mse' })
      const zeros = give({ ...e, data: new Float32Array(e.data.length) })
      const meanSquare = (e.data as Float32Array).reduce((sum, v) => sum + v * v, 0) / e.data.length
      check.close(
        'mean square of the training-phase output',
        await model.trainOnBatch(given, zeros),
        meanSquare,
      )
    }
  },
}

export const register = (): void => golden(forward)
