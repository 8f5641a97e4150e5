/** What a sweep searches: dimensions by name, as plain data that a journal can hold. */
import { ConfigError, fail, nearest } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { RandomStream } from '../random.js'

/** What a parameter of a trial can be. */
export type Value = number | string | boolean | null

/** Where a dimension counts: names of choices before it, each with the values it counts for. */
export type Condition = Readonly<Record<string, Value | readonly Value[]>>

/** Numbers from `low` to `high`. */
interface Range {
  readonly kind: 'uniform' | 'int'
  readonly low: number
  readonly high: number
  /** Whether every factor is as likely as any other, instead of every difference. */
  readonly log: boolean
  readonly when?: Condition
}

/** One of some values. */
interface Choice {
  readonly kind: 'choice'
  readonly values: readonly Value[]
  readonly when?: Condition
}

declare const VALUE: unique symbol
/** One parameter of a space: plain data that {@link uniform} and the like make. */
export type Dimension<T extends Value | undefined = Value | undefined> = (Range | Choice) & {
  readonly [VALUE]?: T
}

/** The parameters that a sweep searches, by name. */
export type Space = Readonly<Record<string, Dimension>>

/** The parameters of one trial; those whose condition does not hold are left out. */
export type Params<S extends Space = Space> = {
  readonly [K in keyof S]: S[K] extends Dimension<infer T> ? T : never
}

/** Parameters of a trial whose space is known at run time only. */
export type Values = Readonly<Record<string, Value | undefined>>

/** Options of a dimension. */
export interface DimensionOptions {
  /**
   * Where it counts: `{ cell: 'lstm' }`, or `{ cell: ['lstm', 'gru'] }`, of choices that come
   * before it in the space. Elsewhere the parameter is undefined. Default: everywhere.
   */
  when?: Condition
}

/** Options of {@link int}. */
export interface IntOptions extends DimensionOptions {
  /** Every factor is as likely as any other; `low` must be at least 1. Default `false`. */
  log?: boolean
}

type Maybe<T extends Value, O> = O extends { when: Condition } ? T | undefined : T

const NO_CONDITION: DimensionOptions = Object.freeze({ when: undefined } as object)

function wrong(where: string, what: string, expected: string, value: unknown): never {
  return fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })
}

function range(where: string, given: Range): Dimension<never> {
  const { kind, low, high, log } = given
  for (const [what, value] of Object.entries({ low, high }))
    if (kind === 'int' ? !Number.isSafeInteger(value) : !Number.isFinite(value))
      wrong(where, what, kind === 'int' ? 'an integer' : 'a finite number', value)
  if (log && !(low > 0)) wrong(where, 'low', 'above 0 on a logarithmic scale', low)
  if (!(low < high)) wrong(where, 'high', `above low, which is ${low}`, high)
  if (!Number.isFinite(high - low)) wrong(where, 'high', 'a finite distance above low', high)
  return Object.freeze(given) as Dimension<never>
}

const condition = (when: Condition | undefined) => (when === undefined ? {} : { when })

/**
 * Numbers from `low` to `high`, all as likely.
 *
 * @param options `when`: where it counts
 * @throws ConfigError ERR_OPTION unless both are finite and `low` is below `high`
 * @example
 * import { uniform } from 'hiddenstate/tune'
 * const space = { dropout: uniform(0, 0.5) }
 */
export function uniform<const O extends DimensionOptions = object>(
  low: number,
  high: number,
  options?: O,
): Dimension<Maybe<number, O>> {
  const { when } = resolveOptions('uniform', NO_CONDITION, options)
  return range('uniform', { kind: 'uniform', low, high, log: false, ...condition(when) })
}

/**
 * Numbers from `low` to `high` whose logarithms are all as likely: learning rates, penalties.
 *
 * @param low above 0
 * @param options `when`: where it counts
 * @throws ConfigError ERR_OPTION unless both are finite and 0 < `low` < `high`
 * @example
 * import { logUniform } from 'hiddenstate/tune'
 * const space = { lr: logUniform(1e-4, 1e-1) }
 */
