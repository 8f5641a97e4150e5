/**
 * Expressions → ops. Loops become ops `scan`; all else becomes ops `expression`, one for each
 * level: what can be computed before the first loops, between them and the next, and so on; then
 * what needs gradients.
 */
import type { Option } from '../../spec.js'
import type { Dims } from '../dims.js'
import type { Expr } from '../expr.js'
import { Gradient } from '../gradient.js'
import { dependents, ordered } from '../order.js'
import { Scan, ScanOutput } from '../scan.js'
import { isInline, type ProgramNode, programOf } from './program.js'

/** An op of the Spec, with the expressions that it reads and makes. */
export interface LoweredOp {
  readonly op: 'expression' | 'scan'
  readonly where: string
  readonly inputs: readonly Expr[]
  readonly outputs: readonly Expr[]
  /** What the op calls p0, p1, … */
  readonly params: readonly Expr[]
  readonly options: { [key: string]: Option }
  /** Whether it runs after the backward pass, when gradients are known. */
  readonly isAfter: boolean
}

/** What the ops are part of: a function, whose values are whole, or a layer, with a batch. */
export interface Frame {
  readonly whole: boolean
  /** Whether a value of this shape can go from one op to another. */
  crosses(shape: Dims): boolean
  /** `dims` of a state in the options of a scan; null: as what it begins with. */
  stateDims(shape: Dims): readonly number[] | null
}

/** The frame of a function: any value goes from op to op. */
export const WHOLE: Frame = {
  whole: true,
  crosses: () => true,
  stateDims: (shape) =>
    shape.every((extent) => typeof extent === 'number') ? (shape as readonly number[]) : null,
}

const isParam = ({ op }: Expr): boolean => op === 'shared' || op === 'weight'

/** Whether every program can have it without an input: parameters, masks, what has no argument. */
const isAtHand = (expr: Expr): boolean => isParam(expr) || isInline(expr) || expr.op === 'mask'

const isZeros = (expr: Expr): boolean =>
  expr.op === 'full' && expr.args.length === 0 && expr.attributes.value === 0

/**
 * The ops that compute `roots`, in an order in which they can run.
 *
 * @param roots as {@link divided} gives them
 * @param cost of `roots`; null: no gradient is asked for
 */
export function opsOf(roots: readonly Expr[], cost: Expr | null, frame: Frame): LoweredOp[] {
  return new OpList(roots, cost, frame).ops
}

/** Collects the inputs and parameters of one op. */
class Reader {
  readonly inputs: Expr[]
  readonly params: Expr[] = []

  /**
   * @param isValue whether an expression is given, or made by an op before this one
   * @param sequences inputs that are read step by step alone: what reads all of one has it as a
   *   further input, with a gradient of its own
   */
  constructor(
    private readonly isValue: (expr: Expr) => boolean,
    private readonly sequences: readonly Expr[] = [],
  ) {
    this.inputs = [...sequences]
  }

  /** The op's own name for a parameter. */
  param(expr: Expr): string {
    const known = this.params.indexOf(expr)
    return `p${known < 0 ? this.params.push(expr) - 1 : known}`
  }

  /** How a program of the op reads an expression; undefined: the program makes it. */
  leaf = (expr: Expr): ProgramNode | undefined => {
    if (isParam(expr))
      return { op: 'param', name: this.param(expr), dims: expr.shape as readonly number[] }
    if (isInline(expr) || expr.op === 'mask' || !this.isValue(expr)) return undefined
    const index = this.inputs.indexOf(expr, this.sequences.length)
    return { op: 'input', index: index < 0 ? this.inputs.push(expr) - 1 : index }
  }
}

/** Ops, level by level. */
class OpList {
  readonly ops: LoweredOp[] = []
  /** All that is computed, arguments first. */
  readonly #list: readonly Expr[]
  readonly #roots: readonly Expr[]
  readonly #frame: Frame
  readonly #values = new Set<Expr>()
  readonly #levels = new Map<Expr, number>()
  /** The first level of what runs after the gradients are known. */
  #after = Number.POSITIVE_INFINITY

