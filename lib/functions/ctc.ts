/**
 * Costs and decoding of CTC on arrays, by the names of Keras 1's backend. Native code computes them
 * on its own thread (device/cpu/ctc).
 */
import { checkBoolean, checkInteger, checkSignal } from '../call-options.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import { loadNative, type NativeArray, type NativeWork } from '../native.js'
import { describe, NDArray, shapeText, type TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { toNative } from '../training/data.js'
import { paddedLabels } from '../training/label-targets.js'

/** Options of {@link ctcBatchCost}. */
export interface CtcBatchCostOptions {
  /** The class that is the blank. Default `null`: the last. */
  blank?: number | null
  /** The call rejects with the signal's reason. */
  signal?: AbortSignal | null
}

/** N-grams as a language model for {@link ctcDecode}. */
export interface NgramModel {
  /**
   * The text of an ARPA file. Words that it does not have are its `<unk>`, or as good as
   * impossible.
   */
  arpa: string
  /** What the file calls each class, K texts; the blank's does not matter. */
  labels: readonly string[]
  /**
   * `'label'` (default): n-grams of labels. `'word'`: of what lies between separators; a word
   * counts when it ends.
   */
  unit?: 'label' | 'word'
  /** With `unit: 'word'`, the text of the class that ends a word. Default `' '`. */
  separator?: string
  /** What its logarithms count. Default 1. */
  weight?: number
  /** Added for each label, or word: against a liking for short ones. Default 0. */
  bonus?: number
}

/** A function as a language model for {@link ctcDecode}. */
export interface FunctionModel {
  /**
   * Natural logarithms of the probabilities of what comes after a prefix of labels, K numbers: of
   * each class, and at the blank's place of the end. Called once for each prefix that is kept.
   */
  score(prefix: readonly number[]): ArrayLike<number> | Promise<ArrayLike<number>>
  /** What they count. Default 1. */
  weight?: number
  /** Added for each label. Default 0. */
  bonus?: number
}

/** Options of {@link ctcDecode}. */
export interface CtcDecodeOptions {
  /** true (default): the likeliest class of each frame. false: prefix beam search. */
  greedy?: boolean
  /** How many prefixes the search keeps. Default 100. */
  beamWidth?: number
  /** How many labels to give, the likeliest first. Default 1; greedy knows one. */
  topPaths?: number
  /** The class that is the blank. Default `null`: the last. */
  blank?: number | null
  /** For the search. Default none. */
  languageModel?: NgramModel | FunctionModel | null
  /** The call rejects with the signal's reason. */
  signal?: AbortSignal | null
}

const refuse = (where: string, what: string, expected: string, value: unknown): never =>
  fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })

/** Probabilities [B, T, K], with the blank. */
function checkedOutputs(where: string, value: TensorLike, given: unknown) {
  const p = toNative(value, `${where}: yPred`)
  const [B = 0, T = 0, K = 0] = p.shape
  if (p.shape.length !== 3 || B * T * K === 0)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'yPred',
      expected: '[B, T, K] with no extent of 0',
      actual: shapeText(p.shape),
    })
  const blank = given ?? K - 1
  if (!(Number.isSafeInteger(blank) && Number(blank) >= 0 && Number(blank) < K))
    refuse(where, 'blank', `a class, an integer from 0 to ${K - 1}`, given)
  return { p, B, T, K, blank: Number(blank) }
}

/** @throws ConfigError ERR_OPTION for frames that count and hold no probabilities */
function checkProbabilities(where: string, p: NativeArray, lengths: Int32Array): void {
  const [, T, K] = p.shape as [number, number, number]
  for (const [b, length] of lengths.entries()) {
    for (let t = 0; t < length; t++) {
      const from = (b * T + t) * K
      let sum = 0
      for (let k = 0; k < K; k++) {
        const value = p.data[from + k]!
        sum += value >= 0 ? value : Number.NaN
      }
      if (!(sum > 0 && sum < Infinity))
        refuse(
          where,
          `yPred of sample ${b}, frame ${t}`,
          'probabilities: numbers from 0, not all 0',
          p.data[from + K - 1],
        )
    }
  }
}

