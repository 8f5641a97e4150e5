import { sizeOf } from '../ndarray.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/**
 * Flattens all axes but the batch: [B, …] → [B, product]. Takes no mask.
 * @throws ShapeError `ERR_SHAPE` when an extent is not known
 * @example
 * const model = new Sequential([new Flatten({ inputShape: [4, 5] })])
 * model.outputShape // [null, 20]
 * @see keras.layers.Flatten
 */
export class Flatten extends Layer {
  static override readonly className = 'Flatten'
  protected override readonly inputLetters = ['B', '…', 'D']

  constructor(options?: LayerOptions) {
    super([], options)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return [
      inputShape[0] ?? null,
      sizeOf(inputShape.slice(1).map((_, i) => this.known(inputShape, i + 1, 'every extent'))),
    ]
  }

  protected emit(graph: Graph, x: Value): Value {
    const dims = this.computeOutputShape([null, ...x.shape]).slice(1)
    return graph.op('reshape', [x], dims, { ...this.opName(), options: { dims } })
  }
}
