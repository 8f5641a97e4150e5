/** Values of Keras 1.2.2's configurations as Keras 2 has them: values.ts, the other way round. */
import { type Config, isObject, type Refuse } from './rule.js'
import { border, CONSTRAINT_KEYS, INITIALIZATIONS, RANGE_KEYS } from './values.js'

export const asIs = (value: unknown): unknown => value

/** A class with settings. */
const made = (className: string, config: Config = {}): Config => ({
  class_name: className,
  config,
})

/** An initialization. The weights are in the file, so that none changes a result. */
export function initializer(value: unknown): Config {
  const known = Object.entries(INITIALIZATIONS).find(([, own]) => own === value)
  return made(known?.[0] ?? 'RandomUniform')
}

export function penalty(value: unknown, refuse: Refuse): Config | null {
  if (value === null) return null
  const { name, l1, l2 } = isObject(value) ? value : {}
  return name === 'L1L2Regularizer' ? made('L1L2', { l1, l2 }) : refuse('none, l1, l2 or l1l2')
}

export function limit(value: unknown, refuse: Refuse): Config | null {
  if (value === null) return null
  const { name, ...own } = isObject(value) ? value : {}
  if (typeof name !== 'string' || !/^(MaxNorm|NonNeg|UnitNorm|MinMaxNorm)$/.test(name))
    return refuse('none, maxnorm, nonneg, unitnorm or minMaxNorm')
  const keys = Object.entries(name === 'MinMaxNorm' ? RANGE_KEYS : CONSTRAINT_KEYS)
  const config = Object.entries(own).map(([key, each]) => [
    keys.find(([, ours]) => ours === key)?.[0] ?? key,
    each,
  ])
  return made(name, Object.fromEntries(config))
}

/** The value of `unit_forget_bias`, which is about new weights alone. */
export const unitForgetBias = (value: unknown): boolean => value === 'one'

/** Padding of a convolution, where Keras 2 has it. */
export function paddingOf(value: unknown, refuse: Refuse, config: Config): unknown {
  if (value === 'valid' || value === 'causal') return value
  const window = {
    kernel_size: config.filter_length ?? [config.nb_row, config.nb_col],
    strides: config.subsample_length ?? config.subsample,
    dilation_rate: config.atrous_rate,
  }
  const isSame = value === 'same_tf' || value === border('same', refuse, window)
  return isSame ? 'same' : refuse("'valid', 'causal' or 'same_tf'")
}

/** Padding of pooling. */
export const paddingOfWindows = (value: unknown, refuse: Refuse): unknown =>
  value === 'same_tf' ? 'same' : value === 'valid' ? value : refuse("'valid' or 'same_tf'")
