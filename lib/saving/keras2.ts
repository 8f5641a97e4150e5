/**
 * Configurations that Keras 2 wrote, as those of Keras 1.2.2 for the same layers. Plain data in, plain data out.
 *
 * What Keras 1.2.2 cannot say must have the value at which it changes nothing; everything else is an error that names layer and key.
 * Initializers count for little, since the weights come from the file: those without a counterpart become 'uniform'.
 */
import { fail, FormatError } from '../errors.js'
import { describe } from '../ndarray.js'

type Config = Readonly<Record<string, unknown>>

/** How the configuration of one class differs. */
interface Rule {
  /** Keras 2's key → Keras 1's. */
  names?: Readonly<Record<string, string>>
  /** Keys that Keras 1 has not, with the only value that it can do; `undefined`: any, as it changes no result. */
  only?: Readonly<Record<string, unknown>>
}

const dense: Rule = {
  names: {
    units: 'output_dim',
    use_bias: 'bias',
    kernel_initializer: 'init',
    kernel_regularizer: 'W_regularizer',
    bias_regularizer: 'b_regularizer',
    kernel_constraint: 'W_constraint',
    bias_constraint: 'b_constraint',
  },
  only: { bias_initializer: undefined },
}
const recurrent: Rule = {
  names: {
    units: 'output_dim',
    kernel_initializer: 'init',
    recurrent_initializer: 'inner_init',
    kernel_regularizer: 'W_regularizer',
    recurrent_regularizer: 'U_regularizer',
    bias_regularizer: 'b_regularizer',
    dropout: 'dropout_W',
    recurrent_dropout: 'dropout_U',
    implementation: 'consume_less',
  },
  only: {
    use_bias: true,
    bias_initializer: undefined,
    activity_regularizer: null,
    kernel_constraint: null,
    recurrent_constraint: null,
    bias_constraint: null,
    return_state: false,
    time_major: false,
    zero_output_for_mask: false,
  },
}
const gated: Rule = { ...recurrent, names: { ...recurrent.names, recurrent_activation: 'inner_activation' } }

const rules: Readonly<Record<string, Rule>> = {
  Dense: dense,
  SimpleRNN: recurrent,
  GRU: gated,
  LSTM: { ...gated, names: { ...gated.names, unit_forget_bias: 'forget_bias_init' } },
  Embedding: {
    names: {
      embeddings_initializer: 'init',
      embeddings_regularizer: 'W_regularizer',
      embeddings_constraint: 'W_constraint',
    },
    only: { sparse: false },
  },
  Dropout: { names: { rate: 'p' } },
  SpatialDropout1D: { names: { rate: 'p' } },
  GaussianDropout: { names: { rate: 'p' } },
  GaussianNoise: { names: { stddev: 'sigma' } },
  Flatten: { only: { data_format: 'channels_last' } },
  Bidirectional: { only: { backward_layer: undefined } },
  BatchNormalization: {
    names: { gamma_initializer: 'gamma_init', beta_initializer: 'beta_init' },
    only: {
      center: true,
      scale: true,
      moving_mean_initializer: undefined,
      moving_variance_initializer: undefined,
      gamma_constraint: null,
      beta_constraint: null,
    },
  },
}
/** Of every layer. */
const COMMON = { ragged: false, sparse: false, autocast: true, build_input_shape: undefined }

const isObject = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `{ class_name, config }`, or a name: a class and its settings. */
function named(value: unknown): [name: string, config: Config] {
  if (typeof value === 'string') return [value, {}]
  const { class_name: name, config } = isObject(value) ? value : {}
  return [typeof name === 'string' ? name : '', isObject(config) ? config : {}]
}

const NAMES: Readonly<Record<string, string>> = {
  Zeros: 'zero',
  Ones: 'one',
  Identity: 'identity',
  Orthogonal: 'orthogonal',
  RandomNormal: 'normal',
  TruncatedNormal: 'normal',
  RandomUniform: 'uniform',
  GlorotUniform: 'glorot_uniform',
  GlorotNormal: 'glorot_normal',
  HeUniform: 'he_uniform',
  HeNormal: 'he_normal',
  LecunUniform: 'lecun_uniform',
}

