/** Divides all loops of expressions: what can be computed before or after a loop leaves it. */
import type { Dims } from '../dims.js'
import { Expr } from '../expr.js'
import { ordered } from '../order.js'
import { Scan, ScanOutput } from '../scan.js'
import { regrouped } from './regroup.js'
import { Simplifier } from './simplify.js'
import { type Split, split } from './split.js'

/**
 * The same values, simplified, and with nothing in loops that need not be there.
 *
 * @param crosses whether a value of this shape can go into a loop and out of it
 */
export function divided(
  roots: readonly Expr[],
  crosses: (shape: Dims) => boolean = () => true,
): Expr[] {
  const made = new Map<Expr, Expr>()
  const splits = new Map<Expr, Split>()
  const simple = new Simplifier().all(roots)
  const list = ordered(simple)
  const read = new Map<Expr, Set<number>>()
  for (const expr of list)
    if (expr instanceof ScanOutput)
      read.set(expr.scan, (read.get(expr.scan) ?? new Set()).add(expr.index))
  for (const expr of list) {
    if (expr instanceof Scan)
      splits.set(expr, split(regrouped(moved(expr, made, read.get(expr)!)), crosses))
    made.set(expr, standing(expr, made, splits))
  }
  return new Simplifier().all(simple.map((root) => made.get(root)!))
}

/** What stands for an expression once the loops that it reads are divided. */
function standing(expr: Expr, made: ReadonlyMap<Expr, Expr>, splits: Map<Expr, Split>): Expr {
  if (expr instanceof ScanOutput) return splits.get(expr.scan)!.output(expr.index, expr.isLast)
  if (expr instanceof Scan) return expr
  return copied(expr, made)
}

function copied(expr: Expr, made: ReadonlyMap<Expr, Expr>): Expr {
  const args = expr.args.map((arg) => made.get(arg) ?? arg)
  const isSame = args.every((arg, i) => arg === expr.args[i])
  return isSame ? expr : new Expr(expr.op, args, expr.shape, expr.attributes, expr.name)
}

/**
 * The loop on what stands for its arguments.
 *
 * @param read which outputs are read; in place of the others, which keep their index, one of these
 */
function moved(loop: Scan, made: ReadonlyMap<Expr, Expr>, read: ReadonlySet<number>): Scan {
  const of = (expr: Expr) => made.get(expr)!
  const inside = new Map(loop.outside.map((expr) => [expr, of(expr)]))
  const roots = [...loop.outputs, ...loop.states.map(({ next }) => next)]
  for (const expr of ordered(roots, (one) => inside.has(one)))
    if (!inside.has(expr)) inside.set(expr, copied(expr, inside))
  const states = loop.states.map(({ initial, before, next }) => ({
    initial: of(initial),
    before,
    next: inside.get(next)!,
  }))
  const [first] = read
  const outputs = loop.outputs.map((_, i) => inside.get(loop.outputs[read.has(i) ? i : first!]!)!)
  const sequences = loop.sequences.map(of)
  return new Scan(loop.where, sequences, loop.steps, states, outputs, loop.length, loop.loop)
}
