/** Penalties on parameters and outputs. Keras 1.2.2 `keras.regularizers`. */
import { ConfigError, fail, located, nearest } from './errors.js'
import type { Expr } from './expressions/expr.js'
import { describe } from './ndarray.js'
import { resolveOptions } from './options.js'
import type { Activity } from './spec.js'
import { toWritten, Written } from './written.js'

/**
 * What native code adds to the loss for a parameter w: `l1*sum|w| + l2*sum(w^2)`, or `eigenvalue`
 * times the dominant eigenvalue term.
 */
export type Penalty = { l1: number; l2: number } | { eigenvalue: number }

/**
 * A regularizer; made by {@link l1}, {@link l2}, {@link l1l2},
 * the activity forms, or {@link EigenvalueRegularizer}.
 */
export interface Regularizer {
  readonly penalty: Penalty
  /** Keras' dictionary: `{ name: 'L1L2Regularizer', l1, l2 }`. */
  getConfig(): Record<string, unknown>
}

/**
 * `l1*sum|w| + l2*sum(w^2)`, no half. Keras: `L1L2Regularizer`, which `WeightRegularizer` and
 * `ActivityRegularizer` also name. Numbers are rounded to float32, as Keras keeps them. Defaults 0.
 */
export class L1L2Regularizer implements Regularizer {
  readonly penalty: { l1: number; l2: number }

  constructor(options: { l1?: number; l2?: number } = {}) {
    const { l1, l2 } = resolveOptions('L1L2Regularizer', { l1: 0, l2: 0 }, options)
    this.penalty = Object.freeze({ l1: strength('l1', l1), l2: strength('l2', l2) })
  }

  getConfig(): Record<string, unknown> {
    return { name: 'L1L2Regularizer', ...this.penalty }
  }
}

/**
 * `k` times the square root of the dominant eigenvalue of WᵀW, by 9 power steps; matrices only.
 * Keras: `EigenvalueRegularizer`, whose configuration leaves k out;
 * here it has k, which Keras reads.
 */
export class EigenvalueRegularizer implements Regularizer {
  readonly penalty: { eigenvalue: number }

  constructor(options: { k: number }) {
    const { k } = resolveOptions('EigenvalueRegularizer', { k: null as number | null }, options)
    this.penalty = Object.freeze({ eigenvalue: strength('k', k) })
  }

  getConfig(): Record<string, unknown> {
    return { name: 'EigenvalueRegularizer', k: this.penalty.eigenvalue }
  }
}

function strength(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return Math.fround(value)
  return fail(ConfigError, 'ERR_OPTION', {
    where: 'regularizer',
    what: name,
    expected: 'a finite number',
    actual: describe(value),
  })
}

/**
 * `l * sum|w|`. Default l 0.01.
 * @example
 * import { Dense, l1 } from 'hiddenstate'
 * const layer = new Dense(8, { WRegularizer: l1({ l: 0.001 }) })
 */
export const l1 = (options: { l?: number } = {}): Regularizer =>
  new L1L2Regularizer({ l1: resolveOptions('l1', { l: 0.01 }, options).l })
/**
 * `l * sum(w^2)`. Default l 0.01.
 * @example
 * import { Dense, l2 } from 'hiddenstate'
 * const layer = new Dense(8, { WRegularizer: l2({ l: 0.001 }) })
 */
export const l2 = (options: { l?: number } = {}): Regularizer =>
  new L1L2Regularizer({ l2: resolveOptions('l2', { l: 0.01 }, options).l })
/**
 * `l1 * sum|w| + l2 * sum(w^2)`. Defaults 0.01.
 * @example
 * import { Dense, l1l2 } from 'hiddenstate'
 * const layer = new Dense(8, { WRegularizer: l1l2({ l1: 0.001, l2: 0.01 }) })
 */
export const l1l2 = (options: { l1?: number; l2?: number } = {}): Regularizer =>
  new L1L2Regularizer(resolveOptions('l1l2', { l1: 0.01, l2: 0.01 }, options))
/** {@link l1} of an output, summed over the batch. Default l 0.01. */
export const activityL1 = (options: { l?: number } = {}): Regularizer =>
  new L1L2Regularizer({ l1: resolveOptions('activityL1', { l: 0.01 }, options).l })
