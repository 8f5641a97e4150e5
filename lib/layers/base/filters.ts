/** What layers of filters share: their options, and a kernel with a bias. */
import type { ActivationLike } from '../../activations.js'
import type { ConstraintLike } from '../../constraints.js'
import type { Init } from '../../initializations.js'
import type { TensorLike } from '../../ndarray.js'
import type { RegularizerLike } from '../../regularizers.js'
import type { Graph, Option, Shape, Value } from '../../spec.js'
import { Layer, type LayerOptions, type WrittenOptions } from './layer.js'
import type { Resolved } from './option-rules.js'
import { checkSoftmaxInput } from './softmax-input.js'
import type { KerasArray, Scales, Variable } from './variable.js'
import { type BorderMode, WINDOW_MASK_HINT } from './windows.js'
import { nativeActivation, opActivity } from './written-activation.js'

/** Options of every layer of filters. */
export interface FilterOptions extends LayerOptions {
  /** Initial W. Default `'glorot_uniform'`. */
  init?: Init
  /** A name, or a function written with `hiddenstate/backend`. Default `'linear'`. */
  activation?: ActivationLike
  /** Initial values `[W, b]`. */
  weights?: readonly TensorLike[] | null
  /** Default `'valid'`. */
  borderMode?: BorderMode
  /** Penalty on W. Default none. */
  WRegularizer?: RegularizerLike
  /** Penalty on b. Default none. */
  bRegularizer?: RegularizerLike
  /** Penalty on the output, summed over the batch. Default none. */
  activityRegularizer?: RegularizerLike
  /** Default none. */
  WConstraint?: ConstraintLike
  /** Default none. */
  bConstraint?: ConstraintLike
  /** Whether there is a b. Default `true`. */
  bias?: boolean
}

/** Base of the convolutions and LocallyConnected1D. */
export abstract class Filters<O extends FilterOptions = FilterOptions> extends Layer<
  O & { nbFilter: number }
> {
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    init: 'glorot_uniform',
    activation: 'linear',
    weights: null,
    borderMode: 'valid',
    WRegularizer: null,
    bRegularizer: null,
    activityRegularizer: null,
    WConstraint: null,
    bConstraint: null,
    bias: true,
  }

  static override readonly written: WrittenOptions = { options: ['activation'], instead: '' }

  /** File in native/ops/. */
  protected abstract readonly op: string
  /** Of W, as Keras has it. */
  protected abstract kernelShape(inputShape: Shape): readonly number[]
  /** What the op wants to know besides filters, activation and bias. */
  protected abstract window(): { [key: string]: Option }
  /** Which numbers of W make one output. */
  protected get scales(): Scales {
    return 'columns'
  }
  /** How Keras counts the fans of W. */
  protected readonly fans: 'th' | 'tf' = 'th'
  /** Axes of W along which the window moves: a kernel from TensorFlow runs the other way there. */
  protected readonly windowAxes: readonly number[] = [0, 1]

  /** The options without what a subclass adds; the base reads them too. */
  protected get given(): Resolved<FilterOptions & { nbFilter: number }> {
    return this.options as unknown as Resolved<FilterOptions & { nbFilter: number }>
  }

  protected override maskHint(): string {
    return WINDOW_MASK_HINT
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    checkSoftmaxInput(this, this.given.activation, inputShape)
  }

  /** Of b. */
  protected biasShape(_inputShape: Shape): readonly number[] {
    return [this.given.nbFilter]
  }

  protected override createVariables(inputShape: Shape): void {
    const { init, WRegularizer, WConstraint, bRegularizer, bConstraint, bias } = this.given
    const dims = this.kernelShape(inputShape)
    this.addVariable('W', dims, this.initial(init, dims, this.fans), {
      regularizer: WRegularizer,
      constraint: WConstraint,
      scales: this.scales,
    })
    if (!bias) return
    this.addVariable('b', this.biasShape(inputShape), 'zero', {
      regularizer: bRegularizer,
      constraint: bConstraint,
    })
  }

  protected override slices(variable: Variable): KerasArray[] {
    const slices = super.slices(variable)
    return variable.param === 'W'
      ? slices.map((slice) => ({ ...slice, flips: this.windowAxes }))
      : slices
  }

  /** @internal A kernel runs the other way on TensorFlow in files of Keras 2, too. */
  override fusedArrays(): (readonly KerasArray[])[] {
    return super
      .fusedArrays()
      .map((parts) =>
        parts.map((a) => (a.variable.param === 'W' ? { ...a, flips: this.windowAxes } : a)),
      )
  }

  /** The op on a value whose channels come last. */
  protected filter(graph: Graph, x: Value, outputShape: Shape): Value {
    const { nbFilter, activation, bias } = this.given
    return graph.op(this.op, [x], outputShape, {
      ...this.opName(),
      options: {
        filters: nbFilter,
        activation: nativeActivation(activation),
        bias,
        ...this.window(),
      },
      params: this.paramUses(),
      activity: opActivity(this),
    })
  }
}
