/**
 * Divides a loop: what no state changes is computed for all steps before it, what no state needs is
 * computed for all steps after it.
 */
import { at } from '../arranging.js'
import type { Dims } from '../dims.js'
import { Expr } from '../expr.js'
import { dependents, ordered } from '../order.js'
import { Scan, ScanOutput } from '../scan.js'
import { type Lifted, liftOp } from './lift.js'

/** A loop, divided. */
export interface Split {
  /** What is left of it; null: nothing, all is made for all steps at once. */
  readonly loop: Scan | null
  /** Ops of a step that are done for all steps before the loop, and after it. */
  readonly before: readonly Expr[]
  readonly after: readonly Expr[]
  /** What stands for an output of the whole loop: all steps of it, [T, ...], or the last. */
  output(index: number, isLast: boolean): Expr
}

/** The values of a step, by where they are computed. */
interface Sorted {
  /** Values of a step that differ from step to step, in an order in which arguments come first. */
  readonly list: readonly Expr[]
  readonly changing: ReadonlySet<Expr>
  /** What stands for those that are computed before the loop. */
  readonly before: ReadonlyMap<Expr, Lifted>
  /** Those that are computed after the loop. */
  readonly after: ReadonlySet<Expr>
}

/** What is the same at every step stands for itself. */
const outside = (expr: Expr): Lifted => ({ expr, isLifted: false })

/**
 * Takes out of a loop what can be done for all steps at once.
 *
 * @param crosses whether a value of this shape can go into the loop and out of it
 */
export function split(loop: Scan, crosses: (shape: Dims) => boolean): Split {
  const nexts = loop.states.map(({ next }) => next)
  const all = ordered([...loop.outputs, ...nexts])
  const states = new Set(loop.states.map(({ before }) => before))
  const changing = dependents(all, new Set([...loop.steps, ...states]))
  const ofStates = dependents(all, states)
  const list = all.filter((expr) => changing.has(expr))
  const before = hoisted(loop, list, changing, ofStates, crosses)
  const after = pushed(loop, list, ofStates, before, crosses)
  return rebuilt(loop, { list, changing, before, after })
}

/** What stands for values that no state changes, where they can be made for all steps at once. */
function hoisted(
  { sequences, steps }: Scan,
  list: readonly Expr[],
  changing: ReadonlySet<Expr>,
  ofStates: ReadonlySet<Expr>,
  crosses: (shape: Dims) => boolean,
): Map<Expr, Lifted> {
  const made = new Map<Expr, Lifted>()
  const staying = productsToStay(list, changing, ofStates)
  for (const [i, step] of steps.entries()) made.set(step, { expr: sequences[i]!, isLifted: true })
  for (const expr of list) {
    if (ofStates.has(expr) || made.has(expr) || staying.has(expr)) continue
    const args = expr.args.map((arg) => (changing.has(arg) ? made.get(arg) : outside(arg)))
    const value = args.every((arg) => arg !== undefined) ? liftOp(expr, args) : undefined
    if (value && (!value.isLifted || crosses(value.expr.shape))) made.set(expr, value)
  }
  return made
}

/** Features of a product that is cheaper in the loop than its result's way through memory. */
const MOST_STAYING = 256

/**
 * Products of a sequence with a matrix that go on in the loop's own products: [B, D] times [D, H],
 * in a sum with what states make.
 */
function productsToStay(
  list: readonly Expr[],
  changing: ReadonlySet<Expr>,
  ofStates: ReadonlySet<Expr>,
): ReadonlySet<Expr> {
  const readers = new Map<Expr, Expr[]>(list.map((expr) => [expr, []]))
  for (const expr of list) for (const arg of expr.args) readers.get(arg)?.push(expr)
  // Sums of products and of what leads to states by sums alone.
  const joining = new Set<Expr>()
  const joins = (expr: Expr) => {
    const all = readers.get(expr)!
    const isSum = (one: Expr) => one.op === 'add' && (ofStates.has(one) || joining.has(one))
    return !ofStates.has(expr) && all.length > 0 && all.every(isSum)
  }
  for (const expr of [...list].reverse()) if (joins(expr)) joining.add(expr)
  return new Set(
    [...joining].filter(({ op, args, ndim }) => {
      const [x, W] = args
      const isOfStep = op === 'dot' && ndim === 2 && x!.op === 'step' && !changing.has(W!)
      return isOfStep && Number(x!.shape[1]) <= MOST_STAYING
    }),
  )
}

