/**
 * d_losses: objectives and metrics through models that hand their input on; weights, classes and
 * masks of the loss.
 */
import { type CompileCase, type Model, compile, fromConfig, give, list } from './driver.js'
import { fbetaScore, topKCategoricalAccuracy } from '../package.js'
import type { Check } from './compare.js'
import { type Case, type Golden, type ModelConfig, rows } from './loader.js'
import { type Suite, golden } from './suite.js'

interface FunctionCase extends Case {
  kind: 'objective' | 'metric'
  fn: string
  /** Arguments of the function other than the default. */
  k?: number
  beta?: number
  y_true: Golden
  y_pred: Golden
  result: Golden | number
}

interface WeightedCase extends Case, Omit<CompileCase, 'optimizer'> {
  kind: 'model'
  model: ModelConfig
  metrics_names: string[]
  y_true: Golden
  y_pred: Golden
  sample_weight?: Golden | null
  class_weight?: Record<string, number> | null
  standardized_weights: Golden
  test_on_batch: number | number[]
  loss_and_metrics_with_class_weight: number[]
}

const FROZEN = { class_name: 'SGD', config: { lr: 0 } }

/** A model whose output is its input. */
function identity(shape: readonly number[]): Model {
  const config = {
    name: 'a',
    trainable: true,
    batch_input_shape: [null, ...shape.slice(1)],
    activation: 'linear',
  }
  const layer = { class_name: 'Activation', config: { ...config, input_dtype: 'float32' } }
  return fromConfig({ class_name: 'Sequential', config: [layer], keras_version: '1.2.2' })
}

/** The same with a weight, so that it can be trained (with lr 0): class weights act only there. */
function identityDense(width: number): Model {
  const none = {
    W_regularizer: null,
    b_regularizer: null,
    activity_regularizer: null,
    W_constraint: null,
    b_constraint: null,
  }
  const config = {
    ...none,
    name: 'd',
    trainable: true,
    output_dim: width,
    input_dim: width,
    init: 'identity',
    bias: false,
  }
  const input = { batch_input_shape: [null, width], input_dtype: 'float32', activation: 'linear' }
  return fromConfig({
    class_name: 'Sequential',
    config: [{ class_name: 'Dense', config: { ...config, ...input } }],
  })
}

/** One sample at a time: the loss of a batch of one is the mean of that sample's scores. */
async function objective(c: FunctionCase, check: Check): Promise<void> {
  const model = identity(c.y_pred.shape)
  model.compile({ optimizer: 'sgd', loss: c.fn as never })
  const n = c.y_pred.shape[0] as number
  const scores = (c.result as Golden).data as Float32Array
  const each = scores.length / n
  for (let i = 0; i < n; i++) {
    const mean = scores.subarray(i * each, (i + 1) * each).reduce((sum, v) => sum + v / each, 0)
    const loss = await model.testOnBatch(
      give(rows(c.y_pred, i, i + 1)),
      give(rows(c.y_true, i, i + 1)),
    )
    check.close(`sample ${i}`, list(loss)[0], mean, 1e-6, 2e-5)
  }
}

async function metric(c: FunctionCase, check: Check): Promise<void> {
  const model = identity(c.y_pred.shape)
  const loss = c.fn.startsWith('sparse') ? 'sparse_categorical_crossentropy' : 'mse'
  const fn = c.k
    ? topKCategoricalAccuracy({ k: c.k })
    : c.beta
      ? fbetaScore({ beta: c.beta })
      : c.fn
  model.compile({ optimizer: 'sgd', loss, metrics: [fn] as never })
  const scores =
    typeof c.result === 'object' ? Array.from(c.result.data as Float32Array) : [Number(c.result)]
  const mean = scores.reduce((sum, v) => sum + v / scores.length, 0)
  const got = list(await model.testOnBatch(give(c.y_pred), give(c.y_true)))
  check.close('metric', got[1], mean, 1e-6, 2e-5)
}

async function weighted(c: WeightedCase, check: Check): Promise<void> {
  const settings = { ...c, optimizer: FROZEN }
  const weighting = c.sample_weight ? { sampleWeight: give(c.sample_weight) } : {}
  const [x, y] = [give(c.y_pred), give(c.y_true)]
  const model = fromConfig(c.model)
  compile(model, settings)
  check.equal('metricsNames', model.metricsNames, c.metrics_names)
  check.close(
    'testOnBatch',
    list(await model.testOnBatch(x, y, weighting)),
    list(c.test_on_batch),
    1e-6,
    2e-5,
  )
  const expected = c.loss_and_metrics_with_class_weight
  if (c.class_weight) {
    const trained = identityDense(c.y_pred.shape[1] as number)
    compile(trained, settings)
    const got = await trained.trainOnBatch(x, y, { ...weighting, classWeight: c.class_weight })
    check.close('trainOnBatch with classWeight', list(got), expected, 1e-6, 2e-5)
  } else {
    const got = await model.testOnBatch(x, y, { sampleWeight: give(c.standardized_weights) })
    check.close('testOnBatch with the standardized weights', list(got), expected, 1e-6, 2e-5)
  }
}

const losses: Suite<FunctionCase | WeightedCase> = {
  name: 'd_losses',
  floatx: ['float32', 'float64'],
  needs: () => [],
  run(c, check) {
    if (c.kind === 'model') return weighted(c, check)
    return c.kind === 'objective' ? objective(c, check) : metric(c, check)
  },
}

export const register = (): void => golden(losses)
