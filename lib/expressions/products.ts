/** Products of matrices. */
import { type Expr, type Like, lift, make } from './expr.js'
import { permuteDimensions } from './arranging.js'

/**
 * The product of the last axis of `a` with the rows of a matrix: [..., K] · [K, N] → [..., N]. With
 * a vector: [..., K] · [K] → [...].
 *
 * @throws ShapeError ERR_SHAPE
 */
export const dot = (a: Like, b: Like): Expr => lift(a, 'dot').dot(b)

/** The axes in the other order; of a matrix, its transpose. */
export const transpose = (x: Expr): Expr => lift(x, 'transpose').T

/**
 * A product for each sample: [B, …, M, K] · [B, …, K, N] → [B, …, M, N]. With `axes`, Keras 1.2.2's
 * `K.batch_dot`: what axis of x and of y is summed over; a vector a sample counts as a matrix with
 * one row.
 *
 * @throws ShapeError ERR_SHAPE
 */
export function batchDot(x: Expr, y: Expr, axes?: number | readonly [number, number]): Expr {
  if (axes === undefined && x.ndim === y.ndim && x.ndim > 2) return make('batch_dot', [x, y])
  const given = axes ?? [x.ndim - 1, y.ndim - 2 || 1]
  const [ofX, ofY] = typeof given === 'number' ? [given, given] : given
  const from0 = (axis: number, { ndim }: Expr) => (axis < 0 ? axis + ndim : axis)
  const [p, q] = [from0(ofX, x), from0(ofY, y)]
  const left = toEnd(x, p)
  const right = toEnd(y, q)
  // [B, M, K] · [B, N, K]ᵀ
  const rows = left.ndim === 2 ? make('reshape', [left], { dims: [-2, 1, -3] }) : left
  const columns = right.ndim === 2 ? make('reshape', [right], { dims: [-2, 1, -3] }) : right
  const out = make('batch_dot', [rows, permuteDimensions(columns, [0, 2, 1])])
  const kept = [0, ...(left.ndim === 2 ? [] : [1]), ...(right.ndim === 2 ? [] : [2])]
  // Keras: never less than two axes
  const dims = kept.length === 1 ? [-2, 1] : kept.map((axis) => -2 - axis)
  return kept.length === 3 ? out : make('reshape', [out], { dims })
}

/** With one axis as the last one. */
function toEnd(x: Expr, axis: number): Expr {
  const rest = x.shape.map((_, k) => k).filter((k) => k !== axis)
  return axis === x.ndim - 1 ? x : permuteDimensions(x, [...rest, axis])
}
