/** The step of a cell that is written as expressions, and the loop made of it. */
import { at, expandDims, squeeze } from '../../expressions/arranging.js'
import { type ExpressionData, fromData, toData } from '../../expressions/data.js'
import { describe } from '../../ndarray.js'
import { isRecord } from '../../per-name.js'
import { type Dim, type Dims, sameDims, showDims } from '../../expressions/dims.js'
import {
  add,
  dropout,
  learningPhase,
  less,
  mul,
  sub,
  where,
} from '../../expressions/elementwise.js'
import { Expr, lift, Placeholder } from '../../expressions/expr.js'
import { dependents, ordered } from '../../expressions/order.js'
import { refuse, refuseShape, within } from '../../expressions/place.js'
import { inStep, Scan, ScanOutput, type ScanState } from '../../expressions/scan.js'
import { BATCH } from './expression-ops.js'
import { exchanged, memoryOf } from '../../expressions/lowering/layout.js'

/**
 * Extents of a weight or a state: 'D' the features of the input, 'H' the units, '4H' four times as
 * many, or a number.
 */
export type CellSize = 'D' | 'H' | `${number}H` | number

/** A cell for one size of inputs and units. */
export interface SizedCell {
  readonly name: string
  /** D */
  readonly features: number
  readonly weights: Readonly<Record<string, readonly number[]>>
  /** Extents without the batch. */
  readonly states: Readonly<Record<string, readonly number[]>>
  /** Gets x, weights and states by their names; gives the new states, and y if there is one. */
  step(values: Readonly<Record<string, Expr>>): unknown
}

/** What a step gives for placeholders of its own. */
export interface AppliedStep {
  /** [B, D] */
  readonly x: Expr
  readonly weights: ReadonlyMap<string, Expr>
  readonly befores: ReadonlyMap<string, Expr>
  readonly nexts: ReadonlyMap<string, Expr>
  /** [B, K]: what the layer gives. */
  readonly y: Expr
}

/**
 * Calls the step once.
 *
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION: what the step gives is not what its cell
 *   says
 */
export function applyStep(cell: SizedCell): AppliedStep {
  const x = new Expr('step', [], [BATCH, cell.features], {}, 'x[t]')
  const named = (entries: Readonly<Record<string, readonly number[]>>, make: MakeLeaf) =>
    new Map(Object.entries(entries).map(([name, dims]) => [name, make(name, dims)]))
  const weights = named(
    cell.weights,
    (name, dims) => new Expr('weight', [], dims, {}, `${cell.name}/${name}`),
  )
  const befores = named(
    cell.states,
    (name, dims) => new Expr('state', [], [BATCH, ...dims], {}, name),
  )
  const given = within(`${cell.name}: step`, () =>
    inStep(() => cell.step({ ...Object.fromEntries([...weights, ...befores]), x })),
  )
  return { x, weights, befores, ...checkedResult(cell, given, befores) }
}

type MakeLeaf = (name: string, dims: readonly number[]) => Expr

function checkedResult(
  { name }: SizedCell,
  given: unknown,
  befores: ReadonlyMap<string, Expr>,
): { nexts: Map<string, Expr>; y: Expr } {
  const where = `${name}: step's result`
  const known = [...befores.keys()]
  if (!isRecord(given))
    refuse({
      where,
      what: 'it',
      expected: `an object with ${known.join(', ')}`,
      actual: describe(given),
    })
  const values = given as { readonly [name: string]: unknown }
  const unknown = Object.keys(values).find((key) => key !== 'y' && !befores.has(key))
  if (unknown !== undefined)
    refuse({
      where,
      what: 'it',
      expected: `an object with ${known.join(', ')}, and y if the layer gives no state`,
      actual: `one with '${unknown}'`,
    })
  const nexts = new Map<string, Expr>()
  for (const [state, before] of befores) {
    if (values[state] === undefined)
      refuse({
        where,
        what: 'it',
        expected: `an object with ${known.join(', ')}`,
        actual: `one without ${state}`,
      })
    const next = lift(values[state], where)
    if (!sameDims(next.shape, before.shape))
      refuseShape({
        where: name,
        what: `new value of ${state}`,
        expected: `${showDims(before.shape)} as it was before`,
        actual: showDims(next.shape),
      })
    nexts.set(state, next)
  }
  const y = values.y === undefined ? nexts.get(known[0]!)! : lift(values.y, where)
  if (y.shape[0] !== BATCH || y.ndim < 2)
    refuseShape({ where, what: 'y', expected: `[${BATCH}, …]`, actual: showDims(y.shape) })
  return { nexts, y }
}

// ---- in files ----

