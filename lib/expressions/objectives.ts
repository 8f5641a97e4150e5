/**
 * Keras 1.2.2's objectives as expressions: one number a row. The formulas are those of native code.
 */
import { epsilon } from '../backend.js'
import {
  type LossFunction,
  type Objective,
  type ObjectiveName,
  objectiveName,
} from '../objectives.js'
import { abs, clip, div, log, maximum, mul, neg, square, sub } from './elementwise.js'
import { softmax, sigmoid } from './activations.js'
import { oneHot, reshape } from './arranging.js'
import { type Expr, type Like, lift } from './expr.js'
import { l2Normalize, mean, sum } from './reductions.js'

export type { LossFunction }

const logs = (x: Like) => log(maximum(x, epsilon).add(1))
const within = (x: Like) => clip(x, epsilon, 1 - epsilon)

const likelihood: LossFunction = (y, p) =>
  neg(sum(mul(y, log(within(div(p, sum(p, -1, true))))), -1))

const sparse: LossFunction = (y, p) => {
  const isColumn = y.ndim === p.ndim && y.shape.at(-1) === 1
  const index = isColumn ? reshape(y, y.shape.slice(0, -1)) : y
  return likelihood(oneHot(index, p.shape.at(-1) as number), p)
}

const binary: LossFunction = (y, p) => {
  const q = within(p)
  return neg(mean(mul(y, log(q)).add(mul(sub(1, y), log(sub(1, q)))), -1))
}

const margin = (y: Like, p: Like) => maximum(sub(1, mul(y, p)), 0)

/** Each objective by Keras' name. */
export const objectives: Readonly<Record<Objective, LossFunction>> = {
  mean_squared_error: (y, p) => mean(square(sub(p, y)), -1),
  mean_absolute_error: (y, p) => mean(abs(sub(p, y)), -1),
  mean_absolute_percentage_error: (y, p) =>
    mul(100, mean(abs(div(sub(y, p), maximum(abs(y), epsilon))), -1)),
  mean_squared_logarithmic_error: (y, p) => mean(square(sub(logs(p), logs(y))), -1),
  squared_hinge: (y, p) => mean(square(margin(y, p)), -1),
  hinge: (y, p) => mean(margin(y, p), -1),
  categorical_crossentropy: likelihood,
  sparse_categorical_crossentropy: sparse,
  binary_crossentropy: binary,
  kullback_leibler_divergence: (y, p) => {
    const [u, q] = [clip(y, epsilon, 1), clip(p, epsilon, 1)]
    return sum(mul(u, log(div(u, q))), -1)
  },
  poisson: (y, p) => mean(sub(p, mul(y, log(p.add(epsilon)))), -1),
  cosine_proximity: (y, p) => neg(mean(mul(l2Normalize(y), l2Normalize(p)), -1)),
}

/** An objective by its name in Keras: `objective('mse')(y, p)`. */
export const objective = (name: ObjectiveName): LossFunction =>
  objectives[objectiveName(name, 'objective')]

/** Keras 1.2.2's `K.categorical_crossentropy`: [B, K], [B, K] → [B]. The output comes first. */
export const categoricalCrossentropy = (output: Expr, target: Expr, fromLogits = false): Expr =>
  likelihood(lift(target), fromLogits ? softmax(output) : output)

/** The same with indices as targets: [B, K], [B] or [B, 1] → [B]. */
export const sparseCategoricalCrossentropy = (
  output: Expr,
  target: Expr,
  fromLogits = false,
): Expr => sparse(lift(target), fromLogits ? softmax(output) : output)

/** Keras 1.2.2's `K.binary_crossentropy`, number by number. The output comes first. */
export function binaryCrossentropy(output: Expr, target: Expr, fromLogits = false): Expr {
  const q = within(fromLogits ? sigmoid(output) : output)
  return neg(mul(target, log(q)).add(mul(sub(1, target), log(sub(1, q)))))
}
