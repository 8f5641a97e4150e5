/**
 * What `compile` was told: optimizer, loss and metrics, resolved against the output of the model.
 */
import { checkedDevice, device, type DeviceName, type Precision } from '../backend.js'
import { type CtcLoss, ctcLoss } from '../ctc.js'
import { ConfigError, fail } from '../errors.js'
import type { Training } from '../engine/lowering.js'
import { ofFile } from '../expressions/applied.js'
import { tagAccuracy } from '../expressions/chain.js'
import { Metric, type MetricFunction, type MetricName, metricName } from '../metrics.js'
import { describe } from '../ndarray.js'
import {
  type CrfLossName,
  type LossFunction,
  type ObjectiveName,
  objectiveName,
} from '../objectives.js'
import { type OptimizerName, toOptimizer } from '../optimizers/by-name.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import { refusesAssignment, resolveOptions } from '../options.js'
import { isRecord, perName } from '../per-name.js'
import type { CrfSpec, CtcSpec, MetricSpec, Option, ProgramSpec, Shape } from '../spec.js'
import type { NoMetrics } from '../training/results.js'
import { World } from '../world/distribute.js'
import { toWritten, Written } from '../written.js'
import {
  lossFunction,
  metricFunction,
  type ObjectiveFunction,
  type Scored,
  targetDimOfData,
} from './objective-function.js'

/**
 * Names of metrics, metrics with an argument ({@link topKCategoricalAccuracy}, {@link fbetaScore}),
 * or functions.
 */
export type Metrics = readonly AnyMetric[]
type AnyMetric = MetricName | Metric | MetricFunction
type AnyLoss = ObjectiveName | CrfLossName | 'ctc' | CtcLoss | LossFunction

/** A value for each output: in a list, or by the names of the outputs. */
export type PerOutput<T> = readonly T[] | Readonly<Record<string, T>>

/** Options of {@link Sequential.compile}. */
export interface CompileOptions<
  M extends Metrics | Readonly<Record<string, unknown>> | NoMetrics = Metrics | MetricsByName,
> {
  /** A name, for Keras' defaults, or an instance: `new RMSprop({ lr: 0.001 })`. */
  optimizer: OptimizerName | Optimizer
  /**
   * Name of the objective, `'binary_crossentropy'`, `'mse'`, `'ctc'`, …, {@link ctc} with options,
   * or a function of targets and
   * outputs, both in the shape of the output, written with `hiddenstate/backend`: one number for
   * each row of the last axis or for each sample. It is called here, and never while a batch runs.
   * For several outputs, one for all of them, or one for each.
   */
  loss: AnyLoss | PerOutput<AnyLoss>
  /**
   * The last axis of the targets where it is not the output's, for a loss that is a function: with
   * 1, an output [B, T, K] has targets [B, T, 1], such as the numbers of classes. Metrics get the
   * same targets. Default `null`: that of the output. For several outputs, one for all of them, or
   * one for each.
   */
  targetDim?: number | null | PerOutput<number | null>
  /**
   * What the loss of each output counts in the total. Default `null`: 1; so for outputs that are
   * not named.
   */
  lossWeights?: PerOutput<number> | null
  /**
   * Names of metrics, metrics with an argument ({@link topKCategoricalAccuracy}, {@link
   * fbetaScore}), or functions of targets and outputs, whose mean it is: logs call it by the name
   * of the function, `metric` where it has none, with _1, _2, … where that is taken. `'accuracy'`
   * (or `'acc'`) picks the kind that fits loss and output. A list is for all outputs; by the names
   * of the outputs, each has its own. Default: none.
   */
  metrics?: M
  /**
   * `'temporal'`: sample weights per time step, `[N, T]`. Default null: per sample. For several
   * outputs, one for all of them, or one for each.
   */
  sampleWeightMode?: SampleWeightMode | PerOutput<SampleWeightMode>
  /**
   * What computes the model; `'auto'`: what should be faster, see {@link setDevice}. Default: what
   * `setDevice` or `HIDDENSTATE_DEVICE` says, `'cpu'`.
   */
  device?: DeviceName
  /**
   * `'tf32'` allows a card to round the operands of float32's matrix products to TF32, 11
   * significant bits instead of 24, and add them up in float32: several times as fast on cards of
   * compute capability 8.0 or newer. It is a permission: the processor, and cards that have no
   * TF32, compute in float32 as before. Default null: float32 on every device.
   */
  precision?: 'tf32' | null
  /**
   * The ranks that train the model together ({@link distribute}): `fit` and `evaluate` share out
   * every batch, and all of them must make the same calls. Default null: this process alone.
   */
  distribute?: World | null
}

