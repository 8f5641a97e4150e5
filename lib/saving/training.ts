/** How a model was compiled, and the state of its optimizer, in a file. */
import type { Compiled, CompileOptions } from '../model/compile.js'
import { formatError, type H5Builder, type H5File } from '../hdf5/file.js'
import { checkJson, type ResolvedLimits } from '../limits.js'
import { Metric, metricFromConfig } from '../metrics.js'
import { NDArray } from '../ndarray.js'
import { isRecord } from '../per-name.js'
import type { Counts } from '../engine/optimizer-state.js'
import { optimizerFromConfig } from '../optimizers/by-name.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import { trainingFromKeras2 } from './keras2/training.js'
import { asciiJson } from './layout.js'
import { writeArrays } from './weights.js'

const GROUP = 'optimizer_weights'

/** What a list or an object of metrics is with `use` of each; names of outputs stay. */
function each(metrics: Compiled['metrics'], use: (metric: string | Metric) => unknown): unknown {
  const several = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(use) : use(value as string | Metric)
  if (Array.isArray(metrics)) return several(metrics)
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, several(value)]))
}

/** Keras neither has a place for the arguments of metrics nor looks at this; only where needed. */
function metricArguments(metrics: Compiled['metrics']): { metric_arguments?: unknown } {
  const hasSome = Object.values(metrics)
    .flat()
    .some((metric) => metric instanceof Metric)
  if (!hasSome) return {}
  const given = (metric: string | Metric) =>
    metric instanceof Metric ? { ...metric.arguments, name: metric.name } : null
  return { metric_arguments: each(metrics, given) }
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
    loss,
    metrics: each(metrics, (metric) => (metric instanceof Metric ? metric.canonical : metric)),
    sample_weight_mode: sampleWeightMode,
    loss_weights: lossWeights,
    ...metricArguments(metrics),
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
  if (text === undefined) return null
  if (typeof text === 'string') checkJson(`${file.path}: ${name}`, text, limits)
  try {
    const value: unknown = JSON.parse(typeof text === 'string' ? text : '')
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // refused below, in words about the file
  }
  throw formatError(
    file.path,
    '',
    `attribute ${name}`,
    'a JSON object',
    typeof text === 'string' ? `'${text.slice(0, 40)}'` : 'no string',
  )
}

/** Metrics with the arguments that they were given, for each output where they have names. */
function metricsFrom(metrics: unknown, given: unknown): unknown {
  if (given === null) return metrics
  if (Array.isArray(metrics) && Array.isArray(given))
    return metrics.map((metric, i) => metricFromConfig(metric, given[i]))
  if (!isRecord(metrics) || !isRecord(given)) return metrics
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => {
      const own = given[name] ?? null
      return [name, Array.isArray(value) ? metricsFrom(value, own) : metricFromConfig(value, own)]
    }),
  )
}

/**
 * The options of `compile` for a model to be as it was when it was saved.
 *
 * @param found the file's training configuration
 * @param keras2 whether Keras 2 wrote the file
 * @throws FormatError, ConfigError for what this package does not know: an optimizer, a setting of
 *   one, a loss, a metric
 */
export function compileOptions(found: Record<string, unknown>, keras2: boolean): CompileOptions {
  const config = keras2 ? trainingFromKeras2(found) : found
  const { metrics = null, metric_arguments: given = null } = config
  return {
    optimizer: optimizerFromConfig(config.optimizer_config),
    loss: config.loss as CompileOptions['loss'], // compile checks them
    lossWeights: (config.loss_weights ?? null) as NonNullable<CompileOptions['lossWeights']>,
    metrics: (metricsFrom(metrics, given) ?? []) as NonNullable<CompileOptions['metrics']>,
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
