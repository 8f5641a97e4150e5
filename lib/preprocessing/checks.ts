/** Checks of options that the preprocessing functions share. */
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'

/** Options after the defaults were filled in. */
export type Filled<O> = { [K in keyof O]-?: Exclude<O[K], undefined> }

/** An option that is one of a few words. */
export function oneOf(where: string, what: string, value: unknown, words: readonly string[]): void {
  if (words.includes(value as string)) return
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: words.map((w) => `'${w}'`).join(' or '),
    actual: describe(value),
  })
}

/** An integer that is not below `low`. */
export function atLeast(where: string, what: string, value: unknown, low: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= low) return
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: `an integer >= ${low}`,
    actual: describe(value),
  })
}

/** A finite number that is not below `low`. */
export function finiteFrom(where: string, what: string, value: unknown, low: number): void {
  if (typeof value === 'number' && Number.isFinite(value) && value >= low) return
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: `a finite number >= ${low}`,
    actual: describe(value),
  })
}
