/**
 * Sums of a step: what no state changes is added first, so that it leaves the loop as one value,
 * and products of states go on from it.
 */
import { Expr, make } from '../expr.js'
import { dependents, ordered } from '../order.js'
import { Scan } from '../scan.js'

/** The loop with `x W + h U + b` as `x W + b + h U`, where nothing else reads a part of the sum. */
export function regrouped(loop: Scan): Scan {
  const roots = [...loop.outputs, ...loop.states.map(({ next }) => next)]
  const outside = new Set(loop.outside)
  const list = ordered(roots, (expr) => outside.has(expr))
  const ofStates = dependents(list, new Set(loop.states.map(({ before }) => before)))
  const isSum = (expr: Expr) => expr.op === 'add' && ofStates.has(expr)
  const parts = partsOf(list, roots, isSum)
  const terms = new Map<Expr, Expr[]>()
  const made = new Map<Expr, Expr>()
  const of = (expr: Expr) => made.get(expr) ?? expr
  for (const expr of list) {
    if (outside.has(expr)) continue
    if (isSum(expr)) {
      const own = expr.args.flatMap((arg) => (parts.has(arg) ? terms.get(arg)! : [arg]))
      terms.set(expr, own)
      if (!parts.has(expr)) made.set(expr, sumOf(own, ofStates, of))
      continue
    }
    const args = expr.args.map(of)
    const isSame = args.every((arg, i) => arg === expr.args[i])
    if (!isSame) made.set(expr, new Expr(expr.op, args, expr.shape, expr.attributes, expr.name))
  }
  const states = loop.states.map((state) => ({ ...state, next: of(state.next) }))
  const { where, sequences, steps, outputs, length, loop: how } = loop
  return new Scan(where, sequences, steps, states, outputs.map(of), length, how)
}

function sumOf(
  terms: readonly Expr[],
  ofStates: ReadonlySet<Expr>,
  of: (expr: Expr) => Expr,
): Expr {
  const order = [false, true].flatMap((is) => terms.filter((term) => ofStates.has(term) === is))
  return order.map(of).reduce((sum, term) => make('add', [sum, term]))
}

/** Sums that another sum alone reads, and once. */
function partsOf(
  list: readonly Expr[],
  roots: readonly Expr[],
  isSum: (expr: Expr) => boolean,
): ReadonlySet<Expr> {
  const readers = new Map<Expr, (Expr | null)[]>(list.map((expr) => [expr, []]))
  for (const root of roots) readers.get(root)!.push(null)
  for (const expr of list) for (const arg of expr.args) readers.get(arg)?.push(expr)
  return new Set(
    list.filter((expr) => {
      const [reader, another] = readers.get(expr)!
      return isSum(expr) && another === undefined && reader != null && isSum(reader)
    }),
  )
}