/** Lengths [B] or [B, 1]; null: `most` each. */
function checkedLengths(
  where: string,
  what: string,
  given: TensorLike | null | undefined,
  { B, most }: { B: number; most: number },
): Int32Array {
  if (given === null || given === undefined) return new Int32Array(B).fill(most)
  const { data, shape } = toNative(given, `${where}: ${what}`)
  if (data.length !== B || shape[0] !== B)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what,
      expected: `[${B}] or [${B}, 1], as yPred has ${B} samples`,
      actual: shapeText(shape),
    })
  for (const length of data)
    if (!(Number.isInteger(length) && length >= 0 && length <= most))
      refuse(where, what, `integers from 0 to ${most}`, length)
  return Int32Array.from(data)
}

/** Waits for native work. @throws the signal's reason */
async function finished<T>(work: NativeWork<T>, signal: AbortSignal | null): Promise<T> {
  const cancel = () => work.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    const result = await work.done
    signal?.throwIfAborted()
    return result
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

/** Labels [B, L], padded with -1 behind their lengths. */
function checkedLabels(
  where: string,
  value: TensorLike,
  given: TensorLike | null | undefined,
  { B, K, blank }: { B: number; K: number; blank: number },
) {
  const y = toNative(paddedLabels(value, 'yTrue') as TensorLike, `${where}: yTrue`)
  const [rows, L = 0] = y.shape
  if (y.shape.length !== 2 || rows !== B)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'yTrue',
      expected: `[${B}, L], as yPred has ${B} samples`,
      actual: shapeText(y.shape),
    })
  const lengths = checkedLengths(where, 'labelLength', given, { B, most: L })
  const data = new Int32Array(B * L).fill(-1)
  for (let b = 0; b < B; b++) {
    const row = y.data.subarray(b * L, (b + 1) * L)
    const end = given ? -1 : row.indexOf(-1)
    if (end >= 0) lengths[b] = end
    for (let i = 0; i < lengths[b]!; i++) {
      const label = row[i]!
      if (!(Number.isInteger(label) && label >= 0 && label < K) || label === blank)
        refuse(
          where,
          `label ${i} of sample ${b}`,
          `an integer from 0 to ${K - 1} other than ${blank}, the blank`,
          label,
        )
      data[b * L + i] = label
    }
  }
  return { labels: { data, shape: [B, L] }, lengths }
}

/**
 * The CTC cost of each sample: −log (natural) of the probability of its label.
 *
 * Exact, in double precision. Keras 1.2.2 gives the same on TensorFlow; on Theano it gives a
 * smoothed number that is not this cost.
 *
 * @param yTrue labels [B, L]; or lists of any length, or padded with −1, where `labelLength` is
 *   null
 * @param yPred probabilities [B, T, K], the output of a softmax
 * @param inputLength how many frames of each sample count, [B] or [B, 1]; null: T
 * @param labelLength how many labels of each sample count, [B] or [B, 1]
 * @returns [B, 1], float64; infinite where a label needs more frames than there are
 * @throws ShapeError `ERR_SHAPE`; ConfigError `ERR_OPTION`; the signal's reason. Always as a
 *   rejection.
 * @example
 * import { ctcBatchCost } from 'hiddenstate/backend'
 * // two frames, one label and the blank: a a, a -, - a of four paths
 * const cost = await ctcBatchCost([[0]], [[[0.5, 0.5], [0.5, 0.5]]], [2], [1])
 * console.log(Math.exp(-cost.get(0, 0)).toFixed(2)) // 0.75
 * @see keras.backend.ctc_batch_cost; for training there is the loss `ctc` of hiddenstate
 */
export async function ctcBatchCost(
  yTrue: TensorLike,
  yPred: TensorLike,
  inputLength: TensorLike | null = null,
  labelLength: TensorLike | null = null,
  options: CtcBatchCostOptions = {},
): Promise<NDArray> {
  const where = 'ctcBatchCost'
  const given = resolveOptions<Record<string, unknown>>(
    where,
    { blank: null, signal: null },
    options,
  )
  const signal = checkSignal(where, given.signal)
  signal?.throwIfAborted()
  const { p, B, T, K, blank } = checkedOutputs(where, yPred, given.blank)
  const lengths = checkedLengths(where, 'inputLength', inputLength, { B, most: T })
  checkProbabilities(where, p, lengths)
  const labels = checkedLabels(where, yTrue, labelLength, { B, K, blank })
  const work = loadNative().ctcCost({
    p,
    lengths: { data: lengths, shape: [B] },
    labels: labels.labels,
    labelLengths: { data: labels.lengths, shape: [B] },
    blank,
  })
  return new NDArray(await finished(work, signal), [B, 1])
}

