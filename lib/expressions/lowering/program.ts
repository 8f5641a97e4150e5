/** Programs: what an op of native code runs (decision 0037), as plain data. */
import type { Option } from '../../spec.js'
import type { Attributes } from '../attributes.js'
import type { Expr } from '../expr.js'
import { ordered } from '../order.js'

export type ProgramNode = { [attribute: string]: Option } & { op: string; args?: readonly number[] }

export interface Program {
  readonly nodes: ProgramNode[]
  /** Indices of nodes. */
  readonly outputs: number[]
}

/**
 * A program that computes `roots`.
 *
 * @param leaf gives the node by which the program reads an expression that is made outside of it;
 *   undefined: the program makes it
 */
export function programOf(
  roots: readonly Expr[],
  leaf: (expr: Expr) => ProgramNode | undefined,
): Program {
  const leaves = new Map<Expr, ProgramNode | undefined>()
  const leafOf = (expr: Expr) => {
    if (!leaves.has(expr)) leaves.set(expr, leaf(expr))
    return leaves.get(expr)
  }
  const list = ordered(roots, (expr) => leafOf(expr) !== undefined)
  const index = new Map(list.map((expr, i) => [expr, i]))
  const nodes = list.map((expr): ProgramNode => {
    const known = leafOf(expr)
    if (known) return known
    const { op, args, attributes } = expr
    const own = op === 'dropout' ? dropoutAttributes(attributes) : attributes
    const read = args.map((arg) => index.get(arg)!)
    return read.length > 0 ? { op, args: read, ...own } : { op, ...own }
  })
  return { nodes, outputs: roots.map((root) => index.get(root)!) }
}

/** With a `stream` a node draws the masks that a layer would; without, masks of its own. */
const dropoutAttributes = ({ p, stream }: Attributes): Attributes =>
  stream === undefined ? { p: p! } : { p: p!, stream }

/** Whether it needs no argument, so that each program that reads it makes it. */
export const isInline = (expr: Expr): boolean =>
  expr.op === 'number' || expr.op === 'phase' || (expr.op === 'full' && expr.args.length === 0)
