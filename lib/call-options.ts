/** Checks of options that several calls share. */
import { ConfigError, fail } from './errors.js'
import { describe } from './ndarray.js'
import type { Verbosity } from './progress.js'

/** @throws ConfigError ERR_OPTION for anything but an integer of at least `least` */
export function checkInteger(where: string, what: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: `an integer >= ${least}`,
    actual: describe(value),
  })
}

/** @throws ConfigError ERR_OPTION for anything but true and false */
export function checkBoolean(where: string, what: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: 'true or false',
    actual: describe(value),
  })
}

/** `true` counts as 1, `false` as 0. @throws ConfigError ERR_OPTION */
export function checkVerbose(where: string, value: unknown): Verbosity {
  if (value === 0 || value === 1 || value === 2) return value
  if (typeof value === 'boolean') return value ? 1 : 0
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'verbose',
    expected: '0, 1 or 2',
    actual: describe(value),
  })
}

/** @throws ConfigError ERR_OPTION for anything but an AbortSignal, null or undefined */
export function checkSignal(where: string, value: unknown): AbortSignal | null {
  if (value === null || value === undefined) return null
  if (value instanceof AbortSignal) return value
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'signal',
    expected: 'an AbortSignal',
    actual: describe(value),
  })
}

/** @throws ConfigError ERR_OPTION when `value` is none of `allowed` */
export function checkOneOf<T>(
  where: string,
  what: string,
  value: unknown,
  allowed: readonly T[],
): T {
  if ((allowed as readonly unknown[]).includes(value)) return value as T
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: allowed.map((v) => describeChoice(v)).join(' or '),
    actual: describe(value),
  })
}

const describeChoice = (value: unknown): string =>
  typeof value === 'string' ? `'${value}'` : String(value)
