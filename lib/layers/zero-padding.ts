import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { AS_IT_IS, Resized, type Resizing } from './base/resized.js'
import type { DimOrdering } from './base/windows.js'

/** Zeros at one side each; what is left out is 0. */
export interface SidePadding {
  leftPad?: number
  rightPad?: number
}

/** Zeros at each of four sides; what is left out is 0. */
export interface FourSidePadding extends SidePadding {
  topPad?: number
  bottomPad?: number
}

/** Options of {@link ZeroPadding1D}. */
export interface ZeroPadding1DOptions extends LayerOptions {
  /** Steps at both ends, `[left, right]`, or `{ leftPad, rightPad }`. Default 1. */
  padding?: number | readonly [left: number, right: number] | SidePadding
}

const wrong = (layer: Layer, expected: string, padding: unknown): never =>
  fail(ConfigError, 'ERR_OPTION', {
    where: layer.where,
    layer: layer.where,
    what: 'padding',
    expected,
    actual: typeof padding === 'object' ? JSON.stringify(padding) : describe(padding),
  })

/**
 * Adds steps of zeros at the ends: [B, T, D] → [B, left + T + right, D]. Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than [B, T, D]
 * @example
 * const model = new Sequential([new ZeroPadding1D({ padding: [1, 2], inputShape: [4, 3] })])
 * model.outputShape // [null, 7, 3]
 * @see keras.layers.ZeroPadding1D
 */
export class ZeroPadding1D extends Resized<ZeroPadding1DOptions> {
  static override readonly className = 'ZeroPadding1D'
  static override readonly defaults = { ...Layer.defaults, padding: 1 }
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(options?: ZeroPadding1DOptions) {
    super([], options)
    const { padding } = this.options
    const fits =
      typeof padding === 'number' ||
      (Array.isArray(padding)
        ? padding.length === 2
        : !('topPad' in padding || 'bottomPad' in padding))
    if (!fits) wrong(this, 'a number, [left, right] or { leftPad, rightPad }', padding)
  }

  protected resizing(): readonly [Resizing, Resizing] {
    const { padding } = this.options
    if (typeof padding === 'number')
      return [{ before: padding, after: padding, repeat: 1 }, AS_IT_IS]
    const sides = padding as readonly [number, number] | SidePadding
    const [before, after] = 'length' in sides ? sides : [sides.leftPad ?? 0, sides.rightPad ?? 0]
    return [{ before, after, repeat: 1 }, AS_IT_IS]
  }
}

/** Options of {@link ZeroPadding2D}. */
export interface ZeroPadding2DOptions extends LayerOptions {
  /**
   * `[rows, columns]` at both ends, `[top, bottom, left, right]`, or `{ topPad, bottomPad, leftPad,
   * rightPad }`. Default `[1, 1]`.
   */
  padding?:
    | readonly [rows: number, columns: number]
    | readonly [top: number, bottom: number, left: number, right: number]
    | FourSidePadding
  /** Default `'default'`: `'tf'`. */
  dimOrdering?: DimOrdering
}

/**
 * Adds zeros around rows and columns: [B, rows, columns, D] → [B, top + rows + bottom, left +
 * columns + right, D], or with `dimOrdering: 'th'` the channels first. Takes no mask.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for other than four axes
 * @example
 * const model = new Sequential([new ZeroPadding2D({ padding: [1, 2], inputShape: [4, 4, 3] })])
 * model.outputShape // [null, 6, 8, 3]
 * @see keras.layers.ZeroPadding2D
 */
export class ZeroPadding2D extends Resized<ZeroPadding2DOptions> {
  static override readonly className = 'ZeroPadding2D'
  static override readonly defaults = { ...Layer.defaults, padding: [1, 1], dimOrdering: 'tf' }
  protected override readonly inputLetters = ['B', '1', '2', '3']

  constructor(options?: ZeroPadding2DOptions) {
    super([], options)
    const padding: unknown = this.options.padding
    if (typeof padding === 'number')
      wrong(this, '[rows, columns], [top, bottom, left, right] or an object of sides', padding)
  }

  protected override get ordering(): DimOrdering {
    return this.options.dimOrdering
  }

  protected resizing(): readonly [Resizing, Resizing] {
    const padding = this.options.padding as readonly number[] | FourSidePadding
    const sides = !('length' in padding)
      ? [padding.topPad, padding.bottomPad, padding.leftPad, padding.rightPad]
      : padding.length === 4
        ? padding
        : [padding[0], padding[0], padding[1], padding[1]]
    const [top = 0, bottom = 0, left = 0, right = 0] = sides
    return [
      { before: top, after: bottom, repeat: 1 },
      { before: left, after: right, repeat: 1 },
    ]
  }
}
