import type { ActivationName } from '../activations.js'
import { activityOf } from '../regularizers.js'
import type { Graph, Shape, Value } from '../spec.js'
import type { DenseOptions } from './dense.js'
import { Layer } from './base/layer.js'

/**
 * Options of {@link Highway}: those of {@link Dense}. Regularizers and constraints act on W and b,
 * not on the gate.
 */
export interface HighwayOptions extends Omit<DenseOptions, 'activation'> {
  /** Of what the gate lets by. Default `'linear'`. */
  activation?: ActivationName | null
}

/**
 * A dense layer with a gate that lets the input by: `t = sigmoid(x·W_carry + b_carry)`, `y =
 * t·activation(x·W + b) + (1 - t)·x`.
 *
 * [B, D] → [B, D]. Takes no mask. Weights: W [D, D], W_carry [D, D], b [D], b_carry [D], the last
 * one 1 at first.
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` when
 *   the input is not [B, D]
 * @example
 * const model = new Sequential([new Highway({ activation: 'relu', inputDim: 64 })])
 * model.outputShape // [null, 64]
 * @see keras.layers.Highway
 */
export class Highway extends Layer<HighwayOptions> {
  static override readonly className = 'Highway'
  static override readonly defaults = {
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
  protected override readonly inputLetters = ['B', 'D']

  constructor(options?: HighwayOptions) {
    super([], options)
  }

  protected override maskHint(): string {
    return 'Wrap it: new TimeDistributed(new Highway()).'
  }

  protected override impliedInputShape(): Shape | null {
    const { inputDim } = this.options
    return inputDim === null ? null : [null, inputDim]
  }

  /** @internal */
  override get perStep(): boolean {
    return true
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  protected override createVariables(inputShape: Shape): void {
    const D = this.known(inputShape, -1, 'D')
    const { init, WRegularizer, WConstraint, bRegularizer, bConstraint, bias } = this.options
    this.addVariable('W', [D, D], init, { regularizer: WRegularizer, constraint: WConstraint })
    this.addVariable('W_carry', [D, D], init)
    if (!bias) return
    this.addVariable('b', [D], 'zero', { regularizer: bRegularizer, constraint: bConstraint })
    this.addVariable('b_carry', [D], 'one')
  }

  protected emit(graph: Graph, x: Value): Value {
    const { activation, bias, activityRegularizer } = this.options
    return graph.op('highway', [x], x.shape, {
      ...this.opName(),
      options: { activation, bias },
      params: this.paramUses(),
      activity: activityOf(activityRegularizer, this.where),
    })
  }
}
