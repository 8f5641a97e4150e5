import type { Graph, Option, Shape, Value } from '../spec.js'
import { type FilterOptions, Filters } from './base/filters.js'
import type { Resolved } from './base/option-rules.js'
import type { KerasArray, Variable } from './base/variable.js'
import { windowLength } from './base/windows.js'

/** Options of {@link Convolution1D}. */
export interface Convolution1DOptions extends FilterOptions {
  /** Steps from one window to the next. Default 1. */
  subsampleLength?: number
  /** D, for a first layer. Default `null`. */
  inputDim?: number | null
  /** T, for a first layer with `inputDim`. Default `null`: any. */
  inputLength?: number | null
}

type Args = { nbFilter: number; filterLength: number }

/**
 * A window of filters moved over the steps: [B, T, D] → [B, T', nbFilter]. A true convolution, as
 * on Theano: the kernel is flipped, `y[t] = activation(Σ_k x[t + k]·W[L − 1 − k] + b)`. `'same'`
 * pads ⌊L/2⌋ steps on the left. Takes no mask. Weights:
 * W [filterLength, 1, D, nbFilter], b [nbFilter].
 * @param nbFilter how many filters
 * @param filterLength L, steps under the window
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   other than [B, T, D], or T shorter than the window
 * @example
 * const model = new Sequential([
 *   new Convolution1D(64, 3, { borderMode: 'same', inputShape: [10, 32] }),
 * ])
 * model.outputShape // [null, 10, 64]
 * @see keras.layers.Convolution1D
 */
export class Convolution1D extends Filters<Convolution1DOptions & Args> {
  static override readonly className: string = 'Convolution1D'
  static override readonly positional: readonly string[] = ['nbFilter', 'filterLength']
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Filters.defaults,
    subsampleLength: 1,
    inputDim: null,
    inputLength: null,
  }
  protected readonly op = 'convolution'
  protected override readonly inputLetters = ['B', 'T', 'D']

  constructor(nbFilter: number, filterLength: number, options?: Convolution1DOptions) {
    super([nbFilter, filterLength], options)
  }

  /** Steps between the elements of the kernel. */
  protected get dilation(): number {
    return 1
  }

  protected override impliedInputShape(): Shape | null {
    const { inputDim, inputLength } = this.options
    return inputDim === null ? null : [null, inputLength, inputDim]
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const {
      nbFilter,
      filterLength: size,
      subsampleLength: stride,
      borderMode: border,
    } = this.options
    const [batch = null, steps = null] = inputShape
    const what = 'the number of steps T'
    return [
      batch,
      windowLength(this, steps, { size, stride, border, dilation: this.dilation, what }),
      nbFilter,
    ]
  }

  protected kernelShape(inputShape: Shape): readonly number[] {
    const { nbFilter, filterLength } = this.options
    return [filterLength, 1, this.known(inputShape, -1, 'D'), nbFilter]
  }

  protected window(): { [key: string]: Option } {
    const { filterLength, subsampleLength, borderMode } = this.options
    return {
      size: [filterLength, 1],
      strides: [subsampleLength, 1],
      dilation: [this.dilation, 1],
      border: borderMode,
    }
  }

  /** Keras before 1.0 wrote W as [nbFilter, D, filterLength, 1]. */
  protected override slices(variable: Variable): KerasArray[] {
    const [L = 0, one = 1, D = 0, N = 0] = variable.dims
    const older = { shape: [N, D, L, one], axes: [2, 3, 1, 0] }
    return super
      .slices(variable)
      .map((slice) => (variable.param === 'W' ? { ...slice, older } : slice))
  }

  /** @internal Keras 2 has W as [filterLength, D, nbFilter]. */
  override fusedArrays(): (readonly KerasArray[])[] {
    const withoutOne = ([L = 0, , D = 0, N = 0]: readonly number[]) => [L, D, N]
    return super
      .fusedArrays()
      .map((parts) =>
        parts.map((a) =>
          a.variable.param === 'W' ? { ...a, shape: withoutOne(a.shape), flips: [0] } : a,
        ),
      )
  }

  protected emit(graph: Graph, x: Value): Value {
    return this.filter(graph, x, this.computeOutputShape([null, ...x.shape]).slice(1))
  }
}

/** Options of {@link AtrousConvolution1D}. */
export interface AtrousConvolution1DOptions extends Convolution1DOptions {
  /** Steps from one element of the kernel to the next. Default 1. */
  atrousRate?: number
}

/**
 * A convolution with holes: like {@link Convolution1D}, with `atrousRate` steps between the
 * elements of the kernel.
 * @param nbFilter how many filters
 * @param filterLength elements of the kernel;
 *   the window is `(filterLength − 1)·atrousRate + 1` steps long
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` for
 *   other than [B, T, D], or T shorter than the window
 * @example
 * const model = new Sequential([
 *   new AtrousConvolution1D(64, 3, { atrousRate: 2, inputShape: [10, 32] }),
 * ])
 * model.outputShape // [null, 6, 64]
 * @see keras.layers.AtrousConvolution1D
 */
export class AtrousConvolution1D extends Convolution1D {
  static override readonly className = 'AtrousConvolution1D'
  static override readonly defaults = { ...Convolution1D.defaults, atrousRate: 1 }

  constructor(nbFilter: number, filterLength: number, options?: AtrousConvolution1DOptions) {
    super(nbFilter, filterLength, options)
  }

  protected override get dilation(): number {
    return (this.options as unknown as Resolved<AtrousConvolution1DOptions>).atrousRate
  }
}
