import { AdvancedActivation } from './base/advanced-activation.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** Options of {@link ThresholdedReLU}. */
export interface ThresholdedReLUOptions extends LayerOptions {
  /** x up to this becomes 0. Default 1. */
  theta?: number
}

/**
 * `x` above `theta`, 0 elsewhere. Any shape → the same. Passes masks on.
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * const model = new Sequential([
 *   new Dense(4, { inputDim: 3 }),
 *   new ThresholdedReLU({ theta: 0.5 }),
 * ])
 * @see keras.layers.advanced_activations.ThresholdedReLU
 */
export class ThresholdedReLU extends AdvancedActivation<ThresholdedReLUOptions> {
  static override readonly className = 'ThresholdedReLU'
  static override readonly defaults = { ...Layer.defaults, theta: 1 }
  protected readonly kind = 'thresholded_relu'

  constructor(options?: ThresholdedReLUOptions) {
    super([], options)
  }

  /** @internal */
  override get perStep(): boolean {
    return true
  }

  protected override get constant(): number {
    return this.options.theta
  }

  /** Keras keeps it as a float32. */
  protected override savedOptions(): Record<string, unknown> {
    return { ...super.savedOptions(), theta: Math.fround(this.options.theta) }
  }
}
