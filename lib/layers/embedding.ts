import type { ConstraintLike } from '../constraints.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import type { Init } from '../initializations.js'
import type { TensorLike } from '../ndarray.js'
import { activityOf, type RegularizerLike } from '../regularizers.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/** Options of {@link Embedding}. */
export interface EmbeddingOptions extends LayerOptions {
  /** Initial W. Default `'uniform'`, ±0.05. */
  init?: Init
  /** T. Default `null`: any. */
  inputLength?: number | null
  /** Penalty on all of W. Default none. */
  WRegularizer?: RegularizerLike
  /** Penalty on the output, summed over the batch. Default none. */
  activityRegularizer?: RegularizerLike
  /** Default none. */
  WConstraint?: ConstraintLike
  /**
   * Index 0 is padding: those steps are masked.
   * Row 0 exists all the same, so V = words + 1. Default `false`.
   */
  maskZero?: boolean
  /** Initial value `[W]`. */
  weights?: readonly TensorLike[] | null
  /**
   * Share of the words (rows of W) dropped in training, everywhere in the batch alike.
   * 0 to 1, default 0.
   */
  dropout?: number
}

/**
 * Turns word indices into vectors: integers [B, T] below V → [B, T, D]. Makes sense as the first
 * layer only. Weights: W [V, D].
 * @param inputDim V, the size of the vocabulary
 * @param outputDim D, the length of the vectors
 * @throws ConfigError `ERR_OPTION`, `ERR_UNKNOWN_NAME` for bad options
 * @example
 * const model = new Sequential([new Embedding(20000, 128, { maskZero: true })])
 * model.outputShape // [null, null, 128]
 * @see keras.layers.Embedding
 */
export class Embedding extends Layer<EmbeddingOptions & { inputDim: number; outputDim: number }> {
  static override readonly className = 'Embedding'
  static override readonly positional = ['inputDim', 'outputDim']
  static override readonly defaults = {
    ...Layer.defaults,
    init: 'uniform',
    inputLength: null,
    WRegularizer: null,
    activityRegularizer: null,
    WConstraint: null,
    maskZero: false,
    weights: null,
    dropout: 0,
  }
  override readonly supportsMasking = true

  protected override readonly inputLetters = ['B', 'T']

  constructor(inputDim: number, outputDim: number, options?: EmbeddingOptions) {
    super([inputDim, outputDim], options)
  }

  protected override impliedInputShape(): Shape {
    return this.options.inputShape
      ? [null, ...this.options.inputShape]
      : [null, this.options.inputLength]
  }

  /** @internal */
  override get indexLimit(): number {
    return this.options.inputDim
  }

  protected override defaultInputDtype(): string {
    return 'int32'
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    this.#checkPrecision()
    const { inputLength } = this.options
    const steps = inputShape[1] ?? inputLength
    if (inputLength === null || steps === inputLength) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'T of the input',
      expected: `inputLength ${inputLength}`,
      actual: `${steps}`,
    })
  }

  /** Indices travel as the numbers of the model. */
  #checkPrecision(): void {
    const { inputDim } = this.options
    if (this.floatx === 'float64' || inputDim <= 2 ** 24) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: this.spelled('inputDim'),
      expected: `at most ${2 ** 24} in float32`,
      actual: `${inputDim}`,
      hint: "With dtype: 'float64' indices are exact up to 2^53.",
    })
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, steps = null] = inputShape
    return [batch, steps ?? this.options.inputLength, this.options.outputDim]
  }

  /** @internal */
  override get padding(): number | null {
    return this.options.maskZero ? 0 : null
  }

  /** @internal */
  override computeMask(masked: boolean): boolean {
    super.computeMask(masked)
    return this.options.maskZero
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    return stepped
  }

  protected override createVariables(): void {
    const { inputDim: V, outputDim: D, init, WRegularizer, WConstraint } = this.options
    this.addVariable('W', [V, D], init, {
      regularizer: WRegularizer,
      constraint: WConstraint,
      scales: 'rows',
    })
  }

  protected emit(graph: Graph, x: Value): Value {
    this.#checkPrecision() // a layer added later may have changed it
    const { inputDim, outputDim, maskZero, dropout, activityRegularizer } = this.options
    return graph.op('embedding', [x], this.computeOutputShape([null, ...x.shape]).slice(1), {
      ...this.opName(),
      options: { inputDim, outputDim, maskZero, dropout },
      params: this.paramUses(),
      activity: activityOf(activityRegularizer, this.where),
      mask: maskZero ? 'make' : 'none',
    })
  }
}
