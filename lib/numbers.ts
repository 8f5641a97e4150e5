/** Numbers in typed arrays and nested lists: element types, shapes, conversions. */
import { ConfigError, ShapeError, fail, InternalError } from './errors.js'
import { checkMemory } from './memory.js'
import type { NDArray } from './ndarray.js'

/** Element type of an {@link NDArray}; `bool` is stored as 0 and 1 in a Uint8Array. */
export type DType = 'float32' | 'float64' | 'int32' | 'uint8' | 'bool'
/** What holds the elements of an {@link NDArray}. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array
/** Numbers, nested to any depth; all rows of an axis of the same length. */
export type Nested = number | boolean | ArrayLike<number> | readonly Nested[]
/**
 * Anything with data and shape: an NDArray, an array of the npm package `ndarray` (with stride and
 * offset), a plain object.
 */
export interface ArrayObject {
  readonly data: ArrayLike<number>
  readonly shape: readonly number[]
  readonly stride?: readonly number[]
  readonly offset?: number
  readonly dtype?: string
}
/** Everything that is accepted as data. */
export type TensorLike = NDArray | ArrayObject | Nested

const STORAGE = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const

/** Product of the extents; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  let n = 1
  for (const extent of shape) n *= extent
  return n
}

/** `[2, null, 3]`, as messages print a shape. */
export function shapeText(shape: readonly (number | null)[]): string {
  return `[${shape.map((extent) => (extent === null ? 'null' : String(extent))).join(', ')}]`
}

export function checkedShape(shape: unknown, where: string): readonly number[] {
  const list =
    Array.isArray(shape) || ArrayBuffer.isView(shape)
      ? Array.from(shape as ArrayLike<unknown>)
      : undefined
  if (
    list === undefined ||
    !list.every((n) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0)
  ) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'shape',
      expected: 'a list of integers >= 0',
      actual: list === undefined ? String(shape) : `[${list.join(', ')}]`,
    })
  }
  return Object.freeze(list as number[])
}

/**
 * An empty typed array of `length` elements of `dtype`.
 *
 * @throws InternalError ERR_OUT_OF_MEMORY for more than there is;
 *   ConfigError ERR_UNKNOWN_NAME for another dtype
 */
export function allocate(dtype: DType, length: number): TypedArray {
  const Storage = STORAGE[dtype]
  if (Storage === undefined) {
    throw new ConfigError(
      'ERR_UNKNOWN_NAME',
      `dtype must be one of ${Object.keys(STORAGE).join(', ')}, got ${String(dtype)}.`,
      {
        expected: Object.keys(STORAGE).join(', '),
        actual: String(dtype),
      },
    )
  }
  const bytes = length * Storage.BYTES_PER_ELEMENT
  try {
    checkMemory(bytes)
    return new Storage(length)
  } catch (error) {
    fail(InternalError, 'ERR_OUT_OF_MEMORY', {
      where: 'array',
      what: `${length} numbers of ${dtype}`,
      expected: 'few enough for the memory there is',
      actual: `what cannot be allocated (${(error as Error).message})`,
    })
  }
}

/**
 * Copies numbers one by one; true and false count as 1 and 0.
 *
 * @param where how messages call the list
 * @throws ConfigError ERR_OPTION for an element that is no number, or a list that has none
 */
export function copyNumbers(list: ArrayLike<unknown>, out: TypedArray, where: string): void {
  for (let i = 0; i < list.length; i++) out[i] = toNumber(list[i], where, i)
}

export function toNumber(element: unknown, where: string, i: number): number {
  if (typeof element === 'number') return element
  if (typeof element === 'boolean') return element ? 1 : 0
  fail(ConfigError, 'ERR_OPTION', {
    where: `${where}[${i}]`,
    what: 'element',
    expected: 'a number',
    actual: describe(element),
    hint: typeof element === 'bigint' ? 'Convert with Number().' : undefined,
  })
}

/** The dtype whose storage `data` is, or undefined for another kind of array. */
export function dtypeOf(data: unknown): DType | undefined {
  if (data instanceof Float32Array) return 'float32'
  if (data instanceof Float64Array) return 'float64'
  if (data instanceof Int32Array) return 'int32'
  if (data instanceof Uint8Array) return 'uint8'
  return undefined
}

/** Shape of a nested array, read off its first elements; the rest is checked by {@link flatten}. */
export function nestedShape(nested: Nested): number[] {
  const shape: number[] = []
  let at: unknown = nested
  while (typeof at === 'object' && at !== null && 'length' in at) {
    const { length } = at as ArrayLike<unknown>
    if (!Number.isSafeInteger(length) || length < 0) break // no list: what is told of an element
    shape.push(length)
    at = (at as ArrayLike<unknown>)[0]
    if (shape.length > 32)
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'array',
        what: 'nesting',
        expected: 'at most 32 deep',
        actual: 'more',
      })
  }
  return shape
}

/**
 * Writes a nested array into `out` in C order.
 *
 * @param where how messages call it: 'x', 'y[1]'
 * @throws ShapeError ERR_SHAPE for rows of different lengths, naming the index; ConfigError
 *   ERR_OPTION for an element that is no number
 */
export function flatten(
  nested: Nested,
  shape: readonly number[],
  out: { [i: number]: number },
  where: string,
): void {
  let at = 0
  const index: number[] = [] // of the element that is looked at, axis by axis
  const path = (axes: number) =>
    where +
    index
      .slice(0, axes)
      .map((i) => `[${i}]`)
      .join('')
  const go = (value: unknown, axis: number): void => {
    if (axis === shape.length) {
      if (typeof value === 'number') out[at++] = value
      else if (typeof value === 'boolean') out[at++] = value ? 1 : 0
      else if (typeof value === 'object' && value !== null && 'length' in value) {
        fail(ShapeError, 'ERR_SHAPE', {
          where: path(axis),
          what: 'element',
          expected: `a number (shape ${shapeText(shape)} by the first elements)`,
          actual: `an array of length ${(value as ArrayLike<unknown>).length}`,
          hint: 'All rows must be equally deep.',
        })
      } else {
        fail(ConfigError, 'ERR_OPTION', {
          where: path(axis),
          what: 'element',
          expected: 'a number',
          actual: describe(value),
        })
      }
      return
    }
    const list = value as ArrayLike<unknown>
    if (
      typeof value !== 'object' ||
      value === null ||
      !('length' in value) ||
      list.length !== shape[axis]
    ) {
      const isList = typeof value === 'object' && value !== null && 'length' in value
      fail(ShapeError, 'ERR_SHAPE', {
        where: path(axis),
        what: 'row',
        expected: `an array of length ${shape[axis]}, as the first one is`,
        actual: isList ? `an array of length ${list.length}` : describe(value),
        hint: 'The array is ragged; padSequences of hiddenstate/preprocessing makes sequences equally long.',
      })
    }
    const isRow = axis + 1 === shape.length
    for (let i = 0; i < list.length; i++) {
      const element = list[i]
      if (isRow && typeof element === 'number') {
        out[at++] = element
        continue
      }
      index[axis] = i
      go(element, axis + 1)
    }
  }
  go(nested, 0)
}

/** A value in a few words, for messages. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  if (typeof value === 'string')
    return `the string '${value.length > 30 ? `${value.slice(0, 30)}…` : value}'`
  if (typeof value === 'bigint') return `the bigint ${value}n`
  if (Array.isArray(value)) return `an array of length ${value.length}`
  if (value instanceof Promise) return 'a promise (is an await missing?)'
  return typeof value === 'object'
    ? `an object of class ${value.constructor?.name ?? 'null'}`
    : `a ${typeof value}`
}
