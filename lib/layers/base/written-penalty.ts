/** Penalties and constraints that are functions: what they give for parameters and outputs. */
import { applied, asData } from '../../expressions/applied.js'
import { slice } from '../../expressions/arranging.js'
import { type Dims, sameDims, showDims } from '../../expressions/dims.js'
import { add } from '../../expressions/elementwise.js'
import type { ExpressionData } from '../../expressions/data.js'
import { Expr, Placeholder } from '../../expressions/expr.js'
import { ordered } from '../../expressions/order.js'
import { refuse, refuseShape } from '../../expressions/place.js'
import type { ParamFunctions, Shape } from '../../spec.js'
import { Written } from '../../written.js'
import { dimsOf } from './expression-ops.js'
import type { KerasArray } from './variable.js'

/** A parameter, as its functions see it. */
export const parameter = (name: string, dims: readonly number[]): Expr =>
  new Expr('weight', [], dims, {}, name)

/** What each penalty is of: the parameter, or its gates. */
const partsOf = (w: Expr, { gates }: ParamFunctions): Expr[] =>
  gates.length === 0 ? [w] : gates.map(([from, to]) => slice(w, from, to, -1))

function checkedValue(own: Written, x: Expr, shape: Dims, where: string, hint: string): Expr {
  const value = applied(own, [x], where)
  if (!sameDims(value.shape, shape))
    refuseShape({
      where,
      what: 'what the function gives',
      expected: shape.length === 0 ? 'a number, []' : `${showDims(shape)}, as it is given`,
      actual: showDims(value.shape),
      hint,
    })
  const loop = ordered([value]).find(({ op }) => op === 'scan')
  if (loop) refuse({ where, what: 'the expression', expected: 'without loops', actual: loop.label })
  return value
}

const penaltyOf = (own: Written, x: Expr, where: string): Expr =>
  checkedValue(own, x, [], where, 'Sum it: sum(x).')

/** The penalty on a parameter. @throws ShapeError, ConfigError, FormatError */
export function paramPenalty(own: Written, w: Expr, functions: ParamFunctions): Expr {
  const where = `${functions.where}: penalty on ${w.name}`
  const [first, ...rest] = partsOf(w, functions).map((part) => penaltyOf(own, part, where))
  return add(first!, ...rest)
}

/** What a parameter becomes after an update. @throws ShapeError, ConfigError, FormatError */
export const paramConstraint = (own: Written, w: Expr, { where }: ParamFunctions): Expr =>
  checkedValue(
    own,
    w,
    w.shape,
    `${where}: constraint of ${w.name}`,
    'A constraint keeps the shape.',
  )

/** The penalty on an output, of all samples together. */
export const outputPenalty = (own: Written, y: Placeholder, where: string): Expr =>
  penaltyOf(own, y, `${where}: activityRegularizer`)

/** A parameter that functions are for. */
export interface WrittenParam {
  readonly variable: { readonly param: string; readonly dims: readonly number[] }
  readonly functions: ParamFunctions
}

/**
 * The functions among a penalty and a constraint; null: there are none.
 *
 * @param arrays Keras' arrays that the parameter is divided into
 */
export function paramFunctions(
  where: string,
  regularizer: unknown,
  constraint: unknown,
  arrays: () => readonly Pick<KerasArray, 'columns'>[],
): ParamFunctions | null {
  const penalty = regularizer instanceof Written ? regularizer : null
  const held = constraint instanceof Written ? constraint : null
  if (!penalty && !held) return null
  const gates = arrays().flatMap(({ columns }) => (columns ? [columns] : []))
  return { where, penalty, constraint: held, gates }
}

/** @throws ShapeError, ConfigError, FormatError where a function does not fit */
export function checkParamFunctions(params: readonly WrittenParam[]): void {
  for (const { variable, functions } of params) {
    const w = parameter(variable.param, variable.dims)
    if (functions.penalty) paramPenalty(functions.penalty, w, functions)
    if (functions.constraint) paramConstraint(functions.constraint, w, functions)
  }
}

/**
 * A function of parameters as data; null: it is of none. Where it computes something else of
 * parameters of other shapes (`w.shape` is at hand), it holds that too.
 */
export function paramFunctionData(own: Written, params: readonly WrittenParam[]): Written | null {
  const [first, ...rest] = params
    .filter(({ functions: f }) => f.penalty === own || f.constraint === own)
    .map((param) => dataOf(own, param))
  if (!first) return null
  const computes = ({ nodes, outputs }: ExpressionData) => JSON.stringify([nodes, outputs])
  const others = rest.filter((data) => computes(data) !== computes(first))
  const byShape = new Map(others.map((data) => [String(data.inputs?.[0]?.shape), data]))
  return new Written(own.name, first, [...byShape.values()])
}

function dataOf(own: Written, { variable, functions }: WrittenParam): ExpressionData {
  const whole = parameter(variable.param, variable.dims)
  const part = own === functions.penalty ? partsOf(whole, functions)[0]! : whole
  const w = parameter(variable.param, part.shape as readonly number[])
  const data = asData(own, [w], applied(own, [w], functions.where), functions.where)
  return data.source as ExpressionData
}

/** A function of an output as data. */
export function outputPenaltyData(own: Written, shape: Shape, where: string): Written {
  const y = new Placeholder(dimsOf(shape), 'y')
  return asData(own, [y], outputPenalty(own, y, where), where)
}
