import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/**
 * In training, multiplies by normal noise of mean 1 and standard deviation √(p / (1 - p)); else
 * hands its input on. Any shape → the same. Passes masks on.
 * Only 0 < p < 1 does anything, as in Keras.
 * @param p from 0 to 1
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * const model = new Sequential([new GaussianDropout(0.5, { inputShape: [20] }), new Dense(1)])
 * @see keras.layers.GaussianDropout
 */
export class GaussianDropout extends Layer<LayerOptions & { p: number }> {
  static override readonly className = 'GaussianDropout'
  static override readonly positional = ['p']
  override readonly supportsMasking = true

  constructor(p: number, options?: LayerOptions) {
    super([p], options)
  }

  /** @internal */
  override get perStep(): boolean {
    return true
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  protected emit(graph: Graph, x: Value): Value {
    const { p } = this.options
    const sigma = p < 1 ? Math.sqrt(p / (1 - p)) : 0
    return graph.op('noise', [x], x.shape, {
      ...this.opName(),
      options: { sigma, multiply: true },
      mask: 'pass',
    })
  }
}
