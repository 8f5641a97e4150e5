/** An expression: an op, what it is applied to, and the shape of its value. */
import { describe } from '../ndarray.js'
import { setConsoleText } from '../console-text.js'
import { type Attributes, checkedAttributes } from './attributes.js'
import { type Dims, showDims } from './dims.js'
import { calledOp, type OpName, ops } from './ops.js'
import { refuse } from './place.js'

/** An expression, or a number in the place of one. */
export type Like = Expr | number

/**
 * A value that is not computed yet: a node of a graph that {@link fn}, a layer, a cell or a loss
 * computes. Made by {@link placeholder}, {@link shared} and the functions of `hiddenstate/backend`;
 * its shape is known, and checked, at once.
 *
 * @example
 * import { placeholder, tanh } from 'hiddenstate/backend'
 * const x = placeholder(['B', 3], 'x')
 * console.log(String(tanh(x.mul(2)))) // tanh [B, 3]
 */
export class Expr {
  static {
    setConsoleText(Expr, (expr) => expr.label)
  }

  /**
   * @internal
   * @param op a name in the table of ops; of a leaf and of subclasses, a name of their own
   */
  constructor(
    readonly op: string,
    readonly args: readonly Expr[],
    /** With all axes; letters for extents that only the data tell. */
    readonly shape: Dims,
    /** @internal */
    readonly attributes: Attributes = {},
    /** What messages call it; may be set. */
    public name: string | null = null,
  ) {}

  /** What messages call it, with its shape: 'x [B, 4]'. */
  get label(): string {
    return `${this.name ?? calledOp(this.op, this.attributes)} ${showDims(this.shape)}`
  }

  /** Number of axes. */
  get ndim(): number {
    return this.shape.length
  }

  /** The sum, with all that follow. @see add */
  add(...others: Like[]): Expr {
    return others.reduce<Expr>((sum, other) => make('add', [sum, other]), this)
  }

  /** The difference. @see sub */
  sub(other: Like): Expr {
    return make('sub', [this, other])
  }

  /** The product number by number, with all that follow. @see mul */
  mul(...others: Like[]): Expr {
    return others.reduce<Expr>((product, other) => make('mul', [product, other]), this)
  }

  /** The quotient. @see div */
  div(other: Like): Expr {
    return make('div', [this, other])
  }

  /** The product with a matrix, or of the last axis with a vector. @see dot */
  dot(other: Like): Expr {
    const right = lift(other, 'dot')
    const ofVector = right.ndim === 1 && this.ndim > 0 && this.shape.at(-1) === right.shape[0]
    if (!ofVector) return make('dot', [this, right])
    return make('sum', [make('mul', [this, right])], { axes: [this.ndim - 1], keep: false })
  }

  /** The axes in the other order. @see transpose */
  get T(): Expr {
    const axes = this.shape.map((_, axis) => this.ndim - 1 - axis)
    const name = this.name === null ? null : `${this.name}.T`
    return make('permute', [this], { axes }, name)
  }
}

/** A value as an expression: itself, or a number that becomes one. */
export function lift(value: unknown, where = 'expression'): Expr {
  if (value instanceof Expr) return value
  if (typeof value === 'number')
    return new Expr('number', [], [], { value }, Number.isNaN(value) ? 'NaN' : String(value))
  return refuse({
    where,
    what: 'an argument',
    expected: 'an expression or a number',
    actual: describe(value),
  })
}

/**
 * The value of an op: the only way to make an expression of others.
 *
 * @throws ShapeError ERR_SHAPE; ConfigError ERR_OPTION, ERR_UNKNOWN_NAME
 */
export function make(
  op: OpName,
  given: readonly unknown[],
  attributes: Readonly<Record<string, unknown>> = {},
  name: string | null = null,
): Expr {
  const rule = ops[op]
  const called = calledOp(op, attributes as Attributes)
  const args = given.map((one) => lift(one, called))
  const where = args.length === 0 ? called : `${called}(${args.map((a) => a.label).join(', ')})`
  const [least, most] = rule.arguments
  if (args.length < least || args.length > most)
    refuse({
      where: called,
      what: 'the number of arguments',
      expected: least === most ? String(least) : `from ${least} to ${most}`,
      actual: String(args.length),
    })
  const kept = checkedAttributes(where, rule.attributes, attributes, args[0]?.ndim ?? 0)
  if (op === 'number') return lift(kept.value)
  return new Expr(op, args, rule.shape(where, args, kept), kept, name)
}

/** A value that a function, a layer or a loss is given. */
export class Placeholder extends Expr {
  /** @internal */
  constructor(shape: Dims, name: string) {
    super('placeholder', [], shape, {}, name)
  }
}
