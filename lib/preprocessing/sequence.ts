/** Sequences of numbers: padding, and pairs for skip-gram models. */
import { ConfigError, ShapeError, fail } from '../errors.js'
import {
  allocate,
  describe,
  type DType,
  flatten,
  isArrayObject,
  type Nested,
  NDArray,
  nestedShape,
  shapeText,
  sizeOf,
  type TensorLike,
} from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { integer, random, shuffle } from '../random.js'
import { atLeast, type Filled, finiteFrom, oneOf } from './checks.js'

/** One sequence: a list of numbers, or of equally shaped features. */
export type Sequence = TensorLike

/** Options of {@link padSequences}. */
export interface PadSequencesOptions {
  /** Length of the result. Default: that of the longest sequence. */
  maxlen?: number | null | undefined
  /** Element type of the result; integers are cut toward zero. Default `'int32'`. */
  dtype?: DType | undefined
  /** Where the padding goes. Default `'pre'`. */
  padding?: 'pre' | 'post' | undefined
  /** From which end a longer sequence loses elements. Default `'pre'`. */
  truncating?: 'pre' | 'post' | undefined
  /** What is put in. Default 0. */
  value?: number | undefined
}

const PAD_DEFAULTS: Filled<PadSequencesOptions> = {
  maxlen: null,
  dtype: 'int32',
  padding: 'pre',
  truncating: 'pre',
  value: 0,
}

/** One sequence as flat numbers, checked. */
function rows(
  sequence: Sequence,
  where: string,
): { data: ArrayLike<number>; shape: readonly number[] } {
  if (isArrayObject(sequence)) return NDArray.from(sequence)
  if (ArrayBuffer.isView(sequence)) {
    const data = sequence as unknown as ArrayLike<number>
    return { data, shape: [data.length] }
  }
  if (!Array.isArray(sequence)) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'sequence',
      expected: 'a list of numbers',
      actual: describe(sequence),
    })
  }
  const shape = nestedShape(sequence as Nested)
  const data = new Float64Array(sizeOf(shape))
  flatten(sequence as Nested, shape, data, where)
  return { data, shape }
}

/**
 * Makes sequences equally long: short ones are filled up with `value`, long ones cut.
 *
 * The elements of a sequence may be lists of features, all of one shape. With `value` 0, word
 * indices from 1 and an `Embedding` with `maskZero: true`, the padding does not count.
 *
 * @param sequences N sequences
 * @param options see {@link PadSequencesOptions}
 * @returns shape [N, maxlen], or [N, maxlen, …] for sequences of features
 * @throws ShapeError ERR_SHAPE for no sequences without a `maxlen`, and for features of different
 *   shapes; ConfigError ERR_OPTION for bad options and for numbers
 *   that an integer dtype cannot hold (NaN)
 * @example
 * import { padSequences } from 'hiddenstate/preprocessing'
 * console.log(padSequences([[1, 2, 3], [4]], { maxlen: 2 }).toArray()) // [ [ 2, 3 ], [ 0, 4 ] ]
 * @see keras.preprocessing.sequence.pad_sequences
 */
