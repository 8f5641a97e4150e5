/** Keras 1.2.2's names for what has another name here, and further functions of its backend. */
import { add, less, lessEqual, mul, sub, where } from '../expressions/elementwise.js'
import type { Expr, Like } from '../expressions/expr.js'
import { grad } from '../expressions/gradient.js'
import { variance } from '../expressions/reductions.js'
import { type SharedVariable, shared } from '../expressions/variables.js'
import type { NDArray, TensorLike } from '../ndarray.js'
import { fn, type FnOptions, type Update } from './fn.js'

/** Keras' name of {@link shared}. */
export const variable = shared
/** Keras' name of {@link grad}. */
export const gradients = grad
/** Keras' name of {@link less}. */
export const lesser = less
/** Keras' name of {@link lessEqual}. */
export const lesserEqual = lessEqual
/** Keras' `K.switch`: {@link where}. */
export const switchTo = where
/** The value of a variable. @see SharedVariable.getValue */
export const getValue = (variable: SharedVariable): NDArray => variable.getValue()
/** Sets the value of a variable. @see SharedVariable.setValue */
export const setValue = (variable: SharedVariable, value: TensorLike): void =>
  variable.setValue(value)
/** The values of several variables. */
export const batchGetValue = (variables: readonly SharedVariable[]): NDArray[] =>
  variables.map(getValue)
/** Sets the values of several variables. */
export const batchSetValue = (pairs: readonly (readonly [SharedVariable, TensorLike])[]): void => {
  for (const [variable, value] of pairs) variable.setValue(value)
}
/** How many numbers a variable has. */
export const countParams = ({ shape }: SharedVariable): number =>
  (shape as readonly number[]).reduce((n, extent) => n * extent, 1)
/** The number of axes. */
export const ndim = (x: Expr): number => x.ndim

/** An update: the variable becomes `value`. */
export const update = (variable: SharedVariable, value: Like): Update => [variable, value]
/** An update: `value` is added to the variable. */
export const updateAdd = (variable: SharedVariable, value: Like): Update => [
  variable,
  add(variable, value),
]
/** An update: `value` is subtracted from the variable. */
export const updateSub = (variable: SharedVariable, value: Like): Update => [
  variable,
  sub(variable, value),
]
/** An update: the variable becomes `momentum` times itself and 1 - momentum times `value`. */
export const movingAverageUpdate = (
  variable: SharedVariable,
  value: Like,
  momentum: number,
): Update => [variable, add(mul(variable, momentum), mul(value, 1 - momentum))]

/** A function whose arguments and outputs are lists. @see fn */
function functionOf(
  inputs: readonly Expr[],
  outputs: readonly Expr[],
  updates: readonly Update[] = [],
  options: FnOptions = {},
): (values: readonly TensorLike[]) => Promise<NDArray[]> {
  const made = fn(inputs, outputs, { ...options, updates })
  return (values) => made.run(values) as Promise<NDArray[]>
}

export { functionOf as function, variance as var }
