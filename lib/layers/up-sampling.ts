import type { LayerOptions } from './base/layer.js'
import { Layer } from './base/layer.js'
import { AS_IT_IS, Resized, type Resizing } from './base/resized.js'
import type { DimOrdering } from './base/windows.js'

/** Options of {@link UpSampling1D}. */
export interface UpSampling1DOptions extends LayerOptions {
  /** How often each step is repeated. Default 2. */
  length?: number
}

/**
 * Repeats each step: [B, T, D] → [B, T·length, D]. Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than [B, T, D]
 * @example
 * const model = new Sequential([new UpSampling1D({ length: 2, inputShape: [4, 3] })])
 * model.outputShape // [null, 8, 3]
 * @see keras.layers.UpSampling1D
 */
export class UpSampling1D extends Resized<UpSampling1DOptions> {
  static override readonly className = 'UpSampling1D'
  static override readonly defaults = { ...Layer.defaults, length: 2 }
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(options?: UpSampling1DOptions) {
    super([], options)
  }

  protected resizing(): readonly [Resizing, Resizing] {
    return [{ before: 0, after: 0, repeat: this.options.length }, AS_IT_IS]
  }
}

/** Options of {@link UpSampling2D}. */
export interface UpSampling2DOptions extends LayerOptions {
  /** How often each row and each column is repeated. Default `[2, 2]`. */
  size?: readonly [number, number]
  /** Default `'default'`: `'tf'`. */
  dimOrdering?: DimOrdering
}

/**
 * Repeats rows and columns: [B, rows, columns, D] → [B, rows·size₀, columns·size₁, D], or with
 * `dimOrdering: 'th'` the channels first. Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than four axes
 * @example
 * const model = new Sequential([new UpSampling2D({ size: [2, 3], inputShape: [4, 4, 1] })])
 * model.outputShape // [null, 8, 12, 1]
 * @see keras.layers.UpSampling2D
 */
export class UpSampling2D extends Resized<UpSampling2DOptions> {
  static override readonly className = 'UpSampling2D'
  static override readonly defaults = { ...Layer.defaults, size: [2, 2], dimOrdering: 'tf' }
  protected override readonly inputLetters = ['B', '1', '2', '3']

  constructor(options?: UpSampling2DOptions) {
    super([], options)
  }

  protected override get ordering(): DimOrdering {
    return this.options.dimOrdering
  }

  protected resizing(): readonly [Resizing, Resizing] {
    const [tall, wide] = this.options.size
    return [
      { before: 0, after: 0, repeat: tall },
      { before: 0, after: 0, repeat: wide },
    ]
  }
}
