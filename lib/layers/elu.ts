import { AdvancedActivation } from './base/advanced-activation.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** Options of {@link ELU}. */
export interface ELUOptions extends LayerOptions {
  /** Scale for x below 0. Default 1. */
  alpha?: number
}

/**
 * `x` above 0, `alpha·(eˣ - 1)` elsewhere. Any shape → the same. Passes masks on.
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * const model = new Sequential([new Dense(4, { inputDim: 3 }), new ELU({ alpha: 0.5 })])
 * @see keras.layers.advanced_activations.ELU
 */
export class ELU extends AdvancedActivation<ELUOptions> {
  static override readonly className = 'ELU'
  static override readonly defaults = { ...Layer.defaults, alpha: 1 }
  protected readonly kind = 'elu'

  constructor(options?: ELUOptions) {
    super([], options)
  }

  /** @internal */
  override get perStep(): boolean {
    return true
  }

  protected override get constant(): number {
    return this.options.alpha
  }

  /** Keras keeps it as a float32. */
  protected override savedOptions(): Record<string, unknown> {
    return { ...super.savedOptions(), alpha: Math.fround(this.options.alpha) }
  }
}
