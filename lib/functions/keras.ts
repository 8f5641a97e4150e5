/** Keras 1.2.2's names for what has another name here, and further functions of its backend. */
import { add, less, lessEqual, mul, sub, where } from '../expressions/elementwise.js'
import { Expr, type Like } from '../expressions/expr.js'
import { grad } from '../expressions/gradient.js'
import { refuse } from '../expressions/place.js'
import { variance } from '../expressions/reductions.js'
import { type SharedVariable, shared } from '../expressions/variables.js'
import { Tensor } from '../layers/base/tensor.js'
import { Model } from '../model/model.js'
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

/** A function of lists. */
type ListFunction = (values: readonly TensorLike[]) => Promise<NDArray[]>

/**
 * A function whose arguments and outputs are lists: of expressions, see {@link fn}; or of tensors,
 * the inputs of a model and what its layers give, as Keras' scripts look into a model. It computes
 * with the weights that the layers have at the time of a call, outside of training.
 *
 * @param inputs placeholders; or tensors, of which `learningPhase()` may be the last, whose value
 *   must be 0
 * @throws ConfigError `ERR_OPTION` for tensors beside expressions, and for a learning phase of 1
 * @example
 * import { Dense, LSTM, Sequential } from 'hiddenstate'
 * import { function as functionOf } from 'hiddenstate/backend'
 * const model = new Sequential([new LSTM(3, { inputShape: [5, 2] }), new Dense(1)])
 * const inner = functionOf([model.input], [model.layers[0].output])
 * const [h] = await inner([new Float32Array(10)].map((data) => ({ data, shape: [1, 5, 2] })))
 * console.log(h.shape) // [ 1, 3 ]
 * @see keras.backend.function
 */
function functionOf(inputs: readonly Tensor[], outputs: readonly Tensor[]): ListFunction
function functionOf(inputs: readonly (Tensor | Expr)[], outputs: readonly Tensor[]): ListFunction
function functionOf(
  inputs: readonly Expr[],
  outputs: readonly Expr[],
  updates?: readonly Update[],
  options?: FnOptions,
): ListFunction
function functionOf(
  inputs: readonly (Tensor | Expr)[],
  outputs: readonly (Tensor | Expr)[],
  updates: readonly Update[] = [],
  options: FnOptions = {},
): ListFunction {
  if ([...inputs, ...outputs].some((each) => each instanceof Tensor))
    return functionOfTensors(inputs, outputs)
  const made = fn(inputs as readonly Expr[], outputs as readonly Expr[], { ...options, updates })
  return (values) => made.run(values) as Promise<NDArray[]>
}

function functionOfTensors(
  inputs: readonly (Tensor | Expr)[],
  outputs: readonly (Tensor | Expr)[],
): ListFunction {
  const isPhase = (each: unknown) => each instanceof Expr && each.op === 'phase'
  const hasPhase = isPhase(inputs.at(-1))
  const given = hasPhase ? inputs.slice(0, -1) : inputs
  const other = [...given, ...outputs].find((each) => !(each instanceof Tensor))
  if (other)
    refuse({
      where: 'function',
      what: 'inputs and outputs',
      expected: 'tensors of a model, or expressions',
      actual: 'both',
    })
  const model = new Model({
    input: given as readonly Tensor[],
    output: outputs as readonly Tensor[],
  })
  return async (values) => {
    const phase = hasPhase ? Number(values.at(-1)) : 0
    if (phase !== 0)
      refuse({
        where: 'function',
        what: 'learning phase',
        expected: '0: layers are computed outside of training',
        actual: String(phase),
      })
    const x = hasPhase ? values.slice(0, -1) : values
    const y = await model.predictOnBatch((x.length === 1 ? x[0] : x) as TensorLike)
    return [y].flat() as NDArray[]
  }
}

export { functionOf as function, variance as var }
