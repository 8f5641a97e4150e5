/** Sequences of different lengths, one after the other in one piece of memory. */
import { setClassName, setConsoleText } from './console-text.js'
import { ConfigError, fail, ShapeError } from './errors.js'
import {
  allocate,
  contiguous,
  copyNumbers,
  describe,
  type DType,
  dtypeOf,
  flatten,
  isArrayObject,
  type Nested,
  NDArray,
  nestedShape,
  shapeText,
  sizeOf,
  type TensorLike,
  type TypedArray,
} from './ndarray.js'

/** One sample, its numbers in C order. */
interface Sample {
  data: ArrayLike<number>
  shape: readonly number[]
}

/**
 * N sequences, each with its own number of steps: sample i is `[lengths[i], …stepShape]`.
 *
 * `fit`, `evaluate`, `predict` and the calls on one batch take it, or a list that {@link
 * Ragged.from} takes, for any input with a time axis, and for targets and weights per step. A batch
 * is padded to its own longest sequence, and the padding is masked.
 *
 * @param data all samples one after the other, in C order; used as it is, not copied
 * @param lengths steps of each sample, one or more
 * @param stepShape of one step; default `[]`
 * @throws ShapeError `ERR_SHAPE` for a length below 1, and for more or less data than that
 * @example
 * import { LSTM, Ragged, Sequential } from 'hiddenstate'
 * const x = Ragged.from([[[1, 2], [3, 4], [5, 6]], [[7, 8]]]) // 3 steps and 1, each of 2 features
 * console.log(x.lengths, x.at(1).toArray()) // Int32Array(2) [ 3, 1 ] [ [ 7, 8 ] ]
 * const model = new Sequential([new LSTM(4, { inputShape: [null, 2], returnSequences: true })])
 * const y = await model.predict(x)
 * console.log(y.at(0).shape, y.at(1).shape) // [ 3, 4 ] [ 1, 4 ]
 */
export class Ragged implements Iterable<NDArray> {
  static {
    setClassName(Ragged, 'Ragged')
    setConsoleText(Ragged, ({ dtype, length, stepShape, lengths }) => {
      const steps = `${Math.min(...lengths)} to ${Math.max(...lengths)} steps`
      return `Ragged(${dtype}, ${length} sequences of ${steps} of ${shapeText(stepShape)})`
    })
  }
  /** All samples one after the other: `[Σ lengths, …stepShape]`. */
  readonly data: TypedArray
  /** Steps of each sample: `[N]`. */
  readonly lengths: Int32Array
  /** Of one step, without time: `[D]`; `[]` where a step is one number. */
  readonly stepShape: readonly number[]
  /** Where each sample begins in `data`; then the end of the last: `[N + 1]`. */
  readonly #starts: Float64Array

