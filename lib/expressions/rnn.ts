/** Keras 1's `K.rnn`: a loop over the second axis of batch-major values. */
import { expandDims, last, permuteDimensions, zerosLike } from './arranging.js'
import { where } from './elementwise.js'
import type { Expr } from './expr.js'
import { scan } from './scan.js'

/** Options of {@link rnn}. */
export interface RnnOptions {
  /** From the last step to the first. Default `false`. */
  goBackwards?: boolean
  /** Where it is 0, output and states stay what they were; of shape [B, T]. Default: none. */
  mask?: Expr | null
  /** What the step function reads at every step, behind the states. Default: none. */
  constants?: readonly Expr[]
}

/** A step: what it reads and the states before it → its output and the states after it. */
export type RnnStep = (x: Expr, states: readonly Expr[]) => readonly [Expr, readonly Expr[]]

const timeFirst = (x: Expr): Expr =>
  permuteDimensions(x, [1, 0, ...x.shape.slice(2).map((_, k) => k + 2)])

/**
 * A loop over the steps of batch-major values.
 *
 * @param inputs [B, T, …]
 * @param initialStates [B, …] each; the output of the step has the shape of the first of them
 * @returns the last output, all outputs [B, T, …], and the last states
 * @see keras.backend.rnn
 */
export function rnn(
  step: RnnStep,
  inputs: Expr,
  initialStates: readonly Expr[],
  { goBackwards = false, mask = null, constants = [] }: RnnOptions = {},
): [last: Expr, outputs: Expr, states: Expr[]] {
  const count = initialStates.length
  const masks = mask === null ? [] : [expandDims(timeFirst(mask))]
  // Where a step is masked its output is that of the step before; of the first step, zeros.
  const before = mask === null ? null : initialStates[0] ? zerosLike(initialStates[0]) : null
  const values = scan(
    (x, ...rest) => {
      const m = mask === null ? undefined : rest.shift()!
      const old = before === null ? undefined : rest.shift()!
      const [output, states] = step(x, [...rest, ...constants])
      if (m === undefined) return [output, ...states]
      const kept = states.map((state, i) => where(m, state, rest[i]!))
      return [old === undefined ? output : where(m, output, old), ...kept]
    },
    {
      sequences: [timeFirst(inputs), ...masks],
      outputsInfo: [before, ...initialStates],
      goBackwards,
    },
  ) as readonly Expr[]
  const [outputs, ...states] = values
  return [last(outputs!), timeFirst(outputs!), states.slice(0, count).map(last)]
}
