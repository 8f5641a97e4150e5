/** How a model was compiled, and the state of its optimizer, in a file. */
import type { Compiled, CompileOptions, Kept } from '../model/compile.js'
import { formatError, type H5Builder, type H5File } from '../hdf5/file.js'
import { checkJson, type ResolvedLimits } from '../limits.js'
import { CtcLoss, lossFromConfig } from '../ctc.js'
import { Metric, metricFromConfig } from '../metrics.js'
import { NDArray } from '../ndarray.js'
import { isRecord } from '../per-name.js'
import type { Counts } from '../engine/optimizer-state.js'
import { optimizerFromConfig } from '../optimizers/by-name.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import { fromConfig, Written } from '../written.js'
import type { Generation } from './document.js'
import { trainingFromKeras2 } from './keras2/training.js'
import { trainingFromKeras3 } from './keras3/document.js'
import { asciiJson } from './layout.js'
import { writeArrays } from './weights.js'

const GROUP = 'optimizer_weights'

type One = string | Metric | CtcLoss | Written

/** What a loss or metrics are with `use` of each; lists and names of outputs stay. */
function each(value: Kept, use: (one: One) => unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => each(one, use))
  if (!isRecord(value)) return use(value as One)
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, each(one as Kept, use)]),
  )
}

/** What Keras knows: names. */
function nameOf(one: One): string {
  if (one instanceof Metric) return one.canonical
  if (one instanceof CtcLoss) return 'ctc'
  return one instanceof Written ? one.name : one
}

/**
 * The same with `use` of each that is of a class, null for others, under a key: Keras neither has a
 * place for such things nor looks at this. Only where needed.
 */
function beside<T>(
  key: string,
  value: Kept,
  Class: abstract new (...args: never[]) => T,
  use: (one: T) => unknown,
): Record<string, unknown> {
  let hasSome = false
  const made = each(value, (one) => {
    if (!(one instanceof Class)) return null
    hasSome = true
    return use(one)
  })
  return hasSome ? { [key]: made } : {}
}

/** Writes `training_config` and, if there is one, the optimizer's state. */
export function writeTraining(
  file: H5Builder,
  compiled: Compiled,
  state: readonly NDArray[] | null,
  counts: Counts | null,
): void {
  const { optimizer, loss, lossWeights, metrics, sampleWeightMode, floatx } = compiled
  const config = {
    optimizer_config: {
      class_name: (optimizer.constructor as typeof Optimizer).className,
      config: optimizer.getConfig(floatx),
    },
    loss: each(loss, nameOf),
    metrics: each(metrics, nameOf),
    sample_weight_mode: sampleWeightMode,
    loss_weights: lossWeights,
    ...beside('metric_arguments', metrics, Metric, (one) => ({ ...one.arguments, name: one.name })),
    ...beside('loss_arguments', loss, CtcLoss, ({ blank, zeroInfinity }) => ({
      blank,
      zeroInfinity,
    })),
    ...beside('loss_expressions', loss, Written, ({ source }) => source),
    ...beside('metric_expressions', metrics, Written, ({ source }) => source),
    ...(counts ? { optimizer_counts: counts } : {}),
  }
  file.group('').set('training_config', asciiJson(config))
  if (state === null || state.length === 0) return
  writeArrays(
    file,
    GROUP,
    state.map((value, i) => ({ name: `param_${i}`, value })),
  )
}

/** An attribute that holds a JSON object. @throws FormatError ERR_FILE_FORMAT, ERR_LIMIT */
export function jsonAttribute(
  file: H5File,
  name: string,
  limits: ResolvedLimits,
): Record<string, unknown> | null {
  const text = file.attribute('', name)
  return text === undefined ? null : jsonObject(file.path, `attribute ${name}`, text, limits)
}

/**
 * A JSON object in a file.
 *
 * @param name where it stands in the file; '' : it is the file
 * @throws FormatError ERR_FILE_FORMAT, ERR_LIMIT
 */