/** The step as data: inputs x, weights, states; outputs states, y. */
export function stepToData(cell: SizedCell): ExpressionData {
  const { x, weights, befores, nexts, y } = applyStep(cell)
  const inputs = [x, ...weights.values(), ...befores.values()]
  return toData({ inputs, outputs: [...nexts.values(), y] }, cell.name)
}

/** The step that a file describes. */
export function stepFromData(
  data: unknown,
  { name, weights, states }: Omit<SizedCell, 'step'>,
): SizedCell['step'] {
  const inputs = ['x', ...Object.keys(weights), ...Object.keys(states)]
  const outputs = [...Object.keys(states), 'y']
  return (values) => {
    const made = fromData(data, name, (_name, _shape: Dim[], i) => values[inputs[i]!]!)
    return Object.fromEntries(made.outputs.map((value, i) => [outputs[i], value]))
  }
}

// ---- the loop ----

/** How a layer runs its cell. */
export interface CellLoop {
  readonly isMasked: boolean
  readonly dropoutW: number
  readonly dropoutU: number
  /** One mask for all products instead of one each. */
  readonly sharedDropout: boolean
  readonly goBackwards: boolean
  readonly stateful: boolean
  readonly truncate: number | null
  readonly checkpoint: 'auto' | number | null
  readonly returnSequences: boolean
  /** The share of a state that stays as it was, in each step of training. */
  zoneout(state: string): number
  /** Parameters that states begin with, by the state's name. */
  readonly initial: ReadonlyMap<string, Expr>
  /** Whether all states come from outside and go there. */
  readonly isGivenStates: boolean
}

/** A state that comes from outside, and goes there after the last step, as memory has it. */
export interface GivenState {
  readonly name: string
  /** Without the batch. */
  readonly shape: readonly number[]
  readonly before: Placeholder
  readonly after: Expr
}

/** The layer's value, as memory has it, and what it is made of. */
export interface CellExpression {
  readonly root: Expr
  /** [T, B, D] */
  readonly x: Placeholder
  readonly weights: ReadonlyMap<string, Expr>
  /** Those of {@link CellLoop.isGivenStates}. */
  readonly states: readonly GivenState[]
}

/** The mask, [B, 1], for a value of so many axes: [B], [B, 1, 1]. */
const ofAxes = (mask: Expr, axes: number): Expr => {
  if (axes < 2) return squeeze(mask, 1)
  return Array.from({ length: axes - 2 }).reduce<Expr>((made) => expandDims(made, 1), mask)
}

const zeros = (dims: readonly number[]): Expr =>
  new Expr('full', [], [BATCH, ...dims], { value: 0, dims: [-1, ...dims] })

/** A loop over all steps of a layer. */
export function cellLoop(cell: SizedCell, how: CellLoop): CellExpression {
  const applied = applyStep(cell)
  const { weights, befores } = applied
  const x = new Placeholder(['T', BATCH, cell.features], 'x')
  const { nexts, y } = withDropout(cell.name, applied, x, how)
  const mask = how.isMasked ? new Expr('mask', [], [BATCH, 1]) : null
  const kept = (next: Expr, before: Expr) =>
    mask ? where(ofAxes(mask, next.ndim), next, before) : next
  const sequences: Expr[] = [x]
  const steps: Expr[] = [applied.x]
  const given: (Omit<GivenState, 'after'> & { index: number })[] = []
  /** What a state begins with that does not go on from outside; else that. */
  const beginning = (name: string, shape: readonly number[], otherwise: Expr): Expr => {
    if (!how.isGivenStates) return otherwise
    const state = new Placeholder([BATCH, ...shape], name)
    const memory = memoryOf(state)
    given.push({ name, shape, before: memory, index: given.length })
    return memory === state ? memory : exchanged(memory)
  }
  const states = [...befores].map(([name, before]): ScanState => {
    const dims = before.shape.slice(1) as number[]
    let next = nexts.get(name)!
    const p = how.zoneout(name)
    if (p > 0) {
      sequences.push(updatedShares(x, dims, p))
      const share = new Expr('step', [], before.shape, {}, `zoneout of ${name}[t]`)
      steps.push(share)
      next = add(mul(share, next), mul(sub(1, share), before))
    }
    const initial = beginning(name, dims, how.initial.get(name) ?? zeros(dims))
    return { initial, before, next: kept(next, before) }
  })
  const own = [...nexts.values()].indexOf(y)
  let output = own < 0 ? y : states[own]!.next
  if (mask && own < 0) {
    // A masked step gives what the step before gave; before the first one, zeros.
    const before = new Expr('state', [], y.shape, {}, 'y')
    output = kept(y, before)
    const dims = y.shape.slice(1) as number[]
    states.push({ initial: beginning('y', dims, zeros(dims)), before, next: output })
  }
  const { goBackwards, truncate, checkpoint, stateful } = how
  const outputs = [output, ...given.map(({ index }) => states[index]!.next)]
  const loop = new Scan(cell.name, sequences, steps, states, outputs, 'T', {
    goBackwards,
    truncate,
    checkpoint,
    stateful,
    lastSteps: null,
  })
  const after = (index: number, { length }: readonly number[]) => {
    const last = new ScanOutput(loop, 1 + index, true)
    return length > 1 ? exchanged(last) : last
  }
  return {
    root: new ScanOutput(loop, 0, !how.returnSequences),
    x,
    weights,
    states: given.map(({ index, ...state }) => ({ ...state, after: after(index, state.shape) })),
  }
}

