/** Ops over one axis, several, or all. */
import { div, equal, neg, notEqual, sqrt, square, sub } from './elementwise.js'
import { type Expr, type Like, lift, make } from './expr.js'

/** An axis, several, or (null) all of them; -1 is the last. */
export type Axes = number | readonly number[] | null

const reduction =
  (op: 'sum' | 'mean' | 'max_of' | 'min_of' | 'prod') =>
  (x: Like, axis: Axes = null, keepdims = false): Expr => {
    const value = lift(x, op)
    const axes = axis === null ? value.shape.map((_, k) => k) : [axis].flat()
    return axes.length === 0 ? value : make(op, [value], { axes, keep: keepdims })
  }

/**
 * The sum.
 *
 * @param axis default all: one number
 * @param keepdims whether summed axes stay, with extent 1; default `false`
 */
export const sum = reduction('sum')
/** The mean. @see sum */
export const mean = reduction('mean')
/** The largest number along axes. @see sum */
export const max = reduction('max_of')
/** The smallest number along axes. @see sum */
export const min = reduction('min_of')
/** The product along axes. @see sum */
export const prod = reduction('prod')

/** The variance along axes: the mean of squared distances from the mean. @see sum */
export const variance = (x: Like, axis: Axes = null, keepdims = false): Expr =>
  mean(square(sub(x, mean(x, axis, true))), axis, keepdims)

/** The standard deviation along axes. @see sum */
export const std = (x: Like, axis: Axes = null, keepdims = false): Expr =>
  sqrt(variance(x, axis, keepdims))

/** 1 where any number along axes is not 0, else 0; without gradient. @see sum */
export const any = (x: Like, axis: Axes = null, keepdims = false): Expr =>
  max(notEqual(x, 0), axis, keepdims)

/** 1 where no number along axes is 0, else 0; without gradient. @see sum */
export const all = (x: Like, axis: Axes = null, keepdims = false): Expr =>
  min(notEqual(x, 0), axis, keepdims)

/** The index of the largest number along an axis; without gradient. @param axis default -1 */
export const argmax = (x: Like, axis = -1): Expr => make('argmax', [x], { axis })

/** The index of the smallest number along an axis; without gradient. @param axis default -1 */
export const argmin = (x: Like, axis = -1): Expr => argmax(neg(x), axis)

/** The sum of the numbers up to each one along an axis. @param axis default 0 */
export const cumsum = (x: Like, axis = 0): Expr => make('cumsum', [x], { axis })

/** x over its length along an axis; zeros stay zeros. @param axis default -1 */
export function l2Normalize(x: Like, axis: Axes = -1): Expr {
  const squares = sum(square(x), axis, true)
  // Of zeros the length is taken as 1: 0 / 1, with a gradient that is finite.
  return div(x, sqrt(squares.add(equal(squares, 0))))
}

/** log(sum(exp(x))) along an axis, without overflow. @param axis default -1 */
export function logSumExp(x: Like, axis = -1): Expr {
  const top = make('stop_gradient', [max(x, axis, true)])
  const value = lift(x)
  const rest = make('log', [sum(make('exp', [sub(value, top)]), axis)])
  return rest.add(max(top, axis))
}