type SampleWeightMode = 'temporal' | null
/** Metrics by the names of the outputs. */
export type MetricsByName = Readonly<Record<string, AnyMetric | Metrics>>

const DEFAULTS = {
  optimizer: undefined,
  loss: undefined,
  targetDim: null,
  lossWeights: null,
  metrics: [] as Metrics | MetricsByName,
  sampleWeightMode: null,
  device: null,
  precision: null,
  distribute: null,
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
  /** Canonical name, a program, 'ctc' or 'crf'. */
  readonly loss: string | ProgramSpec | CtcSpec | CrfSpec
  readonly weight: number
  readonly metrics: readonly ResolvedMetric[]
  readonly temporal: boolean
  /** The last axis of the targets; null: the output's. */
  readonly targetDim: number | null
  /** Classes of a sparse loss; null: targets are any numbers. */
  readonly classes: number | null
  /** Targets are labels of whole samples, and this is no label; null: they are not. */
  readonly blank: number | null
}

/** A finished `compile`; immutable, but for the properties of the optimizer. */
export interface Compiled {
  readonly optimizer: Optimizer
  /** Precision of the model. */
  readonly floatx: Precision
  readonly device: DeviceName
  readonly precision: 'tf32' | null
  readonly world: World | null
  // as the caller wrote them: files keep them. Functions are data: of several outputs, one each.
  readonly loss: Kept
  readonly lossWeights: PerOutput<number> | null
  readonly metrics: Kept
  readonly sampleWeightMode: SampleWeightMode | PerOutput<SampleWeightMode>
  readonly outputs: readonly CompiledOutput[]
  /**
   * Names of the logs: 'loss', the loss of each output where there are several, then the metrics.
   */
  readonly metricsNames: readonly string[]
  /** For the Spec. */
  training(): Training
}

/** What an option of `compile` was: names, metrics, functions, in lists and by names. */
export type Kept =
  | string
  | Metric
  | CtcLoss
  | Written
  | readonly Kept[]
  | { readonly [name: string]: Kept }

/** What is compiled. */
export interface Compilable {
  readonly floatx: Precision
  readonly outputNames: readonly string[]
  /** Of its arrays. */
  readonly outputShapes: readonly Shape[]
}

const refuse = (what: string, expected: string, value: unknown): never =>
  fail(ConfigError, 'ERR_OPTION', { where: 'compile', what, expected, actual: describe(value) })

function checkedPrecision(given: unknown, floatx: Precision): 'tf32' | null {
  if (given !== null && given !== 'tf32') refuse('precision', "'tf32' or null", given)
  if (given !== null && floatx !== 'float32')
    refuse('precision', `null for a model that computes in ${floatx}`, given)
  return given as 'tf32' | null
}

function checkedWorld(given: unknown, floatx: Precision): World | null {
  if (given !== null && !(given instanceof World))
    return refuse('distribute', 'a world, as `await distribute()` gives it, or null', given)
  if (given?.compression === 'bf16' && floatx === 'float64')
    refuse('compression of the world', "'none' for a model that computes in float64", 'bf16')
  return given
}

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
  const dims = perOutput('targetDim', { instead: null }) ?? names.map(() => options.targetDim)
  const weights = options.lossWeights === null ? names.map(() => 1) : weightsOf(perOutput, options)
  const metrics = metricsOf(options.metrics, names)
  const isMany = names.length > 1
  const label = (i: number, text: string) => (isMany ? `${names[i]}_${text}` : text)
  const resolved = names.map((name, i) => {
    const of = isMany ? ` of ${name}` : ''
    const ctc = ctcLoss(losses[i])
    if (ctc && modes[i] === 'temporal')
      refuse(`sampleWeightMode${of}`, "null with the loss 'ctc': weights are of samples", modes[i])
    if (losses[i] === 'crf' || losses[i] === 'sparse_crf')
      return resolveCrf(losses[i], outputShapes[i]!, dims[i], metrics[i]!, of)
    return ctc
      ? resolveCtc(ctc, outputShapes[i]!, { given: losses[i], dim: dims[i] }, metrics[i]!, of)
      : resolveOutput(outputShapes[i]!, losses[i], dims[i], metrics[i]!, of)
  })
  const outputs = resolved.map(
    ({ loss, metrics: list, targetDim, classes }, i): CompiledOutput => ({
      loss: typeof loss === 'object' && 'program' in loss ? loss.program : loss,
      weight: weights[i]!,
      metrics: list,
      temporal: modes[i] === 'temporal',
      targetDim,
      classes,
      blank: typeof loss === 'object' && 'blank' in loss ? loss.blank : null,
    }),
  )
  return Object.freeze({
    optimizer,
    floatx,
    device: options.device === null ? device() : checkedDevice('compile', 'device', options.device),
    precision: checkedPrecision(options.precision, floatx),
    world: checkedWorld(options.distribute, floatx),
    ...keptFunctions(options, resolved, names),
    lossWeights: kept(options.lossWeights) as Compiled['lossWeights'],
    sampleWeightMode: kept(options.sampleWeightMode) as Compiled['sampleWeightMode'],
    outputs,
    metricsNames: Object.freeze(
      logNames(
        ['loss', ...(isMany ? names.map((_, i) => label(i, 'loss')) : [])],
        outputs.flatMap(({ metrics: list }, i) =>
          list.map((metric) => ({ ...metric, label: label(i, metric.label) })),
        ),
      ),
    ),
    training: () => ({
      outputs: outputs.map(({ metrics: list, ...output }) => ({
        ...output,
        metrics: list.map((metric) => metric.spec),
      })),
      optimizer: optimizer.hyper(floatx) as { name: string; [hyper: string]: Option },
    }),
  })
}

