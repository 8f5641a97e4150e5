import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** Options of {@link ActivityRegularization}. */
export interface ActivityRegularizationOptions extends LayerOptions {
  /** Factor of the sum of absolute values. Default 0. */
  l1?: number
  /** Factor of the sum of squares. Default 0. */
  l2?: number
}

/**
 * Hands its input on and adds `l1·Σ|x| + l2·Σx²`, summed over the whole batch, to the loss.
 * Passes masks on.
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * const model = new Sequential([
 *   new GRU(4, { inputShape: [3, 2] }),
 *   new ActivityRegularization({ l2: 0.01 }),
 * ])
 * @see keras.layers.ActivityRegularization
 */
export class ActivityRegularization extends Layer<ActivityRegularizationOptions> {
  static override readonly className = 'ActivityRegularization'
  static override readonly defaults = { ...Layer.defaults, l1: 0, l2: 0 }
  override readonly supportsMasking = true

  constructor(options?: ActivityRegularizationOptions) {
    super([], options)
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
    const { l1, l2 } = this.options
    return graph.op('activation', [x], x.shape, {
      ...this.opName(),
      options: { activation: 'linear' },
      activity: { l1, l2 },
      mask: 'pass',
    })
  }
}
