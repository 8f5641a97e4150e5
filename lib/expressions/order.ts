/** Walks over graphs of expressions; never by recursion, which a long chain of ops would end. */
import type { Expr } from './expr.js'

/**
 * All that `roots` are made of, each once, arguments first.
 *
 * @param isLeaf whether to stop at it; it is in the list itself
 */
export function ordered(roots: readonly Expr[], isLeaf?: (expr: Expr) => boolean): Expr[] {
  const seen = new Set<Expr>()
  const out: Expr[] = []
  const open: { expr: Expr; next: number }[] = []
  const enter = (expr: Expr) => {
    if (seen.has(expr)) return
    seen.add(expr)
    open.push({ expr, next: isLeaf?.(expr) ? expr.args.length : 0 })
  }
  for (const root of roots) {
    enter(root)
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const arg = top.expr.args[top.next++]
      if (arg) enter(arg)
      else out.push(open.pop()!.expr)
    }
  }
  return out
}

/**
 * Those of `list` that are in `on`, or read one of these, directly or not.
 *
 * @param list arguments first
 */
export function dependents(list: readonly Expr[], on: ReadonlySet<Expr>): Set<Expr> {
  const found = new Set<Expr>(list.filter((expr) => on.has(expr)))
  for (const expr of list) if (expr.args.some((arg) => found.has(arg))) found.add(expr)
  return found
}
