import type { Graph, Option, Shape, Value } from '../spec.js'
import { type FilterOptions, Filters } from './base/filters.js'
import type { Scales } from './base/variable.js'
import {
  channelsLast,
  type DimOrdering,
  imageShape,
  type Places,
  placesOf,
  windowPlaces,
} from './base/windows.js'

/** Options of {@link Convolution2D}. */
export interface Convolution2DOptions extends FilterOptions {
  /** Rows and columns from one window to the next. Default `[1, 1]`. */
  subsample?: readonly [number, number]
  /** Order of the axes, of input, output and W. Default `'default'`: `'tf'`. */
  dimOrdering?: DimOrdering
}

/**
 * A window of filters moved over rows and columns: [B, rows, columns, D] → [B, rows', columns',
 * nbFilter], or with `dimOrdering: 'th'` [B, D, rows, columns] → [B, nbFilter, rows', columns'].
 * The kernel is flipped, as on Theano. Takes no mask. Weights: W [nbRow, nbCol, D, nbFilter], with
 * `'th'` [nbFilter, D, nbRow, nbCol]; b [nbFilter].
 * @param nbFilter how many filters
 * @param nbRow rows under the window
 * @param nbCol columns under the window
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   other than four axes, or an input smaller than the window
 * @example
 * const model = new Sequential([
 *   new Convolution2D(8, 3, 3, { inputShape: [28, 28, 1], activation: 'relu' }),
 * ])
 * model.outputShape // [null, 26, 26, 8]
 * @see keras.layers.Convolution2D
 */
export class Convolution2D extends Filters<
  Convolution2DOptions & { nbFilter: number; nbRow: number; nbCol: number }
> {
  static override readonly className = 'Convolution2D'
  static override readonly positional = ['nbFilter', 'nbRow', 'nbCol']
  static override readonly defaults = { ...Filters.defaults, subsample: [1, 1], dimOrdering: 'tf' }
  protected readonly op = 'convolution'
  protected override readonly inputLetters = ['B', '1', '2', '3']
  protected override readonly fans: 'th' | 'tf' = this.options.dimOrdering === 'th' ? 'th' : 'tf'
  protected override readonly windowAxes = this.options.dimOrdering === 'th' ? [2, 3] : [0, 1]

  constructor(nbFilter: number, nbRow: number, nbCol: number, options?: Convolution2DOptions) {
    super([nbFilter, nbRow, nbCol], options)
  }

  protected override get scales(): Scales {
    return this.options.dimOrdering === 'th' ? 'rows' : 'columns'
  }

  #places(inputShape: Shape): Places {
    const { nbFilter, nbRow, nbCol, subsample, borderMode: border, dimOrdering } = this.options
    const window = { size: [nbRow, nbCol] as const, strides: subsample, border }
    return windowPlaces(this, placesOf(inputShape, dimOrdering), window, nbFilter)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return [
      inputShape[0] ?? null,
      ...imageShape(this.#places(inputShape), this.options.dimOrdering),
    ]
  }

  protected kernelShape(inputShape: Shape): readonly number[] {
    const { nbFilter, nbRow, nbCol, dimOrdering } = this.options
    const D = this.known(inputShape, dimOrdering === 'th' ? 1 : 3, 'D')
    return dimOrdering === 'th' ? [nbFilter, D, nbRow, nbCol] : [nbRow, nbCol, D, nbFilter]
  }

  protected window(): { [key: string]: Option } {
    const { nbRow, nbCol, subsample, borderMode, dimOrdering } = this.options
    return {
      size: [nbRow, nbCol],
      strides: [...subsample],
      dilation: [1, 1],
      border: borderMode,
      th: dimOrdering === 'th',
    }
  }

  protected emit(graph: Graph, x: Value): Value {
    const outputShape = imageShape(this.#places(x.shape), 'tf')
    return channelsLast(graph, x, this, this.options.dimOrdering, (last) =>
      this.filter(graph, last, outputShape),
    )
  }
}
