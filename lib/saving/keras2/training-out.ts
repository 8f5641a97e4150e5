/**
 * How a model was compiled, as Keras 2 and 3 write it. What they have no words for leaves the file
 * without a training configuration, with a warning: the model in it is whole.
 */
import type { Compiled } from '../../model/compile.js'
import type { Optimizer } from '../../optimizers/optimizer.js'
import { type Config, isObject } from './rule.js'
import { KERAS2, type Reader } from './written.js'

/**
 * Losses and metrics that have the same meaning there, by the names that Keras 3 finds in files of
 * every kind.
 */
const SAME = [
  'accuracy',
  'binary_accuracy',
  'binary_crossentropy',
  'categorical_accuracy',
  'categorical_crossentropy',
  'hinge',
  'mean_absolute_error',
  'mean_absolute_percentage_error',
  'mean_squared_error',
  'mean_squared_logarithmic_error',
  'poisson',
  'sparse_categorical_accuracy',
  'sparse_categorical_crossentropy',
  'squared_hinge',
]
const FUNCTIONS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(SAME.map((name) => [name, name])),
  acc: 'accuracy',
  kld: 'kl_divergence',
  kullback_leibler_divergence: 'kl_divergence',
  mae: 'mean_absolute_error',
  mape: 'mean_absolute_percentage_error',
  mse: 'mean_squared_error',
  msle: 'mean_squared_logarithmic_error',
}

/** Settings that have another name there, and what an optimizer needs to be the same one. */
const SETTINGS: Readonly<Record<string, string>> = {
  lr: 'learning_rate',
  clipnorm: 'global_clipnorm',
}
const NEEDED: Readonly<Record<string, Config>> = { Adagrad: { initial_accumulator_value: 0 } }
/** Settings that are left out at this value. */
const LEFT_OUT: Readonly<Record<string, unknown>> = { decay: 0, schedule_decay: 0.004 }

type Refuse = (what: string) => never

function optimizerOut(optimizer: Optimizer, floatx: Compiled['floatx'], refuse: Refuse): Config {
  const { className } = optimizer.constructor as typeof Optimizer
  const entries = Object.entries(optimizer.getConfig(floatx)).flatMap(([key, value]) => {
    if (value === null || (Object.hasOwn(LEFT_OUT, key) && LEFT_OUT[key] === value)) return []
    if (Object.hasOwn(LEFT_OUT, key)) return refuse(`${key} of ${className}`)
    return [[SETTINGS[key] ?? key, value]]
  })
  return {
    class_name: className,
    config: { name: className.toLowerCase(), ...Object.fromEntries(entries), ...NEEDED[className] },
  }
}

function each(value: unknown, refuse: Refuse): unknown {
  if (Array.isArray(value)) return value.map((one) => each(one, refuse))
  if (isObject(value) && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, each(one, refuse)]))
  if (value === null) return null
  const name = typeof value === 'string' ? value.toLowerCase() : '' // MSE is mse
  return Object.hasOwn(FUNCTIONS, name)
    ? FUNCTIONS[name]
    : refuse(typeof value === 'string' ? `'${value}'` : 'a loss or metric that is no plain name')
}

class Unsayable extends Error {}

/** `training_config`; null where the model is not compiled, or `reader` cannot have it. */
export function trainingToKeras2(
  compiled: Compiled | null,
  reader: Reader = KERAS2,
): Config | null {
  if (compiled === null) return null
  const refuse: Refuse = (what) => {
    throw new Unsayable(what)
  }
  const { optimizer, loss, lossWeights, metrics, floatx } = compiled
  try {
    return {
      loss: each(loss, refuse),
      metrics: each(metrics, refuse),
      loss_weights: lossWeights,
      weighted_metrics: null,
      optimizer_config: optimizerOut(optimizer, floatx, refuse),
    }
  } catch (error) {
    if (!(error instanceof Unsayable)) throw error
    const message = `${reader.title} has no ${error.message}: how the model was compiled is not written.`
    process.emitWarning(message, { code: 'HIDDENSTATE_NOT_COMPILED' })
    return null
  }
}
