import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { WINDOW_MASK_HINT } from './base/windows.js'

/** Base of the layers that pool all steps. */
abstract class GlobalPooling1D extends Layer {
  protected override readonly inputLetters = ['B', 'T', 'D']
  protected abstract readonly mode: 'max' | 'ave'

  constructor(options?: LayerOptions) {
    super([], options)
  }

  protected override maskHint(): string {
    return WINDOW_MASK_HINT
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, inputShape[2] ?? null]
  }

  protected emit(graph: Graph, x: Value): Value {
    const D = x.shape[1] ?? null
    const options = { size: [0, 1], strides: [1, 1], border: 'valid', mode: this.mode }
    const pooled = graph.op('pooling', [x], [1, D], {
      ...this.opName(),
      layer: `${this.name}/steps`,
      options,
      reads: x.mask,
    })
    return graph.op('reshape', [pooled], [D], { ...this.opName(), options: { dims: [D] } })
  }
}

/**
 * The largest element of all steps: [B, T, D] → [B, D]. Takes no mask.
 * @throws ShapeError `ERR_SHAPE` for other than [B, T, D]
 * @example
 * const model = new Sequential([new GlobalMaxPooling1D({ inputShape: [10, 32] })])
 * model.outputShape // [null, 32]
 * @see keras.layers.GlobalMaxPooling1D
 */
export class GlobalMaxPooling1D extends GlobalPooling1D {
  static override readonly className = 'GlobalMaxPooling1D'
  protected readonly mode = 'max'
}

/**
 * The mean of all steps: [B, T, D] → [B, D]. Takes no mask.
 * @throws ShapeError `ERR_SHAPE` for other than [B, T, D]
 * @example
 * const model = new Sequential([new GlobalAveragePooling1D({ inputShape: [10, 32] })])
 * model.outputShape // [null, 32]
 * @see keras.layers.GlobalAveragePooling1D
 */
export class GlobalAveragePooling1D extends GlobalPooling1D {
  static override readonly className = 'GlobalAveragePooling1D'

  protected override get acceptedMask(): 'use' {
    return 'use'
  }

  protected readonly mode = 'ave'
}
