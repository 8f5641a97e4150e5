/**
 * Activation functions by name; the mathematics is native (formulas/activation.h).
 * `keras.activations` of Keras 1.2.2, and of Keras 2.
 */
import { ConfigError, fail, nearest } from './errors.js'
import { describe } from './ndarray.js'

/**
 * Keras 1.2.2's activations, then those that Keras 2 added; softmax works on the last axis of 2-D
 * or 3-D values.
 */
export const activationNames = [
  'softmax',
  'elu',
  'softplus',
  'softsign',
  'relu',
  'tanh',
  'sigmoid',
  'hard_sigmoid',
  'linear',
  'selu',
  'exponential',
  'swish',
] as const

/** Other names that Keras has for some of them. */
const ALIASES = { silu: 'swish' } as const

/** What an option for an activation takes. `'silu'` is another name of `'swish'`. */
export type ActivationName = (typeof activationNames)[number] | keyof typeof ALIASES

/**
 * The canonical name; null stands for 'linear', as in Keras, and 'silu' for 'swish'.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function activationName(value: unknown, where: string): ActivationName {
  if (value === null || value === undefined) return 'linear'
  if ((activationNames as readonly unknown[]).includes(value)) return value as ActivationName
  if (typeof value === 'string' && Object.hasOwn(ALIASES, value))
    return ALIASES[value as keyof typeof ALIASES]
  const near =
    typeof value === 'string'
      ? nearest(value, [...activationNames, ...Object.keys(ALIASES)])
      : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'activation',
    expected: `one of ${activationNames.join(', ')}`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}