/**
 * Labels from outputs: by the likeliest class of each frame, or by prefix beam search, with a
 * language model if there is one. Off the event loop.
 *
 * @param yPred probabilities [B, T, K], the output of a softmax
 * @param inputLength how many frames of each sample count, [B] or [B, 1]; null: T
 * @returns the labels, and their logarithms: one array [B, L] for each of `topPaths`, padded with
 *   −1, the best first; and [B, topPaths], float64: greedy, of the best path; else of the label
 *   over all of its paths, without the language model. Where the search has found fewer, the rest
 *   is −1 and −Infinity.
 * @throws ShapeError `ERR_SHAPE`; ConfigError `ERR_OPTION`; InternalError `ERR_OUT_OF_MEMORY` for
 *   beams and frames beyond the machine's memory; the signal's reason. Always as a rejection.
 * @example
 * import { ctcDecode } from 'hiddenstate/backend'
 * // classes: a, b, blank. The likeliest path is - -, the likeliest label is a.
 * const p = [[[0.4, 0, 0.6], [0.4, 0, 0.6]]]
 * const [greedy] = await ctcDecode(p, [2])
 * const [found, logProb] = await ctcDecode(p, [2], { greedy: false, topPaths: 2 })
 * console.log(greedy[0].shape, found[0].toArray(), Math.exp(logProb.get(0, 0)).toFixed(2))
 * // [ 1, 0 ] [ [ 0 ] ] 0.64
 * @see keras.backend.ctc_decode; Hannun et al. 2014 (arXiv:1408.2873)
 */
export async function ctcDecode(
  yPred: TensorLike,
  inputLength: TensorLike | null = null,
  options: CtcDecodeOptions = {},
): Promise<[labels: NDArray[], logProb: NDArray]> {
  const where = 'ctcDecode'
  const given = resolveOptions<Record<string, unknown>>(
    where,
    {
      greedy: true,
      beamWidth: 100,
      topPaths: 1,
      blank: null,
      languageModel: null,
      signal: null,
    },
    options,
  )
  const signal = checkSignal(where, given.signal)
  signal?.throwIfAborted()
  const greedy = checkBoolean(where, 'greedy', given.greedy)
  const beamWidth = checkInteger(where, 'beamWidth', given.beamWidth, 1)
  const topPaths = checkInteger(where, 'topPaths', given.topPaths, 1)
  if (topPaths > (greedy ? 1 : beamWidth))
    refuse(
      where,
      'topPaths',
      greedy ? '1 with greedy: true' : `at most beamWidth, ${beamWidth}`,
      topPaths,
    )
  const { p, B, T, K, blank } = checkedOutputs(where, yPred, given.blank)
  const lengths = checkedLengths(where, 'inputLength', inputLength, { B, most: T })
  checkProbabilities(where, p, lengths)
  const model = checkedModel(where, given.languageModel, { K, blank })
  if (greedy && model) refuse(where, 'languageModel', 'null with greedy: true', given.languageModel)
  const run = loadNative().ctcDecoder({
    p,
    lengths: { data: lengths, shape: [B] },
    blank,
    beamWidth: greedy ? 0 : beamWidth,
    topPaths,
    asks: model !== null && 'scores' in model,
    ...(model && 'arpa' in model ? model : {}),
  })
  let result = await finished(run(), signal)
  while ('asked' in result) {
    const { scores } = model as { scores: Scores }
    result = await finished(run(await scores(result.asked, signal)), signal)
  }
  return padded(result.found, topPaths)
}

type Scores = (prefixes: readonly Int32Array[], signal: AbortSignal | null) => Promise<NativeArray>

/** A language model as native code takes it, or as a function that it is asked by. */
function checkedModel(
  where: string,
  given: unknown,
  { K, blank }: { K: number; blank: number },
): { arpa: string; ngram: object } | { scores: Scores } | null {
  if (given === null || given === undefined) return null
  const place = `${where}: languageModel`
  const isFunction = typeof given === 'object' && 'score' in given
  const defaults = isFunction
    ? { score: null, weight: 1, bonus: 0 }
    : { arpa: null, labels: null, unit: 'label', separator: ' ', weight: 1, bonus: 0 }
  const model = resolveOptions<Record<string, unknown>>(place, defaults, given)
  const number = (key: 'weight' | 'bonus'): number => {
    const value = model[key]
    if (typeof value !== 'number' || !Number.isFinite(value))
      refuse(place, key, 'a finite number', value)
    return value as number
  }
  const [weight, bonus] = [number('weight'), number('bonus')]
  if (isFunction) return { scores: scoresOf(place, model.score, { K, blank, weight, bonus }) }
  const { arpa, labels, unit, separator } = model
  if (typeof arpa !== 'string') refuse(place, 'arpa', 'the text of an ARPA file', arpa)
  const areTexts = Array.isArray(labels) && labels.every((text) => typeof text === 'string')
  if (!areTexts || (labels as string[]).length !== K)
    refuse(place, 'labels', `${K} texts, one for each class`, labels)
  if (unit !== 'label' && unit !== 'word') refuse(place, 'unit', "'label' or 'word'", unit)
  const at = unit === 'word' ? (labels as unknown[]).indexOf(separator) : -1
  if (unit === 'word' && (at < 0 || at === blank))
    refuse(place, 'separator', 'one of labels, other than the blank', separator)
  return { arpa: arpa as string, ngram: { labels, separator: at, weight, bonus } }
}

