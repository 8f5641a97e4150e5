/**
 * What `compile` was told: optimizer, loss and metrics, resolved against the output of the model.
 */
import type { Floatx } from '../backend.js'
import { ConfigError, fail } from '../errors.js'
import type { Training } from '../engine/lowering.js'
import { Metric, type MetricName, metricName } from '../metrics.js'
import { describe } from '../ndarray.js'
import { type ObjectiveName, objectiveName } from '../objectives.js'
import { type OptimizerName, toOptimizer } from '../optimizers/by-name.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import { refusesAssignment, resolveOptions } from '../options.js'
import { isRecord, perName } from '../per-name.js'
import type { MetricSpec, Option, Shape } from '../spec.js'

/**
 * Names of metrics, or metrics with an argument ({@link topKCategoricalAccuracy}, {@link
 * fbetaScore}).
 */
export type Metrics = readonly (MetricName | Metric)[]

/** A value for each output: in a list, or by the names of the outputs. */
export type PerOutput<T> = readonly T[] | Readonly<Record<string, T>>

/** Options of {@link Sequential.compile}. */
export interface CompileOptions<
  M extends Metrics | Readonly<Record<string, unknown>> = Metrics | MetricsByName,
> {
  /** A name, for Keras' defaults, or an instance: `new RMSprop({ lr: 0.001 })`. */
  optimizer: OptimizerName | Optimizer
  /**
   * Name of the objective: `'binary_crossentropy'`, `'mse'`, … For several outputs, one for all of
   * them, or one for each.
   */
  loss: ObjectiveName | PerOutput<ObjectiveName>
  /**
   * What the loss of each output counts in the total. Default `null`: 1; so for outputs that are
   * not named.
   */
  lossWeights?: PerOutput<number> | null
  /**
   * Names of metrics, or metrics with an argument ({@link topKCategoricalAccuracy}, {@link
   * fbetaScore}); `'accuracy'` (or `'acc'`) picks the kind that fits loss and output. A list is for
   * all outputs; by the names of the outputs, each has its own. Default: none.
   */
  metrics?: M
  /**
   * `'temporal'`: sample weights per time step, `[N, T]`. Default null: per sample. For several
   * outputs, one for all of them, or one for each.
   */
  sampleWeightMode?: SampleWeightMode | PerOutput<SampleWeightMode>
}

type SampleWeightMode = 'temporal' | null
type Several = MetricName | Metric | Metrics
/** Metrics by the names of the outputs. */
export type MetricsByName = Readonly<Record<string, Several>>

const DEFAULTS = {
  optimizer: undefined,
  loss: undefined,
  lossWeights: null,
  metrics: [] as Metrics | MetricsByName,
  sampleWeightMode: null,
}

/** Refuses `model.loss = …` and the like, which would change nothing. */
export function chosenByCompile(Class: { readonly prototype: object }): void {
  for (const key of ['optimizer', 'loss', 'lossWeights', 'metrics', 'sampleWeightMode'])
    refusesAssignment(
      Class,
      key,
      'chosen by compile',
      'model.compile({ optimizer, loss }) chooses it.',
    )
}

/** What `compile` was told of one output. */
interface CompiledOutput {
  /** Canonical name. */
  readonly loss: string
  readonly weight: number
  readonly metrics: readonly { spec: MetricSpec; label: string }[]
  readonly temporal: boolean
  /** Classes of a sparse loss; null: targets have the output's shape. */
  readonly classes: number | null
}

/** A finished `compile`; immutable, but for the properties of the optimizer. */
export interface Compiled {
  readonly optimizer: Optimizer
  /** Precision of the model. */
  readonly floatx: Floatx
  // as the caller wrote them: files keep them
  readonly loss: CompileOptions['loss']
  readonly lossWeights: PerOutput<number> | null
  readonly metrics: Metrics | MetricsByName
  readonly sampleWeightMode: SampleWeightMode | PerOutput<SampleWeightMode>
  readonly outputs: readonly CompiledOutput[]
  /**
   * Names of the logs: 'loss', the loss of each output where there are several, then the metrics.
   */
  readonly metricsNames: readonly string[]
  /** The canonical names, for the Spec. */
  training(): Training
}

