import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import {
  type BorderMode,
  channelsLast,
  checkBorder,
  type DimOrdering,
  imageShape,
  type Places,
  placesOf,
  WINDOW_MASK_HINT,
  windowPlaces,
} from './base/windows.js'

/** Options of {@link MaxPooling2D} and {@link AveragePooling2D}. */
export interface Pooling2DOptions extends LayerOptions {
  /** Rows and columns under the window. Default `[2, 2]`. */
  poolSize?: readonly [number, number]
  /** Rows and columns from one window to the next. Default `null`: `poolSize`. */
  strides?: readonly [number, number] | null
  /**
   * Default `'valid'`. `'same'` pads as Keras on Theano does: on both sides, and the first windows
   * are kept; `'same_tf'` as TensorFlow does.
   */
  borderMode?: Exclude<BorderMode, 'full' | 'causal'>
  /** Default `'default'`: `'tf'`. */
  dimOrdering?: DimOrdering
}

/** Base of the pooling layers over rows and columns. */
abstract class Pooling2D extends Layer<Pooling2DOptions> {
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    poolSize: [2, 2],
    strides: null,
    borderMode: 'valid',
    dimOrdering: 'tf',
  }
  protected override readonly inputLetters = ['B', '1', '2', '3']
  protected abstract readonly mode: 'max' | 'ave'

  constructor(options?: Pooling2DOptions) {
    super([], options)
    checkBorder(this, this.options.borderMode, ['valid', 'same', 'same_tf'])
  }

  protected override maskHint(): string {
    return WINDOW_MASK_HINT
  }

  get #strides(): readonly [number, number] {
    return this.options.strides ?? this.options.poolSize
  }

  #places(inputShape: Shape): Places {
    const { poolSize: size, borderMode: border, dimOrdering } = this.options
    const places = placesOf(inputShape, dimOrdering)
    return windowPlaces(this, places, { size, strides: this.#strides, border }, places.channels)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return [
      inputShape[0] ?? null,
      ...imageShape(this.#places(inputShape), this.options.dimOrdering),
    ]
  }

  protected emit(graph: Graph, x: Value): Value {
    const { poolSize, borderMode, dimOrdering } = this.options
    const outputShape = imageShape(this.#places(x.shape), 'tf')
    const options = {
      size: [...poolSize],
      strides: [...this.#strides],
      border: borderMode,
      mode: this.mode,
    }
    return channelsLast(graph, x, this, dimOrdering, (last) =>
      graph.op('pooling', [last], outputShape, { ...this.opName(), options }),
    )
  }

  protected override savedOptions(): Record<string, unknown> {
    return { ...super.savedOptions(), strides: this.#strides }
  }
}

/**
 * The largest element under a window moved over rows and columns: [B, rows, columns, D] → [B,
 * rows', columns', D], or with `dimOrdering: 'th'` [B, D, rows, columns] → [B, D, rows', columns'].
 * Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than four
 *   axes, or an input smaller than the window
 * @example
 * const model = new Sequential([new MaxPooling2D({ poolSize: [2, 2], inputShape: [28, 28, 3] })])
 * model.outputShape // [null, 14, 14, 3]
 * @see keras.layers.MaxPooling2D
 */
export class MaxPooling2D extends Pooling2D {
  static override readonly className = 'MaxPooling2D'
  protected readonly mode = 'max'
}

/**
 * The mean under a window moved over rows and columns, padding not counted: [B, rows, columns, D] →
 * [B, rows', columns', D], or with `dimOrdering: 'th'` [B, D, rows, columns] → [B, D, rows',
 * columns']. Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than four
 *   axes, or an input smaller than the window
 * @example
 * const model = new Sequential([
 *   new AveragePooling2D({ poolSize: [2, 2], inputShape: [28, 28, 3] }),
 * ])
 * model.outputShape // [null, 14, 14, 3]
 * @see keras.layers.AveragePooling2D
 */
export class AveragePooling2D extends Pooling2D {
  static override readonly className = 'AveragePooling2D'
  protected readonly mode = 'ave'
}
