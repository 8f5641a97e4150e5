/** Arrays of numbers: what callers give and what they get. */
import { ConfigError, fail, ShapeError } from './errors.js'
import {
  allocate,
  type ArrayObject,
  checkedShape,
  copyNumbers,
  describe,
  type DType,
  dtypeOf,
  flatten,
  type Nested,
  nestedShape,
  shapeText,
  sizeOf,
  type TensorLike,
  toNumber,
  type TypedArray,
} from './numbers.js'
import { setClassName, setConsoleText } from './console-text.js'

export * from './numbers.js'

/**
 * Elements up to which `console.log` shows an array in its shape; of larger ones it shows the
 * first, in a row.
 */
const SHOWN_NESTED = 100

/**
 * An n-dimensional array in C order (the last axis lies contiguous).
 *
 * @param data elements in C order; used as it is, not copied
 * @param shape default: one axis
 * @param dtype default: that of `data`; `'bool'` for a Uint8Array of 0 and 1
 * @throws ShapeError ERR_SHAPE when the shape does not hold as many elements as `data`
 * @example
 * import { NDArray } from 'hiddenstate'
 * const a = NDArray.from([[1, 2, 3], [4, 5, 6]])
 * console.log(a.shape, a.dtype, a.get(1, 2)) // [ 2, 3 ] float32 6
 * console.log(a.slice(1, 2).toArray())       // [ [ 4, 5, 6 ] ]
 * @see numpy.ndarray
 */
export class NDArray {
  static {
    setClassName(NDArray, 'NDArray')
    const text = ({ dtype, shape }: NDArray) => `NDArray(${dtype} ${shapeText(shape)})`
    const numbers = (array: NDArray) => (array.size <= SHOWN_NESTED ? array.toArray() : array.data)
    setConsoleText(NDArray, text, (array, inspect) => `${text(array)} ${inspect(numbers(array))}`)
  }
  readonly data: TypedArray
  /** Frozen. */
  readonly shape: readonly number[]
  readonly dtype: DType