export function logUniform<const O extends DimensionOptions = object>(
  low: number,
  high: number,
  options?: O,
): Dimension<Maybe<number, O>> {
  const { when } = resolveOptions('logUniform', NO_CONDITION, options)
  return range('logUniform', { kind: 'uniform', low, high, log: true, ...condition(when) })
}

/**
 * Integers from `low` to `high`, both included.
 *
 * @param options `log`: small ones in finer steps than large ones; `when`: where it counts
 * @throws ConfigError ERR_OPTION unless both are integers and `low` is below `high`
 * @example
 * import { int } from 'hiddenstate/tune'
 * const space = { layers: int(1, 3), units: int(8, 256, { log: true }) }
 */
export function int<const O extends IntOptions = object>(
  low: number,
  high: number,
  options?: O,
): Dimension<Maybe<number, O>> {
  const { log, when } = resolveOptions('int', { ...NO_CONDITION, log: false }, options)
  if (typeof log !== 'boolean') wrong('int', 'log', 'true or false', log)
  return range('int', { kind: 'int', low, high, log, ...condition(when) })
}

const isValue = (value: unknown): value is Value =>
  value === null ||
  typeof value === 'string' ||
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value))

/**
 * One of these values.
 *
 * @param values two or more strings, finite numbers, booleans or nulls, all different
 * @param options `when`: where it counts
 * @throws ConfigError ERR_OPTION for anything else
 * @example
 * import { choice, int } from 'hiddenstate/tune'
 * const space = {
 *   cell: choice(['lstm', 'gru', 'dense']),
 *   truncate: int(5, 50, { when: { cell: ['lstm', 'gru'] } }), // undefined for 'dense'
 * }
 */
export function choice<const T extends Value, const O extends DimensionOptions = object>(
  values: readonly T[],
  options?: O,
): Dimension<Maybe<T, O>> {
  const { when } = resolveOptions('choice', NO_CONDITION, options)
  const fits = Array.isArray(values) && values.length > 1 && values.every(isValue)
  if (!fits || new Set(values).size < values.length)
    wrong('choice', 'values', 'two or more different strings, numbers, booleans or nulls', values)
  return Object.freeze({ kind: 'choice', values: Object.freeze([...values]), ...condition(when) })
}

const inWords = (value: Value) => (typeof value === 'string' ? `'${value}'` : String(value))

const listed = (values: Value | readonly Value[]): readonly Value[] =>
  Array.isArray(values) ? values : [values as Value]

function checkCondition(where: string, when: unknown, before: ReadonlyMap<string, Dimension>) {
  if (typeof when !== 'object' || when === null || Array.isArray(when))
    wrong(where, 'when', 'an object of choices and their values', when)
  for (const [name, values] of Object.entries(when as Condition)) {
    const dimension = before.get(name)
    if (dimension?.kind !== 'choice') {
      const choices = Array.from(before).filter(([, { kind }]) => kind === 'choice')
      const names = choices.map(([known]) => known)
      const guess = nearest(name, names)
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'when',
        expected: `of choices that come before it (${names.join(', ') || 'there is none'})`,
        actual: name,
        hint: guess === undefined ? undefined : `Did you mean \`${guess}\`?`,
      })
    }
    for (const value of listed(values))
      if (!dimension.values.includes(value))
        wrong(where, `when.${name}`, `of ${dimension.values.map(inWords).join(', ')}`, value)
  }
}

const make = ({ kind, ...rest }: Record<string, unknown>): Dimension => {
  const { low, high, log, values, when } = rest
  if (kind === 'choice') return choice(values as Value[], { when } as DimensionOptions)
  if (kind === 'int') return int(low as number, high as number, { log, when } as IntOptions)
  const make = log === true ? logUniform : uniform
  return make(low as number, high as number, { when } as DimensionOptions)
}