/** The values that no state needs, where they can be made for all steps at once. */
function pushed(
  loop: Scan,
  list: readonly Expr[],
  ofStates: ReadonlySet<Expr>,
  before: ReadonlyMap<Expr, Lifted>,
  crosses: (shape: Dims) => boolean,
): Set<Expr> {
  // Gradients that go through the last steps alone would go through all steps there.
  if (loop.loop.lastSteps !== null) return new Set()
  const needed = new Set(ordered(loop.states.map(({ next }) => next)))
  const free = new Set(list.filter((expr) => ofStates.has(expr) && !needed.has(expr)))
  for (const { before: leaf } of loop.states) free.delete(leaf)
  const isChanging = new Set(list)
  // Whether an op can be lifted follows from the shapes of its arguments alone.
  const stand = (arg: Expr): Lifted => {
    if (!isChanging.has(arg)) return outside(arg)
    const known = before.get(arg)
    return known ?? { expr: new Expr('step', [], [loop.length, ...arg.shape]), isLifted: true }
  }
  const isLiftable = (expr: Expr) => {
    const args = expr.args.map(stand)
    const canCross = args.every(({ expr: arg, isLifted }) => !isLifted || crosses(arg.shape))
    return canCross && liftOp(expr, args)?.isLifted === true
  }
  const stays = new Set([...free].filter((expr) => !isLiftable(expr)))
  for (const expr of [...free].reverse())
    if (stays.has(expr)) for (const arg of expr.args) if (free.has(arg)) stays.add(arg)
  return new Set([...free].filter((expr) => !stays.has(expr)))
}

/** The loop without what is computed before and after it. */
function rebuilt(loop: Scan, sorted: Sorted): Split {
  const { list, changing, before, after } = sorted
  const nexts = loop.states.map(({ next }) => next)
  // Outputs of a loop that goes backwards lie the other way round than its sequences.
  const isThere = (expr: Expr) => !loop.loop.goBackwards && before.get(expr)?.isLifted === true
  /** Made before the loop, and the same at every step. */
  const isFixed = (expr: Expr) => before.get(expr)?.isLifted === false
  const afterLoop = [...after]
    .flatMap(({ args }) => args)
    .filter((arg) => changing.has(arg) && !isFixed(arg))
  const kept = [
    ...new Set(
      [...afterLoop, ...loop.outputs].filter((expr) => !after.has(expr) && !isThere(expr)),
    ),
  ]
  const isInside = (expr: Expr) => changing.has(expr) && !before.has(expr) && !after.has(expr)
  const read = [...list.filter(isInside).flatMap(({ args }) => args), ...nexts, ...kept]
  const made = loopOf(loop, new Set(read), before, kept, changing)
  const isMade = kept.length > 0 || afterLoop.some((arg) => !isThere(arg))
  return {
    loop: isMade ? made : null,
    before: [...before.keys()].filter(({ op }) => op !== 'step'),
    after: [...after],
    output: (index, isLast) => {
      const output = loop.outputs[index]!
      const asKept = kept.indexOf(output)
      if (asKept >= 0) return new ScanOutput(made, asKept, isLast)
      const stands = new Map<Expr, Lifted>()
      for (const [i, expr] of kept.entries())
        stands.set(expr, { expr: new ScanOutput(made, i, isLast), isLifted: !isLast })
      for (const expr of list) {
        const value = before.get(expr)
        if (value && isFixed(expr)) stands.set(expr, value)
        else if (value && isThere(expr)) stands.set(expr, lastOf(value, isLast))
        if (!after.has(expr)) continue
        const args = expr.args.map((arg) => stands.get(arg) ?? outside(arg))
        stands.set(expr, liftOp(expr, args)!)
      }
      return stands.get(output)!.expr
    },
  }
}

/** A value of all steps; or of the last one alone. */
function lastOf(value: Lifted, isLast: boolean): Lifted {
  return isLast ? outside(at(value.expr, -1)) : value
}

/** The loop of what is left in it; `kept` are its outputs. */
function loopOf(
  loop: Scan,
  read: ReadonlySet<Expr>,
  before: ReadonlyMap<Expr, Lifted>,
  kept: readonly Expr[],
  changing: ReadonlySet<Expr>,
): Scan {
  const sequences: Expr[] = []
  const steps: Expr[] = []
  const inside = new Map<Expr, Expr>()
  for (const expr of read) {
    const value = before.get(expr)
    if (!value) continue
    if (!value.isLifted) {
      inside.set(expr, value.expr)
      continue
    }
    const step =
      expr.op === 'step' ? expr : new Expr('step', [], expr.shape, {}, expr.name ?? `${expr.op}[t]`)
    inside.set(expr, step)
    sequences.push(value.expr)
    steps.push(step)
  }
  // A loop without sequences needs to be told its length, which the data may tell alone.
  if (sequences.length === 0 && loop.sequences.length > 0) {
    sequences.push(loop.sequences[0]!)
    steps.push(loop.steps[0]!)
  }
  const roots = [...kept, ...loop.states.map(({ next }) => next)]
  const isDone = (expr: Expr) => inside.has(expr) || !changing.has(expr)
  for (const expr of ordered(roots, isDone))
    if (!inside.has(expr)) inside.set(expr, copied(expr, inside))
  const states = loop.states.map((state) => ({ ...state, next: inside.get(state.next)! }))
  const outputs = kept.map((expr) => inside.get(expr)!)
  return new Scan(loop.where, sequences, steps, states, outputs, loop.length, loop.loop)
}

function copied(expr: Expr, inside: ReadonlyMap<Expr, Expr>): Expr {
  const args = expr.args.map((arg) => inside.get(arg) ?? arg)
  const isSame = args.every((arg, i) => arg === expr.args[i])
  return isSame ? expr : new Expr(expr.op, args, expr.shape, expr.attributes, expr.name)
}
