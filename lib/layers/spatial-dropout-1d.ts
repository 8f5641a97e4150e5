import { Dropout, type DropoutOptions } from './dropout.js'

/** Options of {@link SpatialDropout1D}. */
export type SpatialDropout1DOptions = Omit<DropoutOptions, 'noiseShape'>

/**
 * {@link Dropout} of whole features, the same at every step: [B, T, D] → the same. Passes masks on.
 * @param p from 0 to 1; only 0 < p < 1 does anything
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` when the input is not
 *   [B, T, D]
 * @example
 * const model = new Sequential([new SpatialDropout1D(0.2, { inputShape: [7, 3] }), new LSTM(5)])
 * @see keras.layers.SpatialDropout1D
 */
export class SpatialDropout1D extends Dropout {
  static override readonly className: string = 'SpatialDropout1D'
  static override readonly defaults = Object.fromEntries(
    Object.entries(Dropout.defaults).filter(([key]) => key !== 'noiseShape'),
  )
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(p: number, options?: SpatialDropout1DOptions) {
    super(p, options)
  }

  /** @internal It draws in training alone. */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    return stepped
  }

  protected override get noiseShape(): readonly (number | null)[] {
    return [null, 1, null]
  }
}
