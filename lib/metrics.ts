/** Metrics by name; the mathematics is native (objectives/metrics.cc). Keras 1.2.2 `keras.metrics`. */
import { ConfigError, fail, nearest } from './errors.js'
import { describe } from './ndarray.js'
import { type Objective, objectiveNames } from './objectives.js'
import type { Shape } from './spec.js'

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

/** A metric as compiled: what native code computes and how logs call it. */
export interface CompiledMetric {
  native: Metric
  /** 'acc', or the canonical name: 'mean_squared_error'. */
  label: string
}

/**
 * What a metric of `compile` stands for. `'acc'`: binary for one output column or the loss binary_crossentropy, else
 * sparse or plain categorical after the loss.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function toMetric(value: unknown, model: { loss: Objective; outputShape: Shape }, where = 'compile'): CompiledMetric {
  if (value === 'acc' || value === 'accuracy') return { native: accuracyFor(model), label: 'acc' }
  if (typeof value === 'string') {
    if (canonical.includes(value)) return { native: value as Metric, label: value }
    if (Object.hasOwn(aliases, value)) {
      const native = aliases[value as keyof typeof aliases]
      return { native, label: native }
    }
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

function accuracyFor({ loss, outputShape }: { loss: Objective; outputShape: Shape }): Metric {
  if (outputShape.at(-1) === 1 || loss === 'binary_crossentropy') return 'binary_accuracy'
  return loss === 'sparse_categorical_crossentropy' ? 'sparse_categorical_accuracy' : 'categorical_accuracy'
}