  constructor(
    data: TypedArray,
    lengths: ArrayLike<number>,
    stepShape: readonly number[] = [],
    /** @internal How errors call it. */
    where = 'Ragged',
  ) {
    this.data = data
    this.lengths = Int32Array.from(lengths)
    this.stepShape = Object.freeze([...stepShape])
    const step = sizeOf(stepShape)
    this.#starts = new Float64Array(lengths.length + 1)
    for (let i = 0; i < lengths.length; i++) {
      if (!(Number.isInteger(lengths[i]) && lengths[i]! >= 1))
        fail(ShapeError, 'ERR_SHAPE', {
          where: `${where}[${i}]`,
          what: 'number of steps',
          expected: '1 or more',
          actual: describe(lengths[i]),
        })
      this.#starts[i + 1] = this.#starts[i]! + lengths[i]! * step
    }
    if (this.#starts[lengths.length] !== data.length || dtypeOf(data) === undefined)
      fail(ShapeError, 'ERR_SHAPE', {
        where,
        what: 'data',
        expected: `a typed array of ${this.#starts[lengths.length]} numbers, as lengths and stepShape say`,
        actual: dtypeOf(data) === undefined ? describe(data) : `${data.length}`,
      })
  }

  /**
   * Copies samples: arrays of any kind, `[T_i, …]` each, that differ in their first axis alone.
   *
   * @param samples one or more: nested arrays, typed arrays, NDArrays
   * @param dtype default: that of the samples where they all have the same, else `float64`
   * @param where how errors call the list
   * @throws ShapeError `ERR_SHAPE` for samples without steps and for steps of different shapes;
   *   ConfigError `ERR_OPTION` for what holds no numbers
   */
  static from(samples: readonly TensorLike[], dtype?: DType, where = 'samples'): Ragged {
    if (!Array.isArray(samples) || samples.length === 0)
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'sequences',
        expected: 'a list of one array or more',
        actual: describe(samples),
      })
    const list = samples.map((sample, i) => sampleOf(sample, `${where}[${i}]`))
    const stepShape = list[0]!.shape.slice(1)
    for (const [i, { shape }] of list.entries()) {
      if (shape.length > 0 && shapeText(shape.slice(1)) === shapeText(stepShape)) continue
      fail(ShapeError, 'ERR_SHAPE', {
        where: `${where}[${i}]`,
        what: 'shape',
        expected: ['[T', ...stepShape].join(', ').concat(']'),
        actual: shapeText(shape),
        hint: 'Samples may differ in their first axis, time, alone.',
      })
    }
    const own = new Set(list.map(({ data }) => dtypeOf(data) ?? 'float64'))
    const kind = dtype ?? (own.size === 1 ? [...own][0]! : 'float64')
    const data = allocate(
      kind,
      list.reduce((sum, each) => sum + each.data.length, 0),
    )
    let at = 0
    for (const [i, sample] of list.entries()) {
      if (dtypeOf(sample.data)) data.set(sample.data, at)
      else copyNumbers(sample.data, data.subarray(at) as TypedArray, `${where}[${i}]`)
      at += sample.data.length
    }
    return new Ragged(
      data,
      list.map(({ shape }) => shape[0]!),
      stepShape,
      where,
    )
  }

  /** Parts one after the other, copied; all of the same step shape. */
  static join(parts: readonly Ragged[]): Ragged {
    const [first] = parts as readonly [Ragged]
    const data = allocate(
      first.dtype,
      parts.reduce((sum, part) => sum + part.data.length, 0),
    )
    let at = 0
    for (const part of parts) {
      data.set(part.data, at)
      at += part.data.length
    }
    const lengths = parts.flatMap((part) => Array.from(part.lengths))
    return new Ragged(data, lengths, first.stepShape)
  }

  /** Number of samples. */
  get length(): number {
    return this.lengths.length
  }

  /** Element type of `data`. */
  get dtype(): DType {
    return dtypeOf(this.data)!
  }

  /** Sample i: `[lengths[i], …stepShape]`, in the same memory. Negative: from the end. */
  at(i: number): NDArray {
    const row = i < 0 ? this.length + i : i
    if (!(Number.isInteger(row) && row >= 0 && row < this.length))
      fail(ShapeError, 'ERR_SHAPE', {
        where: 'Ragged.at',
        what: 'index',
        expected: `an integer from ${-this.length} to ${this.length - 1}`,
        actual: describe(i),
      })
    const part = this.data.subarray(this.#starts[row]!, this.#starts[row + 1]!) as TypedArray
    return new NDArray(part, [this.lengths[row]!, ...this.stepShape])
  }

  *[Symbol.iterator](): IterableIterator<NDArray> {
    for (let i = 0; i < this.length; i++) yield this.at(i)
  }

  /** Samples `begin` to `end` (exclusive), in the same memory. */
  slice(begin = 0, end: number = this.length): Ragged {
    const data = this.data.subarray(this.#starts[begin]!, this.#starts[end]!) as TypedArray
    return new Ragged(data, this.lengths.subarray(begin, end), this.stepShape)
  }

  /** Some samples, copied. @param rows their numbers, in the order of the result */
  pick(rows: ArrayLike<number>): Ragged {
    const lengths = Array.from(rows, (row) => this.lengths[row]!)
    const total = lengths.reduce((sum, length) => sum + length, 0)
    const data = allocate(this.dtype, total * sizeOf(this.stepShape))
    let at = 0
    for (let i = 0; i < rows.length; i++) {
      const part = this.data.subarray(this.#starts[rows[i]!]!, this.#starts[rows[i]! + 1]!)
      data.set(part, at)
      at += part.length
    }
    return new Ragged(data, lengths, this.stepShape)
  }

  /**
   * Some samples as one array, each filled up at its end.
   *
   * @param rows their numbers; default: all
   * @param options `length`: steps of the result, default those of the longest of them; `value`:
   *   what is put in, default 0
   * @returns `[rows.length, length, …stepShape]`
   */
  padded(
    rows: ArrayLike<number> = Int32Array.from(this.lengths, (_, i) => i),
    options: { length?: number | null | undefined; value?: number | undefined } = {},
  ): NDArray {
    const { length, value = 0 } = options
    let longest = 0
    for (let i = 0; i < rows.length; i++) longest = Math.max(longest, this.lengths[rows[i]!]!)
    const steps = length ?? longest
    const row = steps * sizeOf(this.stepShape)
    const data = allocate(this.dtype, rows.length * row)
    if (value !== 0) data.fill(value)
    for (let i = 0; i < rows.length; i++) {
      const [from, to] = [this.#starts[rows[i]!]!, this.#starts[rows[i]! + 1]!]
      data.set(this.data.subarray(from, Math.min(to, from + row)), i * row)
    }
    return new NDArray(data, [rows.length, steps, ...this.stepShape])
  }

  /** The samples as nested arrays. */
  // biome-ignore lint/suspicious/noExplicitAny: the depth is not known to the compiler
  toArray(): any {
    return Array.from(this, (sample) => sample.toArray())
  }

  /** For JSON: `{ dtype, lengths, stepShape, data }`. */
  toJSON(): { dtype: DType; lengths: number[]; stepShape: readonly number[]; data: number[] } {
    const { dtype, stepShape } = this
    return { dtype, lengths: Array.from(this.lengths), stepShape, data: Array.from(this.data) }
  }
}

function sampleOf(value: TensorLike, where: string): Sample {
  if (isArrayObject(value)) return contiguous(value, where)
  if (ArrayBuffer.isView(value) && 'length' in value) {
    const data = value as unknown as ArrayLike<number>
    return { data, shape: [data.length] }
  }
  const shape = nestedShape(value as Nested)
  const data = allocate('float64', sizeOf(shape))
  flatten(value as Nested, shape, data, where)
  return { data, shape }
}
