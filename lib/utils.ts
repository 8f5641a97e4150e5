/** The public `hiddenstate/utils`: Keras 1.2.2 `keras.utils`, and NumPy's files. */
export { cer, wer } from './error-rates.js'
export { getFile, type GetFileOptions } from './files/download.js'
export { HDF5Matrix, type HDF5MatrixOptions } from './hdf5/hdf5-matrix.js'
export {
  formatNpy,
  parseNpy,
  readNpy,
  readNpz,
  type ReadNpzOptions,
  writeNpy,
  writeNpz,
  type WriteNpzOptions,
} from './files/npy.js'
export {
  modelToDot,
  type ModelToDotOptions,
  plotModel,
  type PlotModelOptions,
} from './model/plot-model.js'
export {
  spanF1,
  type SpanOptions,
  type SpanScore,
  type TagSequence,
  type TagSequences,
} from './spans.js'
export { type Output, Progbar, type ProgbarOptions, type Verbosity } from './progress.js'
import { ConfigError, ShapeError, fail } from './errors.js'
import { describe, NDArray, shapeText, sizeOf, type TensorLike } from './ndarray.js'
import { resolveOptions } from './options.js'

/**
 * Class numbers as rows of zeros with one 1.
 *
 * Unlike Keras, which wraps negative labels around and cuts fractions off,
 * labels must be integers from 0.
 *
 * @param y labels of any shape; they are taken flat, so [N, 1] does as well as [N]
 * @param options `nbClasses`: default the largest label + 1
 * @returns shape [N, nbClasses], float64
 * @throws ConfigError ERR_OPTION for a label that is no integer in 0 … nbClasses - 1; ShapeError
 *   ERR_SHAPE for no labels without `nbClasses`
 * @example
 * import { toCategorical } from 'hiddenstate/utils'
 * console.log(toCategorical([0, 2]).toArray()) // [ [ 1, 0, 0 ], [ 0, 0, 1 ] ]
 * @see keras.utils.np_utils.to_categorical
 */
export function toCategorical(
  y: TensorLike,
  options?: { nbClasses?: number | null | undefined },
): NDArray {
  const where = 'toCategorical'
  const { nbClasses } = resolveOptions(
    where,
    { nbClasses: null as number | null | undefined },
    options,
  )
  if (nbClasses != null && !(Number.isSafeInteger(nbClasses) && nbClasses >= 0)) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'nbClasses',
      expected: 'a positive integer',
      actual: describe(nbClasses),
    })
  }
  const labels = NDArray.from(y, undefined, isTyped(y) ? undefined : 'float64').data // [N]
  if (labels.length === 0 && !nbClasses) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'y',
      expected: 'at least one label, or nbClasses',
      actual: 'none',
    })
  }
  let largest = -1
  for (const label of labels) if (label > largest) largest = label // NaN is told below
  const K = nbClasses || largest + 1
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n] as number
    if (Number.isSafeInteger(label) && label >= 0 && label < K) continue
    fail(ConfigError, 'ERR_OPTION', {
      where: `${where}: y[${n}]`,
      what: 'label',
      expected: nbClasses ? `an integer in 0 … ${K - 1}` : 'an integer >= 0',
      actual: String(label),
    })
  }
  const out = new Float64Array(labels.length * K) // [N, K]
  for (let n = 0; n < labels.length; n++) out[n * K + (labels[n] as number)] = 1
  return new NDArray(out, [labels.length, K])
}

/** Whether the elements keep the type they have; plain numbers become doubles. */
function isTyped(x: TensorLike): boolean {
  return (
    x instanceof NDArray ||
    ArrayBuffer.isView(x) ||
    (typeof x === 'object' && 'data' in x && ArrayBuffer.isView(x.data))
  )
}

/**
 * Divides by the norm along one axis; where the norm is 0, the zeros stay.
 *
 * @param a any shape but a scalar
 * @param options `axis`: default -1, the last; `order`: of the norm, default 2 (also 0, 1,
 *   `Infinity`, any p)
 * @returns the shape of `a`, except that one axis [n] becomes [1, n], as in Keras; float32 stays,
 *   all else becomes float64
 * @throws ConfigError ERR_OPTION; ShapeError ERR_SHAPE for a scalar
 * @example
 * import { normalize } from 'hiddenstate/utils'
 * console.log(normalize([[3, 4], [0, 0]]).toArray()) // [ [ 0.6, 0.8 ], [ 0, 0 ] ]
 * @see keras.utils.np_utils.normalize
 */