function initialization(value: unknown): string {
  const [name, { scale, mode, distribution }] = named(value)
  if (name !== 'VarianceScaling') {
    const known = Object.values(NAMES).find((own) => own === name)
    return known ?? (Object.hasOwn(NAMES, name) ? (NAMES[name] as string) : 'uniform')
  }
  const spread = distribution === 'uniform' ? 'uniform' : 'normal'
  if (mode === 'fan_avg' && scale === 1) return `glorot_${spread}`
  if (mode === 'fan_in' && scale === 2) return `he_${spread}`
  return mode === 'fan_in' && scale === 1 && spread === 'uniform' ? 'lecun_uniform' : 'uniform'
}

function regularizer(value: unknown, bad: (expected: string) => never): Config | null {
  if (value === null || value === undefined) return null
  const [name, { l1 = 0, l2 = 0 }] = named(value)
  if (!/^(L1L2|L1|L2)$/.test(name)) return bad('null, L1, L2 or L1L2')
  return { name: 'L1L2Regularizer', l1, l2 }
}

const CONSTRAINT_KEYS: Readonly<Record<string, string>> = { max_value: 'm', axis: 'axis' }
const RANGE_KEYS: Readonly<Record<string, string>> = { min_value: 'low', max_value: 'high', rate: 'rate', axis: 'axis' }

function constraint(value: unknown, bad: (expected: string) => never): Config | null {
  if (value === null || value === undefined) return null
  const [name, config] = named(value)
  if (!/^(MaxNorm|NonNeg|UnitNorm|MinMaxNorm)$/.test(name)) return bad('null, MaxNorm, NonNeg, UnitNorm or MinMaxNorm')
  const keys = name === 'MinMaxNorm' ? RANGE_KEYS : CONSTRAINT_KEYS
  const entries = Object.entries(config).map(([key, v]) => [Object.hasOwn(keys, key) ? keys[key] : key, v])
  return { name, ...Object.fromEntries(entries) }
}

/** A value under its new key. */
function translated(key: string, own: string, value: unknown, bad: (expected: string) => never): unknown {
  if (key.endsWith('_initializer')) return initialization(value)
  if (key.endsWith('_regularizer')) return regularizer(value, bad)
  if (key.endsWith('_constraint')) return constraint(value, bad)
  if (own === 'consume_less') return value === 2 ? 'gpu' : 'cpu' // 2: one dropout mask for all gates
  if (own === 'forget_bias_init') return value ? 'one' : 'zero'
  return value
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

function layerFromKeras2(layer: unknown, where: string): { class_name: string; config: Config } {
  const { class_name: name, config } = isObject(layer) ? layer : {}
  if (typeof name !== 'string' || !isObject(config)) {
    const actual = describe(layer)
    return fail(FormatError, 'ERR_FILE_FORMAT', { where, what: 'layer', expected: '{ class_name, config }', actual })
  }
  const called = typeof config.name === 'string' ? `${config.name} (${name})` : `${where} (${name})`
  const { names = {}, only = {} } = Object.hasOwn(rules, name) ? (rules[name] as Rule) : {}
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(config)) {
    const bad = (expected: string): never =>
      fail(FormatError, 'ERR_FILE_FORMAT', {
        where: called,
        layer: called,
        what: `${key} of Keras 2`,
        expected,
        actual: JSON.stringify(value) ?? 'nothing',
      })
    const limits: Config = Object.hasOwn(only, key) ? only : Object.hasOwn(names, key) ? {} : COMMON
    if (key === 'layer') out.layer = layerFromKeras2(value, `${where}.layer`)
    else if (key === 'dtype') Object.assign(out, precision(value, config, bad))
    else if (Object.hasOwn(limits, key)) {
      if (limits[key] !== undefined && !same(limits[key], value)) bad(JSON.stringify(limits[key]))
    } else if (Object.hasOwn(names, key)) out[names[key] as string] = translated(key, names[key] as string, value, bad)
    else out[key] = /_(regularizer|constraint|initializer)$/.test(key) ? translated(key, key, value, bad) : value
  }
  return { class_name: name, config: out }
}

