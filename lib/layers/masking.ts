import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** Options of {@link Masking}. */
export interface MaskingOptions extends LayerOptions {
  /** A step all of whose features equal this is masked, and becomes 0. Default 0. */
  maskValue?: number
}

/**
 * Masks padded steps: [B, T, D] → the same with a mask. Recurrent layers skip masked steps.
 * @throws ConfigError `ERR_OPTION` for bad options
 * @example
 * const model = new Sequential([new Masking({ maskValue: -1, inputShape: [7, 3] }), new LSTM(5)])
 * @see keras.layers.Masking
 */
export class Masking extends Layer<MaskingOptions> {
  static override readonly className = 'Masking'
  static override readonly defaults = { ...Layer.defaults, maskValue: 0 }
  override readonly supportsMasking = true
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(options?: MaskingOptions) {
    super([], options)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  /** @internal */
  override get padding(): number {
    return this.options.maskValue
  }

  /** @internal */
  override computeMask(_masked: boolean): boolean {
    return true
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    return stepped
  }

  protected emit(graph: Graph, x: Value): Value {
    const { maskValue } = this.options
    return graph.op('masking', [x], x.shape, {
      ...this.opName(),
      options: { maskValue },
      mask: 'make',
    })
  }
}