/**
 * The space as data of this package's making, whoever made what was given.
 *
 * @throws ConfigError ERR_OPTION for anything but an object of dimensions with conditions that
 *   choices before them can meet
 */
export function checkSpace(where: string, space: unknown): Space {
  const isObject = typeof space === 'object' && space !== null && !Array.isArray(space)
  if (!isObject || Object.keys(space).length === 0)
    wrong(where, 'space', 'an object of uniform, logUniform, int and choice by name', space)
  const checked = new Map<string, Dimension>()
  for (const [name, given] of Object.entries(space as object)) {
    if (name === '__proto__') wrong(where, 'space', 'of names that any object can have', name)
    const kind = (given as Dimension | null)?.kind
    if (kind !== 'uniform' && kind !== 'int' && kind !== 'choice')
      wrong(where, `space.${name}`, 'of uniform, logUniform, int or choice', given)
    const dimension = make(given)
    if (dimension.when !== undefined)
      checkCondition(`${where}: space.${name}`, dimension.when, checked)
    checked.set(name, dimension)
  }
  return Object.freeze(Object.fromEntries(checked))
}

/** Whether the condition of a dimension holds for the parameters before it. */
export const counts = ({ when }: Dimension, params: Values): boolean =>
  when === undefined ||
  Object.entries(when).every(
    ([name, values]) => Object.hasOwn(params, name) && listed(values).includes(params[name]!),
  )

function holds(dimension: Dimension, value: unknown): boolean {
  if (dimension.kind === 'choice') return dimension.values.includes(value as Value)
  const { kind, low, high } = dimension
  if (typeof value !== 'number' || !(value >= low && value <= high)) return false
  return kind === 'uniform' || Number.isInteger(value)
}

/** Whether these are parameters of a trial in this space. */
export function isOf(space: Space, params: unknown): params is Values {
  if (typeof params !== 'object' || params === null) return false
  const known = params as Values
  return (
    Object.keys(known).every((name) => Object.hasOwn(space, name)) &&
    Object.entries(space).every(([name, dimension]) =>
      counts(dimension, known)
        ? Object.hasOwn(known, name) && holds(dimension, known[name])
        : !Object.hasOwn(known, name),
    )
  )
}

/**
 * A range as an interval on the axis on which it is searched: logarithms where it is logarithmic,
 * half a step wider at both ends where it has integers.
 */
export function axisOf({ kind, low, high, log }: Range): {
  low: number
  high: number
  /** Where a value lies. */
  point: (value: number) => number
  /** The interval that stands for a value; a point for numbers that are no integers. */
  cell: (value: number) => [from: number, to: number]
  /** The value at a point of the axis. */
  at: (x: number) => number
} {
  const half = kind === 'int' ? 0.5 : 0
  const to = log ? Math.log : (x: number) => x
  const from = log ? Math.exp : (x: number) => x
  const clip = (value: number) => Math.min(high, Math.max(low, value))
  return {
    low: to(low - half),
    high: to(high + half),
    point: to,
    cell: (value) => [to(value - half), to(value + half)],
    at: (x) => clip(kind === 'int' ? Math.round(from(x)) : from(x)),
  }
}

/** A value of a dimension, each as likely. */
export function draw(dimension: Dimension, random: RandomStream): Value {
  if (dimension.kind === 'choice') return dimension.values[random.integer(dimension.values.length)]!
  const { low, high, at } = axisOf(dimension)
  return at(low + (high - low) * random.random())
}

/** Parameters, in the order of the space, those that count; `suggest` has a value for each. */
export function fill(space: Space, suggest: (name: string, dimension: Dimension) => Value): Values {
  const params: Record<string, Value> = {}
  for (const [name, dimension] of Object.entries(space))
    if (counts(dimension, params)) params[name] = suggest(name, dimension)
  return params
}
