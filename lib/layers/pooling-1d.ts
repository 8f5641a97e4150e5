import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { type BorderMode, checkBorder, WINDOW_MASK_HINT, windowLength } from './base/windows.js'

/** Options of {@link MaxPooling1D} and {@link AveragePooling1D}. */
export interface Pooling1DOptions extends LayerOptions {
  /** Steps under the window. Default 2. */
  poolLength?: number
  /** Steps from one window to the next. Default `null`: `poolLength`. */
  stride?: number | null
  /**
   * Default `'valid'`. `'same'` pads as Keras on Theano does: on both sides, and the first windows
   * are kept; `'same_tf'` as TensorFlow does.
   */
  borderMode?: Exclude<BorderMode, 'full' | 'causal'>
}

/** Base of the pooling layers over steps. */
abstract class Pooling1D extends Layer<Pooling1DOptions> {
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    poolLength: 2,
    stride: null,
    borderMode: 'valid',
  }
  protected override readonly inputLetters = ['B', 'T', 'D']
  protected abstract readonly mode: 'max' | 'ave'

  constructor(options?: Pooling1DOptions) {
    super([], options)
    checkBorder(this, this.options.borderMode, ['valid', 'same', 'same_tf'])
  }

  protected override maskHint(): string {
    return WINDOW_MASK_HINT
  }

  get #stride(): number {
    return this.options.stride ?? this.options.poolLength
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const { poolLength: size, borderMode: border } = this.options
    const [batch = null, steps = null, D = null] = inputShape
    return [
      batch,
      windowLength(this, steps, {
        size,
        stride: this.#stride,
        border,
        what: 'the number of steps T',
      }),
      D,
    ]
  }

  protected emit(graph: Graph, x: Value): Value {
    const { poolLength, borderMode } = this.options
    return graph.op('pooling', [x], this.computeOutputShape([null, ...x.shape]).slice(1), {
      ...this.opName(),
      options: {
        size: [poolLength, 1],
        strides: [this.#stride, 1],
        border: borderMode,
        mode: this.mode,
      },
    })
  }

  protected override savedOptions(): Record<string, unknown> {
    return { ...super.savedOptions(), stride: this.#stride }
  }
}

/**
 * The largest element under a window moved over the steps: [B, T, D] → [B, T', D]. Takes no mask.
 * The gradient goes to every element that equals the largest, as on Theano.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than [B, T,
 *   D], or T shorter than the window
 * @example
 * const model = new Sequential([new MaxPooling1D({ poolLength: 2, inputShape: [10, 32] })])
 * model.outputShape // [null, 5, 32]
 * @see keras.layers.MaxPooling1D
 */
export class MaxPooling1D extends Pooling1D {
  static override readonly className = 'MaxPooling1D'
  protected readonly mode = 'max'
}

/**
 * The mean under a window moved over the steps: [B, T, D] → [B, T', D]. Padding does not count.
 * Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than [B, T,
 *   D], or T shorter than the window
 * @example
 * const model = new Sequential([
 *   new AveragePooling1D({ poolLength: 3, stride: 1, inputShape: [10, 32] }),
 * ])
 * model.outputShape // [null, 8, 32]
 * @see keras.layers.AveragePooling1D
 */
export class AveragePooling1D extends Pooling1D {
  static override readonly className = 'AveragePooling1D'
  protected readonly mode = 'ave'
}
