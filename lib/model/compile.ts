/**
 * What `compile` was told: optimizer, loss and metrics, resolved against the output of the model.
 */
import type { Floatx } from '../backend.js'
import { ConfigError, fail } from '../errors.js'
import type { Layer } from '../layers/base/layer.js'
import type { Training } from '../engine/lowering.js'
import { Metric, type MetricName, metricName } from '../metrics.js'
import { describe } from '../ndarray.js'
import { type ObjectiveName, objectiveName } from '../objectives.js'
import { type OptimizerName, toOptimizer } from '../optimizers/by-name.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import { refusesAssignment, resolveOptions } from '../options.js'
import type { MetricSpec, Option } from '../spec.js'

/**
 * Names of metrics, or metrics with an argument
 * ({@link topKCategoricalAccuracy}, {@link fbetaScore}).
 */
export type Metrics = readonly (MetricName | Metric)[]

/** Options of {@link Sequential.compile}. */
export interface CompileOptions<M extends Metrics = Metrics> {
  /** A name, for Keras' defaults, or an instance: `new RMSprop({ lr: 0.001 })`. */
  optimizer: OptimizerName | Optimizer
  /** Name of the objective: `'binary_crossentropy'`, `'mse'`, … */
  loss: ObjectiveName
  /**
   * Names of metrics, or metrics with an argument ({@link topKCategoricalAccuracy},
   * {@link fbetaScore}); `'accuracy'` (or `'acc'`) picks the kind
   * that fits loss and output. Default: none.
   */
  metrics?: M
  /** `'temporal'`: sample weights per time step, `[N, T]`. Default null: per sample. */
  sampleWeightMode?: 'temporal' | null
}

const DEFAULTS = {
  optimizer: undefined,
  loss: undefined,
  metrics: [] as readonly (string | Metric)[],
  sampleWeightMode: null,
}

/** Refuses `model.loss = …` and the like, which would change nothing. */
export function chosenByCompile(Class: { readonly prototype: object }): void {
  for (const key of ['optimizer', 'loss', 'metrics', 'sampleWeightMode'])
    refusesAssignment(
      Class,
      key,
      'chosen by compile',
      'model.compile({ optimizer, loss }) chooses it.',
    )
}

/** A finished `compile`; immutable, but for the properties of the optimizer. */
export interface Compiled {
  readonly optimizer: Optimizer
  /** Precision of the model. */
  readonly floatx: Floatx
  /** As the caller wrote it: files keep it. */
  readonly loss: string
  /** As the caller wrote them. */
  readonly metrics: readonly (string | Metric)[]
  readonly sampleWeightMode: 'temporal' | null
  /** Names of the logs: 'loss', then the metrics. */
  readonly metricsNames: readonly string[]
  /** Classes of a sparse loss; null: targets have the output's shape. */
  readonly classes: number | null
  /** The canonical names, for the Spec. */
  training(): Training
}

/**
 * Checks and resolves the options of `compile`.
 *
 * @param layers of the model; not empty
 * @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME
 */
export function resolveCompile(layers: readonly Layer[], given: CompileOptions): Compiled {
  const options = resolveOptions('compile', DEFAULTS as Record<string, unknown>, given)
  for (const key of ['optimizer', 'loss']) {
    if (options[key] === undefined) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'compile',
        what: key,
        expected: 'given',
        actual: 'nothing',
      })
    }
  }
  const { metrics, sampleWeightMode } = options
  if (!Array.isArray(metrics))
    fail(ConfigError, 'ERR_OPTION', {
      where: 'compile',
      what: 'metrics',
      expected: 'a list of names',
      actual: describe(metrics),
    })
  if (sampleWeightMode !== null && sampleWeightMode !== 'temporal') {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'compile',
      what: 'sampleWeightMode',
      expected: "'temporal' or null",
      actual: describe(sampleWeightMode),
    })
  }
  const optimizer = toOptimizer(options.optimizer, 'compile: optimizer')
  const loss = objectiveName(options.loss, 'compile: loss')
  const last = layers.at(-1)!
  const width = last.outputShape!.at(-1) ?? null
  const resolved = metrics.map((metric) => resolveMetric(metric, loss, width))
  const isSparse = loss === 'sparse_categorical_crossentropy'
  return Object.freeze({
    optimizer,
    floatx: last.floatx,
    loss: options.loss as string,
    metrics: Object.freeze([...metrics]) as readonly (string | Metric)[],
    sampleWeightMode,
    metricsNames: Object.freeze(['loss', ...resolved.map((metric) => metric.label)]),
    classes: isSparse ? width : null,
    training: () => ({
      loss,
      metrics: resolved.map((metric) => metric.spec),
      temporal: sampleWeightMode === 'temporal',
      optimizer: optimizer.hyper(last.floatx) as { name: string; [hyper: string]: Option },
    }),
  })
}

/**
 * Keras' choice of the accuracy (training.py, compile):
 * by the width of the output, then by the loss.
 */
function accuracyFor(loss: string, width: number | null): string {
  if (width === 1 || loss === 'binary_crossentropy') return 'binary_accuracy'
  return loss === 'sparse_categorical_crossentropy'
    ? 'sparse_categorical_accuracy'
    : 'categorical_accuracy'
}

function resolveMetric(
  metric: unknown,
  loss: string,
  width: number | null,
): { spec: MetricSpec; label: string } {
  if (metric instanceof Metric) return { spec: metric.spec(), label: metric.name }
  if (metric === 'accuracy' || metric === 'acc')
    return { spec: { name: accuracyFor(loss, width) }, label: 'acc' }
  const name = metricName(metric, 'compile: metrics')
  return { spec: { name }, label: name }
}
