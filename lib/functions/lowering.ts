/**
 * Expressions → Spec. Loops become ops `scan`; all else becomes ops `expression`, one for each
 * level: what can be computed before the first loops, between them and the next, and so on; then
 * what needs gradients.
 */
import { type Floatx, floatx } from '../backend.js'
import { type Expr, Placeholder } from '../expressions/expr.js'
import { Gradient } from '../expressions/gradient.js'
import { divided } from '../expressions/lowering/divide.js'
import { isInline, type ProgramNode, programOf } from '../expressions/lowering/program.js'
import { dependents, ordered } from '../expressions/order.js'
import { refuse } from '../expressions/place.js'
import { Scan, ScanOutput } from '../expressions/scan.js'
import { SharedVariable } from '../expressions/shared-variable.js'
import type { Option, OpSpec, ParamSpec, Spec } from '../spec.js'

/** What a function computes. */
export interface FunctionGraph {
  readonly inputs: readonly Placeholder[]
  readonly outputs: readonly Expr[]
  readonly updates: readonly (readonly [SharedVariable, Expr])[]
}

/** A function for native code. */
export interface LoweredFunction {
  readonly spec: Spec
  /** What each variable is called in the spec: 'w', with '/value' behind it. */
  readonly scopes: ReadonlyMap<SharedVariable, string>
}

/**
 * @param where the function, for errors
 * @throws ConfigError ERR_OPTION
 */
export function lowerFunction(
  { inputs, outputs, updates }: FunctionGraph,
  where: string,
): LoweredFunction {
  const news = updates.map(([, value]) => value)
  const asked = [...outputs, ...news]
  const cost = costOf(asked, where)
  const roots = divided(cost ? [...asked, cost] : asked)
  const lowering = new Lowering(inputs, roots, cost !== null, outputs.length)
  requireInputs(lowering.list, inputs, where)
  lowering.addOps()
  const values = asked.map((_, i) => lowering.value(roots[i]!))
  const changed = updates.map(([variable]) => ({ param: lowering.path(variable) }))
  return {
    scopes: lowering.scopes,
    spec: {
      floatx: precisionOf(where, lowering.params.keys()),
      inputs: inputs.map(({ shape }, i) => ({
        name: inputName(i),
        dims: shape.map((extent) => (typeof extent === 'number' ? extent : null)),
      })),
      params: [...lowering.params.values()],
      ops: lowering.ops,
      output: values[0] ?? inputName(0),
      outputMask: null,
      loss: cost ? { value: lowering.value(roots.at(-1)!) } : null,
      metrics: [],
      temporal: false,
      optimizer: null,
      outputs: values.slice(0, outputs.length),
      updates: changed.map((one, i) => ({ ...one, value: values[outputs.length + i]! })),
    },
  }
}

/** The precision of a function: that of its variables. */
function precisionOf(where: string, variables: Iterable<SharedVariable>): Floatx {
  const [first, ...rest] = variables
  const other = rest.find((one) => one.floatx !== first!.floatx)
  if (other)
    refuse({
      where,
      what: `precision of ${other.label}`,
      expected: `${first!.floatx}, as that of ${first!.label}`,
      actual: other.floatx,
    })
  return first?.floatx ?? floatx()
}

const inputName = (index: number): string => (index === 0 ? ':input' : `:input:${index + 1}`)

/** The one cost whose gradients are asked for; null: none are. */
function costOf(roots: readonly Expr[], where: string): Expr | null {
  const costs = ordered(roots).flatMap((expr) => (expr instanceof Gradient ? [expr.cost] : []))
  const [first, second] = new Set(costs)
  if (second)
    refuse({
      where,
      what: 'gradients',
      expected: 'those of one cost',
      actual: `those of ${first!.label} and of ${second.label}`,
      hint: 'Make a function of each, or take the gradient of their sum.',
    })
  return first ?? null
}

function requireInputs(list: readonly Expr[], inputs: readonly Placeholder[], where: string): void {
  for (const expr of list)
    if (expr instanceof Placeholder && !inputs.includes(expr))
      refuse({
        where,
        what: 'the inputs',
        expected: `all that the outputs and updates read, ${expr.label} too`,
        actual: inputs.map((input) => input.label).join(', ') || 'none',
      })
}

/** Collects what an op reads. */
class Reader {
  readonly inputs: string[] = []
  readonly params: { name: string; param: string }[] = []

