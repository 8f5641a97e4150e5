/** Activation functions by name; the mathematics is native (kernels/activations.cc). Keras 1.2.2 `keras.activations`. */
import { ConfigError, fail, nearest } from './errors.js'
import { describe } from './ndarray.js'

/** Keras 1.2.2's activations; softmax works on the last axis of 2-D or 3-D values. */
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
] as const

/** What an option for an activation takes. */
export type ActivationName = (typeof activationNames)[number]

/**
 * The canonical name; null stands for 'linear', as in Keras.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function activationName(value: unknown, where: string): ActivationName {
  if (value === null || value === undefined) return 'linear'
  if ((activationNames as readonly unknown[]).includes(value)) return value as ActivationName
  const near = typeof value === 'string' ? nearest(value, activationNames) : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'activation',
    expected: `one of ${activationNames.join(', ')}`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}
