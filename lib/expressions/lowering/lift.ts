/**
 * A step's values for all steps at once: x[t] [B, D] becomes x [T, B, D], and what is made of it
 * follows, where one op does so for all steps together.
 */
import { Expr, make } from '../expr.js'
import type { OpName } from '../ops.js'
import { ops } from '../ops.js'
import type { Attributes } from '../attributes.js'

/** What stands for a value of a step outside of the loop. */
export interface Lifted {
  readonly expr: Expr
  /** Whether all steps are in it, along a new first axis; else it is the same at every step. */
  readonly isLifted: boolean
}

/** For a value of a step what stands for it; undefined where there is no such thing. */
export type Standing = (value: Expr) => Lifted | undefined

type Rule = (expr: Expr, args: readonly Lifted[]) => Lifted | undefined

const lifted = (expr: Expr): Lifted => ({ expr, isLifted: true })
const each = (args: readonly Lifted[]) => args.map(({ expr }) => expr)
const raised = (attributes: Attributes, key: string): Attributes => {
  const value = attributes[key] as number | readonly number[]
  const up = typeof value === 'number' ? value + 1 : value.map((axis) => axis + 1)
  return { ...attributes, [key]: up }
}

/** [T, K] → [T, 1, …, K], for `rank` axes in a step. */
function aligned({ expr, isLifted }: Lifted, rank: number): Expr {
  const missing = rank + 1 - expr.ndim
  if (!isLifted || missing <= 0) return expr
  const rest = expr.shape.slice(1).map((_, k) => -3 - k)
  return make('reshape', [expr], { dims: [-2, ...Array<number>(missing).fill(1), ...rest] })
}

const byPlace: Rule = ({ op, attributes, ndim }, args) =>
  lifted(
    make(
      op as OpName,
      args.map((arg) => aligned(arg, ndim)),
      attributes,
    ),
  )

const dot: Rule = ({ attributes, shape }, [a, b]) => {
  if (!b!.isLifted) {
    const dims = [a!.expr.shape[0]!, ...shape]
    return lifted(new Expr('dot', [a!.expr, b!.expr], dims, attributes))
  }
  if (!a!.isLifted || a!.expr.ndim !== 3 || attributes.transposed) return undefined
  return lifted(make('batch_dot', [a!.expr, b!.expr]))
}

/** The rule of ops that need all arguments lifted. */
const together =
  (attributes: (expr: Expr) => Attributes = (expr) => expr.attributes): Rule =>
  (expr, args) =>
    args.every(({ isLifted }) => isLifted)
      ? lifted(make(expr.op as OpName, each(args), attributes(expr)))
      : undefined

const overAxis = together(({ attributes }) => raised(attributes, 'axis'))
const overAxes = together(({ attributes }) => raised(attributes, 'axes'))

const rules: Readonly<Partial<Record<OpName, Rule>>> = {
  dot,
  sum: overAxes,
  mean: overAxes,
  max_of: overAxes,
  min_of: overAxes,
  prod: overAxes,
  argmax: overAxis,
  cumsum: overAxis,
  concat: overAxis,
  slice: overAxis,
  repeat: overAxis,
  batch_dot: together(),
  pick: together(),
  one_hot: together(),
  gather: ({ attributes }, args) =>
    args[0]!.isLifted ? undefined : lifted(make('gather', each(args), attributes)),
  permute: ({ attributes }, args) => {
    const axes = (attributes.axes as readonly number[]).map((axis) => axis + 1)
    return lifted(make('permute', each(args), { axes: [0, ...axes] }))
  },
  reshape: ({ attributes }, args) => {
    const dims = attributes.dims as readonly number[]
    const moved = dims.map((extent) => (extent < -1 ? extent - 1 : extent))
    return lifted(make('reshape', each(args), { dims: [-2, ...moved] }))
  },
  broadcast: ({ ndim }, [a, like]) =>
    like!.isLifted ? lifted(make('broadcast', [aligned(a!, ndim), like!.expr])) : undefined,
  // Of its argument it takes extents alone, which are the same at every step.
  full: ({ attributes }, args) => {
    const dims = attributes.dims as readonly number[]
    const moved = dims.map((extent) => (extent < 0 ? extent - 1 : extent))
    return { expr: make('full', each(args), { ...attributes, dims: moved }), isLifted: false }
  },
}

/**
 * An op for all steps at once.
 *
 * @param args what stands for its arguments
 * @returns undefined where it cannot be done together
 */
export function liftOp(expr: Expr, args: readonly Lifted[]): Lifted | undefined {
  if (args.every(({ isLifted }) => !isLifted)) {
    const same = args.every((arg, i) => arg.expr === expr.args[i])
    const plain = same
      ? expr
      : new Expr(expr.op, each(args), expr.shape, expr.attributes, expr.name)
    return { expr: plain, isLifted: false }
  }
  const op = expr.op as OpName
  const rule = rules[op] ?? (ops[op].follows === 'other' ? undefined : byPlace)
  return rule?.(expr, args)
}