  /**
   * @param isAfter whether the op runs when gradients are known
   * @param valueOf what the Spec calls an expression that is a value of the graph
   */
  constructor(
    readonly isAfter: boolean,
    private readonly graphValue: (expr: Expr) => string | undefined,
    private readonly pathOf: (variable: SharedVariable) => string,
  ) {}

  /** The op's own name for a parameter. */
  param(variable: SharedVariable): string {
    const path = this.pathOf(variable)
    const known = this.params.find((one) => one.param === path)
    if (known) return known.name
    const name = `p${this.params.length}`
    this.params.push({ name, param: path })
    return name
  }

  /** How a program of the op reads an expression; undefined: the program makes it. */
  leaf = (expr: Expr): ProgramNode | undefined => {
    if (expr instanceof SharedVariable)
      return { op: 'param', name: this.param(expr), dims: expr.shape as readonly number[] }
    const value = isInline(expr) ? undefined : this.graphValue(expr)
    if (value === undefined) return undefined
    const index = this.inputs.indexOf(value)
    return { op: 'input', index: index < 0 ? this.inputs.push(value) - 1 : index }
  }
}

/** Ops of a function, level by level. */
class Lowering {
  readonly ops: OpSpec[] = []
  readonly params = new Map<SharedVariable, ParamSpec>()
  readonly scopes = new Map<SharedVariable, string>()
  /** All that is computed, arguments first. */
  readonly list: readonly Expr[]
  readonly #roots: readonly Expr[]
  readonly #values = new Map<Expr, string>()
  readonly #levels = new Map<Expr, number>()
  /** The first level of what runs after the gradients are known. */
  #after = Number.POSITIVE_INFINITY
  readonly #trained: ReadonlySet<Expr>

  constructor(
    inputs: readonly Placeholder[],
    roots: readonly Expr[],
    hasCost: boolean,
    outputs: number,
  ) {
    this.#roots = roots
    this.list = ordered(roots)
    for (const [i, input] of inputs.entries()) this.#values.set(input, inputName(i))
    const gradients = this.list.filter((expr) => expr instanceof Gradient)
    this.#trained = new Set(gradients.map(({ of }) => of))
    const ofGradients = dependents(this.list, new Set<Expr>(gradients))
    const forward = new Set(
      ordered([
        ...(hasCost ? [roots.at(-1)!] : roots),
        ...roots.slice(0, outputs).filter((root) => !ofGradients.has(root)),
      ]),
    )
    this.#setLevels(this.list.filter((expr) => forward.has(expr)))
    if (hasCost) this.#after = Math.max(...this.#levels.values()) + 1
    this.#setLevels(this.list.filter((expr) => !forward.has(expr)))
  }

