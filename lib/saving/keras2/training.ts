/**
 * Translates Keras 2's training configuration into that of Keras 1.2.2. A setting that Keras 1.2.2
 * does not have is an error; an unknown name stays as it is, and `compile` refuses it.
 */
import { fail, FormatError } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { ANY, bare, type Config, isObject, named, type Rule, translated } from './rule.js'

/** The rule of every optimizer. */
const OPTIMIZERS: Rule = {
  keys: {
    learning_rate: [
      'lr',
      (value, refuse) => (typeof value === 'number' ? value : refuse('a number')),
    ],
    global_clipnorm: 'clipnorm', // Keras 1.2.2's is that of all gradients together
    lr: ['lr', (value, refuse) => (typeof value === 'number' ? value : refuse('a number'))],
  },
  ignored: {
    amsgrad: [false],
    centered: [false],
    weight_decay: [null],
    use_ema: [false],
    global_clipnorm: [null],
    initial_accumulator_value: ANY,
    ema_momentum: ANY,
    ema_overwrite_frequency: ANY,
    jit_compile: ANY,
    is_legacy_optimizer: ANY,
    loss_scale_factor: [null],
    gradient_accumulation_steps: [null],
    name: ANY,
  },
}

const OPTIMIZER_TABLE: Readonly<Record<string, Rule>> = {
  Nadam: { keys: { decay: 'schedule_decay' } },
  RMSprop: { ignored: { momentum: [0] } },
}

/** The rule of losses and metrics. */
const FUNCTIONS: Rule = {
  ignored: {
    name: ANY,
    dtype: ANY,
    fn: ANY,
    reduction: ['auto', 'sum_over_batch_size', null],
    from_logits: [false],
    label_smoothing: [0],
    axis: [-1],
    ignore_class: [null],
    threshold: [0.5],
  },
}

const snake = (name: string): string => name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase()

const place = (what: string) => ({ where: 'training_config', what })

function optimizerFromKeras2(optimizer: unknown): Config {
  const [registered, config] = named(optimizer)
  const name = bare(registered)
  const rules = [
    ...(Object.hasOwn(OPTIMIZER_TABLE, name) ? [OPTIMIZER_TABLE[name] as Rule] : []),
    OPTIMIZERS,
  ]
  const entries = Object.entries(config).map(([key, value]) =>
    translated(key, value, rules, place(`${key} of ${name}`)),
  )
  return {
    class_name: name,
    config: Object.fromEntries(entries.filter((one) => one !== null && one[1] !== null) as []),
  }
}

/** Functions that have another name in Keras 1.2.2. */
const FUNCTION_NAMES: Readonly<Record<string, string>> = {
  kl_divergence: 'kullback_leibler_divergence',
  kldivergence: 'kullback_leibler_divergence',
}

const WRAPPER = /^(MeanMetricWrapper|LossFunctionWrapper|function)$/

/**
 * A loss or a metric as a name: a class of Keras 2 is the function that it wraps, when its settings
 * are at their defaults.
 */
function functionName(value: unknown): unknown {
  const [registered, config] = named(value)
  if (registered === '') return value
  const name = bare(registered)
  for (const [key, setting] of Object.entries(config)) {
    const other = translated(key, setting, [FUNCTIONS], place(`${key} of ${name}`))
    if (other)
      fail(FormatError, 'ERR_FILE_FORMAT', {
        ...place(key),
        expected: 'absent',
        actual: describe(setting),
      })
  }
  const { name: title, fn } = config
  if (title === 'accuracy' || title === 'acc') return title // of the kind that fits loss and output
  const wrapped = isObject(fn) ? fn.config : fn
  const own =
    typeof wrapped === 'string'
      ? bare(wrapped)
      : WRAPPER.test(name)
        ? title
        : typeof value === 'string'
          ? name
          : snake(name)
  return typeof own === 'string' && Object.hasOwn(FUNCTION_NAMES, own) ? FUNCTION_NAMES[own] : own
}

/** Settings for each output, in lists or in objects with the outputs' names, as one list. */
function flat(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.flatMap(flat)
  return isObject(value) && !('class_name' in value) ? Object.values(value).flatMap(flat) : [value]
}

/**
 * Keras 2's training configuration as Keras 1.2.2's.
 *
 * @throws FormatError ERR_FILE_FORMAT
 */
export function trainingFromKeras2(training: Config): Config {
  const losses = flat(training.loss)
  const isOne = losses.length === 1
  return {
    ...training,
    optimizer_config: optimizerFromKeras2(training.optimizer_config),
    loss: isOne ? functionName(losses[0]) : each(training.loss, functionName),
    metrics:
      isOne || !isObject(training.metrics)
        ? flat(training.metrics ?? []).map(functionName)
        : each(training.metrics, (metrics) => flat(metrics).map(functionName)),
    loss_weights: training.loss_weights ?? null,
    sample_weight_mode: training.sample_weight_mode ?? null,
  }
}

/** What `use` makes of each entry of a list or an object. */
function each(value: unknown, use: (one: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(use)
  if (!isObject(value)) return use(value)
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, use(one)]))
}
