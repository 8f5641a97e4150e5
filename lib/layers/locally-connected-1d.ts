import type { Graph, Option, Shape, Value } from '../spec.js'
import { type FilterOptions, Filters } from './base/filters.js'
import type { Scales } from './base/variable.js'
import { checkBorder, windowLength } from './base/windows.js'

/** Options of {@link LocallyConnected1D}; `borderMode` can only be `'valid'`. */
export interface LocallyConnected1DOptions extends Omit<FilterOptions, 'borderMode'> {
  /** Only `'valid'`: put a {@link ZeroPadding1D} before it for more. */
  borderMode?: 'valid'
  /** Steps from one window to the next. Default 1. */
  subsampleLength?: number
  /** D, for a first layer. Default `null`. */
  inputDim?: number | null
  /** T, for a first layer with `inputDim`. */
  inputLength?: number | null
}

/**
 * A window with filters of its own at each place: [B, T, D] → [B, T', nbFilter]; T must be known.
 * Not flipped: `y[t] = activation(x[t .. t + L]·W[t] + b[t])`. Takes no mask. Weights: W [T',
 * filterLength·D, nbFilter], b [T', nbFilter].
 * @param nbFilter how many filters
 * @param filterLength L, steps under the window
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   other than [B, T, D], T unknown or shorter than the window
 * @example
 * const model = new Sequential([new LocallyConnected1D(64, 3, { inputShape: [10, 32] })])
 * model.outputShape // [null, 8, 64]
 * @see keras.layers.LocallyConnected1D
 */
export class LocallyConnected1D extends Filters<
  LocallyConnected1DOptions & { nbFilter: number; filterLength: number }
> {
  static override readonly className = 'LocallyConnected1D'
  static override readonly positional = ['nbFilter', 'filterLength']
  static override readonly defaults = {
    ...Filters.defaults,
    subsampleLength: 1,
    inputDim: null,
    inputLength: null,
  }
  protected readonly op = 'locally_connected'
  protected override readonly windowAxes = []
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(nbFilter: number, filterLength: number, options?: LocallyConnected1DOptions) {
    super([nbFilter, filterLength], options)
    checkBorder(this, this.options.borderMode, ['valid'])
  }

  protected override impliedInputShape(): Shape | null {
    const { inputDim, inputLength } = this.options
    return inputDim === null ? null : [null, inputLength, inputDim]
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const { nbFilter, filterLength: size, subsampleLength: stride } = this.options
    const [batch = null, steps = null] = inputShape
    const what = 'the number of steps T'
    return [batch, windowLength(this, steps, { size, stride, border: 'valid', what }), nbFilter]
  }

  /** Windows; T must be known. */
  #places(inputShape: Shape): number {
    this.known(inputShape, 1, 'T')
    return this.computeOutputShape(inputShape)[1] as number
  }

  protected override get scales(): Scales {
    return 'matrices'
  }

  protected kernelShape(inputShape: Shape): readonly number[] {
    const { nbFilter, filterLength } = this.options
    return [this.#places(inputShape), filterLength * this.known(inputShape, -1, 'D'), nbFilter]
  }

  protected override biasShape(inputShape: Shape): readonly number[] {
    return [this.#places(inputShape), this.options.nbFilter]
  }

  protected window(): { [key: string]: Option } {
    return { length: this.options.filterLength, stride: this.options.subsampleLength }
  }

  protected emit(graph: Graph, x: Value): Value {
    return this.filter(graph, x, this.computeOutputShape([null, ...x.shape]).slice(1))
  }
}
