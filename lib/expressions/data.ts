/**
 * Expressions as plain data, for files: nodes in an order in which arguments come first. They are
 * built again through the functions that check a program's calls; no code is in them or run.
 */
import { ConfigError, fail, FormatError } from '../errors.js'
import { describe } from '../ndarray.js'
import type { Option } from '../spec.js'
import type { Dim } from './dims.js'
import { type Expr, make } from './expr.js'
import { type OpName, ops } from './ops.js'
import { ordered } from './order.js'
import { within } from './place.js'
import { type LoopOptions, Scan, scan, ScanOutput } from './scan.js'

/** An expression as plain data. */
export interface ExpressionData {
  /** Absent in the step of a loop, whose inputs are what the loop gives it. */
  inputs?: { name: string; shape: Dim[] }[]
  nodes: NodeData[]
  /** Indices of nodes. */
  outputs: number[]
}

type NodeData = { [key: string]: unknown } & { op: string }

/** Nodes of one expression, those of its loops included. */
const MOST_NODES = 20_000

/** Inputs, and outputs that are made of them. */
export interface Expression {
  readonly inputs: readonly Expr[]
  readonly outputs: readonly Expr[]
}

// ---- to data ----

/**
 * An expression as plain data.
 *
 * @param where who asks, for errors
 * @throws ConfigError ERR_OPTION for shared variables, gradients, and placeholders that are none of
 *   `inputs`
 */
export function toData({ inputs, outputs }: Expression, where: string): ExpressionData {
  return {
    inputs: inputs.map((input) => ({ name: input.name ?? 'x', shape: [...input.shape] })),
    ...toNodes(inputs, outputs, where),
  }
}

function toNodes(
  inputs: readonly Expr[],
  outputs: readonly Expr[],
  where: string,
): Omit<ExpressionData, 'inputs'> {
  const list = ordered(outputs, (expr) => inputs.includes(expr))
  const index = new Map(list.map((expr, i) => [expr, i]))
  const seeds = new Map<unknown, number>()
  const nodes = list.map((expr): NodeData => {
    const input = inputs.indexOf(expr)
    if (input >= 0) return { op: 'input', index: input }
    const args = expr.args.map((arg) => index.get(arg)!)
    const name = expr.name === null || expr.op === 'number' ? {} : { name: expr.name }
    if (expr instanceof Scan)
      return { op: 'scan', args, name: expr.where, ...scanNode(expr, where) }
    if (expr instanceof ScanOutput) return { op: 'scan_output', args, index: expr.index }
    if (!Object.hasOwn(ops, expr.op)) return refuseLeaf(expr, where)
    const { seed, ...rest } = expr.attributes
    if (seed !== undefined && !seeds.has(seed)) seeds.set(seed, seeds.size)
    const attributes = seed === undefined ? rest : { ...rest, seed: seeds.get(seed)! }
    return { op: expr.op, ...(args.length > 0 ? { args } : {}), ...name, attributes }
  })
  return { nodes, outputs: outputs.map((output) => index.get(output)!) }
}

function refuseLeaf(expr: Expr, where: string): never {
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'the expression',
    expected: 'made of what it is given alone',
    actual: `one that reads ${expr.label}`,
  })
}

/** For each state the output that is its next value. Of equal outputs each is taken once. */
function stateOutputs({ states, outputs }: Scan): number[] {
  const taken = new Set<number>()
  return states.map(({ next }) => {
    const output = outputs.findIndex((one, i) => one === next && !taken.has(i))
    taken.add(output)
    return output
  })
}

function scanNode(loop: Scan, where: string): Record<string, Option> {
  const inner = [...loop.steps, ...loop.states.map(({ before }) => before), ...loop.outside]
  return {
    sequences: loop.sequences.length,
    states: stateOutputs(loop),
    length: loop.length,
    loop: { ...loop.loop },
    step: toNodes(inner, loop.outputs, where) as unknown as Option,
  }
}

// ---- from data ----

/**
 * The expression that {@link toData} has written.
 *
 * @param where who asks, for errors
 * @param input makes an input of its name and shape
 * @throws FormatError ERR_FILE_FORMAT, ERR_LIMIT; ShapeError ERR_SHAPE; ConfigError ERR_OPTION,
 *   ERR_UNKNOWN_NAME
 */
export function fromData(
  data: unknown,
  where: string,
  input: (name: string, shape: Dim[], index: number) => Expr,
): Expression {
  const budget = { left: MOST_NODES }
  return within(where, () => {
    const { inputs: described } = record(data, where, 'the expression')
    const inputs = list(described, where, 'inputs').map((one, i) => {
      const { name, shape } = record(one, where, 'an input')
      if (typeof name !== 'string') wrong(where, "an input's name", 'a text', name)
      return input(name as string, list(shape, where, 'a shape') as Dim[], i)
    })
    return { inputs, outputs: fromNodes(data, where, inputs, budget) }
  })
}