/** {@link l2} of an output, summed over the batch. Default l 0.01. */
export const activityL2 = (options: { l?: number } = {}): Regularizer =>
  new L1L2Regularizer({ l2: resolveOptions('activityL2', { l: 0.01 }, options).l })
/** {@link l1l2} of an output, summed over the batch. Defaults 0.01. */
export const activityL1l2 = (options: { l1?: number; l2?: number } = {}): Regularizer =>
  new L1L2Regularizer(resolveOptions('activityL1l2', { l1: 0.01, l2: 0.01 }, options))

/**
 * Keras' own configurations leave k out, and Keras then cannot read them; here they come back with
 * 0.1 and a warning.
 */
function eigenvalue(options: { k?: number }): Regularizer {
  if (options.k === undefined) {
    process.emitWarning(
      'The configuration of an EigenvalueRegularizer does not say k; 0.1 is used.',
      {
        code: 'HIDDENSTATE_CONFIG',
      },
    )
  }
  return new EigenvalueRegularizer({ k: options.k ?? 0.1 })
}
const anyL1L2 = (options: object): Regularizer => new L1L2Regularizer(options)

/** Names of the Keras dictionaries and strings. */
const table = {
  l1,
  l2,
  l1l2,
  activity_l1: activityL1,
  activity_l2: activityL2,
  activity_l1l2: activityL1l2,
  L1L2Regularizer: anyL1L2,
  WeightRegularizer: anyL1L2,
  ActivityRegularizer: anyL1L2,
  EigenvalueRegularizer: eigenvalue,
} satisfies Record<string, (options: never) => Regularizer>

/** Regularizers by string, with their defaults. */
export type RegularizerName = 'l1' | 'l2' | 'l1l2' | 'activity_l1' | 'activity_l2' | 'activity_l1l2'
/**
 * A penalty written with `hiddenstate/backend`: a weight, or an output with the batch as its first
 * axis, → a number that is added to the loss.
 */
export type RegularizerFunction = (w: Expr) => Expr
/** What an option for a regularizer takes. */
export type RegularizerLike = RegularizerName | Regularizer | RegularizerFunction | null

/** Whether it is of eigenvalues, which matrices alone have. */
export const hasEigenvalue = (regularizer: Regularizer | Written | null): boolean =>
  regularizer !== null && !(regularizer instanceof Written) && 'eigenvalue' in regularizer.penalty

/**
 * An activity regularizer as an op carries it; null for a function, which the layer adds itself.
 * @throws ConfigError `ERR_OPTION` for an EigenvalueRegularizer, which is for matrices of weights
 */
export function activityOf(
  regularizer: Regularizer | Written | null,
  where: string,
): Activity | null {
  if (!regularizer || regularizer instanceof Written) return null
  if ('l1' in regularizer.penalty) return regularizer.penalty
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'activityRegularizer',
    expected: 'an l1 or l2 penalty',
    actual: 'an EigenvalueRegularizer',
  })
}

/**
 * A regularizer from an option or a configuration: null, a name, an object made here, Keras' `{
 * name, … }`, or a function.
 * @throws ConfigError `ERR_UNKNOWN_NAME`, `ERR_OPTION`
 */
export function toRegularizer(value: unknown, where: string): Regularizer | Written | null {
  if (value === null || value === undefined) return null
  if (value instanceof L1L2Regularizer || value instanceof EigenvalueRegularizer) return value
  const own = toWritten(value, where, 'regularizer')
  if (own) return own
  const { name, ...rest } = (
    typeof value === 'string' ? { name: value } : typeof value === 'object' ? value : {}
  ) as {
    name?: unknown
  }
  if (value === 'EigenvalueRegularizer') {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'regularizer',
      expected: 'one with its k: new EigenvalueRegularizer({ k: 0.1 })',
      actual: describe(value),
    })
  }
  if (typeof name === 'string' && Object.hasOwn(table, name))
    return located(where, () => table[name as keyof typeof table](rest as never))
  const near = typeof name === 'string' ? nearest(name, Object.keys(table)) : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'regularizer',
    expected: `null, one of ${Object.keys(table).join(', ')}, or the result of l1(), l2(), l1l2()`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}