interface ResolvedMetric {
  readonly spec: MetricSpec
  readonly label: string
  /** As {@link Compiled.metrics} has it. */
  readonly kept: Kept
}

interface ResolvedOutput {
  readonly loss: string | ObjectiveFunction | CtcSpec | CrfSpec
  readonly metrics: readonly ResolvedMetric[]
  readonly targetDim: number | null
  readonly classes: number | null
  /** As {@link Compiled.loss} has it. */
  readonly kept: Kept
}

/** @param of ' of out' for one of several outputs */
function resolveOutput(
  output: Shape,
  given: unknown,
  dim: unknown,
  metrics: readonly unknown[],
  of: string,
): ResolvedOutput {
  const own = toWritten(given, `compile: loss${of}`, 'loss')
  const name = own ? null : objectiveName(given, 'compile: loss')
  const isSparse = name === 'sparse_categorical_crossentropy'
  const targetDim = isSparse && dim === null ? 1 : targetDimOf(own, dim, output, of)
  const scored = {
    output,
    targets: targetDim === null ? output : [...output.slice(0, -1), targetDim],
  }
  const loss = own ? lossFunction(own, scored, `loss${of}`) : name!
  return {
    loss,
    metrics: metrics.map((metric) => resolveMetric(metric, name, scored, of)),
    targetDim,
    classes: isSparse ? (output.at(-1) ?? null) : null,
    kept: typeof loss === 'string' ? (given as string) : loss.written,
  }
}

function resolveCtc(
  loss: CtcLoss,
  output: Shape,
  { given, dim }: { given: unknown; dim: unknown },
  metrics: readonly unknown[],
  of: string,
): ResolvedOutput {
  if (dim !== null)
    refuse(`targetDim${of}`, "null with the loss 'ctc', whose targets are labels [N, L]", dim)
  return {
    loss: loss.spec(output, `compile: loss${of}`),
    metrics: metrics.map((metric) => resolveLabelMetric(metric, of)),
    targetDim: null,
    classes: output.at(-1) ?? null,
    kept: given as Kept,
  }
}

function resolveCrf(
  given: CrfLossName,
  output: Shape,
  dim: unknown,
  metrics: readonly unknown[],
  of: string,
): ResolvedOutput {
  if (dim !== null) refuse(`targetDim${of}`, `null with the loss '${given}', which says it`, dim)
  const isSparse = given === 'sparse_crf'
  const targets = isSparse ? [...output.slice(0, -1), 1] : output
  return {
    loss: { name: 'crf', isSparse },
    metrics: metrics.map((metric) => resolveTagMetric(metric, { output, targets }, of)),
    targetDim: isSparse ? 1 : null,
    classes: isSparse ? (output.at(-1) ?? null) : null,
    kept: given,
  }
}

/** Of a CRF: functions, and the accuracy, of which it knows the real steps. */
function resolveTagMetric(metric: unknown, scored: Scored, of: string): ResolvedMetric {
  if (metric !== 'accuracy' && metric !== 'acc') {
    const own = toWritten(metric, `compile: metrics${of}`, 'metric')
    if (!own) refuse(`metrics${of}`, "'accuracy' or functions beside the loss of a CRF", metric)
    return resolveMetric(own, null, scored, of)
  }
  const { program } = metricFunction(new Written('acc', tagAccuracy), scored, `metric acc${of}`)
  return { spec: { name: 'acc', ...program }, label: 'acc', kept: metric }
}

