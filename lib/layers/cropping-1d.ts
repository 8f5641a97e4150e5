import { Layer, type LayerOptions } from './base/layer.js'
import { AS_IT_IS, Resized, type Resizing } from './base/resized.js'

/** Options of {@link Cropping1D}. */
export interface Cropping1DOptions extends LayerOptions {
  /** Steps cut off at the beginning and at the end. Default `[1, 1]`. */
  cropping?: readonly [left: number, right: number]
}

/**
 * Cuts steps off at the ends: [B, T, D] → [B, T − left − right, D]. Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than [B, T,
 *   D], or too few steps
 * @example
 * const model = new Sequential([new Cropping1D({ cropping: [1, 2], inputShape: [6, 3] })])
 * model.outputShape // [null, 3, 3]
 * @see keras.layers.Cropping1D
 */
export class Cropping1D extends Resized<Cropping1DOptions> {
  static override readonly className = 'Cropping1D'
  static override readonly defaults = { ...Layer.defaults, cropping: [1, 1] }
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(options?: Cropping1DOptions) {
    super([], options)
  }

  protected resizing(): readonly [Resizing, Resizing] {
    const [left, right] = this.options.cropping
    return [{ before: 0 - left, after: 0 - right, repeat: 1 }, AS_IT_IS]
  }
}
