/**
 * Activations of Keras 3 that have no counterpart among ours, or another meaning under the same
 * name. Keras 3.15 keras/src/backend/tensorflow/nn.py, keras/src/activations/activations.py.
 */
import type { ActivationFunction } from '../../activations.js'
import { logSoftmax, relu, softplus, tanh } from '../../expressions/activations.js'
import { abs, clip, exp, pow, sign, square } from '../../expressions/elementwise.js'
import type { Expr } from '../../expressions/expr.js'

/** Slope 1/6, where that of Keras 1 and 2 is 0.2. */
const hardSigmoid: ActivationFunction = (x) => clip(x.div(6).add(0.5), 0, 1)

/** The error function within 1.5e-7: Abramowitz and Stegun 7.1.26. */
function erf(x: Expr): Expr {
  const t = pow(abs(x).mul(0.3275911).add(1), -1)
  const terms = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592]
  const [first, ...rest] = terms as [number, ...number[]]
  const sum = rest.reduce<Expr>((all, term) => all.mul(t).add(term), t.mul(0).add(first))
  return sign(x).mul(
    sum
      .mul(t)
      .mul(exp(square(x).mul(-1)))
      .mul(-1)
      .add(1),
  )
}

const hardSilu: ActivationFunction = (x) => x.mul(hardSigmoid(x))

export const ACTIVATIONS: Readonly<Record<string, ActivationFunction>> = {
  gelu: (x) => x.mul(0.5).mul(erf(x.mul(Math.SQRT1_2)).add(1)),
  hard_sigmoid: hardSigmoid,
  hard_silu: hardSilu,
  hard_swish: hardSilu,
  hard_tanh: (x) => clip(x, -1, 1),
  leaky_relu: (x) => relu(x, 0.2),
  log_sigmoid: (x) => softplus(x.mul(-1)).mul(-1),
  log_softmax: (x) => logSoftmax(x),
  mish: (x) => x.mul(tanh(softplus(x))),
  relu6: (x) => relu(x, 0, 6),
  tanh_shrink: (x) => x.sub(tanh(x)),
}
