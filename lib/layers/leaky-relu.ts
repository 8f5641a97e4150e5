import { AdvancedActivation } from './base/advanced-activation.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** Options of {@link LeakyReLU}. */
export interface LeakyReLUOptions extends LayerOptions {
  /** Slope for x below 0. Default 0.3. */
  alpha?: number
}

/**
 * `x` above 0, `alpha·x` elsewhere. Any shape → the same. Passes masks on.
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * const model = new Sequential([new Dense(4, { inputDim: 3 }), new LeakyReLU({ alpha: 0.1 })])
 * @see keras.layers.advanced_activations.LeakyReLU
 */
export class LeakyReLU extends AdvancedActivation<LeakyReLUOptions> {
  static override readonly className = 'LeakyReLU'
  static override readonly defaults = { ...Layer.defaults, alpha: 0.3 }
  protected readonly kind = 'leaky_relu'

  constructor(options?: LeakyReLUOptions) {
    super([], options)
  }

  /** @internal */
  override get perStep(): boolean {
    return true
  }

  protected override get constant(): number {
    return this.options.alpha
  }
}