export function padSequences(
  sequences: Iterable<Sequence>,
  options?: PadSequencesOptions,
): NDArray {
  const where = 'padSequences'
  const { maxlen, dtype, padding, truncating, value } = resolveOptions(where, PAD_DEFAULTS, options)
  oneOf(where, 'padding', padding, ['pre', 'post'])
  oneOf(where, 'truncating', truncating, ['pre', 'post'])
  if (maxlen !== null) atLeast(where, 'maxlen', maxlen, 0)
  if (typeof value !== 'number')
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'value',
      expected: 'a number',
      actual: describe(value),
    })
  if (
    typeof sequences === 'string' ||
    typeof (sequences as Iterable<Sequence> | null)?.[Symbol.iterator] !== 'function'
  ) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'sequences',
      expected: 'a list of sequences',
      actual: describe(sequences),
    })
  }
  const list = Array.from(sequences, (sequence, i) => rows(sequence, `sequences[${i}]`))
  if (list.length === 0 && maxlen === null) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'sequences',
      expected: 'at least one, or a maxlen',
      actual: 'none',
    })
  }
  const T = maxlen ?? list.reduce((longest, { shape }) => Math.max(longest, shape[0] ?? 0), 0)
  const sample = list.find(({ shape }) => shape[0] !== 0)?.shape.slice(1) ?? []
  const width = sizeOf(sample)
  const out = allocate(dtype, list.length * T * width) // [N, T, …sample]
  const isInteger = !(out instanceof Float32Array || out instanceof Float64Array)
  const put = (number: number, place: string): number => {
    if (!isInteger) return number
    if (!Number.isFinite(number)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: `${where}: ${place}`,
        what: `number for dtype ${dtype}`,
        expected: 'finite',
        actual: String(number),
      })
    }
    return dtype === 'bool' ? Number(number !== 0) : number
  }
  out.fill(put(value, 'value'))
  for (const [n, { data, shape }] of list.entries()) {
    const length = shape[0] as number
    if (length === 0) continue
    if (
      shape.length - 1 !== sample.length ||
      shape.slice(1).some((extent, i) => extent !== sample[i])
    ) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: `${where}: sequences[${n}]`,
        what: 'shape of an element',
        expected: `${shapeText(sample)} as in the first sequence`,
        actual: shapeText(shape.slice(1)),
      })
    }
    const kept = Math.min(length, T)
    const from = truncating === 'pre' ? length - kept : 0
    const to = n * T + (padding === 'pre' ? T - kept : 0)
    for (let i = 0; i < kept * width; i++)
      out[to * width + i] = put(data[from * width + i] as number, `sequences[${n}]`)
  }
  return new NDArray(out, [list.length, T, ...sample], dtype)
}

/** Options of {@link makeSamplingTable}. */
export interface SamplingTableOptions {
  /** The smaller, the rarer frequent words are kept. Default 1e-5. */
  samplingFactor?: number | undefined
}

/**
 * The probability with which {@link skipgrams} keeps the word of each rank, when words are numbered
 * by falling frequency and follow Zipf's law: `min(1, sqrt(samplingFactor * f))` with `f = r * (ln
 * r + 0.577) + 1/2 - 1/(12 r)`, the inverse frequency of rank r. Entry 0, which stands for no word,
 * equals entry 1.
 *
 * @param size number of words, with word 0
 * @returns shape [size], float64
 * @throws ConfigError ERR_OPTION for a size that is no positive integer
 *   or a factor that is no positive number
 * @example
 * import { makeSamplingTable } from 'hiddenstate/preprocessing'
 * console.log(
 *   makeSamplingTable(3)
 *     .toArray()
 *     .map((p) => p.toFixed(4)),
 * ) // [ '0.0032', '0.0032', '0.0055' ]
 * @see keras.preprocessing.sequence.make_sampling_table
 */
export function makeSamplingTable(size: number, options?: SamplingTableOptions): NDArray {
  const where = 'makeSamplingTable'
  const { samplingFactor } = resolveOptions(where, { samplingFactor: 1e-5 }, options)
  atLeast(where, 'size', size, 1)
  if (
    typeof samplingFactor !== 'number' ||
    !(samplingFactor > 0) ||
    samplingFactor === Number.POSITIVE_INFINITY
  ) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'samplingFactor',
      expected: 'a positive number',
      actual: describe(samplingFactor),
    })
  }
  const table = Float64Array.from({ length: size }, (_, i) => {
    const r = Math.max(i, 1)
    const f = samplingFactor * (r * (Math.log(r) + 0.577) + 0.5 - 1 / (12 * r))
    return Math.min(1, f / Math.sqrt(f))
  })
  return new NDArray(table, [size])
}

/** 1: a pair from the text, 0: a random one; with `categorical` [0, 1] and [1, 0]. */
export type SkipgramLabel = number | [number, number]

