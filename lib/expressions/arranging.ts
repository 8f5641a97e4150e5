/** The same numbers in another shape, parts of them, and several together. */
import type { Dim, Dims } from './dims.js'
import { type Expr, type Like, lift, make } from './expr.js'
import { refuseShape } from './place.js'

/** Values side by side along an axis. @param axis default -1 */
export function concatenate(values: readonly Like[], axis = -1): Expr {
  return make('concat', values, { axis })
}

/** Values side by side along the last axis. */
export const concat = (...values: Like[]): Expr => concatenate(values)

/** Values of equal shape, side by side along a new first axis. */
export const stack = (values: readonly Like[]): Expr =>
  concatenate(
    values.map((value) => expandDims(lift(value, 'stack'), 0)),
    0,
  )

/**
 * A part of an axis, as `array.slice(from, to)` takes it.
 *
 * @param to exclusive; default: to the end
 * @param axis default -1
 */
export const slice = (x: Like, from: number, to: number | null = null, axis = -1, step = 1): Expr =>
  make('slice', [x], { axis, from, to, step })

/** One place of an axis, which is gone then. @param axis default 0 */
export function at(x: Expr, index: number, axis = 0): Expr {
  const to = index === -1 ? null : index + 1
  return squeeze(make('slice', [x], { axis, from: index, to, step: 1 }), axis)
}

/** The last place of the first axis: of a sequence, its last step. */
export const last = (x: Expr): Expr => at(x, -1)

/** How a program says a shape: -1 what is left, -2-k the extent of axis k of the argument. */
function dimsOf(x: Expr, shape: readonly (Dim | null)[], where: string): number[] {
  const used = new Set<number>()
  return shape.map((extent) => {
    if (extent === null) return -1
    if (typeof extent === 'number') return extent
    const axis = x.shape.findIndex((own, k) => own === extent && !used.has(k))
    if (axis < 0)
      refuseShape({
        where: `${where}(${x.label})`,
        what: 'a letter of the new shape',
        expected: `one of ${x.shape.filter((own) => typeof own === 'string').join(', ') || 'none'}`,
        actual: extent,
        hint: 'Write -1 for one extent that follows from the others.',
      })
    used.add(axis)
    return -2 - axis
  })
}

/**
 * The same numbers in another shape.
 *
 * @param shape with all axes; letters of x's own shape; -1 for one that follows from the others
 */
export function reshape(x: Expr, shape: readonly (Dim | null)[]): Expr {
  const kept = x.shape.length
  const plain = shape.map((extent, axis) => {
    const isUnknown = typeof extent === 'number' && extent < -1
    return isUnknown || axis > kept + 32 ? Number.NaN : extent
  })
  return make('reshape', [x], { dims: dimsOf(x, plain, 'reshape') })
}

/** All numbers in one axis. */
export const flatten = (x: Expr): Expr => make('reshape', [x], { dims: [-1] })

/** The numbers of each sample in one axis: [B, …] → [B, D]. */
export const batchFlatten = (x: Expr): Expr => make('reshape', [x], { dims: [-2, -1] })

/** A new axis of extent 1. @param axis default -1: behind the others */
export function expandDims(x: Expr, axis = -1): Expr {
  const dims = x.shape.map((_, k) => -2 - k)
  dims.splice(axis < 0 ? axis + x.ndim + 1 : axis, 0, 1)
  return make('reshape', [x], { dims })
}

/** Without an axis, whose extent is 1. */
export function squeeze(x: Expr, axis: number): Expr {
  const gone = axis < 0 ? axis + x.ndim : axis
  if (x.shape[gone] !== 1)
    refuseShape({
      where: `squeeze(${x.label})`,
      what: `axis ${axis}`,
      expected: 'of extent 1',
      actual: String(x.shape[gone] ?? 'no such axis'),
    })
  const dims = x.shape.flatMap((_, k) => (k === gone ? [] : [-2 - k]))
  return make('reshape', [x], { dims })
}

/** The axes in another order. @param pattern which axis comes first, second, … */
export const permuteDimensions = (x: Like, pattern: readonly number[]): Expr =>
  make('permute', [x], { axes: pattern })

/** Each place of an axis several times. */
export const repeatElements = (x: Like, count: number, axis: number): Expr =>
  make('repeat', [x], { axis, count })

/** [B, D] → [B, n, D], n times the same. */
export const repeat = (x: Expr, n: number): Expr => repeatElements(expandDims(x, 1), n, 1)

/** x broadcast to the shape of another value. */
export const broadcastTo = (x: Like, like: Like): Expr => make('broadcast', [x, like])

/** The same number everywhere, in the shape of x. */
function filled(x: Expr, value: number): Expr {
  const dims = x.shape.map((extent, k) => (typeof extent === 'number' ? extent : -1 - k))
  return make('full', dims.some((extent) => extent < 0) ? [x] : [], { value, dims })
}

/** Zeros in the shape of x. */
export const zerosLike = (x: Expr): Expr => filled(x, 0)
/** Ones in the shape of x. */
export const onesLike = (x: Expr): Expr => filled(x, 1)

/** The rows of a table that indices name: W [V, …], [B, T] → [B, T, …]. */
export const gather = (table: Expr, indices: Like): Expr => make('gather', [table, indices])

/** Of each row of the last axis the number that an index names: p [B, K], [B] → [B]. */
export const pick = (p: Expr, indices: Like): Expr => make('pick', [p, indices])

/** Indices as rows of zeros with a 1: [B] → [B, classes]. */
export const oneHot = (indices: Like, classes: number): Expr =>
  make('one_hot', [indices], { classes })

/** The shape, as Keras' `K.int_shape` has it: null for what only the data tell. */
export const intShape = ({ shape }: { shape: Dims }): (number | null)[] =>
  shape.map((extent) => (typeof extent === 'number' ? extent : null))
