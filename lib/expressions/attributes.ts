/** What the attributes of an op may hold, whether a user or a file gives them. */
import { activationName } from '../activations.js'
import { describe } from '../ndarray.js'
import type { Option } from '../spec.js'
import { refuse, refuseShape } from './place.js'

export type Attributes = Readonly<Record<string, Option>>

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value)
const isPositive = (value: unknown) => isInteger(value) && value > 0
const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && !Number.isNaN(value)
const isList = (value: unknown, holds: (one: unknown) => boolean): value is readonly number[] =>
  Array.isArray(value) && value.length <= 32 && value.every(holds)

/** Kinds of attributes: what they must be, in words and as a check. */
const kinds = {
  number: ['a number', isNumber],
  share: ['a number from 0 to below 1', (v: unknown) => isNumber(v) && v >= 0 && v < 1],
  integer: ['an integer', isInteger],
  positive: ['a positive integer', isPositive],
  bound: ['an integer or null', (v: unknown) => v === null || isInteger(v)],
  flag: ['true or false', (v: unknown) => typeof v === 'boolean'],
  integers: ['a list of integers', (v: unknown) => isList(v, isInteger)],
  axis: ['an integer', isInteger],
  axes: ['a list of integers', (v: unknown) => isList(v, isInteger)],
  seed: ['an integer from 0 on', (v: unknown) => isInteger(v) && v >= 0],
  activation: ['the name of an activation', (v: unknown) => typeof v === 'string'],
} as const satisfies Record<string, readonly [string, (value: unknown) => boolean]>

export type Kind = keyof typeof kinds

/**
 * The attributes of an op, checked: all that are known and no other; axes count from 0.
 *
 * @param rank of the first argument, for axes that count from its end
 * @throws ConfigError ERR_OPTION, ERR_UNKNOWN_NAME
 */
export function checkedAttributes(
  where: string,
  known: Readonly<Record<string, Kind>>,
  given: Readonly<Record<string, unknown>>,
  rank: number,
): Attributes {
  for (const [key, value] of Object.entries(given))
    if (!Object.hasOwn(known, key))
      refuse({
        where,
        what: `attribute ${key.slice(0, 40)}`,
        expected: `one of ${Object.keys(known).join(', ') || 'none'}`,
        actual: describe(value),
      })
  return Object.fromEntries(
    Object.entries(known).map(([key, kind]) => [key, checked(where, key, kind, given[key], rank)]),
  )
}

function checked(where: string, key: string, kind: Kind, value: unknown, rank: number): Option {
  const [expected, holds] = kinds[kind]
  if (!holds(value)) refuse({ where, what: key, expected, actual: describe(value) })
  if (kind === 'activation') return activationName(value, where)
  if (kind === 'axis') return axisFromZero(where, value as number, rank)
  if (kind !== 'axes') return Array.isArray(value) ? [...value] : (value as Option)
  const axes = (value as readonly number[]).map((axis) => axisFromZero(where, axis, rank))
  if (new Set(axes).size < axes.length)
    refuse({ where, what: key, expected: 'different axes', actual: `[${axes.join(', ')}]` })
  return axes
}

function axisFromZero(where: string, axis: number, rank: number): number {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis
  return refuseShape({
    where,
    what: 'axis',
    expected: rank === 0 ? 'of a value with axes' : `from ${-rank} to ${rank - 1}`,
    actual: String(axis),
  })
}
