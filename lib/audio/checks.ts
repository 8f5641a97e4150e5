/** Checks of options and data that the functions of this room share. */
import { ConfigError, fail, ShapeError } from '../errors.js'
import { describe, isArrayObject, NDArray, shapeText, type TensorLike } from '../ndarray.js'

/** Samples or features as the stages of a stream hand them on. */
export type Numbers = Float32Array | Float64Array

/** @throws ConfigError ERR_OPTION for anything but a finite number of at least `low` */
export function checkNumber(
  where: string,
  what: string,
  value: unknown,
  low: number,
  high = Number.POSITIVE_INFINITY,
): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= low && value <= high)
    return value
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected:
      high === Number.POSITIVE_INFINITY
        ? `a finite number >= ${low}`
        : `a number from ${low} to ${high}`,
    actual: describe(value),
  })
}

/** A rate in Hz. @throws ConfigError ERR_OPTION for anything but an integer of at least 1 */
export function checkRate(where: string, what: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: 'an integer >= 1, in Hz',
    actual: describe(value),
    hint: value === undefined ? 'readWav says it of a file.' : undefined,
  })
}

/**
 * @param before numbers that came before these, for the place that the error names
 * @throws ConfigError ERR_OPTION naming the first number that is not finite
 */
export function checkFinite(where: string, numbers: Numbers, before = 0): void {
  let odd = 0 // x - x is NaN for NaN and the infinities, else 0
  for (let i = 0; i < numbers.length; i++) odd += numbers[i]! - numbers[i]!
  if (odd === 0) return
  const i = numbers.findIndex((number: number) => !Number.isFinite(number))
  fail(ConfigError, 'ERR_OPTION', {
    where: `${where}[${before + i}]`,
    what: 'number',
    expected: 'finite',
    actual: String(numbers[i]),
  })
}

/** Floats stay as they are, all else is copied into floats. */
function asNumbers(where: string, value: unknown): { numbers: Numbers; shape: readonly number[] } {
  if (value instanceof Float32Array || value instanceof Float64Array)
    return { numbers: value, shape: [value.length] }
  const isList =
    isArrayObject(value) ||
    Array.isArray(value) ||
    (ArrayBuffer.isView(value) && !(value instanceof DataView))
  if (!isList)
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'value',
      expected: 'an array of numbers',
      actual: describe(value),
    })
  const array = NDArray.from(value as TensorLike)
  const { data } = array
  const numbers =
    data instanceof Float32Array || data instanceof Float64Array ? data : Float32Array.from(data)
  return { numbers, shape: array.shape }
}

/**
 * Samples [T].
 *
 * @throws ShapeError ERR_SHAPE for another shape, ConfigError ERR_OPTION for what is no array of
 *   finite numbers
 */
export function samplesOf(where: string, value: unknown): Numbers {
  const { numbers, shape } = asNumbers(`${where}: samples`, value)
  if (shape.length !== 1)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'samples',
      expected: '[T], those of one channel',
      actual: shapeText(shape),
      hint:
        shape.length === 2
          ? "readWav gives their mean with channels: 'mix', or one of them by its number."
          : undefined,
    })
  checkFinite(`${where}: samples`, numbers)
  return numbers
}

/**
 * Features [F, D].
 *
 * @throws ShapeError ERR_SHAPE for another shape, ConfigError ERR_OPTION for what is no array of
 *   finite numbers
 */
export function featuresOf(where: string, value: unknown): { rows: Numbers; F: number; D: number } {
  const { numbers, shape } = asNumbers(`${where}: features`, value)
  if (shape.length !== 2)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'features',
      expected: '[F, D], a row for each frame',
      actual: shapeText(shape),
    })
  checkFinite(`${where}: features`, numbers)
  return { rows: numbers, F: shape[0]!, D: shape[1]! }
}
