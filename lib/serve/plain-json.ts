/**
 * What JSON of strangers may hold: arrays of numbers, by name where there are several. An object
 * such as `{ "length": 1e9 }` would pass for an array elsewhere.
 */
import { isRecord } from '../per-name.js'
import type { TensorLike } from '../ndarray.js'
import { Problem } from './problem.js'

/** As deep as an NDArray may be nested. */
const DEEPEST = 32

/** @throws Problem ERR_BODY */
export function parseJson(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Problem('ERR_BODY', `The body must be JSON: ${(error as Error).message}.`)
  }
  if (!isRecord(value)) throw new Problem('ERR_BODY', 'The body must be a JSON object.')
  return value
}

function isOfNumbers(value: unknown, depth: number): boolean {
  if (!Array.isArray(value)) return typeof value === 'number' || typeof value === 'boolean'
  return depth > 0 && value.every((each) => isOfNumbers(each, depth - 1))
}

/** @throws Problem ERR_BODY for what is no number and no nested array of them */
export function asNumbers(value: unknown, what: string): TensorLike {
  if (isOfNumbers(value, DEEPEST)) return value as TensorLike
  throw new Problem(
    'ERR_BODY',
    `${what} must be numbers in nested arrays, at most ${DEEPEST} deep; null is no number.`,
  )
}

/** @throws Problem ERR_BODY */
export function asNamed<T>(
  value: unknown,
  what: string,
  each: (value: unknown, what: string) => T,
): Record<string, T> {
  if (!isRecord(value)) throw new Problem('ERR_BODY', `${what} must be an object.`)
  // a key `__proto__` stays a key like any other
  const entries = Object.entries(value).map(([key, own]) => [key, each(own, `${what}.${key}`)])
  return Object.fromEntries(entries) as Record<string, T>
}

/**
 * One array, or one for each input by its name.
 *
 * @param names of the inputs: others might make an object that says its shape, and strides
 * @throws Problem ERR_BODY
 */
export function asInputs(
  value: unknown,
  what: string,
  names: readonly string[],
): TensorLike | Record<string, TensorLike> {
  if (!isRecord(value)) return asNumbers(value, what)
  if (Object.keys(value).every((name) => names.includes(name)))
    return asNamed(value, what, asNumbers)
  throw new Problem('ERR_BODY', `${what} must be an array, or an object of ${names.join(', ')}.`)
}