  constructor(data: TypedArray, shape: readonly number[] = [data.length], dtype?: DType) {
    const own = dtypeOf(data)
    if (own === undefined) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'NDArray',
        what: 'data',
        expected: 'a Float32Array, Float64Array, Int32Array or Uint8Array',
        actual: describe(data),
        hint: 'NDArray.from takes other arrays.',
      })
    }
    if (dtype !== undefined && dtype !== own && !(dtype === 'bool' && own === 'uint8')) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'NDArray',
        what: 'data',
        expected: `stored as ${dtype}`,
        actual: own,
        hint: 'NDArray.from converts.',
      })
    }
    this.shape = checkedShape(shape, 'NDArray')
    if (sizeOf(this.shape) !== data.length) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'NDArray',
        what: `data for shape ${shapeText(this.shape)}`,
        expected: `${sizeOf(this.shape)} numbers`,
        actual: `${data.length}`,
      })
    }
    this.data = data
    this.dtype = dtype ?? own
  }

  /**
   * Makes an array from numbers of any form. Typed arrays of the wanted dtype are used as they are,
   * all else is copied.
   *
   * @param source nested arrays, a typed array, or any `{ data, shape }`
   * @param shape default: that of `source`
   * @param dtype default: that of a typed array, `bool` for nested booleans, else `float32`
   * @throws ShapeError ERR_SHAPE for ragged arrays and shapes that do not fit
   */
  static from(source: TensorLike, shape?: readonly number[], dtype?: DType): NDArray {
    if (isArrayObject(source)) {
      const { data, shape: own } = contiguous(source, 'array')
      const isBool = source instanceof NDArray && source.dtype === 'bool'
      return NDArray.#make(data, shape ?? own, dtype ?? (isBool ? 'bool' : undefined))
    }
    if (ArrayBuffer.isView(source) && 'length' in source)
      return NDArray.#make(
        source as unknown as ArrayLike<number>,
        shape ?? [(source as unknown as ArrayLike<number>).length],
        dtype,
      )
    const nested = source as Nested
    if (typeof nested !== 'number' && typeof nested !== 'boolean' && !Array.isArray(nested)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'array',
        what: 'source',
        expected: 'numbers',
        actual: describe(source),
      })
    }
    const found = nestedShape(nested)
    let first: unknown = nested
    while (Array.isArray(first)) first = first[0]
    const data = allocate(dtype ?? (typeof first === 'boolean' ? 'bool' : 'float32'), sizeOf(found))
    flatten(nested, found, data, 'array')
    return new NDArray(
      data,
      shape ?? found,
      dtype ?? (typeof first === 'boolean' ? 'bool' : 'float32'),
    )
  }

  static #make(
    data: ArrayLike<number>,
    shape: readonly number[],
    dtype: DType | undefined,
  ): NDArray {
    const own = dtypeOf(data)
    const want = dtype ?? own ?? 'float32'
    if (own === want || (want === 'bool' && own === 'uint8'))
      return new NDArray(data as TypedArray, shape, want)
    const out = allocate(want, data.length)
    if (want === 'bool')
      for (let i = 0; i < data.length; i++) out[i] = toNumber(data[i], 'array', i) === 0 ? 0 : 1
    else copyNumbers(data, out, 'array')
    return new NDArray(out, shape, want)
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length
  }

  /** The elements as nested arrays; a number for shape `[]`, booleans for dtype `bool`. */
  // biome-ignore lint/suspicious/noExplicitAny: the depth is not known to the compiler
  toArray(): any {
    const { data, shape, dtype } = this
    const go = (axis: number, at: number, stride: number): unknown => {
      if (axis === shape.length) return dtype === 'bool' ? data[at] !== 0 : data[at]
      const extent = shape[axis]!
      const step = extent === 0 ? 0 : stride / extent
      if (axis === shape.length - 1 && dtype !== 'bool')
        return Array.from(data.subarray(at, at + extent))
      return Array.from({ length: extent }, (_, i) => go(axis + 1, at + i * step, step))
    }
    return go(0, 0, data.length)
  }

  /**
   * One element.
   *
   * @throws ShapeError ERR_SHAPE for an index too many, too few or out of range
   */
  get(...index: number[]): number {
    let at = 0
    const fits =
      index.length === this.shape.length &&
      index.every((i, axis) => Number.isInteger(i) && i >= 0 && i < this.shape[axis]!)
    if (!fits) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'NDArray.get',
        what: 'index',
        expected: `${this.shape.length} integers within ${shapeText(this.shape)}`,
        actual: `[${index.join(', ')}]`,
      })
    }
    for (let axis = 0; axis < index.length; axis++) at = at * this.shape[axis]! + index[axis]!
    return this.data[at]!
  }

  /**
   * The same elements in another shape; the memory is shared.
   * One extent may be -1 and follows from the others.
   *
   * @throws ShapeError ERR_SHAPE when the number of elements would change
   */
  reshape(shape: readonly number[]): NDArray {
    if (!Array.isArray(shape) && !ArrayBuffer.isView(shape)) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'NDArray.reshape',
        what: 'shape',
        expected: 'a list of integers',
        actual: describe(shape),
      })
    }
    const wanted = Array.from(shape)
    const open = wanted.indexOf(-1)
    let full = wanted
    if (open >= 0) {
      const rest = sizeOf(wanted.filter((_, i) => i !== open))
      full = wanted.map((extent, i) => (i === open ? (rest > 0 ? this.size / rest : 0) : extent))
    }
    if (!full.every((n) => Number.isInteger(n) && n >= 0) || sizeOf(full) !== this.size) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'NDArray.reshape',
        what: 'shape',
        expected: `${this.size} elements, as ${shapeText(this.shape)} has`,
        actual: shapeText(wanted),
      })
    }
    return new NDArray(this.data, full, this.dtype)
  }

  /**
   * Rows `begin` to `end` (exclusive) of the first axis, negative ones counted from the end; the
   * memory is shared.
   */
  slice(begin = 0, end: number = this.shape[0] ?? 0): NDArray {
    const rows = this.shape[0]
    if (rows === undefined)
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'NDArray.slice',
        what: 'array',
        expected: 'of one axis or more',
        actual: 'a scalar',
      })
    const clamp = (i: number) =>
      Math.min(rows, Math.max(0, i < 0 ? rows + Math.trunc(i) : Math.trunc(i) || 0))
    const from = clamp(begin)
    const to = Math.max(from, clamp(end))
    const row = sizeOf(this.shape.slice(1))
    return new NDArray(
      this.data.subarray(from * row, to * row) as TypedArray,
      [to - from, ...this.shape.slice(1)],
      this.dtype,
    )
  }

  /** For JSON: `{ dtype, shape, data }` with the elements as a flat list. */
  toJSON(): { dtype: DType; shape: readonly number[]; data: number[] } {
    return { dtype: this.dtype, shape: this.shape, data: Array.from(this.data) }
  }
}

