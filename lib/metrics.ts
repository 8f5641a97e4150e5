/**
 * Metrics by name; the mathematics is native (objectives/metrics.cc of the CPU). Keras 1.2.2
 * `keras.metrics`.
 */
import { ConfigError, fail, nearest } from './errors.js'
import type { Expr } from './expressions/expr.js'
import { describe } from './ndarray.js'
import { type Objective, objectiveNames } from './objectives.js'
import { resolveOptions } from './options.js'
import type { MetricSpec } from './spec.js'

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
  labelErrorRate: 'label_error_rate',
} as const satisfies Record<string, CanonicalMetric>

/**
 * A canonical name, which native code knows too. 'label_error_rate' is for the loss 'ctc' alone.
 */
export type CanonicalMetric = (typeof metricNames)[number] | Objective | 'label_error_rate'
/**
 * Names that `compile({ metrics })` takes; `'acc'` picks the accuracy that suits output and loss.
 */
export type MetricName = CanonicalMetric | keyof typeof aliases | 'acc' | 'accuracy'

/**
 * A metric written with `hiddenstate/backend`: the mean of what it gives for targets and outputs.
 */
export type MetricFunction = (yTrue: Expr, yPred: Expr) => Expr | number

/**
 * A metric with an argument of its own;
 * made by {@link topKCategoricalAccuracy}, {@link fbetaScore} and {@link labelErrorRate}.
 */
export class Metric {
  /** How logs call it. */
  readonly name: string
  /** Keras' name, which is what files hold. */
  readonly canonical: CanonicalMetric
  /** `{ k: 3 }`. */
  readonly arguments: Readonly<Record<string, number>>

  /** @internal */
  constructor(canonical: CanonicalMetric, given: Record<string, number>, name: unknown) {
    if (name !== null && (typeof name !== 'string' || name === ''))
      refuse(canonical, 'name', 'a non-empty string', name)
    this.canonical = canonical
    this.arguments = Object.freeze({ ...given })
    this.name = (name as string | null) ?? canonical
  }

  /** @internal As a Spec carries it. */
  spec(): MetricSpec {
    return { ...this.arguments, name: this.canonical }
  }
}

function refuse(where: string, what: string, expected: string, value: unknown): never {
  return fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })
}

/**
 * The share of samples whose class is among the `k` largest predictions.
 * @param options.k default 5, as the string `'top_k_categorical_accuracy'` has it
 * @param options.name how logs call it; default `'top_k_categorical_accuracy'`
 * @throws ConfigError `ERR_OPTION` when k is not a positive integer
 * @example
 * import { Dense, Sequential, topKCategoricalAccuracy } from 'hiddenstate'
 * const model = new Sequential([new Dense(10, { inputDim: 4, activation: 'softmax' })])
 * const metrics = [topKCategoricalAccuracy({ k: 3, name: 'top3' })]
 * model.compile({ loss: 'categorical_crossentropy', optimizer: 'sgd', metrics })
 * console.log(model.metricsNames) // [ 'loss', 'top3' ]
 * @see keras.metrics.top_k_categorical_accuracy, which Keras users wrap in a function to set k
 */
export function topKCategoricalAccuracy(
  options: { k?: number; name?: string | null } = {},
): Metric {
  const { k, name } = resolveOptions(
    'topKCategoricalAccuracy',
    { k: 5, name: null as unknown },
    options,
  )
  if (!Number.isSafeInteger(k) || k < 1)
    refuse('topKCategoricalAccuracy', 'k', 'a positive integer', k)
  return new Metric('top_k_categorical_accuracy', { k }, name)
}

/**
 * The weighted harmonic mean of precision and recall, recall counting `beta` times as much.
 * @param options.beta from 0 (precision alone); default 1, as the string `'fbeta_score'` has it
 * @param options.name how logs call it; default `'fbeta_score'`
 * @throws ConfigError `ERR_OPTION` when beta is below 0
 * @example
 * import { Dense, fbetaScore, Sequential } from 'hiddenstate'
 * const model = new Sequential([new Dense(3, { inputDim: 4, activation: 'sigmoid' })])
 * model.compile({
 *   loss: 'binary_crossentropy',
 *   optimizer: 'sgd',
 *   metrics: [fbetaScore({ beta: 2 })],
 * })
 * console.log(model.metricsNames) // [ 'loss', 'fbeta_score' ]
 * @see keras.metrics.fbeta_score
 */
export function fbetaScore(options: { beta?: number; name?: string | null } = {}): Metric {
  const { beta, name } = resolveOptions('fbetaScore', { beta: 1, name: null as unknown }, options)
  if (!(typeof beta === 'number' && beta >= 0 && beta < Infinity)) {
    refuse('fbetaScore', 'beta', 'a finite number from 0 (only precision)', beta)
  }
  return new Metric('fbeta_score', { beta }, name)
}

/**
 * How wrong the labels are that the likeliest class of each frame gives: the edit distance from the
 * target (labels put in, left out or changed) over the number of its labels, 1 for an empty one;
 * the mean over samples. Frames that a mask leaves out are not there. For the loss `'ctc'` alone,
 * whose blank it has; also as the string `'label_error_rate'`.
 * @param options.name how logs call it; default `'label_error_rate'`
 * @throws ConfigError `ERR_OPTION` for an empty name
 * @example
 * import { ctc, Dense, labelErrorRate, LSTM, Sequential, TimeDistributed } from 'hiddenstate'
 * const model = new Sequential([
 *   new LSTM(8, { inputShape: [20, 4], returnSequences: true }),
 *   new TimeDistributed(new Dense(5, { activation: 'softmax' })),
 * ])
 * model.compile({ loss: ctc(), optimizer: 'adam', metrics: [labelErrorRate({ name: 'ler' })] })
 * console.log(model.metricsNames) // [ 'loss', 'ler' ]
 * @see Graves et al. 2006, eq. 2
 */
export function labelErrorRate(options: { name?: string | null } = {}): Metric {
  const { name } = resolveOptions('labelErrorRate', { name: null as unknown }, options)
  return new Metric('label_error_rate', {}, name)
}

/**
 * A metric from the training configuration of a file.
 * @param given its arguments and `name`, if the file has any
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME`
 */
export function metricFromConfig(name: unknown, given: unknown): unknown {
  if (given === null || given === undefined) return name
  if (name === 'top_k_categorical_accuracy') return topKCategoricalAccuracy(given)
  if (name === 'fbeta_score') return fbetaScore(given)
  if (name === 'label_error_rate') return labelErrorRate(given)
  return refuse('metrics', 'arguments', `none for ${describe(name)}`, given)
}

const canonical: readonly string[] = [...metricNames, ...objectiveNames, 'label_error_rate']

/**
 * The canonical name of a metric, by which logs call it too; `'acc'` is resolved in compile.ts,
 * against loss and output.
 * @throws ConfigError `ERR_UNKNOWN_NAME`
 */
export function metricName(value: unknown, where = 'compile'): CanonicalMetric {
  if (typeof value === 'string') {
    if (canonical.includes(value)) return value as CanonicalMetric
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
