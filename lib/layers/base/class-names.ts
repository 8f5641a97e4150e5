/** Names of classes: those of this package's layers are taken, since files go by them. */
import { ConfigError, fail } from '../../errors.js'
import { describe } from '../../ndarray.js'

const taken = new Set<string>()

/** Says that layers of the package have these names. */
export function takeClassNames(names: Iterable<string>): void {
  for (const name of names) taken.add(name)
}

/**
 * @param where 'defineCell'
 * @throws ConfigError ERR_OPTION for anything but a name of letters and digits that no layer of the
 *   package has
 */
export function requireClassName(where: string, name: unknown): void {
  const refuse = (expected: string, actual: string, hint?: string) =>
    fail(ConfigError, 'ERR_OPTION', { where, what: 'name', expected, actual, hint })
  if (typeof name !== 'string' || !/^\w+$/.test(name))
    refuse('letters and digits', typeof name === 'string' ? name : describe(name))
  if (taken.has(name as string))
    refuse('one that no layer of the package has', `'${name}'`, 'Files go by the names of classes.')
}
