import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/**
 * In training, adds normal noise of mean 0; else hands its input on. Any shape → the same. Passes
 * masks on. The numbers are the same for any number of threads, and those of the model's seed.
 * @param sigma standard deviation, from 0
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * const model = new Sequential([new GaussianNoise(0.1, { inputShape: [20] }), new Dense(1)])
 * @see keras.layers.GaussianNoise
 */
export class GaussianNoise extends Layer<LayerOptions & { sigma: number }> {
  static override readonly className = 'GaussianNoise'
  static override readonly positional = ['sigma']
  override readonly supportsMasking = true

  constructor(sigma: number, options?: LayerOptions) {
    super([sigma], options)
    if (
      typeof this.options.sigma === 'number' &&
      this.options.sigma >= 0 &&
      this.options.sigma < Infinity
    )
      return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what: this.spelled('sigma'),
      expected: 'a finite number from 0',
      actual: describe(this.options.sigma),
    })
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
    const { sigma } = this.options
    return graph.op('noise', [x], x.shape, { ...this.opName(), options: { sigma }, mask: 'pass' })
  }
}
