/** Losses and metrics: from an expression of targets and outputs to a program. */
import type { ProgramSpec } from '../../spec.js'
import type { Expr, Placeholder } from '../expr.js'
import { inMemoryOrder, memoryOf } from './layout.js'
import { programOf } from './program.js'
import { Simplifier } from './simplify.js'

/** The program of a loss or a metric: of what it is given, as users see it, [B, …]. */
export function objectiveProgram(inputs: readonly Placeholder[], value: Expr): ProgramSpec {
  const given = inputs.map(memoryOf)
  const memory = inMemoryOrder([value], new Map(inputs.map((each, i) => [each, given[i]!])))
  const { nodes, outputs } = programOf(new Simplifier().all(memory), (expr) => {
    const index = given.indexOf(expr as Placeholder)
    return index < 0 ? undefined : { op: 'input', index }
  })
  return { nodes, output: outputs[0]! }
}
