/** What is told for each of several things that have names: in a list, or by their names. */
import { ConfigError, fail, nearest } from './errors.js'
import { describe } from './ndarray.js'

/** `{ name: value }`: neither a list nor an array nor an instance of a class. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** `inputs` and the like, with their names: for messages. */
export const namesText = (what: string, names: readonly string[]): string =>
  `${what} (${names.join(', ')})`

/**
 * The values in the order of the names.
 *
 * @param of.where the call, for messages: 'compile'
 * @param of.what what is told: 'loss'
 * @param of.each what the names are of: 'output'
 * @param absent what stands for a name that a record does not have; default: it must have all
 * @returns null where the value is no list and no record
 * @throws ConfigError ERR_OPTION for a list of another length, and for a name that is missing;
 *   ERR_UNKNOWN_NAME for a name of nothing
 */
export function perName(
  of: { where: string; what: string; each: string },
  given: unknown,
  names: readonly string[],
  absent?: { instead: unknown },
): unknown[] | null {
  const { where, what, each } = of
  const all = namesText(`${each}s`, names)
  if (Array.isArray(given)) {
    if (given.length === names.length) return [...given]
    return fail(ConfigError, 'ERR_OPTION', {
      where,
      what,
      expected: `a list of ${names.length}, one for each of the ${all}`,
      actual: `${given.length}`,
    })
  }
  if (!isRecord(given)) return null
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue
    const near = nearest(name, names)
    fail(ConfigError, 'ERR_UNKNOWN_NAME', {
      where,
      what: `name in ${what}`,
      expected: `one of the ${all}`,
      actual: describe(name),
      hint: near && `Did you mean '${near}'?`,
    })
  }
  return names.map((name) => {
    if (Object.hasOwn(given, name)) return given[name]
    if (absent) return absent.instead
    return fail(ConfigError, 'ERR_OPTION', {
      where,
      what: `${what} of ${each} '${name}'`,
      expected: 'given',
      actual: 'nothing',
    })
  })
}
