/**
 * Constraints that hold after every update.
 * Keras 1.2.2 `keras.constraints`; the mathematics is native.
 */
import { ConfigError, fail, located, nearest } from './errors.js'
import type { Expr } from './expressions/expr.js'
import { describe } from './ndarray.js'
import { resolveOptions } from './options.js'
import { toWritten, type Written } from './written.js'

/** The axis, or the axes, along which norms are taken. Negative ones count from the end. */
export type NormAxis = number | readonly number[]
type Values = Readonly<Record<string, NormAxis>>

const isAxis = (v: unknown): boolean =>
  Number.isInteger(v) || (Array.isArray(v) && v.length > 0 && v.every(Number.isInteger))

/** A constraint; made by {@link maxnorm}, {@link nonneg}, {@link unitnorm}, {@link minMaxNorm}. */
export abstract class Constraint {
  /** Keras' class name. */
  abstract readonly name: string
  /** The name native code knows. */
  protected abstract readonly native: string
  protected readonly values: Values

  protected constructor(owner: string, defaults: Record<string, number>, options: object) {
    const values = resolveOptions(owner, defaults, options as Record<string, unknown>) as Record<
      string,
      unknown
    >
    for (const [key, value] of Object.entries(values)) {
      if (key === 'axis' ? isAxis(value) : Number.isFinite(value)) continue
      fail(ConfigError, 'ERR_OPTION', {
        where: owner,
        what: key,
        expected: key === 'axis' ? 'an integer or a list of them' : 'a finite number',
        actual: String(value),
      })
    }
    const kept = Object.entries(values).map(([key, value]) => [
      key,
      Array.isArray(value) ? Object.freeze([...value]) : value,
    ])
    this.values = Object.freeze(Object.fromEntries(kept)) as Values
  }

  /** Keras' dictionary: `{ name: 'MaxNorm', m, axis }`. */
  getConfig(): Record<string, unknown> {
    const { axis } = this.values
    return {
      name: this.name,
      ...this.values,
      ...(typeof axis === 'object' ? { axis: [...axis] } : {}),
    }
  }

  /** @internal As a Spec carries it: `{ name: 'maxnorm', m, axis }`. */
  spec(): { name: string; [key: string]: NormAxis | string } {
    return { ...this.values, name: this.native }
  }
}

/**
 * Norms along `axis` at most `m`: `w * clip(n, 0, m) / (1e-7 + n)`.
 * Defaults m 2, axis 0 (a column per unit).
 */
export class MaxNorm extends Constraint {
  readonly name = 'MaxNorm'
  protected readonly native = 'maxnorm'
  constructor(options: { m?: number; axis?: NormAxis } = {}) {
    super('MaxNorm', { m: 2, axis: 0 }, options)
  }
}

/** No negative numbers: `w * (w >= 0)`. */
export class NonNeg extends Constraint {
  readonly name = 'NonNeg'
  protected readonly native = 'nonneg'
  constructor(options: Record<string, never> = {}) {
    super('NonNeg', {}, options)
  }
}

/** Norms along `axis` equal to 1: `w / (1e-7 + n)`. Default axis 0. */
export class UnitNorm extends Constraint {
  readonly name = 'UnitNorm'
  protected readonly native = 'unitnorm'
  constructor(options: { axis?: NormAxis } = {}) {
    super('UnitNorm', { axis: 0 }, options)
  }
}

/** Norms along `axis` drawn into [low, high] by `rate`. Defaults low 0, high 1, rate 1, axis 0. */
export class MinMaxNorm extends Constraint {
  readonly name = 'MinMaxNorm'
  protected readonly native = 'minmaxnorm'
  constructor(options: { low?: number; high?: number; rate?: number; axis?: NormAxis } = {}) {
    super('MinMaxNorm', { low: 0, high: 1, rate: 1, axis: 0 }, options)
  }
}

/**
 * {@link MaxNorm} as a function.
 * @example
 * import { Dense, maxnorm } from 'hiddenstate'
 * const layer = new Dense(8, { WConstraint: maxnorm({ m: 3 }) })
 */
export const maxnorm = (options: { m?: number; axis?: NormAxis } = {}): Constraint =>
  new MaxNorm(options)
/** {@link NonNeg} as a function. */
export const nonneg = (options: Record<string, never> = {}): Constraint => new NonNeg(options)
/** {@link UnitNorm} as a function. */
export const unitnorm = (options: { axis?: NormAxis } = {}): Constraint => new UnitNorm(options)
/** {@link MinMaxNorm} as a function. */
export const minMaxNorm = (
  options: { low?: number; high?: number; rate?: number; axis?: NormAxis } = {},
): Constraint => new MinMaxNorm(options)

const table = {
  maxnorm: MaxNorm,
  nonneg: NonNeg,
  unitnorm: UnitNorm,
  MaxNorm,
  NonNeg,
  UnitNorm,
  MinMaxNorm,
} satisfies Record<string, new (options: never) => Constraint>

/** Constraints by string, with their defaults. */
export type ConstraintName = 'maxnorm' | 'nonneg' | 'unitnorm' | 'MinMaxNorm'
/** A constraint written with `hiddenstate/backend`: what a weight becomes after each update. */
export type ConstraintFunction = (w: Expr) => Expr
/** What an option for a constraint takes. */
export type ConstraintLike = ConstraintName | Constraint | ConstraintFunction | null

/**
 * A constraint from an option or a configuration: null, a name, an object made here, Keras' `{
 * name, … }`, or a function.
 * @throws ConfigError `ERR_UNKNOWN_NAME`, `ERR_OPTION`
 */
export function toConstraint(value: unknown, where: string): Constraint | Written | null {
  if (value === null || value === undefined) return null
  if (value instanceof Constraint) return value
  const own = toWritten(value, where, 'constraint')
  if (own) return own
  const { name, ...rest } = (
    typeof value === 'string' ? { name: value } : typeof value === 'object' ? value : {}
  ) as {
    name?: unknown
  }
  if (typeof name === 'string' && Object.hasOwn(table, name))
    return located(where, () => new table[name as keyof typeof table](rest as never))
  const near = typeof name === 'string' ? nearest(name, Object.keys(table)) : undefined
  return fail(ConfigError, 'ERR_UNKNOWN_NAME', {
    where,
    what: 'constraint',
    expected: `null, one of ${Object.keys(table).join(', ')}, or the result of maxnorm(), nonneg(), unitnorm(), minMaxNorm()`,
    actual: describe(value),
    hint: near && `Did you mean '${near}'?`,
  })
}
