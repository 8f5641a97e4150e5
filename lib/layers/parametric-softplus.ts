import type { Initializer } from '../initializations.js'
import { sizeOf, type TensorLike } from '../ndarray.js'
import { LearnedActivation, type LearnedActivationOptions } from './base/advanced-activation.js'

/** Options of {@link ParametricSoftplus}. */
export interface ParametricSoftplusOptions extends LearnedActivationOptions {
  /** Initial value of every alpha. Default 0.2. */
  alphaInit?: number
  /** Initial value of every beta. Default 5. */
  betaInit?: number
  /** Initial values `[alphas, betas]`. */
  weights?: readonly TensorLike[] | null
}

const all =
  (value: number): Initializer =>
  (shape) =>
    new Float64Array(sizeOf(shape)).fill(value)

/**
 * `alphas·log(1 + e^(betas·x))`, with learned numbers for every element of a sample.
 *
 * Any shape → the same. Passes masks on. Weights: alphas, betas, as those of {@link PReLU}.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for an unknown extent
 *   that is not shared
 * @example
 * const model = new Sequential([new Dense(4, { inputDim: 3 }), new ParametricSoftplus()])
 * @see keras.layers.advanced_activations.ParametricSoftplus
 */
export class ParametricSoftplus extends LearnedActivation<ParametricSoftplusOptions> {
  static override readonly className = 'ParametricSoftplus'
  static override readonly defaults = {
    ...LearnedActivation.defaults,
    alphaInit: 0.2,
    betaInit: 5,
    weights: null,
  }
  protected readonly kind = 'parametric_softplus'

  constructor(options?: ParametricSoftplusOptions) {
    super(options)
  }

  protected parameters() {
    const { alphaInit, betaInit } = this.options
    return [
      ['alphas', all(alphaInit)],
      ['betas', all(betaInit)],
    ] as const
  }

  /** Keras keeps them as float32. */
  protected override savedOptions(): Record<string, unknown> {
    const { alphaInit, betaInit } = this.options
    return {
      ...super.savedOptions(),
      alphaInit: Math.fround(alphaInit),
      betaInit: Math.fround(betaInit),
    }
  }
}
