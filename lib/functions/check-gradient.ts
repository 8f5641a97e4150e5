/** Gradients against differences of the cost. */
import { keptIn } from '../backend.js'
import type { Expr } from '../expressions/expr.js'
import { grad } from '../expressions/gradient.js'
import { refuse } from '../expressions/place.js'
import type { SharedVariable } from '../expressions/variables.js'
import type { TensorLike } from '../ndarray.js'
import { fn } from './fn.js'

/** Where a gradient is farthest from the difference of the cost. */
export interface GradientCheck {
  /** |gradient - difference| over the larger of the two, or over 1e-4 where both are small. */
  readonly error: number
  /** The variable, and which of its numbers. */
  readonly variable: string
  readonly index: number
  readonly gradient: number
  readonly difference: number
}

/**
 * Compares the gradients of a cost with central differences, number by number. Of float64 alone,
 * where an error above 1e-6 tells of something wrong: a kink (relu at 0), or a fault.
 *
 * @param cost one number
 * @param params what is moved; they have their values again when it ends
 * @param inputs placeholders that the cost reads
 * @param data a value for each of them
 * @param step how far a number is moved, default 1e-5
 * @throws ConfigError ERR_OPTION for variables that are not float64, and as {@link fn}
 * @example
 * import { checkGradient, mean, placeholder, shared, tanh } from 'hiddenstate/backend'
 * import { setFloatx } from 'hiddenstate'
 * setFloatx('float64')
 * const x = placeholder(['N', 2], 'x')
 * const W = shared([[0.1, 0.2], [0.3, 0.4]], 'W')
 * const { error } = await checkGradient(mean(tanh(x.dot(W))), [W], [x], [[[1, 2], [3, 4]]])
 * console.log(error < 1e-6) // true
 * setFloatx('float32')
 */
export async function checkGradient(
  cost: Expr,
  params: readonly SharedVariable[],
  inputs: readonly Expr[] = [],
  data: readonly TensorLike[] = [],
  step = 1e-5,
): Promise<GradientCheck> {
  for (const param of params)
    if (keptIn(param.floatx) !== 'float64')
      refuse({
        where: 'checkGradient',
        what: param.label,
        expected: 'in float64',
        actual: param.floatx,
        hint: "Call setFloatx('float64') before you make it.",
      })
  using value = fn(inputs, cost, { name: 'checkGradient', training: false })
  using slope = fn(inputs, grad(cost, params), { name: 'checkGradient', training: false })
  const gradients = await slope.run(data)
  let worst: GradientCheck = { error: 0, variable: '', index: 0, gradient: 0, difference: 0 }
  for (const [i, param] of params.entries()) {
    const before = param.getValue()
    const moved = async (index: number, by: number): Promise<number> => {
      const numbers = Float64Array.from(before.data)
      numbers[index]! += by
      param.setValue({ data: numbers, shape: before.shape })
      return (await value.run(data)).data[0]!
    }
    try {
      for (let index = 0; index < before.size; index++) {
        const [high, low] = [await moved(index, step), await moved(index, -step)]
        const difference = (high - low) / (2 * step)
        const gradient = gradients[i]!.data[index]!
        const size = Math.max(Math.abs(gradient), Math.abs(difference), 1e-4)
        const error = Math.abs(gradient - difference) / size
        if (!(error <= worst.error))
          worst = { error, variable: param.name ?? 'shared', index, gradient, difference }
      }
    } finally {
      param.setValue(before)
    }
  }
  return worst
}
