/** Weights and states of layers that are expressions. */
import { ConfigError, fail, FormatError } from '../../errors.js'
import type { Expr } from '../../expressions/expr.js'
import { describe } from '../../ndarray.js'

/** A weight or a state. */
export interface Part {
  readonly name: string
  readonly shape: readonly number[]
}

/**
 * @param given.name the function that gives values, for messages: 'call'
 * @param given.all what those are made of
 * @param parts what it was given, by what messages call each: 'weight W'
 * @throws ConfigError ERR_OPTION for a part that the values are not made of: it would never train
 */
export function requireRead(
  at: { readonly where: string; readonly layer: string },
  given: { readonly name: string; readonly all: ReadonlySet<Expr> },
  parts: readonly (readonly [string, Expr])[],
  hint: string,
): void {
  const unread = parts.find(([, expr]) => !given.all.has(expr))
  if (!unread) return
  fail(ConfigError, 'ERR_OPTION', {
    ...at,
    what: unread[0],
    expected: `part of what ${given.name} gives`,
    actual: 'one that it does not read',
    hint,
  })
}

/** @throws FormatError ERR_FILE_FORMAT for anything but names with extents */
export function partsOf(where: string, what: string, data: unknown): readonly Part[] {
  const isExtent = (n: unknown) => Number.isSafeInteger(n) && Number(n) > 0
  const isPart = (one: unknown) => {
    if (typeof one !== 'object' || one === null) return false
    const { name, shape } = one as Partial<Part>
    const isName = typeof name === 'string' && /^[A-Za-z]\w{0,60}$/.test(name)
    return isName && Array.isArray(shape) && shape.length <= 32 && shape.every(isExtent)
  }
  if (Array.isArray(data) && data.length <= 1000 && data.every(isPart)) return data
  return fail(FormatError, 'ERR_FILE_FORMAT', {
    where,
    what,
    expected: 'a list of names with positive integers as shapes',
    actual: describe(data),
  })
}
