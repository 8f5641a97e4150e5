import type { ActivationLike } from '../activations.js'
import type { ConstraintLike } from '../constraints.js'
import type { Init } from '../initializations.js'
import type { TensorLike } from '../ndarray.js'
import type { RegularizerLike } from '../regularizers.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions, type WrittenOptions } from './base/layer.js'
import { checkSoftmaxInput } from './base/softmax-input.js'
import { nativeActivation, opActivity } from './base/written-activation.js'

/** Options of {@link Dense}. */
export interface DenseOptions extends LayerOptions {
  /** Initial W. Default `'glorot_uniform'`. */
  init?: Init
  /** A name, or a function written with `hiddenstate/backend`. Default `'linear'`. */
  activation?: ActivationLike
  /** Initial values `[W, b]`. */
  weights?: readonly TensorLike[] | null
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
  /** D, for a first layer with input [B, D]. Default `null`. */
  inputDim?: number | null
}

/**
 * Fully connected layer on the last axis: `y = activation(x·W + b)`.
 *
 * [B, …, D] → [B, …, K]. Takes no mask: wrap it in {@link TimeDistributed} after a masked sequence.
 * Weights: W [D, K], b [K].
 * @param outputDim K, the number of units
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` when
 *   D is not known
 * @example
 * const model = new Sequential([new Dense(10, { inputDim: 64, activation: 'softmax' })])
 * model.outputShape // [null, 10]
 * @see keras.layers.Dense
 */
export class Dense extends Layer<DenseOptions & { outputDim: number }> {
  static override readonly className: string = 'Dense'
  static override readonly positional = ['outputDim']
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    init: 'glorot_uniform',
    activation: 'linear',
    weights: null,
    WRegularizer: null,
    bRegularizer: null,
    activityRegularizer: null,
    WConstraint: null,
    bConstraint: null,
    bias: true,
    inputDim: null,
  }

  static override readonly written: WrittenOptions = { options: ['activation'], instead: '' }

  override readonly supportsMasking: boolean = false
  protected override readonly inputLetters: readonly string[] = ['B', '…', 'D']

  constructor(outputDim: number, options?: DenseOptions) {
    super([outputDim], options)
  }

  protected override get acceptedMask(): 'pass' {
    return 'pass'
  }

  protected override maskHint(): string {
    return `Wrap it: new TimeDistributed(new Dense(${this.options.outputDim})).`
  }

  protected override impliedInputShape(): Shape | null {
    const { inputDim } = this.options
    return inputDim === null ? null : [null, inputDim]
  }

  /** @internal */
  override get perStep(): boolean {
    return this.ownActivation === null
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.options.outputDim]
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    checkSoftmaxInput(this, this.options.activation, inputShape)
  }

  protected override createVariables(inputShape: Shape): void {
    const D = this.known(inputShape, -1, 'D')
    const {
      outputDim: K,
      init,
      WRegularizer,
      WConstraint,
      bRegularizer,
      bConstraint,
      bias,
    } = this.options
    this.addVariable('W', [D, K], init, { regularizer: WRegularizer, constraint: WConstraint })
    if (bias)
      this.addVariable('b', [K], 'zero', { regularizer: bRegularizer, constraint: bConstraint })
  }

  protected emit(graph: Graph, x: Value): Value {
    const { outputDim, activation, bias } = this.options
    return graph.op('dense', [x], this.computeOutputShape(x.shape), {
      ...this.opName(),
      options: { units: outputDim, activation: nativeActivation(activation), bias },
      params: this.paramUses(),
      activity: opActivity(this),
      mask: 'pass',
    })
  }

  protected override savedOptions(): Record<string, unknown> {
    const options = super.savedOptions()
    return this.built ? { ...options, inputDim: this.inputShape?.at(-1) } : options
  }
}
