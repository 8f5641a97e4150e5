/**
 * A model as a session runs it: one Spec of what fixed inputs alone make, which runs once, and one
 * of the steps, from states to states.
 */
import type { Container } from '../layers/base/container.js'
import { Steps, type StepState } from '../layers/base/steps.js'
import type { Variable } from '../layers/base/variable.js'
import { Graph, type OpSpec, type PredictionSpec, type Shape, type Spec } from '../spec.js'
import { checkModelNames, checkNativeNames } from './lowering.js'
import { PlanBeside } from './plan-beside.js'

/** What an input of a model is to a session. */
export type StepInput =
  /** A sequence that it goes through: [B, T, …]. */
  | 'sequence'
  /** An array that each step gets as a whole. */
  | 'whole'
  /** An array that stays the same from the first step on. */
  | 'fixed'

/** A model as a session runs it. */
export interface SteppedModel {
  /** Whether the layers are still those of the model. */
  isCurrent: boolean
  readonly inputs: readonly StepInput[]
  /** Of each output, whether it is a sequence, [B, T, …]. */
  readonly outputs: readonly boolean[]
  /** Makes of the fixed inputs what steps read; null: steps read none, or those themselves. */
  readonly once: PlanBeside | null
  /** What stays the same from step to step: an output of `once`, or a fixed input of the model. */
  readonly kept: readonly ({ readonly made: number } | { readonly input: number })[]
  /** Inputs: those of the model that are not fixed, `kept`, states. Outputs, then states. */
  readonly step: PlanBeside
  readonly states: readonly StepState[]
}

/**
 * @throws ConfigError ERR_OPTION for a layer that cannot go step by step, and for names used twice
 */
export function lowerSteps(model: Container, inputs: readonly StepInput[]): SteppedModel {
  checkModelNames(model)
  const sequences = inputs.map((input) => input === 'sequence')
  const outputs = model.stepsAt(sequences)
  const steps = new Steps()
  const graph = new Graph(steps)
  const given = model.inputShapes.map((shape, i) =>
    sequences[i] ? steps.add(graph.input([null, ...shape.slice(2)])) : graph.input(shape.slice(1)),
  )
  const values = model.lowerAlone(graph, given)
  checkNativeNames(graph)
  const names = graph.inputs.slice(0, inputs.length).map(({ name }) => name)
  const fixed = names.filter((_, i) => inputs[i] === 'fixed')
  const asked = values.map(({ name }) => name)
  const { once, each, read } = divided(graph.ops, fixed, asked)
  const part = (ops: readonly OpSpec[], given: readonly string[], gives: readonly string[]) =>
    new PlanBeside(
      specOf(graph, ops, {
        floatx: model.floatx,
        inputs: given.map((name) => ({ name, dims: graph.shapes.get(name)! })),
        predictions: gives.map(prediction),
      }),
      new Map([...graph.variables].map(([{ path }, variable]) => [path, variable as Variable])),
    )
  const keptNames = [...fixed, ...once.flatMap((op) => op.outputs)].filter((name) => read.has(name))
  const madeNames = keptNames.filter((name) => !fixed.includes(name))
  const { states } = steps
  const eachStep = names.filter((_, i) => inputs[i] !== 'fixed')
  return {
    isCurrent: true,
    inputs,
    outputs,
    states,
    once: madeNames.length > 0 ? part(once, fixed, madeNames) : null,
    kept: keptNames.map((name) =>
      fixed.includes(name) ? { input: names.indexOf(name) } : { made: madeNames.indexOf(name) },
    ),
    step: part(
      each,
      [...eachStep, ...keptNames, ...states.map(({ before }) => before)],
      [...asked, ...states.map(({ after }) => after)],
    ),
  }
}

/**
 * The ops that run once and those of a step; `read` are the values of the first that the others
 * read, or that are asked for. An op that makes a mask which a step reads is among both: masks do
 * not go from plan to plan.
 */
function divided(
  ops: readonly OpSpec[],
  fixed: readonly string[],
  asked: readonly string[],
): { once: OpSpec[]; each: OpSpec[]; read: Set<string> } {
  const stays = new Set(fixed)
  const once: OpSpec[] = []
  for (const op of ops) {
    if (!op.inputs.every((name) => stays.has(name))) continue
    once.push(op)
    for (const name of op.outputs) stays.add(name)
  }
  const each = new Set(ops.filter((op) => !once.includes(op)))
  for (const op of [...ops].reverse()) {
    const isRead = [...each].some(({ mask }) => mask !== null && mask === op.maskOut)
    if (isRead) each.add(op)
  }
  const inOrder = ops.filter((op) => each.has(op))
  const made = new Set(inOrder.flatMap((op) => op.outputs))
  const read = [...inOrder.flatMap((op) => op.inputs), ...asked].filter((name) => stays.has(name))
  return { once, each: inOrder, read: new Set(read.filter((name) => !made.has(name))) }
}

const prediction = (value: string): PredictionSpec => ({
  value,
  mask: null,
  loss: null,
  weight: 1,
  metrics: [],
  temporal: false,
})

function specOf(
  graph: Graph,
  ops: readonly OpSpec[],
  rest: Pick<Spec, 'floatx' | 'predictions'> & { inputs: { name: string; dims: Shape }[] },
): Spec {
  const used = new Set(ops.flatMap((op) => op.params.map(({ param }) => param)))
  const params = graph.params.filter(({ path }) => used.has(path))
  // The device is that of the plan whose weights it reads.
  return { device: 'cpu', ...rest, ops: [...ops], params, optimizer: null }
}
