/** Metrics by name; the mathematics is native (objectives/metrics.cc). Keras 1.2.2 `keras.metrics`. */
import { ConfigError, fail, nearest } from './errors.js'
import { describe } from './ndarray.js'
import { type Objective, objectiveNames } from './objectives.js'

/** Keras 1.2.2's metrics that are not objectives; the objectives serve as metrics too. */
export const metricNames = [
  'binary_accuracy',
  'categorical_accuracy',
  'sparse_categorical_accuracy',
  'top_k_categorical_accuracy',
  'matthews_correlation',
  'precision',
  'recall',
  'fbeta_score',
  'fmeasure',
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
  cosine: 'cosine_proximity',
  fscore: 'fmeasure',
  f1score: 'fmeasure',
} as const satisfies Record<string, Metric>

/** A canonical name, which native code knows too. */
export type Metric = (typeof metricNames)[number] | Objective
/** What `compile({ metrics })` takes; `'acc'` picks the accuracy that suits output and loss. */
export type MetricName = Metric | keyof typeof aliases | 'acc' | 'accuracy'

const canonical: readonly string[] = [...metricNames, ...objectiveNames]

/**
 * The canonical name of a metric, by which logs call it too; `'acc'` is resolved in compile.ts, against loss and output.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function metricName(value: unknown, where = 'compile'): Metric {
  if (typeof value === 'string') {
    if (canonical.includes(value)) return value as Metric
    if (Object.hasOwn(aliases, value)) return aliases[value as keyof typeof aliases]
  }
  const names = [...canonical, ...Object.keys(aliases), 'acc', 'accuracy']
  const near = typeof value === 'string' ? nearest(value, names) : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'metric',
    expected: `'accuracy' or one of ${canonical.join(', ')}`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}