/** Options of {@link skipgrams}. */
export interface SkipgramsOptions {
  /** Words to each side that count as neighbours. Default 4. */
  windowSize?: number | undefined
  /** Random pairs per pair from the text. Default 1. */
  negativeSamples?: number | undefined
  /** Whether the pairs come in random order. Default true. */
  shuffle?: boolean | undefined
  /** Labels [0, 1] and [1, 0] instead of 1 and 0. Default false. */
  categorical?: boolean | undefined
  /**
   * Probability to keep each word, by its index:
   * {@link makeSamplingTable}. Default: every word is kept.
   */
  samplingTable?: ArrayLike<number> | NDArray | null | undefined
}

const SKIPGRAM_DEFAULTS: Filled<SkipgramsOptions> = {
  windowSize: 4,
  negativeSamples: 1,
  shuffle: true,
  categorical: false,
  samplingTable: null,
}

/**
 * Pairs of neighbouring words, and random pairs beside them, for a skip-gram model. Word 0 is no
 * word and is left out.
 *
 * The random pairs take their words from the true ones and their contexts uniformly from 1 …
 * vocabularySize - 1, so that one may be a true neighbour by chance, as in Keras.
 * Random numbers follow `setSeed`.
 *
 * @param sequence word indices
 * @param vocabularySize largest word index + 1
 * @param options see {@link SkipgramsOptions}
 * @returns `[couples, labels]`, lists of equal length
 * @throws ConfigError ERR_OPTION for bad options or a word index that is no integer from 0,
 *   or not in `samplingTable`
 * @example
 * import { skipgrams } from 'hiddenstate/preprocessing'
 * const [couples, labels] = skipgrams([1, 2, 3], 4, {
 *   windowSize: 1,
 *   negativeSamples: 0,
 *   shuffle: false,
 * })
 * console.log(couples, labels) // [ [ 1, 2 ], [ 2, 1 ], [ 2, 3 ], [ 3, 2 ] ] [ 1, 1, 1, 1 ]
 * @see keras.preprocessing.sequence.skipgrams
 */
export function skipgrams(
  sequence: ArrayLike<number>,
  vocabularySize: number,
  options?: SkipgramsOptions,
): [couples: [number, number][], labels: SkipgramLabel[]] {
  const where = 'skipgrams'
  const {
    windowSize,
    negativeSamples,
    shuffle: shuffled,
    categorical,
    samplingTable,
  } = resolveOptions(where, SKIPGRAM_DEFAULTS, options)
  atLeast(where, 'windowSize', windowSize, 0)
  atLeast(where, 'vocabularySize', vocabularySize, 2)
  finiteFrom(where, 'negativeSamples', negativeSamples, 0)
  const table = samplingTable instanceof NDArray ? samplingTable.data : samplingTable
  const words = Array.from(sequence)
  for (const [i, word] of words.entries()) {
    atLeast(`${where}: sequence[${i}]`, 'word index', word, 0)
    if (table !== null && word >= table.length) {
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'samplingTable',
        expected: `a number for each word, also for ${word}`,
        actual: `${table.length} of them`,
      })
    }
  }
  const couples: [number, number][] = []
  for (const [i, word] of words.entries()) {
    if (word === 0 || (table !== null && (table[word] as number) < random())) continue
    const end = Math.min(words.length, i + windowSize + 1)
    for (let j = Math.max(0, i - windowSize); j < end; j++) {
      const other = words[j] as number
      if (j !== i && other !== 0) couples.push([word, other])
    }
  }
  const positive = couples.length
  const negative = Math.trunc(positive * negativeSamples)
  const centers = shuffle(Int32Array.from(couples, (couple) => couple[0]))
  for (let i = 0; i < negative; i++)
    couples.push([centers[i % positive] as number, 1 + integer(vocabularySize - 1)])
  const label = (i: number): SkipgramLabel =>
    categorical ? (i < positive ? [0, 1] : [1, 0]) : Number(i < positive)
  const order = Int32Array.from(couples, (_, i) => i)
  if (shuffled) shuffle(order)
  return [Array.from(order, (i) => couples[i] as [number, number]), Array.from(order, label)]
}