/**
 * Short form of {@link NDArray.from}.
 *
 * @example
 * import { array } from 'hiddenstate'
 * const x = array([[0, 1], [1, 0]])
 */
export function array(source: TensorLike, shape?: readonly number[], dtype?: DType): NDArray {
  return NDArray.from(source, shape, dtype)
}

/** Whether `value` has data and shape. */
export function isArrayObject(value: unknown): value is NDArray | ArrayObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    'data' in value &&
    'shape' in value
  )
}

/**
 * Elements of an array object in C order;
 * copies only where stride, offset or surplus make it needed.
 *
 * @throws ShapeError ERR_SHAPE when data, shape, stride and offset do not fit each other
 */
export function contiguous(
  source: NDArray | ArrayObject,
  where: string,
): { data: ArrayLike<number>; shape: readonly number[] } {
  if (source instanceof NDArray) return source
  const { data, offset = 0 } = source
  if (typeof data !== 'object' || data === null || typeof data.length !== 'number') {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'data',
      expected: 'a typed array or a list of numbers',
      actual: describe(data),
    })
  }
  const shape = checkedShape(source.shape, where)
  const stride = source.stride ?? cStride(shape)
  const size = sizeOf(shape)
  let low = offset
  let high = offset
  for (let axis = 0; axis < shape.length; axis++) {
    const reach = (shape[axis]! - 1) * (stride[axis] ?? Number.NaN)
    if (reach < 0) low += reach
    else high += reach
  }
  const isStrided = source.stride !== undefined || source.offset !== undefined
  if (
    isStrided
      ? size > 0 &&
        !(low >= 0 && high < data.length && Number.isInteger(low) && Number.isInteger(high))
      : data.length !== size
  ) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: `data for shape ${shapeText(shape)}${isStrided ? `, stride [${Array.from(stride).join(', ')}], offset ${offset}` : ''}`,
      expected: isStrided ? `elements ${low} to ${high}` : `${size} numbers`,
      actual: isStrided ? `${data.length} of them` : `${data.length}`,
    })
  }
  const plain = cStride(shape)
  const inOrder = shape.every((extent, axis) => extent === 1 || stride[axis] === plain[axis])
  if (inOrder && offset === 0 && data.length === size) return { data, shape }
  if (inOrder && ArrayBuffer.isView(data))
    return { data: (data as unknown as TypedArray).subarray(offset, offset + size), shape }
  const out = allocate(dtypeOf(data) ?? 'float64', size)
  const index = new Array<number>(shape.length).fill(0)
  let at = offset
  for (let i = 0; i < size; i++) {
    out[i] = toNumber(data[at], where, at)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += stride[axis]!
      if (++index[axis]! < shape[axis]!) break
      at -= stride[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return { data: out, shape }
}

function cStride(shape: readonly number[]): number[] {
  const stride = new Array<number>(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    stride[axis] = step
    step *= shape[axis]!
  }
  return stride
}
