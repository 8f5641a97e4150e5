import type { ActivationLike } from '../activations.js'
import type { ConstraintLike } from '../constraints.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import { activation as activate } from '../expressions/activations.js'
import { Expr, Placeholder } from '../expressions/expr.js'
import type { Init } from '../initializations.js'
import { describe, type TensorLike } from '../ndarray.js'
import type { RegularizerLike } from '../regularizers.js'
import type { Graph, ParamUse, Shape, Value } from '../spec.js'
import { addValue, dimsOf } from './base/expression-ops.js'
import { Layer, type LayerOptions, type WrittenOptions } from './base/layer.js'
import { sameShape, showShape } from './base/names.js'
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
  /**
   * A layer before this one, or its name, whose W is used here too, transposed: an Embedding [K, D]
   * for words that come out as they went in, or a Dense [K, D]. The gradient of that W is the sum
   * over both; this layer has a b alone, and neither an `init` nor penalty or constraint of W. Not
   * in Keras 1.2.2: a file with it cannot be read there.
   * Default `null`.
   */
  tiedTo?: Layer | string | null
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
    tiedTo: null,
    inputDim: null,
  }

  static override readonly written: WrittenOptions = { options: ['activation'], instead: '' }

  override readonly supportsMasking: boolean = false
  protected override readonly inputLetters: readonly string[] = ['B', '…', 'D']

  /** The layer whose W this one uses; null: it has its own, or has none yet. */
  #tied: Layer | null = null

  constructor(outputDim: number, options?: DenseOptions) {
    super([outputDim], options)
    if (this.options.tiedTo === null) return
    for (const key of ['init', 'WRegularizer', 'WConstraint'] as const) {
      const left = Dense.defaults[key]
      const given = this.options[key]
      if (given === left) continue
      const expected = `${left === null ? 'null' : 'left out'} with tiedTo`
      const actual = typeof given === 'string' ? describe(given) : 'one'
      this.#refuse(key, `${expected}: W is that of the other layer`, actual)
    }
  }

  #refuse(key: string, expected: string, actual: string): never {
    const what = this.spelled(key)
    return fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what,
      expected,
      actual,
    })
  }

  /** @internal */
  override meet(find: (name: string) => Layer | undefined): void {
    const { tiedTo } = this.options
    if (tiedTo === null) return
    const name = typeof tiedTo === 'string' ? tiedTo : tiedTo.name
    const found = find(name)
    if (!found || (tiedTo !== name && tiedTo !== found))
      this.#refuse('tiedTo', 'a layer that this one comes behind', `'${name}'`)
    if (this.#tied && this.#tied !== found)
      this.#refuse('tiedTo', 'the same layer in each place', `'${name}' of another model`)
    this.#tied = found
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
    return true
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
    if (this.options.tiedTo !== null) this.#requireTied([K, D])
    else this.addVariable('W', [D, K], init, { regularizer: WRegularizer, constraint: WConstraint })
    if (bias)
      this.addVariable('b', [K], 'zero', { regularizer: bRegularizer, constraint: bConstraint })
  }

  /** The other layer's W, which must have these extents. */
  #requireTied(dims: readonly number[]): ParamUse {
    const use = this.#tied?.useOf('W')
    if (use && sameShape(use.dims, dims)) return use
    return fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: `W of ${this.#tied?.where ?? 'the layer that it is tied to'}`,
      expected: `${showShape(dims)}, which is used transposed`,
      actual: use ? showShape(use.dims) : 'none',
    })
  }

  #emitTied(graph: Graph, x: Value): Value {
    const { outputDim, activation, bias } = this.options
    const tied = this.#requireTied([outputDim, x.shape.at(-1)!])
    const input = new Placeholder(dimsOf([null, ...x.shape]), 'x')
    const W = new Expr('weight', [], tied.dims, {}, 'W')
    const b = new Expr('weight', [], [outputDim], {}, 'b')
    const sum = bias ? input.dot(W.T).add(b) : input.dot(W.T)
    const y = activate(sum, nativeActivation(activation))
    return addValue(graph, y, new Map([[input, x]]), {
      ...this.opName(),
      where: this.where,
      params: new Map([[W, tied], ...this.paramUses().map((use): [Expr, ParamUse] => [b, use])]),
      activity: opActivity(this),
      mask: { name: x.mask },
    })
  }

  protected emit(graph: Graph, x: Value): Value {
    const { outputDim, activation, bias, tiedTo } = this.options
    if (tiedTo !== null) return this.#emitTied(graph, x)
    return graph.op('dense', [x], this.computeOutputShape(x.shape), {
      ...this.opName(),
      options: { units: outputDim, activation: nativeActivation(activation), bias },
      params: this.paramUses(),
      activity: opActivity(this),
      mask: 'pass',
    })
  }

  protected override savedOptions(): Record<string, unknown> {
    const { tiedTo, ...keras } = super.savedOptions()
    const options = tiedTo === null ? keras : { ...keras, tiedTo }
    return this.built ? { ...options, inputDim: this.inputShape?.at(-1) } : options
  }
}