  constructor(roots: readonly Expr[], cost: Expr | null, frame: Frame) {
    this.#roots = roots
    this.#frame = frame
    this.#list = ordered(roots)
    const isGiven = (expr: Expr) => expr.op === 'placeholder' || expr instanceof Gradient
    for (const expr of this.#list) if (isGiven(expr)) this.#values.add(expr)
    const gradients = this.#list.filter((expr) => expr instanceof Gradient)
    const ofGradients = dependents(this.#list, new Set<Expr>(gradients))
    const needed = cost ? [cost, ...roots.filter((root) => !ofGradients.has(root))] : roots
    const forward = new Set(ordered(needed))
    this.#setLevels(this.#list.filter((expr) => forward.has(expr)))
    if (cost) this.#after = Math.max(...this.#levels.values()) + 1
    this.#setLevels(this.#list.filter((expr) => !forward.has(expr)))
    this.#addOps()
  }

  #setLevels(part: readonly Expr[]): void {
    const least = Number.isFinite(this.#after) ? this.#after : 0
    for (const expr of part) {
      const level = Math.max(least, ...expr.args.map((arg) => this.#levels.get(arg)!))
      this.#levels.set(expr, expr instanceof Scan ? level + 1 : level)
    }
  }

  #addOps(): void {
    const wanted = this.#wanted()
    const levels = [...new Set(this.#levels.values())].sort((a, b) => a - b)
    for (const level of levels) {
      const here = this.#list.filter((expr) => this.#levels.get(expr) === level)
      for (const expr of here) if (expr instanceof Scan) this.#addLoop(expr, level)
      const outputs = here.filter((expr) => wanted.has(expr) && !this.#values.has(expr))
      if (outputs.length > 0) this.#addExpression(outputs, level)
    }
  }

  /** What must be a value between ops: it is read by another op, or asked for. */
  #wanted(): Set<Expr> {
    const wanted = new Set<Expr>(this.#roots)
    const want = (expr: Expr) => {
      if (this.#frame.crosses(expr.shape)) wanted.add(expr)
      else if (!isAtHand(expr) && !this.#values.has(expr)) for (const arg of expr.args) want(arg)
    }
    for (const expr of this.#list) {
      const level = this.#levels.get(expr)
      if (expr instanceof Scan) {
        for (const sequence of expr.sequences) wanted.add(sequence)
        for (const { initial } of expr.states) if (!isStart(initial)) wanted.add(initial)
        for (const read of expr.outside) if (!isAtHand(read)) want(read)
      } else if (!(expr instanceof ScanOutput)) {
        for (const arg of expr.args)
          if (this.#levels.get(arg) !== level && !isAtHand(arg)) want(arg)
      }
    }
    return wanted
  }

  #reader(sequences: readonly Expr[] = []): Reader {
    return new Reader((expr) => this.#values.has(expr), sequences)
  }

  #add(
    op: LoweredOp['op'],
    where: string,
    level: number,
    outputs: readonly Expr[],
    options: object,
    { inputs, params }: Reader,
  ): void {
    for (const expr of outputs) this.#values.add(expr)
    this.ops.push({
      op,
      where,
      inputs,
      outputs,
      params,
      options: { ...options, whole: this.#frame.whole } as LoweredOp['options'],
      isAfter: level >= this.#after,
    })
  }

  #addExpression(outputs: readonly Expr[], level: number): void {
    const reader = this.#reader()
    this.#add('expression', 'expression', level, outputs, programOf(outputs, reader.leaf), reader)
  }

  #addLoop(loop: Scan, level: number): void {
    const { sequences, states, loop: how } = loop
    const reader = this.#reader(sequences)
    const starts = states.map(({ initial }) => {
      if (isParam(initial)) return reader.param(initial)
      return isZeros(initial) ? null : reader.inputs.push(initial) - 1
    })
    const outputs = this.#list.filter(
      (expr): expr is ScanOutput => expr instanceof ScanOutput && expr.scan === loop,
    )
    const values = outputs.map(({ index }) => loop.outputs[index]!)
    const program = programOf([...values, ...states.map(({ next }) => next)], (expr) => {
      const step = loop.steps.indexOf(expr)
      if (step >= 0) return { op: 'sequence', index: step }
      const state = states.findIndex(({ before }) => before === expr)
      return state >= 0 ? { op: 'state', index: state } : reader.leaf(expr)
    })
    const options = {
      nodes: program.nodes,
      sequences: sequences.length,
      states: states.map(({ before, initial }, i) => ({
        name: before.name ?? `state ${i}`,
        from: starts[i]!,
        dims: this.#frame.stateDims(before.shape),
        ...(isParam(initial) ? { fromDims: initial.shape } : {}),
        next: program.outputs[values.length + i]!,
      })),
      outputs: outputs.map(({ isLast }, i) => ({ node: program.outputs[i]!, last: isLast })),
      steps: sequences.length > 0 ? null : loop.length,
      goBackwards: how.goBackwards,
      stateful: how.stateful ?? false,
      truncate: how.truncate ?? 0,
      checkpoint: how.checkpoint ?? 0,
      lastSteps: how.lastSteps ?? 0,
    }
    this.#add('scan', loop.where, level, outputs, options, reader)
  }
}

/** Whether a loop can begin with it without an input: the options of the op say it. */
const isStart = (initial: Expr): boolean => isParam(initial) || isZeros(initial)
