/**
 * Objectives (losses) by name; the mathematics is native (objectives/objectives.cc of the CPU).
 * Keras 1.2.2 `keras.objectives`.
 */
import { ConfigError, fail, nearest } from './errors.js'
import type { Expr } from './expressions/expr.js'
import { describe } from './ndarray.js'

/** Keras 1.2.2's objectives. */
export const objectiveNames = [
  'mean_squared_error',
  'mean_absolute_error',
  'mean_absolute_percentage_error',
  'mean_squared_logarithmic_error',
  'squared_hinge',
  'hinge',
  'categorical_crossentropy',
  'sparse_categorical_crossentropy',
  'binary_crossentropy',
  'kullback_leibler_divergence',
  'poisson',
  'cosine_proximity',
] as const

const aliases = {
  mse: 'mean_squared_error',
  MSE: 'mean_squared_error',
  mae: 'mean_absolute_error',
  MAE: 'mean_absolute_error',
  mape: 'mean_absolute_percentage_error',
  MAPE: 'mean_absolute_percentage_error',
  msle: 'mean_squared_logarithmic_error',
  MSLE: 'mean_squared_logarithmic_error',
  kld: 'kullback_leibler_divergence',
  KLD: 'kullback_leibler_divergence',
  cosine: 'cosine_proximity',
} as const satisfies Record<string, Objective>

/** A canonical name, which native code knows too. */
export type Objective = (typeof objectiveNames)[number]
/** The names that `compile({ loss })` takes. */
export type ObjectiveName = Objective | keyof typeof aliases
/**
 * Losses of the layer CRF; of `'sparse_crf'` targets are numbers of tags, [B, T, 1], else one-hot
 * [B, T, K].
 */
export type CrfLossName = 'crf' | 'sparse_crf'
/**
 * A loss written with `hiddenstate/backend`: targets and outputs [B, …, K] → [B, …], a number for
 * each row of the last axis, or [B].
 */
export type LossFunction = (yTrue: Expr, yPred: Expr) => Expr

/**
 * The canonical name of an objective.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function objectiveName(value: unknown, where = 'compile'): Objective {
  if (typeof value === 'string') {
    if ((objectiveNames as readonly string[]).includes(value)) return value as Objective
    if (Object.hasOwn(aliases, value)) return aliases[value as keyof typeof aliases]
  }
  const near =
    typeof value === 'string'
      ? nearest(value, [...objectiveNames, 'ctc', 'crf', 'sparse_crf', ...Object.keys(aliases)])
      : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'loss',
    expected: `one of ${objectiveNames.join(', ')}, ctc, crf, sparse_crf`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}
