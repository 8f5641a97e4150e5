/** Penalties and constraints that are functions: from expressions to ops of a model's graph. */
import { type Expr, make, Placeholder } from '../expressions/expr.js'
import { inMemoryOrder, memoryOf } from '../expressions/lowering/layout.js'
import { type ProgramNode, programOf } from '../expressions/lowering/program.js'
import { Simplifier } from '../expressions/lowering/simplify.js'
import { dimsOf } from '../layers/base/expression-ops.js'
import {
  outputPenalty,
  paramConstraint,
  parameter,
  paramPenalty,
} from '../layers/base/written-penalty.js'
import type { Graph, OpRest, Option, ParamUse, Spec, Value } from '../spec.js'

/** Adds the ops; they come last, so that the streams of random numbers of others stay. */
export function addWritten(graph: Graph): Pick<Spec, 'penalties' | 'updates'> {
  const penalties: string[] = []
  const updates: { param: string; value: string }[] = []
  for (const { param, use } of graph.written) {
    const functions = use.functions!
    const w = parameter(use.name, param.dims)
    const { penalty, constraint } = functions
    const ofParam = (value: Expr, kind: string, after: 'outputs' | 'update') =>
      addProgram(graph, value, { expr: w, use }, { layer: `${param.path}/${kind}`, after })
    if (penalty) penalties.push(ofParam(paramPenalty(penalty, w, functions), 'penalty', 'outputs'))
    if (!constraint || !param.trainable) continue
    const value = ofParam(paramConstraint(constraint, w, functions), 'constraint', 'update')
    updates.push({ param: param.path, value })
  }
  for (const { value, penalty, where } of graph.activities) {
    const y = new Placeholder(dimsOf([null, ...value.shape]), 'y')
    const memory = memoryOf(y)
    const [sum] = inMemoryOrder([outputPenalty(penalty, y, where)], new Map([[y, memory]]))
    // A batch of one number.
    const one = make('reshape', [sum!], { dims: [1] })
    const op = { layer: `${value.name}/penalty`, after: 'outputs' } as const
    penalties.push(addProgram(graph, one, { expr: memory, value }, op))
  }
  return {
    ...(penalties.length > 0 ? { penalties } : {}),
    ...(updates.length > 0 ? { updates } : {}),
  }
}

/**
 * One op that runs a program of a parameter or of a value.
 *
 * @returns the name of its value
 */
function addProgram(
  graph: Graph,
  root: Expr,
  of: { expr: Expr; use?: ParamUse; value?: Value },
  rest: Pick<OpRest, 'layer' | 'after'>,
): string {
  const params: ParamUse[] = []
  const { nodes, outputs } = programOf(
    new Simplifier().all([root]),
    (expr): ProgramNode | undefined => {
      if (expr !== of.expr) return undefined
      if (!of.use) return { op: 'input', index: 0 }
      // Whether it is trained has been decided by where its layer is.
      params.push({ ...of.use, called: 'p0', trainable: false })
      return { op: 'param', name: 'p0', dims: of.use.dims }
    },
  )
  // An op has an input, read or not.
  const [first] = graph.inputs
  const read = of.value ?? { name: first!.name, shape: first!.dims, mask: null }
  const { name } = graph.op('expression', [read], [], {
    ...rest,
    className: 'expression',
    options: { nodes: nodes as unknown as Option, outputs, whole: of.use !== undefined },
    params,
  })
  return name
}
