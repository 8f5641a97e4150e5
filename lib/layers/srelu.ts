import type { Init } from '../initializations.js'
import { LearnedActivation, type LearnedActivationOptions } from './base/advanced-activation.js'

/** Options of {@link SReLU}. */
export interface SReLUOptions extends LearnedActivationOptions {
  /** Initial left threshold. Default `'zero'`. */
  tLeftInit?: Init
  /** Initial slope left of it. Default `'glorot_uniform'`. */
  aLeftInit?: Init
  /** Initial distance of the right threshold from the left one. Default `'glorot_uniform'`. */
  tRightInit?: Init
  /** Initial slope right of that. Default `'one'`. */
  aRightInit?: Init
}

/**
 * S-shaped: `t_left + a_left·(x - t_left)` left of `t_left`, `r + a_right·(x - r)` right of `r =
 * t_left + |t_right|`, `x` between, with learned numbers for every element of a sample.
 *
 * Any shape → the same. Passes masks on. Weights:
 * t_left, a_left, t_right, a_right, as those of {@link PReLU}.
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   an unknown extent that is not shared
 * @example
 * const model = new Sequential([new Dense(4, { inputDim: 3 }), new SReLU()])
 * @see keras.layers.advanced_activations.SReLU
 */
export class SReLU extends LearnedActivation<SReLUOptions> {
  static override readonly className = 'SReLU'
  static override readonly defaults = {
    ...LearnedActivation.defaults,
    tLeftInit: 'zero',
    aLeftInit: 'glorot_uniform',
    tRightInit: 'glorot_uniform',
    aRightInit: 'one',
  }
  protected readonly kind = 'srelu'

  constructor(options?: SReLUOptions) {
    super(options)
  }

  protected parameters() {
    const { tLeftInit, aLeftInit, tRightInit, aRightInit } = this.options
    return [
      ['t_left', tLeftInit],
      ['a_left', aLeftInit],
      ['t_right', tRightInit],
      ['a_right', aRightInit],
    ] as const
  }
}