/**
 * Zoneout (Krueger et al. 2016, arXiv:1606.01305): how much of a new state counts, [T, B, …]. In
 * training 0 for a share p of the units of each step, which keep the old state, else 1; outside of
 * it the expected share 1 - p.
 */
function updatedShares(x: Expr, dims: readonly number[], p: number): Expr {
  const ones = new Expr('full', [x], ['T', BATCH, ...dims], { value: 1, dims: [-1, -2, ...dims] })
  const phase = learningPhase()
  return add(mul(phase, less(0, dropout(ones, p))), mul(sub(1, phase), 1 - p))
}

/**
 * Products with dropout: of what x alone makes with masks of dropoutW, of what states make with
 * masks of dropoutU. One mask serves all steps.
 */
function withDropout(name: string, applied: AppliedStep, x: Placeholder, how: CellLoop) {
  const { nexts, y, befores } = applied
  if (how.dropoutW === 0 && how.dropoutU === 0) return { nexts, y }
  const roots = [...nexts.values(), y]
  const list = ordered(roots)
  const ofStates = dependents(list, new Set(befores.values()))
  const ofX = dependents(list, new Set([applied.x]))
  const products = list.filter(({ op, args }) => op === 'dot' && args[0]!.ndim === 2)
  const order = new Map([...applied.weights.values()].map((weight, i) => [weight, i]))
  // Gates may be columns of one weight.
  const place = ({ args: [, matrix] }: Expr): [weight: number, column: number] =>
    matrix!.op === 'slice'
      ? [order.get(matrix!.args[0]!) ?? 0, matrix!.attributes.from as number]
      : [order.get(matrix!) ?? 0, 0]
  const byWeight = (a: Expr, b: Expr) => {
    const [[weight, column], [otherWeight, otherColumn]] = [place(a), place(b)]
    return weight - otherWeight || column - otherColumn
  }
  const masks = new Map<Expr, Expr>()
  const draw = (what: string, some: Expr[], p: number, stream: number) => {
    if (p === 0) return
    if (some.length === 0)
      refuse({
        where: name,
        what,
        expected: `0 for a step without a product of ${stream === 0 ? 'x' : 'a state'}`,
        actual: String(p),
      })
    const widths = new Set(some.map(({ args }) => args[0]!.shape[1]!))
    for (const width of widths) {
      const gates = some.filter(({ args }) => args[0]!.shape[1] === width).sort(byWeight)
      const drawn = dropoutMasks(
        x,
        how.sharedDropout ? 1 : gates.length,
        width as number,
        p,
        stream,
      )
      for (const [k, product] of gates.entries())
        masks.set(product, at(drawn, how.sharedDropout ? 0 : k))
    }
  }
  draw(
    'dropoutU',
    products.filter((product) => ofStates.has(product.args[0]!)),
    how.dropoutU,
    1,
  )
  draw(
    'dropoutW',
    products.filter(({ args }) => !ofStates.has(args[0]!) && ofX.has(args[0]!)),
    how.dropoutW,
    0,
  )
  const made = new Map<Expr, Expr>()
  for (const expr of list) {
    const args = expr.args.map((arg) => made.get(arg)!)
    const mask = masks.get(expr)
    if (mask) args[0] = args[0]!.mul(mask)
    const isSame = args.every((arg, i) => arg === expr.args[i])
    const copy = isSame ? expr : new Expr(expr.op, args, expr.shape, expr.attributes, expr.name)
    made.set(expr, copy)
  }
  return {
    nexts: new Map([...nexts].map(([name, next]) => [name, made.get(next)!])),
    y: made.get(y)!,
  }
}

/** Masks of a pass, [gates, B, width], from the stream of that number as the op counts them. */
function dropoutMasks(x: Expr, gates: number, width: number, p: number, stream: number): Expr {
  const dims: Dims = [gates, BATCH, width]
  const ones = new Expr('full', [x], dims, { value: 1, dims: [gates, -2, width] })
  return new Expr('dropout', [ones], dims, { p, seed: stream, stream })
}
