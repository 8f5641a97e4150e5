/** The activations of Keras by name; softmax works on the last axis. */
import { type ActivationName, activationName } from '../activations.js'
import { maximum, minimum, mul, neg, sub } from './elementwise.js'
import { type Expr, type Like, make } from './expr.js'

/** An activation by its name in Keras: `activation(x, 'hard_sigmoid')`. */
export const activation = (x: Like, name: ActivationName | null): Expr =>
  make('activation', [x], { name: activationName(name, 'activation') })

const named =
  (name: ActivationName) =>
  (x: Like): Expr =>
    make('activation', [x], { name })

/** The hyperbolic tangent. */
export const tanh = named('tanh')
/** 1 / (1 + e^-x) */
export const sigmoid = named('sigmoid')
/** clip(0.2·x + 0.5, 0, 1) */
export const hardSigmoid = named('hard_sigmoid')
/** log(1 + e^x) */
export const softplus = named('softplus')
/** x / (1 + |x|) */
export const softsign = named('softsign')
/** The scaled exponential linear unit. */
export const selu = named('selu')
/** x · sigmoid(x) */
export const swish = named('swish')
/** x */
export const linear = named('linear')
/** e^x over the sum of e^x along the last axis. */
export const softmax = named('softmax')
/** The logarithm of {@link softmax}, without its rounding. */
export const logSoftmax = (x: Like): Expr => make('log_softmax', [x])

/** x where x > 0, else alpha·(e^x - 1). @param alpha default 1 */
export function elu(x: Like, alpha = 1): Expr {
  const y = make('activation', [x], { name: 'elu' })
  return alpha === 1 ? y : maximum(y, 0).add(mul(alpha, minimum(y, 0)))
}

/**
 * max(x, 0).
 *
 * @param alpha slope below 0, default 0
 * @param maxValue where it stops, default nowhere
 */
export function relu(x: Like, alpha = 0, maxValue: number | null = null): Expr {
  const y = make('activation', [x], { name: 'relu' })
  const top = maxValue === null ? y : minimum(y, maxValue)
  return alpha === 0 ? top : sub(top, mul(alpha, make('activation', [neg(x)], { name: 'relu' })))
}