function scoresOf(
  place: string,
  score: unknown,
  { K, blank, weight, bonus }: { K: number; blank: number; weight: number; bonus: number },
): Scores {
  if (typeof score !== 'function') refuse(place, 'score', 'a function', score)
  return async (prefixes, signal) => {
    const data = new Float64Array(prefixes.length * K)
    for (const [i, prefix] of prefixes.entries()) {
      const scores = await (score as FunctionModel['score'])(Array.from(prefix))
      signal?.throwIfAborted()
      if (scores?.length !== K)
        refuse(place, 'what score gives', `${K} numbers, one for each class`, scores)
      for (let k = 0; k < K; k++) {
        const value = scores[k]
        if (!(typeof value === 'number' && value < Infinity))
          refuse(place, `score of class ${k}`, 'a logarithm, below Infinity', value)
        data[i * K + k] = weight * (value as number) + (k === blank ? 0 : bonus)
      }
    }
    return { data, shape: [prefixes.length, K] }
  }
}

/** What was found for each sample, as one array a path. */
function padded(
  found: readonly (readonly { label: Int32Array; logP: number }[])[],
  topPaths: number,
): [NDArray[], NDArray] {
  const B = found.length
  const logProb = new Float64Array(B * topPaths).fill(-Infinity)
  const arrays = Array.from({ length: topPaths }, (_, i) => {
    const L = found.reduce((most, list) => Math.max(most, list[i]?.label.length ?? 0), 0)
    const data = new Int32Array(B * L).fill(-1)
    for (const [b, list] of found.entries()) {
      const one = list[i]
      if (!one) continue
      data.set(one.label, b * L)
      logProb[b * topPaths + i] = one.logP
    }
    return new NDArray(data, [B, L])
  })
  return [arrays, new NDArray(logProb, [B, topPaths])]
}

/**
 * Labels without their padding, as the places and values of a sparse array.
 *
 * @param labels [B, L]
 * @param labelLengths how many of each sample count, [B] or [B, 1]
 * @returns `indices` [n, 2] (sample, place) and `values` [n], int32, in the order of the samples;
 *   `shape` [B, L]
 * @throws ShapeError `ERR_SHAPE`; ConfigError `ERR_OPTION`
 * @example
 * import { ctcLabelDenseToSparse } from 'hiddenstate/backend'
 * const { indices, values } = ctcLabelDenseToSparse([[3, 1], [2, 0]], [2, 1])
 * console.log(indices.toArray(), values.toArray()) // [ [ 0, 0 ], [ 0, 1 ], [ 1, 0 ] ] [ 3, 1, 2 ]
 * @see keras.backend.ctc_label_dense_to_sparse
 */
export function ctcLabelDenseToSparse(
  labels: TensorLike,
  labelLengths: TensorLike,
): { indices: NDArray; values: NDArray; shape: [number, number] } {
  const where = 'ctcLabelDenseToSparse'
  const y = toNative(labels, `${where}: labels`)
  const [B = 0, L = 0] = y.shape
  if (y.shape.length !== 2)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'labels',
      expected: '[B, L]',
      actual: shapeText(y.shape),
    })
  const lengths = checkedLengths(where, 'labelLengths', labelLengths, { B, most: L })
  const n = lengths.reduce((sum, length) => sum + length, 0)
  const [indices, values] = [new Int32Array(2 * n), new Int32Array(n)]
  let at = 0
  for (const [b, length] of lengths.entries()) {
    for (let i = 0; i < length; i++, at++) {
      indices.set([b, i], 2 * at)
      values[at] = y.data[b * L + i]!
    }
  }
  return { indices: new NDArray(indices, [n, 2]), values: new NDArray(values, [n]), shape: [B, L] }
}
