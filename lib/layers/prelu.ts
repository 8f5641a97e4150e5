import type { Init } from '../initializations.js'
import type { TensorLike } from '../ndarray.js'
import { LearnedActivation, type LearnedActivationOptions } from './base/advanced-activation.js'

/** Options of {@link PReLU}. */
export interface PReLUOptions extends LearnedActivationOptions {
  /** Initial alphas. Default `'zero'`. */
  init?: Init
  /** Initial value `[alphas]`. */
  weights?: readonly TensorLike[] | null
}

/**
 * `x` above 0, `alphas·x` elsewhere, with a learned slope for every element of a sample.
 *
 * Any shape → the same. Passes masks on. Weights: alphas, the shape of one sample, 1 along
 * `sharedAxes`; until the model is compiled or used, weights with extents of 1 make axes shared
 * (Keras' files do not tell in another way).
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   an unknown extent that is not shared
 * @example
 * const model = new Sequential([
 *   new GRU(4, { inputShape: [5, 3], returnSequences: true }),
 *   new PReLU({ sharedAxes: [1] }),
 * ])
 * model.layers[1].getWeights()[0].shape // [1, 4]
 * @see keras.layers.advanced_activations.PReLU
 */
export class PReLU extends LearnedActivation<PReLUOptions> {
  static override readonly className = 'PReLU'
  static override readonly defaults = { ...LearnedActivation.defaults, init: 'zero', weights: null }
  protected readonly kind = 'prelu'

  constructor(options?: PReLUOptions) {
    super(options)
  }

  protected parameters() {
    return [['alphas', this.options.init]] as const
  }
}
