/** Values of Keras 2's configurations as Keras 1.2.2 has them. */
import { type Config, named, type Refuse } from './rule.js'

export const INITIALIZATIONS: Readonly<Record<string, string>> = {
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

/**
 * The name of an initialization. One without a counterpart becomes 'uniform', which does no harm:
 * the weights come from the file.
 */
export function initialization(value: unknown): string {
  const [name, { scale, mode, distribution }] = named(value)
  if (name !== 'VarianceScaling') {
    const known = Object.values(INITIALIZATIONS).find((own) => own === name)
    return (
      known ??
      (Object.hasOwn(INITIALIZATIONS, name) ? (INITIALIZATIONS[name] as string) : 'uniform')
    )
  }
  const spread = distribution === 'uniform' ? 'uniform' : 'normal'
  if (mode === 'fan_avg' && scale === 1) return `glorot_${spread}`
  if (mode === 'fan_in' && scale === 2) return `he_${spread}`
  return mode === 'fan_in' && scale === 1 && spread === 'uniform' ? 'lecun_uniform' : 'uniform'
}

export function regularizer(value: unknown, refuse: Refuse): Config | null {
  if (value === null || value === undefined) return null
  const [name, { l1 = 0, l2 = 0 }] = named(value)
  if (!/^(L1L2|L1|L2)$/.test(name)) return refuse('null, L1, L2 or L1L2')
  return { name: 'L1L2Regularizer', l1, l2 }
}

export const CONSTRAINT_KEYS: Readonly<Record<string, string>> = { max_value: 'm', axis: 'axis' }
export const RANGE_KEYS: Readonly<Record<string, string>> = {
  min_value: 'low',
  max_value: 'high',
  rate: 'rate',
  axis: 'axis',
}

export function constraint(value: unknown, refuse: Refuse): Config | null {
  if (value === null || value === undefined) return null
  const [name, config] = named(value)
  if (!/^(MaxNorm|NonNeg|UnitNorm|MinMaxNorm)$/.test(name))
    return refuse('null, MaxNorm, NonNeg, UnitNorm or MinMaxNorm')
  const keys = name === 'MinMaxNorm' ? RANGE_KEYS : CONSTRAINT_KEYS
  const entries = Object.entries(config).map(([key, v]) => [
    Object.hasOwn(keys, key) ? keys[key] : key,
    v,
  ])
  return { name, ...Object.fromEntries(entries) }
}

/**
 * Checks the backward layer of a Bidirectional of Keras 2: it must be the same as the forward one
 * but for name and direction, since Keras 1.2.2 has one configuration for both.
 */
export function mirrored(value: unknown, refuse: Refuse, config: Config): undefined {
  const comparable = (layer: unknown) => {
    const [name, { name: _name, go_backwards: _backwards, ...settings }] = named(layer)
    return JSON.stringify([name, settings])
  }
  return comparable(value) === comparable(config.layer)
    ? undefined
    : refuse('the same as layer, but for its name and go_backwards')
}

/** The value of `consume_less`, from `implementation`: 2 has one dropout mask for all gates. */
export function consumeLess(value: unknown, refuse: Refuse): string {
  if (value === 2) return 'gpu'
  return value === 0 || value === 1 ? 'cpu' : refuse('0, 1 or 2')
}

/** The value of `forget_bias_init`, from `unit_forget_bias`. */
export function forgetBias(value: unknown, refuse: Refuse): string {
  if (typeof value !== 'boolean') return refuse('true or false')
  return value ? 'one' : 'zero'
}

/** A number, also as a list of one: Keras 2 writes extents of 1-D layers so. */
export function single(value: unknown, refuse: Refuse): unknown {
  if (!Array.isArray(value)) return value
  return value.length === 1 ? value[0] : refuse('a number or a list of one')
}

/** The rows of a window, given as a list of two or as one number for both. */
export function rowsOf(value: unknown, refuse: Refuse): unknown {
  if (!Array.isArray(value)) return value
  return value.length === 2 ? value[0] : refuse('a number or a list of two')
}

/** A value for rows and columns, given as a list of two or as one number for both; null stays. */
export function pairOf(value: unknown, refuse: Refuse): unknown {
  if (value === null) return null
  const pair = Array.isArray(value) ? value : [value, value]
  return pair.length === 2 ? pair : refuse('a number or a list of two')
}

/**
 * The four sides [top, bottom, left, right], given as a pair of pairs,
 * as rows and columns, or as one number.
 */
export function sidesOf(value: unknown, refuse: Refuse): unknown {
  const [rows, columns] = pairOf(value, refuse) as unknown[]
  return [rows, columns].flatMap((ends) => pairOf(ends, refuse))
}

/**
 * Padding of a convolution: 'same' of Theano and of TensorFlow agree for an odd window that moves
 * step by step.
 */
export function border(value: unknown, refuse: Refuse, config: Config): unknown {
  if (value === 'valid' || value === 'causal') return value
  if (value !== 'same') return refuse("'valid', 'same' or 'causal'")
  const agree = [0, 1].every((axis) => {
    const [size, stride, rate] = [
      config.kernel_size,
      config.strides ?? 1,
      config.dilation_rate ?? 1,
    ].map((one) => {
      const each = [one].flat() // an extent for each axis, or one for all
      return Number(each[axis] ?? each[0])
    }) as [number, number, number]
    return stride === 1 && ((size - 1) * rate) % 2 === 0
  })
  return agree ? 'same' : 'same_tf'
}

/** Padding of windows that are no filters: Keras 2 has TensorFlow's 'same'. */
export const borderOfWindows = (value: unknown): unknown => (value === 'same' ? 'same_tf' : value)

const PRECISIONS: readonly unknown[] = ['float32', 'float64', 'int32', 'int64', 'uint8', null]

/** Keras 2's dtype, or its policy, as the name of a type. */
export function precision(value: unknown, refuse: Refuse): unknown {
  const [policy, settings] = named(value)
  const name = settings.name ?? (policy || null)
  return PRECISIONS.includes(name) ? name : refuse("'float32' or 'float64'")
}
