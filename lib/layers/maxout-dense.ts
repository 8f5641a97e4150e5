import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { activityOf } from '../regularizers.js'
import type { Graph, Shape, Value } from '../spec.js'
import type { DenseOptions } from './dense.js'
import { Layer } from './base/layer.js'

/** Options of {@link MaxoutDense}. */
export interface MaxoutDenseOptions extends Omit<DenseOptions, 'activation'> {
  /** F, the number of linear layers among which each unit takes the largest. Default 4. */
  nbFeature?: number
}

/**
 * The largest of F linear layers, unit by unit: `y = max_f(x·W_f + b_f)`.
 *
 * [B, D] → [B, K]. Takes no mask. Weights: W [F, D, K], b [F, K].
 * @param outputDim K, the number of units
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options; ShapeError `ERR_SHAPE` when
 *   the input is not [B, D]
 * @example
 * const model = new Sequential([new MaxoutDense(10, { nbFeature: 3, inputDim: 64 })])
 * model.getWeights()[0].shape // [3, 64, 10]
 * @see keras.layers.MaxoutDense
 */
export class MaxoutDense extends Layer<MaxoutDenseOptions & { outputDim: number }> {
  static override readonly className = 'MaxoutDense'
  static override readonly positional = ['outputDim']
  static override readonly defaults = {
    ...Layer.defaults,
    nbFeature: 4,
    init: 'glorot_uniform',
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

  constructor(outputDim: number, options?: MaxoutDenseOptions) {
    super([outputDim], options)
    const { nbFeature } = this.options
    if (Number.isSafeInteger(nbFeature) && nbFeature > 0) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what: this.spelled('nbFeature'),
      expected: 'a positive integer',
      actual: describe(nbFeature),
    })
  }

  protected override maskHint(): string {
    return `Wrap it: new TimeDistributed(new MaxoutDense(${this.options.outputDim})).`
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
    return [...inputShape.slice(0, -1), this.options.outputDim]
  }

  protected override createVariables(inputShape: Shape): void {
    const D = this.known(inputShape, -1, 'D')
    const {
      outputDim: K,
      nbFeature: F,
      init,
      WRegularizer,
      WConstraint,
      bRegularizer,
      bConstraint,
      bias,
    } = this.options
    this.addVariable('W', [F, D, K], init, {
      regularizer: WRegularizer,
      constraint: WConstraint,
      scales: 'matrices',
    })
    if (bias)
      this.addVariable('b', [F, K], 'zero', { regularizer: bRegularizer, constraint: bConstraint })
  }

  protected emit(graph: Graph, x: Value): Value {
    const { outputDim, nbFeature, bias, activityRegularizer } = this.options
    return graph.op('maxout_dense', [x], this.computeOutputShape(x.shape), {
      ...this.opName(),
      options: { units: outputDim, features: nbFeature, bias },
      params: this.paramUses(),
      activity: activityOf(activityRegularizer, this.where),
    })
  }
}
