/** Expressions → Spec of a function. */
import { type Precision, floatx } from '../backend.js'
import { type Expr, make, type Placeholder } from '../expressions/expr.js'
import { Gradient } from '../expressions/gradient.js'
import { divided } from '../expressions/lowering/divide.js'
import { opsOf, WHOLE } from '../expressions/lowering/ops.js'
import { Simplifier } from '../expressions/lowering/simplify.js'
import { ordered } from '../expressions/order.js'
import { refuse } from '../expressions/place.js'
import { OneNumber, SharedVariable } from '../expressions/variables.js'
import type { OpSpec, ParamSpec, Spec } from '../spec.js'

/** What a function computes. */
export interface FunctionGraph {
  readonly inputs: readonly Placeholder[]
  readonly outputs: readonly Expr[]
  readonly updates: readonly (readonly [SharedVariable, Expr])[]
}

/** A function for native code. */
export interface LoweredFunction {
  readonly spec: Spec
  /** For each variable what its path in the Spec begins with: 'w' of 'w/value'. */
  readonly scopes: ReadonlyMap<SharedVariable, string>
}

/**
 * The Spec of a function.
 *
 * @param where the function, for errors
 * @throws ConfigError ERR_OPTION
 */
export function lowerFunction(
  { inputs, outputs, updates }: FunctionGraph,
  where: string,
): LoweredFunction {
  const asked = [...outputs, ...updates.map(newValue)]
  const cost = costOf(asked, where)
  const roots = withZeros(divided(cost ? [...asked, cost] : asked), cost !== null)
  const list = ordered(roots)
  requireInputs(list, inputs, where)
  const names = new Names(inputs, list)
  const ops = opsOf(roots, cost ? roots.at(-1)! : null, WHOLE).map((one, i): OpSpec => {
    const layer = `${one.op}_${i + 1}`
    return {
      op: one.op,
      layer,
      className: one.where,
      outputs: names.add(layer, one.outputs),
      // An op must have an input, also one that it does not read.
      inputs: one.inputs.length > 0 ? one.inputs.map((expr) => names.value(expr)) : [inputName(0)],
      mask: null,
      maskOut: null,
      options: one.options,
      params: one.params.map((expr, k) => ({
        name: `p${k}`,
        param: names.path(expr instanceof OneNumber ? expr.of : (expr as SharedVariable)),
      })),
      activity: null,
      ...(one.isAfter ? { after: 'gradients' as const } : {}),
    }
  })
  // So must a plan.
  const given = inputs.length > 0 ? inputs.map(({ shape }) => shape) : [[]]
  const values = asked.map((_, i) => names.value(roots[i]!))
  const changed = updates.map(([variable], i) => ({
    param: names.path(variable),
    value: values[outputs.length + i]!,
  }))
  return {
    scopes: names.scopes,
    spec: {
      device: 'cpu',
      floatx: precisionOf(where, names.params.keys()),
      inputs: given.map((shape, i) => ({
        name: inputName(i),
        dims: shape.map((extent) => (typeof extent === 'number' ? extent : null)),
      })),
      params: [...names.params.values()],
      ops,
      // A plan must have an output; a function without outputs does not give it back.
      predictions: (outputs.length > 0 ? values.slice(0, outputs.length) : [inputName(0)]).map(
        (value) => ({
          value,
          mask: null,
          loss: null,
          weight: 1,
          metrics: [],
          temporal: false,
        }),
      ),
      ...(cost ? { cost: names.value(roots.at(-1)!) } : {}),
      optimizer: null,
      updates: changed,
    },
  }
}

/** The precision of a function: that of its variables. */
function precisionOf(where: string, variables: Iterable<SharedVariable>): Precision {
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

/** Puts zeros for gradients of what the cost, the last root, does not read once simplified. */
function withZeros(roots: Expr[], hasCost: boolean): Expr[] {
  if (!hasCost) return roots
  const read = new Set(
    ordered([roots.at(-1)!]).map((expr) => (expr instanceof OneNumber ? expr.of : expr)),
  )
  const asked = ordered(roots).flatMap((expr) => (expr instanceof Gradient ? [expr.of] : []))
  const unread = asked.filter((of) => !read.has(of))
  return unread.length > 0 ? new Simplifier(new Set<Expr>(unread)).all(roots) : roots
}

/** The new value of a variable in the shape of its parameter: one number is [1]. */
const newValue = ([variable, value]: FunctionGraph['updates'][number]): Expr =>
  variable.ndim > 0 ? value : make('reshape', [value], { dims: [1] })

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
    if (expr.op === 'placeholder' && !inputs.includes(expr))
      refuse({
        where,
        what: 'the inputs',
        expected: `all that the outputs and updates read, ${expr.label} too`,
        actual: inputs.map((input) => input.label).join(', ') || 'none',
      })
}

/** What the Spec calls values and parameters. */
class Names {
  readonly params = new Map<SharedVariable, ParamSpec>()
  readonly scopes = new Map<SharedVariable, string>()
  readonly #values = new Map<Expr, string>()
  /** Variables and inputs whose gradients are read. */
  readonly #trained: ReadonlySet<Expr>

  constructor(inputs: readonly Placeholder[], list: readonly Expr[]) {
    for (const [i, input] of inputs.entries()) this.#values.set(input, inputName(i))
    this.#trained = new Set(list.flatMap((expr) => (expr instanceof Gradient ? [expr.of] : [])))
  }

  /** Names of what an op makes. */
  add(layer: string, outputs: readonly Expr[]): string[] {
    return outputs.map((expr, i) => {
      const name = i === 0 ? layer : `${layer}:${i + 1}`
      this.#values.set(expr, name)
      return name
    })
  }

  value(expr: Expr): string {
    if (!(expr instanceof Gradient)) return this.#values.get(expr)!
    const { of } = expr
    return `gradient:${of instanceof SharedVariable ? this.path(of) : this.#values.get(of)!}`
  }

  /** The path of a variable's parameter; parameters are listed in the order of the first calls. */
  path(variable: SharedVariable): string {
    const known = this.params.get(variable)
    if (known) return known.path
    const stem = variable.name ?? 'shared'
    const taken = new Set(this.scopes.values())
    let scope = stem
    for (let n = 2; taken.has(scope); n++) scope = `${stem}:${n}`
    const path = `${scope}/value`
    this.scopes.set(variable, scope)
    this.params.set(variable, {
      path,
      dims: variable.variable.dims,
      trainable: this.#trained.has(variable),
      penalty: null,
      constraint: null,
    })
    return path
  }
}
