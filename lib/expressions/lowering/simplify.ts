/** Equal parts of expressions become one, numbers are computed, and what changes nothing goes. */
import { sameDims } from '../dims.js'
import { Expr, lift, make } from '../expr.js'
import { Gradient } from '../gradient.js'
import { ordered } from '../order.js'
import { Scan, ScanOutput } from '../scan.js'
import { SharedVariable } from '../variables.js'
import { folded } from './fold.js'

const numberOf = (expr: Expr | undefined): number | undefined =>
  expr?.op === 'number' ? (expr.attributes.value as number) : undefined

/** Numbers that leave the other argument as it is, at either place or the second alone. */
const NEUTRAL: Readonly<Record<string, { number: number; atBoth: boolean }>> = {
  add: { number: 0, atBoth: true },
  mul: { number: 1, atBoth: true },
  sub: { number: 0, atBoth: false },
  div: { number: 1, atBoth: false },
}

/** Simplifies expressions; two that are equal become one. */
export class Simplifier {
  readonly #known = new Map<string, Expr>()
  readonly #ids = new Map<Expr, number>()
  readonly #made = new Map<Expr, Expr>()

  /** @param unread what the cost does not read once it is simplified: gradients are zeros */
  constructor(private readonly unread: ReadonlySet<Expr> = new Set()) {}

  /** An expression, simplified. */
  of(root: Expr): Expr {
    return this.all([root])[0]!
  }

  /** Expressions, simplified. */
  all(roots: readonly Expr[]): Expr[] {
    for (const expr of ordered(roots, (one) => this.#made.has(one)))
      if (!this.#made.has(expr)) this.#made.set(expr, this.#simplified(expr))
    return roots.map((root) => this.#made.get(root)!)
  }

  #id(expr: Expr): number {
    let id = this.#ids.get(expr)
    if (id === undefined) this.#ids.set(expr, (id = this.#ids.size))
    return id
  }

  #simplified(expr: Expr): Expr {
    if (expr instanceof Scan) return this.#loop(expr)
    if (expr instanceof Gradient && this.unread.has(expr.of)) return zerosOf(expr)
    if (expr instanceof Gradient) {
      const cost = this.of(expr.cost)
      return this.#unique(`gradient ${this.#id(cost)} ${this.#id(expr.of)}`, () =>
        cost === expr.cost ? expr : new Gradient(cost, expr.of),
      )
    }
    const args = expr.args.map((arg) => this.#made.get(arg)!)
    if (expr instanceof ScanOutput) {
      const key = `output ${this.#id(args[0]!)} ${expr.index} ${expr.isLast}`
      return this.#unique(key, () => new ScanOutput(args[0] as Scan, expr.index, expr.isLast))
    }
    if (expr instanceof SharedVariable && expr.oneNumber)
      return this.#simplifiedOp(make('reshape', [expr.oneNumber], { dims: [] }), [expr.oneNumber])
    if (isLeaf(expr)) return expr
    return this.#simplifiedOp(expr, args)
  }

  #unique(key: string, make: () => Expr): Expr {
    let known = this.#known.get(key)
    if (!known) this.#known.set(key, (known = make()))
    return known
  }

  #loop(loop: Scan): Expr {
    const { where, steps, length, loop: options } = loop
    const sequences = loop.sequences.map((sequence) => this.#made.get(sequence)!)
    const outputs = this.all(loop.outputs)
    const states = loop.states.map(({ initial, before, next }) => ({
      initial: this.#made.get(initial)!,
      before,
      next: this.of(next),
    }))
    return new Scan(where, sequences, steps, states, outputs, length, options)
  }

  #simplifiedOp(expr: Expr, args: readonly Expr[]): Expr {
    const { op, attributes, shape } = expr
    const numbers = args.map(numberOf)
    if (args.length > 0 && numbers.every((n) => n !== undefined)) {
      const value = folded(op, numbers as number[], attributes)
      if (value !== undefined) return this.#number(value)
    }
    if (op === 'number') return this.#number(attributes.value as number)
    const made = rewritten(op, args, expr)
    const same = unchanged(made, made.args)
    if (same) return same
    const key = `${made.op} ${made.args.map((arg) => this.#id(arg))} ${JSON.stringify(made.attributes)}`
    return this.#unique(key, () => {
      const isAsIs = made.op === op && args.every((arg, i) => arg === expr.args[i])
      if (isAsIs && made.args.length === args.length && made.attributes === attributes) return expr
      return made instanceof ScanOutput
        ? made
        : new Expr(made.op, made.args, shape, made.attributes, expr.name)
    })
  }

  #number(value: number): Expr {
    return this.#unique(`number ${Object.is(value, -0) ? '-0' : value}`, () => lift(value))
  }
}

/** Zeros in the shape of a gradient. */
function zerosOf({ of, shape }: Gradient): Expr {
  const isFixed = shape.every((extent) => typeof extent === 'number')
  const dims = isFixed ? shape : shape.map((_, axis) => -1 - axis)
  return make('full', isFixed ? [] : [of], { value: 0, dims })
}

/** Whether it is given, and not made of other expressions. */
export const isLeaf = ({ op }: Expr): boolean =>
  ['placeholder', 'shared', 'weight', 'step', 'state', 'mask'].includes(op)

/** The argument of an op that does not change it; undefined for any other op. */
function unchanged({ op, attributes, shape }: Expr, args: readonly Expr[]): Expr | undefined {
  const [a, b] = args
  const neutral = Object.hasOwn(NEUTRAL, op) ? NEUTRAL[op] : undefined
  if (neutral) {
    if (numberOf(b) === neutral.number && sameDims(a!.shape, shape)) return a
    if (neutral.atBoth && numberOf(a) === neutral.number && sameDims(b!.shape, shape)) return b
  }
  const isSame =
    (op === 'activation' && attributes.name === 'linear') ||
    (op === 'dropout' && attributes.p === 0) ||
    (op === 'broadcast' && sameDims(a!.shape, shape)) ||
    (op === 'reshape' && sameDims(a!.shape, shape)) ||
    (op === 'permute' && (attributes.axes as readonly number[]).every((axis, k) => axis === k)) ||
    (op === 'slice' && attributes.from === 0 && attributes.to === null && attributes.step === 1) ||
    (op === 'concat' && args.length === 1)
  return isSame ? a : undefined
}

/** The same value in a form that costs less. */
function rewritten(op: string, args: readonly Expr[], expr: Expr): Expr {
  const [a, b] = args
  if (op === 'permute' && a!.op === 'permute') {
    const inner = a!.attributes.axes as readonly number[]
    const axes = (expr.attributes.axes as readonly number[]).map((axis) => inner[axis]!)
    return new Expr('permute', [a!.args[0]!], expr.shape, { axes })
  }
  if (op === 'dot' && b!.op === 'permute' && b!.ndim === 2 && expr.attributes.transposed !== true)
    return new Expr('dot', [a!, b!.args[0]!], expr.shape, { transposed: true })
  if (op === 'reshape' && isLastStep(a!, expr)) {
    const output = a!.args[0] as ScanOutput
    return new ScanOutput(output.scan, output.index, true)
  }
  return new Expr(op, args, expr.shape, expr.attributes)
}

/** Whether `part`, in this shape, is the last step of an output of a loop. */
function isLastStep(part: Expr, { shape }: Expr): boolean {
  const { axis, from, to } = part.attributes
  const [whole] = part.args
  return (
    part.op === 'slice' &&
    axis === 0 &&
    from === -1 &&
    to === null &&
    whole instanceof ScanOutput &&
    !whole.isLast &&
    sameDims(shape, whole.shape.slice(1))
  )
}
