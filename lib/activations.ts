/**
 * Activation functions by name; the mathematics is native (formulas/activation.h).
 * `keras.activations` of Keras 1.2.2, and of Keras 2.
 */
import { ConfigError, fail, nearest } from './errors.js'
import type { Expr } from './expressions/expr.js'
import { describe } from './ndarray.js'
import { toWritten, type Written } from './written.js'

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

/** Names of activations. `'silu'` is another name of `'swish'`. */
export type ActivationName = (typeof activationNames)[number] | keyof typeof ALIASES

/** An activation written with `hiddenstate/backend`: a value [B, …] of the shape of x. */
export type ActivationFunction = (x: Expr) => Expr
/** What an option for an activation takes. */
export type ActivationLike = ActivationName | ActivationFunction | null

/**
 * A function, or the canonical name of an activation.
 *
 * @throws ConfigError `ERR_UNKNOWN_NAME`; FormatError `ERR_FILE_FORMAT`
 */
export const toActivation = (value: unknown, where: string): ActivationName | Written =>
  toWritten(value, where, 'activation') ?? activationName(value, where)

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