export function jsonObject(
  path: string,
  name: string,
  text: unknown,
  limits: ResolvedLimits,
): Record<string, unknown> {
  const where = name === '' ? path : `${path}: ${name}`
  if (typeof text === 'string') checkJson(where, text, limits)
  try {
    const value: unknown = JSON.parse(typeof text === 'string' ? text : '')
    if (isRecord(value)) return value
  } catch {
    // refused below, in words about the file
  }
  const actual = typeof text === 'string' ? `'${text.slice(0, 40)}'` : 'no string'
  throw formatError(path, '', name || 'text', 'a JSON object', actual)
}

/** `use` of each name with what stands in its place in `given`, if something does. */
function joined(
  names: unknown,
  given: unknown,
  use: (name: unknown, own: unknown) => unknown,
): unknown {
  if (given === null || given === undefined) return names
  if (Array.isArray(names))
    return names.map((name, i) => joined(name, Array.isArray(given) ? given[i] : null, use))
  if (!isRecord(names)) return use(names, given)
  const own = isRecord(given) ? given : {}
  return Object.fromEntries(
    Object.entries(names).map(([name, value]) => [name, joined(value, own[name], use)]),
  )
}

/** A function instead of its name. */
const functionFrom = (name: unknown, expression: unknown): Written =>
  fromConfig({ name, expression }, 'functions')

/**
 * The options of `compile` for a model to be as it was when it was saved.
 *
 * @param found the file's training configuration
 * @param keras which Keras wrote the file
 * @throws FormatError, ConfigError for what this package does not know: an optimizer, a setting of
 *   one, a loss, a metric
 */
export function compileOptions(found: Record<string, unknown>, keras: Generation): CompileOptions {
  const later = keras === 3 ? trainingFromKeras3(found) : found
  const config = keras > 1 ? trainingFromKeras2(later) : found
  const withArguments = joined(config.metrics, config.metric_arguments, metricFromConfig)
  const metrics = joined(withArguments, config.metric_expressions, functionFrom)
  const withOptions = joined(config.loss, config.loss_arguments, lossFromConfig)
  const loss = joined(withOptions, config.loss_expressions, functionFrom)
  return {
    optimizer: optimizerFromConfig(config.optimizer_config),
    loss: loss as CompileOptions['loss'], // compile checks them
    lossWeights: (config.loss_weights ?? null) as NonNullable<CompileOptions['lossWeights']>,
    metrics: (metrics ?? []) as NonNullable<CompileOptions['metrics']>,
    sampleWeightMode: (config.sample_weight_mode ?? null) as 'temporal' | null,
  }
}

/**
 * What the optimizer had counted; null in a file that does not say.
 *
 * @param training the content of `training_config`
 * @throws FormatError ERR_FILE_FORMAT
 */
export function countsOf(path: string, training: Record<string, unknown>): Counts | null {
  const { optimizer_counts: counts = null } = training as {
    optimizer_counts?: Partial<Counts> | null
  }
  if (counts === null) return null
  const { iterations, m_schedule } = counts
  if (
    Number.isSafeInteger(iterations) &&
    iterations! >= 0 &&
    Number.isFinite(m_schedule) &&
    m_schedule! >= 0
  )
    return { iterations: iterations!, m_schedule: m_schedule! }
  throw formatError(
    path,
    'training_config',
    'optimizer_counts',
    'iterations (a whole number) and m_schedule, from 0',
    JSON.stringify(counts).slice(0, 80),
  )
}

/**
 * The optimizer's state; null when the file holds none.
 *
 * @param like the shapes that the state of this model has; not called when there is nothing to read
 * @throws FormatError ERR_FILE_FORMAT
 */
export async function readState(
  file: H5File,
  like: () => readonly (readonly number[])[],
): Promise<NDArray[] | null> {
  if (!file.hasGroup(GROUP)) return null
  const names = file.strings(GROUP, 'weight_names')
  const expected = like()
  if (names.length !== expected.length) {
    throw formatError(
      file.path,
      GROUP,
      'optimizer weights',
      `${expected.length} arrays`,
      `${names.length}`,
    )
  }
  const data = await file.read(
    expected.map((shape, i) => ({ path: `${GROUP}/${names[i]}`, shape })),
  )
  return data.map(({ data: numbers, shape }) => new NDArray(numbers, shape))
}
