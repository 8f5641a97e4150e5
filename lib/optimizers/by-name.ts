/** Optimizers by Keras' names. */
import { ConfigError, fail, nearest } from '../errors.js'
import { describe } from '../ndarray.js'
import { snakeToCamel } from '../options.js'
import * as classes from './classes.js'
import { Optimizer } from './optimizer.js'

const byLowerCase = new Map(Object.values(classes).map((c) => [c.className.toLowerCase(), c]))

/** What `compile({ optimizer })` takes as a string: the class name as it is or in lower case. */
export type OptimizerName = keyof typeof classes | Lowercase<keyof typeof classes>

/**
 * An optimizer from a name (upper and lower case alike, with defaults), or the instance itself.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function toOptimizer(value: unknown, where = 'compile'): Optimizer {
  if (value instanceof Optimizer) return value
  const Class = typeof value === 'string' ? byLowerCase.get(value.toLowerCase()) : undefined
  if (Class) return new Class()
  const near = typeof value === 'string' ? nearest(value, byLowerCase.keys()) : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'optimizer',
    expected: `one of ${[...byLowerCase.keys()].join(', ')}, or an instance`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}

/**
 * The optimizer that a training configuration describes: `{ class_name: 'Adam', config: { lr,
 * beta_1, … } }`.
 * @throws ConfigError `ERR_UNKNOWN_NAME`, `ERR_OPTION`
 */
export function optimizerFromConfig(config: unknown, where = 'optimizer_config'): Optimizer {
  const { class_name: name, config: values } = (
    typeof config === 'object' && config !== null ? config : {}
  ) as {
    class_name?: unknown
    config?: unknown
  }
  const Class = toOptimizer(name, where).constructor as new (options: object) => Optimizer
  const given = Object.fromEntries(
    Object.entries(values ?? {}).map(([key, value]) => [snakeToCamel(key), value]),
  )
  return new Class(given)
}