export function normalize(
  a: TensorLike,
  options?: { axis?: number | undefined; order?: number | undefined },
): NDArray {
  const where = 'normalize'
  const { axis, order } = resolveOptions(where, { axis: -1, order: 2 }, options)
  const x = NDArray.from(a, undefined, isTyped(a) ? undefined : 'float64')
  const rank = x.shape.length
  if (rank === 0)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'a',
      expected: 'an array of one axis or more',
      actual: 'a scalar',
    })
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'axis',
      expected: `an integer in ${-rank} … ${rank - 1}`,
      actual: describe(axis),
    })
  }
  if (typeof order !== 'number' || Number.isNaN(order)) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'order',
      expected: 'a number',
      actual: describe(order),
    })
  }
  const { outer, extent, inner } = around(x.shape, axis < 0 ? axis + rank : axis)
  // as x
  const out = x.data instanceof Float32Array ? new Float32Array(x.size) : new Float64Array(x.size)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (k: number) => (o * extent + k) * inner + i
      const norm = vectorNorm(extent, (k) => x.data[at(k)] as number, order) || 1
      for (let k = 0; k < extent; k++) out[at(k)] = (x.data[at(k)] as number) / norm
    }
  }
  return new NDArray(out, rank === 1 ? [1, ...x.shape] : x.shape)
}

/** Extents before, of and after an axis. */
function around(
  shape: readonly number[],
  axis: number,
): { outer: number; extent: number; inner: number } {
  return {
    outer: sizeOf(shape.slice(0, axis)),
    extent: shape[axis] as number,
    inner: sizeOf(shape.slice(axis + 1)),
  }
}

/**
 * As numpy.linalg.norm: order 0 counts what is not zero,
 * ±Infinity the largest and the smallest magnitude.
 */
function vectorNorm(n: number, x: (k: number) => number, order: number): number {
  if (Math.abs(order) === Number.POSITIVE_INFINITY) {
    let most = Math.abs(x(0))
    for (let k = 1; k < n; k++)
      most = order > 0 ? Math.max(most, Math.abs(x(k))) : Math.min(most, Math.abs(x(k)))
    return most
  }
  let sum = 0
  for (let k = 0; k < n; k++) sum += order === 0 ? Number(x(k) !== 0) : Math.abs(x(k)) ** order
  return order === 0 ? sum : sum ** (1 / order)
}

/**
 * The class of each row of probabilities: of several columns the largest;
 * of one, 1 above 0.5 and 0 else.
 *
 * @param p shape [N, K], [N, 1] or [N]
 * @returns shape [N], int32
 * @throws ShapeError ERR_SHAPE for a scalar
 * @example
 * import { probasToClasses } from 'hiddenstate/utils'
 * console.log(probasToClasses([[0.1, 0.9], [0.7, 0.3]]).toArray()) // [ 1, 0 ]
 * @see keras.utils.np_utils.probas_to_classes
 */
export function probasToClasses(p: TensorLike): NDArray {
  const x = NDArray.from(p, undefined, isTyped(p) ? undefined : 'float64')
  if (x.shape.length > 1 && (x.shape[1] as number) > 1) return categoricalProbasToClasses(x)
  if (x.shape.length === 0)
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'probasToClasses',
      what: 'p',
      expected: '[N] or [N, K]',
      actual: 'a scalar',
    })
  if (x.size !== x.shape[0])
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'probasToClasses',
      what: 'p',
      expected: '[N] or [N, K]',
      actual: shapeText(x.shape),
    })
  return new NDArray(
    Int32Array.from(x.data, (v) => Number(v > 0.5)),
    [x.size],
  )
}

/**
 * The column with the largest probability, the first of equal ones;
 * NaN counts as the largest, as in numpy.
 *
 * @param p shape [N, K], or [N, K, …]
 * @returns shape [N], or [N, …]; int32
 * @throws ShapeError ERR_SHAPE for fewer than two axes or K = 0
 * @example
 * import { categoricalProbasToClasses } from 'hiddenstate/utils'
 * console.log(categoricalProbasToClasses([[0.2, 0.2, 0.6]]).toArray()) // [ 2 ]
 * @see keras.utils.np_utils.categorical_probas_to_classes
 */
export function categoricalProbasToClasses(p: TensorLike): NDArray {
  const x = NDArray.from(p, undefined, isTyped(p) ? undefined : 'float64')
  if (x.shape.length < 2 || x.shape[1] === 0) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'categoricalProbasToClasses',
      what: 'p',
      expected: '[N, K]',
      actual: shapeText(x.shape),
    })
  }
  const { outer: N, extent: K, inner } = around(x.shape, 1)
  const out = new Int32Array(N * inner) // [N, …]
  for (let n = 0; n < N; n++) {
    for (let i = 0; i < inner; i++) {
      let best = 0
      for (let k = 1; k < K; k++) {
        const [value, top] = [
          x.data[(n * K + k) * inner + i] as number,
          x.data[(n * K + best) * inner + i] as number,
        ]
        if (value > top || (Number.isNaN(value) && !Number.isNaN(top))) best = k
      }
      out[n * inner + i] = best
    }
  }
  return new NDArray(out, [N, ...x.shape.slice(2)])
}
