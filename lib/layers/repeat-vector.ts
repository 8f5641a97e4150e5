import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/**
 * Repeats a vector: [B, D] → [B, n, D]. Takes no mask.
 * @param n how often
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than [B, D]
 * @example
 * const model = new Sequential([new LSTM(6, { inputShape: [5, 4] }), new RepeatVector(3)])
 * model.outputShape // [null, 3, 6]
 * @see keras.layers.RepeatVector
 */
export class RepeatVector extends Layer<LayerOptions & { n: number }> {
  static override readonly className = 'RepeatVector'
  static override readonly positional = ['n']
  protected override readonly inputLetters = ['B', 'D']

  constructor(n: number, options?: LayerOptions) {
    super([n], options)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, D = null] = inputShape
    return [batch, this.options.n, D]
  }

  protected emit(graph: Graph, x: Value): Value {
    const { n } = this.options
    return graph.op('repeat_vector', [x], [n, ...x.shape], { ...this.opName(), options: { n } })
  }
}
