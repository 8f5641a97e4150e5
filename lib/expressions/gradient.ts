/** Gradients as expressions: each stands for what the backward pass of the plan computes. */
import { showDims } from './dims.js'
import { Expr, lift, make, Placeholder } from './expr.js'
import { ordered } from './order.js'
import { refuse, refuseShape } from './place.js'
import { requireOutsideOfSteps } from './scan.js'
import { SharedVariable } from './variables.js'

/** Whether it is a variable of one number, which native code has as a parameter [1]. */
const isOneNumber = (of: Expr): boolean => of instanceof SharedVariable && of.ndim === 0

/** d cost / d of. */
export class Gradient extends Expr {
  constructor(
    readonly cost: Expr,
    readonly of: SharedVariable | Placeholder,
  ) {
    super('gradient', [], isOneNumber(of) ? [1] : of.shape, {}, `d ${of.name}`)
  }
}

/**
 * The gradients of a cost, as expressions of their own: {@link fn} gives them back or puts them
 * into updates.
 *
 * A function has one cost, and no gradient is taken of a gradient.
 *
 * @param cost one number
 * @param of one {@link shared} variable or {@link placeholder}, or several
 * @returns for each of them an expression of its shape
 * @throws ShapeError ERR_SHAPE; ConfigError ERR_OPTION
 * @see theano.grad, keras.backend.gradients
 */
export function grad<const W extends readonly Expr[]>(cost: Expr, of: W): { [K in keyof W]: Expr }
export function grad(cost: Expr, of: Expr): Expr
export function grad(given: Expr, of: Expr | readonly Expr[]): unknown {
  requireOutsideOfSteps('grad')
  const cost = lift(given, 'grad')
  if (cost.ndim > 0)
    refuseShape({
      where: `grad(${cost.label})`,
      what: 'the cost',
      expected: 'one number',
      actual: showDims(cost.shape),
      hint: 'Take mean() or sum() of it.',
    })
  const reads = new Set(ordered([cost]))
  for (const expr of reads)
    if (expr instanceof Gradient)
      refuse({
        where: `grad(${cost.label})`,
        what: 'the cost',
        expected: 'free of gradients',
        actual: `one that reads ${expr.label}`,
        hint: 'Second derivatives are not supported.',
      })
  const one = (expr: Expr): Expr => {
    if (!(expr instanceof SharedVariable) && !(expr instanceof Placeholder))
      return refuse({
        where: 'grad',
        what: expr instanceof Expr ? expr.label : 'what it is taken of',
        expected: 'a shared variable or a placeholder',
        actual: 'another expression',
      })
    if (!reads.has(expr))
      refuse({
        where: 'grad',
        what: expr.label,
        expected: 'part of the cost',
        actual: 'a variable that it does not read',
      })
    const gradient = new Gradient(cost, expr)
    return isOneNumber(expr) ? make('reshape', [gradient], { dims: [] }, gradient.name) : gradient
  }
  return of instanceof Expr ? one(of) : of.map(one)
}