/** Of labels, one that compares them with a row of the output each has no meaning. */
function resolveLabelMetric(metric: unknown, of: string): ResolvedMetric {
  const isAccuracy = metric === 'accuracy' || metric === 'acc'
  const own = metric instanceof Metric ? metric : null
  const isName = typeof metric === 'string' && !isAccuracy
  const name = own?.canonical ?? (isName ? metricName(metric, 'compile: metrics') : null)
  if (name !== 'label_error_rate')
    refuse(`metrics${of}`, "'label_error_rate' alone beside the loss 'ctc'", metric)
  return { spec: { name: 'label_error_rate' }, label: own?.name ?? name!, kept: metric as Kept }
}

/** The last axis of the targets of an output; null: the output's. */
function targetDimOf(
  own: Written | null,
  given: unknown,
  output: Shape,
  of: string,
): number | null {
  if (!own) {
    if (given !== null)
      refuse(`targetDim${of}`, 'null for a loss with a name, which has targets of its own', given)
    return null
  }
  // What a file holds of a loss says what targets it was made for.
  const dim = given ?? targetDimOfData(own)
  if (dim === null || dim === output.at(-1)) return null
  if (Number.isSafeInteger(dim) && Number(dim) > 0) return Number(dim)
  return ofFile(own, () => refuse(`targetDim${of}`, 'a positive integer or null', dim))
}

/** Loss and metrics as the caller wrote them; with functions, those of each output. */
function keptFunctions(
  options: Readonly<Record<string, unknown>>,
  outputs: readonly ResolvedOutput[],
  names: readonly string[],
): Pick<Compiled, 'loss' | 'metrics'> {
  const isMany = outputs.length > 1
  const losses = outputs.map((output) => output.kept)
  const lists = outputs.map((output) => output.metrics.map((metric) => metric.kept))
  const isOwn = (each: Kept) => each instanceof Written
  const byNames = Object.fromEntries(names.map((name, i) => [name, lists[i]!]))
  return {
    loss: losses.some(isOwn)
      ? (kept(isMany ? losses : losses[0]) as Kept)
      : (kept(options.loss) as Kept),
    metrics: (lists.flat().some(isOwn)
      ? kept(isMany ? byNames : lists[0])
      : kept(options.metrics)) as Kept,
  }
}

/** The names of logs: those of functions are none of the others, as Keras 2 makes them. */
function logNames(losses: readonly string[], metrics: readonly ResolvedMetric[]): string[] {
  const isOwn = ({ kept: one }: ResolvedMetric) => one instanceof Written
  const taken = new Set([...losses, ...metrics.filter((one) => !isOwn(one)).map((m) => m.label)])
  const unique = (label: string) => {
    let name = label
    for (let n = 1; taken.has(name); n++) name = `${label}_${n}`
    taken.add(name)
    return name
  }
  return [...losses, ...metrics.map((one) => (isOwn(one) ? unique(one.label) : one.label))]
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
 * by the width of the output, then by the loss and its targets.
 */
function accuracyFor(loss: string | null, { output, targets }: Scored): string {
  if (output.at(-1) === 1 || loss === 'binary_crossentropy') return 'binary_accuracy'
  return targets.at(-1) === 1 ? 'sparse_categorical_accuracy' : 'categorical_accuracy'
}

function resolveMetric(
  metric: unknown,
  loss: string | null,
  scored: Scored,
  of: string,
): ResolvedMetric {
  const own = toWritten(metric, `compile: metrics${of}`, 'metric')
  if (own) {
    const { program, written: data } = metricFunction(own, scored, `metric ${own.name}${of}`)
    return { spec: { name: own.name, ...program }, label: own.name, kept: data }
  }
  if (metric instanceof Metric && metric.canonical !== 'label_error_rate')
    return { spec: metric.spec(), label: metric.name, kept: metric }
  const given = metric as string
  if (given === 'accuracy' || given === 'acc') {
    const name = accuracyFor(loss, scored)
    return { spec: { name }, label: 'acc', kept: given }
  }
  const name = metric instanceof Metric ? metric.canonical : metricName(given, 'compile: metrics')
  if (name === 'label_error_rate')
    refuse(`metrics${of}`, `others than '${name}', which needs the loss 'ctc'`, name)
  return { spec: { name }, label: name, kept: given }
}