  #setLevels(part: readonly Expr[]): void {
    const least = Number.isFinite(this.#after) ? this.#after : 0
    for (const expr of part) {
      const ofArgs = expr.args.map((arg) => this.#levels.get(arg) ?? 0)
      const level = Math.max(least, ...ofArgs)
      this.#levels.set(expr, expr instanceof Scan ? level + 1 : level)
    }
  }

  /** Parameters are told in the order in which they are met. */
  path(variable: SharedVariable): string {
    let param = this.params.get(variable)
    if (!param) {
      const stem = variable.name ?? 'shared'
      const taken = new Set(this.scopes.values())
      let scope = stem
      for (let n = 2; taken.has(scope); n++) scope = `${stem}:${n}`
      param = {
        path: `${scope}/value`,
        dims: variable.shape as readonly number[],
        trainable: this.#trained.has(variable),
        penalty: null,
        constraint: null,
      }
      this.scopes.set(variable, scope)
      this.params.set(variable, param)
    }
    return param.path
  }

  /** What the Spec calls a value. */
  value(expr: Expr): string {
    if (expr instanceof Gradient) {
      const { of } = expr
      return `gradient:${of instanceof SharedVariable ? this.path(of) : this.#values.get(of)!}`
    }
    return this.#values.get(expr)!
  }

  addOps(): void {
    const wanted = this.#wanted()
    const levels = [...new Set(this.#levels.values())].sort((a, b) => a - b)
    for (const level of levels) {
      const here = this.list.filter((expr) => this.#levels.get(expr) === level)
      for (const expr of here) if (expr instanceof Scan) this.#addLoop(expr, level)
      const made = here.filter((expr) => wanted.has(expr) && !this.#values.has(expr))
      const outputs = made.filter((expr) => !(expr instanceof Gradient || expr instanceof Scan))
      if (outputs.length > 0) this.#addExpression(outputs, level)
    }
  }

  /** What must be a value of the graph: it is read by another op, or asked for. */
  #wanted(): Set<Expr> {
    const wanted = new Set<Expr>(this.#roots)
    for (const expr of this.list) {
      const level = this.#levels.get(expr)
      if (expr instanceof Scan) {
        for (const sequence of expr.sequences) wanted.add(sequence)
        for (const { initial } of expr.states) if (!this.#isStart(initial)) wanted.add(initial)
        for (const read of expr.outside) if (!isParamOrInline(read)) wanted.add(read)
      } else if (!(expr instanceof ScanOutput)) {
        for (const arg of expr.args)
          if (this.#levels.get(arg) !== level && !isParamOrInline(arg)) wanted.add(arg)
      }
    }
    return wanted
  }

  /** Whether a loop can begin with it though it is no value of the graph. */
  #isStart(initial: Expr): boolean {
    return initial instanceof SharedVariable || isZeros(initial)
  }

  #reader(level: number): Reader {
    return new Reader(
      level >= this.#after,
      (expr) => (this.#values.has(expr) || expr instanceof Gradient ? this.value(expr) : undefined),
      (variable) => this.path(variable),
    )
  }

  #addOp(
    op: 'expression' | 'scan',
    className: string,
    outputs: readonly Expr[],
    options: { [key: string]: Option },
    { inputs, params, isAfter }: Reader,
  ): void {
    const layer = `${op}_${this.ops.length + 1}`
    const names = outputs.map((_, i) => (i === 0 ? layer : `${layer}:${i + 1}`))
    for (const [i, expr] of outputs.entries()) this.#values.set(expr, names[i]!)
    this.ops.push({
      op,
      layer,
      className,
      inputs,
      outputs: names,
      mask: null,
      maskOut: null,
      options,
      params,
      activity: null,
      ...(isAfter ? { after: true } : {}),
    })
  }

  #addExpression(outputs: readonly Expr[], level: number): void {
    const reader = this.#reader(level)
    const program = programOf(outputs, reader.leaf)
    const options = { ...program, whole: true } as unknown as { [key: string]: Option }
    this.#addOp('expression', 'Expression', outputs, options, reader)
  }

  #addLoop(loop: Scan, level: number): void {
    const reader = this.#reader(level)
    const { sequences, states, outside, loop: how } = loop
    reader.inputs.push(...sequences.map((sequence) => this.value(sequence)))
    const starts = states.map(({ initial }) => {
      if (initial instanceof SharedVariable) return reader.param(initial)
      return isZeros(initial) ? null : reader.inputs.push(this.value(initial)) - 1
    })
    const outputs = this.list.filter(
      (expr): expr is ScanOutput => expr instanceof ScanOutput && expr.scan === loop,
    )
    const values = outputs.map(({ index }) => loop.outputs[index]!)
    const program = programOf([...values, ...states.map(({ next }) => next)], (expr) => {
      const step = loop.steps.indexOf(expr)
      if (step >= 0) return { op: 'sequence', index: step }
      const state = states.findIndex(({ before }) => before === expr)
      if (state >= 0) return { op: 'state', index: state }
      return outside.includes(expr) || expr instanceof SharedVariable
        ? reader.leaf(expr)
        : undefined
    })
    const options = {
      nodes: program.nodes,
      sequences: sequences.length,
      states: states.map(({ before, initial }, i) => ({
        name: before.name ?? `state ${i}`,
        from: starts[i]!,
        dims: isFixed(initial) ? [...initial.shape] : null,
        next: program.outputs[values.length + i]!,
      })),
      outputs: outputs.map(({ isLast }, i) => ({ node: program.outputs[i]!, last: isLast })),
      steps: sequences.length > 0 ? null : loop.length,
      goBackwards: how.goBackwards,
      stateful: false,
      truncate: 0,
      lastSteps: how.lastSteps ?? 0,
      whole: true,
    } as unknown as { [key: string]: Option }
    this.#addOp('scan', loop.where, outputs, options, reader)
  }
}

const isFixed = ({ shape }: Expr): boolean => shape.every((extent) => typeof extent === 'number')

const isZeros = (expr: Expr): boolean =>
  expr.op === 'full' && expr.args.length === 0 && expr.attributes.value === 0

const isParamOrInline = (expr: Expr): boolean => expr instanceof SharedVariable || isInline(expr)
