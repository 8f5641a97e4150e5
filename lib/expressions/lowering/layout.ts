/**
 * Expressions of a layer in the order of memory. Users see [B, T, …]; native code has the first two
 * axes of three or more the other way round, [T, B, …]. Values go through ops as they lie where the
 * op can work on them so; else axes are permuted.
 */
import { Expr, make, Placeholder } from '../expr.js'
import { type OpName, ops } from '../ops.js'
import { ordered } from '../order.js'
import { Scan, ScanOutput } from '../scan.js'

/** A value as it lies in memory. */
interface Lying {
  readonly expr: Expr
  /** Whether its first two axes are the other way round. */
  readonly isSwapped: boolean
}

const swap = (axis: number): number => (axis < 2 ? 1 - axis : axis)
const plain = (expr: Expr): Lying => ({ expr, isSwapped: false })
const swapped = (expr: Expr): Lying => ({ expr, isSwapped: true })

/** The input as it lies in memory. */
export function memoryOf(x: Placeholder): Placeholder {
  const [batch, steps, ...rest] = x.shape
  return x.ndim > 2 ? new Placeholder([steps!, batch!, ...rest], x.name ?? 'x') : x
}

/** With the first two axes exchanged. */
export const exchanged = (expr: Expr): Expr =>
  make('permute', [expr], { axes: expr.shape.map((_, axis) => swap(axis)) })

const asPlain = ({ expr, isSwapped }: Lying): Expr => (isSwapped ? exchanged(expr) : expr)
const asSwapped = ({ expr, isSwapped }: Lying): Expr => (isSwapped ? expr : exchanged(expr))

/**
 * The values as memory has them.
 *
 * @param inputs for each placeholder the expression that stands for it, as it lies in memory
 */
export function inMemoryOrder(roots: readonly Expr[], inputs: ReadonlyMap<Expr, Expr>): Expr[] {
  const made = new Map<Expr, Lying>()
  for (const [input, memory] of inputs) made.set(input, { expr: memory, isSwapped: input.ndim > 2 })
  for (const expr of ordered(roots)) {
    if (made.has(expr)) continue
    const args = expr.args.map((arg) => made.get(arg)!)
    made.set(expr, lying(expr, args))
  }
  return roots.map((root) => {
    const value = made.get(root)!
    return root.ndim > 2 ? asSwapped(value) : asPlain(value)
  })
}

function lying(expr: Expr, args: readonly Lying[]): Lying {
  const anySwapped = args.some(({ isSwapped }) => isSwapped)
  if (!anySwapped || expr instanceof Scan || expr instanceof ScanOutput)
    return plain(remade(expr, args.map(asPlain)))
  return throughOp(expr, args) ?? plain(remade(expr, args.map(asPlain)))
}

function remade(expr: Expr, args: readonly Expr[]): Expr {
  if (args.every((arg, i) => arg === expr.args[i])) return expr
  if (expr instanceof Scan) return movedLoop(expr, args)
  if (expr instanceof ScanOutput) return new ScanOutput(args[0] as Scan, expr.index, expr.isLast)
  return new Expr(expr.op, args, expr.shape, expr.attributes, expr.name)
}

/** The loop that reads other arguments; what a step reads of them is the same value. */
function movedLoop(loop: Scan, args: readonly Expr[]): Scan {
  const stands = new Map(loop.args.map((arg, i) => [arg, args[i]!]))
  const inside = new Map(loop.outside.map((arg) => [arg, stands.get(arg)!]))
  const roots = [...loop.outputs, ...loop.states.map(({ next }) => next)]
  for (const expr of ordered(roots, (one) => inside.has(one)))
    if (!inside.has(expr))
      inside.set(
        expr,
        remade(
          expr,
          expr.args.map((arg) => inside.get(arg) ?? arg),
        ),
      )
  return new Scan(
    loop.where,
    loop.sequences.map((one) => stands.get(one)!),
    loop.steps,
    loop.states.map(({ initial, before, next }) => ({
      initial: stands.get(initial)!,
      before,
      next: inside.get(next)!,
    })),
    loop.outputs.map((output) => inside.get(output)!),
    loop.length,
    loop.loop,
  )
}

/** The op on values as they lie; undefined where it cannot work so. */
function throughOp(expr: Expr, args: readonly Lying[]): Lying | undefined {
  const { op, attributes, ndim } = expr
  const [a, b] = args as [Lying, Lying]
  const remake = (list: readonly Expr[], own: object = {}) =>
    make(op as OpName, list, { ...attributes, ...own })
  switch (op) {
    case 'dot':
      return ndim > 2 && a.isSwapped ? swapped(remake([a.expr, asPlain(b)])) : undefined
    case 'sum':
    case 'mean':
    case 'max_of':
    case 'min_of':
    case 'prod': {
      const axes = attributes.axes as readonly number[]
      const out = remake([a.expr], { axes: axes.map(swap) })
      const keeps = attributes.keep === true || !axes.some((axis) => axis < 2)
      return keeps ? swapped(out) : plain(out)
    }
    case 'argmax':
    case 'cumsum':
    case 'slice':
    case 'repeat': {
      const axis = attributes.axis as number
      const out = remake([a.expr], { axis: swap(axis) })
      return op === 'argmax' && axis < 2 ? plain(out) : swapped(out)
    }
    case 'concat':
      return swapped(remake(args.map(asSwapped), { axis: swap(attributes.axis as number) }))
    case 'one_hot':
      return swapped(remake([a.expr]))
    case 'gather':
      return a.isSwapped ? undefined : swapped(remake([a.expr, b.expr]))
    case 'pick':
      return ndim > 1 ? swapped(remake(args.map(asSwapped))) : undefined
    default:
      return byPlace(expr, args)
  }
}

/** Ops number by number, and ops on rows of a last axis that is not one of the first two. */
function byPlace({ op, attributes, ndim }: Expr, args: readonly Lying[]): Lying | undefined {
  const isOfRows = op === 'log_softmax' || attributes.name === 'softmax'
  if (ops[op as OpName].follows === 'other' || (isOfRows && ndim < 3)) return undefined
  const list = args.map((arg): Expr => {
    if (arg.expr.ndim === ndim) return asSwapped(arg)
    if (arg.expr.ndim < ndim - 1) return asPlain(arg)
    // Its first axis stands beside the second one of the others: [T, D] → [T, 1, D].
    const rest = arg.expr.shape.slice(1).map((_, k) => -3 - k)
    return make('reshape', [asPlain(arg)], { dims: [-2, 1, ...rest] })
  })
  return swapped(make(op as OpName, list, attributes))
}