/** What is compiled. */
export interface Compilable {
  readonly floatx: Floatx
  readonly outputNames: readonly string[]
  readonly outputShapes: readonly Shape[]
}

const refuse = (what: string, expected: string, value: unknown): never =>
  fail(ConfigError, 'ERR_OPTION', { where: 'compile', what, expected, actual: describe(value) })

/**
 * Checks and resolves the options of `compile`.
 *
 * @param model with layers
 * @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME
 */
export function resolveCompile(
  { floatx, outputNames, outputShapes }: Compilable,
  given: CompileOptions<Metrics | MetricsByName>,
): Compiled {
  const options = resolveOptions('compile', DEFAULTS as Record<string, unknown>, given)
  for (const key of ['optimizer', 'loss'])
    if (options[key] === undefined)
      fail(ConfigError, 'ERR_OPTION', {
        where: 'compile',
        what: key,
        expected: 'given',
        actual: 'nothing',
      })
  const names = outputNames
  const perOutput = (what: string, absent?: { instead: unknown }): unknown[] | null =>
    perName({ where: 'compile', what, each: 'output' }, options[what], names, absent)
  const modes = perOutput('sampleWeightMode') ?? names.map(() => options.sampleWeightMode)
  for (const mode of modes)
    if (mode !== null && mode !== 'temporal') refuse('sampleWeightMode', "'temporal' or null", mode)
  const optimizer = toOptimizer(options.optimizer, 'compile: optimizer')
  const losses = perOutput('loss') ?? names.map(() => options.loss)
  const weights = options.lossWeights === null ? names.map(() => 1) : weightsOf(perOutput, options)
  const metrics = metricsOf(options.metrics, names)
  const outputs = names.map((_, i): CompiledOutput => {
    const loss = objectiveName(losses[i], 'compile: loss')
    const width = outputShapes[i]!.at(-1) ?? null
    return {
      loss,
      weight: weights[i]!,
      metrics: metrics[i]!.map((metric) => resolveMetric(metric, loss, width)),
      temporal: modes[i] === 'temporal',
      classes: loss === 'sparse_categorical_crossentropy' ? width : null,
    }
  })
  const isMany = names.length > 1
  const label = (i: number, text: string) => (isMany ? `${names[i]}_${text}` : text)
  return Object.freeze({
    optimizer,
    floatx,
    loss: kept(options.loss) as Compiled['loss'],
    lossWeights: kept(options.lossWeights) as Compiled['lossWeights'],
    metrics: kept(options.metrics) as Compiled['metrics'],
    sampleWeightMode: kept(options.sampleWeightMode) as Compiled['sampleWeightMode'],
    outputs,
    metricsNames: Object.freeze([
      'loss',
      ...(isMany ? names.map((_, i) => label(i, 'loss')) : []),
      ...outputs.flatMap((output, i) => output.metrics.map((metric) => label(i, metric.label))),
    ]),
    training: () => ({
      outputs: outputs.map(({ metrics: list, ...output }) => ({
        ...output,
        metrics: list.map((metric) => metric.spec),
      })),
      optimizer: optimizer.hyper(floatx) as { name: string; [hyper: string]: Option },
    }),
  })
}

/** A copy that nobody changes. */
function kept(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(kept))
  if (!isRecord(value)) return value
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([key, each]) => [key, kept(each)])),
  )
}

function weightsOf(
  perOutput: (what: string, absent?: { instead: unknown }) => unknown[] | null,
  { lossWeights }: Readonly<Record<string, unknown>>,
): number[] {
  const list =
    perOutput('lossWeights', { instead: 1 }) ??
    refuse('lossWeights', 'a list of numbers, or an object with the names of outputs', lossWeights)
  for (const weight of list)
    if (typeof weight !== 'number' || !Number.isFinite(weight))
      refuse('lossWeights', 'finite numbers', weight)
  return list as number[]
}

/** Of each output. */
function metricsOf(given: unknown, names: readonly string[]): (readonly unknown[])[] {
  if (Array.isArray(given)) return names.map(() => given)
  const of = { where: 'compile', what: 'metrics', each: 'output' }
  const list = isRecord(given) ? perName(of, given, names, { instead: [] }) : null
  if (list) return list.map((metrics) => (Array.isArray(metrics) ? metrics : [metrics]))
  return refuse('metrics', 'a list of names', given)
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