interface Budget {
  left: number
}

function fromNodes(data: unknown, where: string, inputs: readonly Expr[], budget: Budget): Expr[] {
  const { nodes, outputs } = record(data, where, 'the expression')
  const made: Expr[] = []
  const node = (value: unknown): Expr =>
    entry(made, value) ??
    wrong(where, 'the number of a node', `an integer below ${made.length}`, value)
  for (const one of list(nodes, where, 'nodes')) {
    if (budget.left-- <= 0)
      fail(FormatError, 'ERR_LIMIT', {
        where,
        what: 'nodes of the expression',
        expected: `at most ${MOST_NODES}`,
        actual: 'more',
      })
    made.push(fromNode(record(one, where, 'a node'), where, inputs, node, budget))
  }
  return list(outputs, where, 'outputs').map(node)
}

function fromNode(
  data: Record<string, unknown>,
  where: string,
  inputs: readonly Expr[],
  node: (value: unknown) => Expr,
  budget: Budget,
): Expr {
  const { op, index } = data
  if (op === 'input')
    return entry(inputs, index) ?? wrong(where, 'the number of an input', 'known', index)
  const args = data.args === undefined ? [] : list(data.args, where, 'args').map(node)
  const name = data.name ?? null
  if (name !== null && typeof name !== 'string') wrong(where, "a node's name", 'a text', name)
  if (op === 'scan') return scanFrom(data, args, where, budget)
  if (op === 'scan_output') {
    const [loop] = args
    const isOutput = loop instanceof Scan && entry(loop.outputs, index) !== undefined
    return isOutput
      ? new ScanOutput(loop, index as number)
      : wrong(where, 'an output of a loop', 'one that it has', index)
  }
  if (typeof op !== 'string' || !Object.hasOwn(ops, op))
    return wrong(where, 'op', `one of ${Object.keys(ops).join(', ')}`, op)
  const attributes = data.attributes ?? {}
  return make(op as OpName, args, record(attributes, where, 'attributes'), name as string | null)
}

function scanFrom(
  data: Record<string, unknown>,
  args: readonly Expr[],
  where: string,
  budget: Budget,
): Expr {
  const { sequences: count, states, length, loop, name } = data
  const nexts = list(states, where, 'states')
  const first = count as number
  const isCount = Number.isSafeInteger(count) && first >= 0
  if (!isCount || first + nexts.length > args.length)
    wrong(where, 'sequences and states of a loop', 'among its arguments', count)
  const { outputs = [] } = record(data.step, where, 'a step')
  const outside = args.slice(first + nexts.length)
  const infos = list(outputs, where, 'outputs').map((_, output) => {
    const state = nexts.indexOf(output)
    return state < 0 ? null : args[first + state]!
  })
  // scan() passes states in the order of the outputs that are their next values.
  const order = nexts.map((_, state) => state)
  order.sort((a, b) => Number(nexts[a]) - Number(nexts[b]))
  const { goBackwards, lastSteps } = record(loop, where, 'loop') as Partial<LoopOptions>
  const made = scan(
    (...inner) => {
      const states = order.map((_, state) => inner[first + order.indexOf(state)]!)
      const values = [...inner.slice(0, first), ...states, ...outside]
      return fromNodes(data.step, where, values, budget)
    },
    {
      sequences: args.slice(0, first),
      outputsInfo: infos,
      name: typeof name === 'string' ? name : 'scan',
      truncateGradient: lastSteps ?? null,
      goBackwards: goBackwards === true,
      ...(first === 0 ? { nSteps: length as number } : {}),
    },
  )
  const [one] = made as readonly Expr[]
  return one instanceof ScanOutput
    ? one.scan
    : wrong(where, 'a loop', 'one with an output', 'one without')
}

const entry = (all: readonly Expr[], index: unknown): Expr | undefined =>
  Number.isSafeInteger(index) ? all[index as number] : undefined

function record(value: unknown, where: string, what: string): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : wrong(where, what, 'an object', value)
}

function list(value: unknown, where: string, what: string): unknown[] {
  return Array.isArray(value) ? value : wrong(where, what, 'a list', value)
}

function wrong(where: string, what: string, expected: string, value: unknown): never {
  const actual = typeof value === 'string' ? `'${value.slice(0, 40)}'` : describe(value)
  return fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual })
}