/** Keras 2's dtype: of the input, and of the weights where they are float64. */
function precision(value: unknown, config: Config, bad: (expected: string) => never): Config {
  const [policy, settings] = named(value)
  const name = settings.name ?? (policy || null)
  if (!['float32', 'float64', 'int32', 'int64', 'uint8', null].includes(name as string))
    return bad("'float32' or 'float64'")
  return {
    ...('batch_input_shape' in config ? { input_dtype: name } : {}),
    ...(name === 'float64' ? { dtype: 'float64' } : {}),
  }
}

/** Whether a document is of Keras 2: by its version, or by what only Keras 2 writes. */
export function isKeras2(version: unknown, config: unknown): boolean {
  if (typeof version === 'string') return /^2\./.test(version)
  return isObject(config) && 'layers' in config
}

/**
 * The layers of Keras 2's Sequential as Keras 1.2.2 lists them. An InputLayer becomes the input shape of the layer after it.
 *
 * @param config a list of layers, or `{ name, layers }`
 * @throws FormatError ERR_FILE_FORMAT naming layer and key
 */
export function layersFromKeras2(config: unknown, where: string): unknown[] {
  const list = isObject(config) ? config.layers : config
  if (!Array.isArray(list)) {
    const actual = describe(list)
    return fail(FormatError, 'ERR_FILE_FORMAT', { where, what: 'config', expected: 'a list of layers', actual })
  }
  const [input] = list.map(named)
  if (input?.[0] !== 'InputLayer') return list.map((layer, i) => layerFromKeras2(layer, `config[${i}]`))
  const shape = input[1].batch_input_shape ?? input[1].batch_shape
  const [first, ...rest] = list.slice(1)
  const config1 = isObject(first) && isObject(first.config) ? first.config : {}
  const shaped = isObject(first) ? { ...first, config: { batch_input_shape: shape, ...config1 } } : first
  return [shaped, ...rest].map((layer, i) => layerFromKeras2(layer, `config[${i + 1}]`))
}

/** Settings of Keras 2's optimizers that Keras 1.2.2 has not. */
const OPTIMIZER_ONLY: Config = {
  amsgrad: false,
  centered: false,
  weight_decay: null,
  use_ema: false,
  global_clipnorm: null,
  initial_accumulator_value: undefined,
  ema_momentum: undefined,
  ema_overwrite_frequency: undefined,
  jit_compile: undefined,
  is_legacy_optimizer: undefined,
  name: undefined,
}

/**
 * Keras 2's training configuration as Keras 1.2.2's.
 *
 * @throws FormatError ERR_FILE_FORMAT
 */
export function trainingFromKeras2(training: Config): Config {
  const [name, config] = named(training.optimizer_config)
  const values: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(config)) {
    const own = key === 'learning_rate' ? 'lr' : key
    const limit = name === 'RMSprop' && key === 'momentum' ? 0 : OPTIMIZER_ONLY[key]
    const isOnly = Object.hasOwn(OPTIMIZER_ONLY, key) || limit === 0
    if ((isOnly && limit !== undefined && !same(limit, value)) || (own === 'lr' && typeof value !== 'number')) {
      fail(FormatError, 'ERR_FILE_FORMAT', {
        where: 'training_config',
        what: `${key} of ${name}`,
        expected: own === 'lr' ? 'a number' : JSON.stringify(limit),
        actual: JSON.stringify(value) ?? 'nothing',
      })
    }
    if (!isOnly && value !== null) values[own] = value
  }
  const metrics = [training.metrics ?? []].flat(3).map((metric) => {
    const [kind, { name: title = kind }] = named(metric)
    return title
  })
  return {
    ...training,
    optimizer_config: { class_name: name, config: values },
    metrics,
    sample_weight_mode: training.sample_weight_mode ?? null,
  }
}
