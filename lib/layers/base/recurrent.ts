/**
 * What all recurrent layers share: options, parameters of fused gates,
 * Keras' arrays as slices of them, lowering.
 */
import type { ActivationName } from '../../activations.js'
import { ConfigError, fail, ShapeError } from '../../errors.js'
import { floats, type Init, type Recipe, rowsAtOnce } from '../../initializations.js'
import type { TensorLike } from '../../ndarray.js'
import type { RegularizerLike } from '../../regularizers.js'
import type { Graph, Shape, Value } from '../../spec.js'
import { Layer, type LayerOptions } from './layer.js'
import type { Resolved } from './option-rules.js'
import type { LayerState } from './states.js'
import type { KerasArray, Variable } from './variable.js'

/** Options of every recurrent layer. */
export interface RecurrentOptions extends LayerOptions {
  /** Initial input weights, per gate. Default `'glorot_uniform'`. */
  init?: Init
  /** Initial recurrent weights, per gate, in every `consumeLess` mode. Default `'orthogonal'`. */
  innerInit?: Init
  /** Default `'tanh'`. */
  activation?: ActivationName | null
  /** Penalty on the input weights. Default none. */
  WRegularizer?: RegularizerLike
  /** Penalty on the recurrent weights, in every `consumeLess` mode. Default none. */
  URegularizer?: RegularizerLike
  /** Penalty on the biases. Default none. */
  bRegularizer?: RegularizerLike
  /** Share of the inputs dropped in training, one mask for all steps. 0 to 1, default 0. */
  dropoutW?: number
  /**
   * Share of the recurrent connections dropped in training, one mask for all steps.
   * 0 to 1, default 0.
   */
  dropoutU?: number
  /** Output of every step instead of the last alone. Default `false`. */
  returnSequences?: boolean
  /** Reads from the last step to the first; output in the order of processing. Default `false`. */
  goBackwards?: boolean
  /**
   * A batch begins with the states that the one before left; needs the batch size in
   * `batchInputShape`. Default `false`.
   */
  stateful?: boolean
  /** Kept for files; needs a known length and changes no result. Default `false`. */
  unroll?: boolean
  /**
   * `'gpu'`: one array for all gates in `getWeights()`,
   * one dropout mask for all gates. Default `'cpu'`.
   */
  consumeLess?: 'cpu' | 'mem' | 'gpu'
  /**
   * Truncated back-propagation through time: no gradient goes from step k, 2k, … (counted in the
   * order of processing) to the step before, as if the states there were constants; outputs stay
   * what they are. Theano's `truncate_gradient: k` is another thing: it goes through the last k
   * steps alone. Not in Keras 1.2.2: a file with it cannot be read there. Default `null`: gradients
   * go through all steps.
   */
  truncate?: number | null
  /**
   * Memory against time: keeps what training needs of k steps only and makes the rest again,
   * segment by segment; `'auto'`: about √T steps, so that it grows with √T. The results have the
   * same bits; a training step takes up to a third longer. Not in Keras 1.2.2: a file with it
   * cannot be read there. Default `null`: all steps are kept.
   */
  checkpoint?: 'auto' | number | null
  /**
   * Whether there are biases. Not in Keras 1.2.2:
   * a file with `false` cannot be read there. Default `true`.
   */
  bias?: boolean
  /**
   * The states before the first step. `'learned'`: parameters h0 [H], and of an LSTM c0 [H], the
   * same for all samples; zeros at first, then trained by back-propagation through time. A sample
   * whose steps are all masked gives h0. Not with `stateful`. Not in Keras 1.2.2: a file with it
   * cannot be read there. Default `'zero'`.
   */
  initialState?: 'zero' | 'learned'
  /** D, for a first layer. Default `null`. */
  inputDim?: number | null
  /** T, for a first layer with `inputDim`. Default `null`: any. */
  inputLength?: number | null
  /** Initial values, as `getWeights()` orders them. */
  weights?: readonly TensorLike[] | null
}

/** Options of recurrent layers with gates. */
export interface GatedOptions extends RecurrentOptions {
  /** Activation of the gates. Default `'hard_sigmoid'`. */
  innerActivation?: ActivationName | null
}

/**
 * Base of SimpleRNN, GRU and LSTM: [B, T, D] → [B, T, H] with `returnSequences`, else [B, H].
 * A subclass names its native cell and its gates; one cell is one file in native/formulas/cells/.
 */
export abstract class Recurrent<O extends RecurrentOptions = RecurrentOptions> extends Layer<
  O & { outputDim: number }
> {
  static override readonly positional: readonly string[] = ['outputDim']
  static override readonly defaults: Readonly<Record<string, unknown>> = {
    ...Layer.defaults,
    init: 'glorot_uniform',
    innerInit: 'orthogonal',
    activation: 'tanh',
    WRegularizer: null,
    URegularizer: null,
    bRegularizer: null,
    dropoutW: 0,
    dropoutU: 0,
    returnSequences: false,
    goBackwards: false,
    stateful: false,
    unroll: false,
    consumeLess: 'cpu',
    truncate: null,
    checkpoint: null,
    bias: true,
    initialState: 'zero',
    inputDim: null,
    inputLength: null,
    weights: null,
  }

  override readonly supportsMasking = true

  constructor(outputDim: number, options?: O) {
    super([outputDim], options)
    const { stateful, initialState } = this.given
    if (!stateful || initialState !== 'learned') return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: this.spelled('initialState'),
      expected: "'zero' with stateful: true",
      actual: "'learned'",
      hint: 'A batch of a stateful layer begins with the states that the one before left.',
    })
  }

  /** File in native/formulas/cells/. */
  protected abstract readonly cell: string
  /** Gates in the order in which native code lays them side by side. */
  protected abstract readonly gates: readonly string[]
  /** [gate, Keras' letter for it], in the order of Keras' weights. */
  protected abstract readonly kerasGates: readonly (readonly [gate: string, letter: string])[]
  protected override readonly inputLetters = ['B', 'T', 'D']

  /** The options without what a subclass adds; the base constructor reads them too. */
  protected get given(): Resolved<RecurrentOptions & { outputDim: number }> {
    return this.options as unknown as Resolved<RecurrentOptions & { outputDim: number }>
  }

  get returnSequences(): boolean {
    return this.given.returnSequences
  }

  override get stateful(): boolean {
    return this.given.stateful
  }

  /** Biases of the gates: 'c' is that of the recurrent product, where it has one of its own. */
  protected get biases(): readonly string[] {
    return ['b']
  }

  /** What native code calls the states of the cell. */
  protected readonly stateNames: readonly string[] = ['h']

  protected override ownStates(): readonly LayerState[] {
    if (!this.stateful || !this.built) return []
    const shape = [this.inputShape![0]!, this.given.outputDim] // [B, H]
    return this.stateNames.map((name) => ({ name, shape }))
  }

  protected override impliedInputShape(): Shape | null {
    const { inputDim, inputLength } = this.given
    return inputDim === null ? null : [null, inputLength, inputDim]
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, steps = null] = inputShape
    return this.returnSequences
      ? [batch, steps, this.given.outputDim]
      : [batch, this.given.outputDim]
  }

  /** @internal */
  override computeMask(masked: boolean): boolean {
    return super.computeMask(masked) && this.returnSequences
  }

  /** Initial bias of one gate. */
  protected biasInit(_gate: string): Init {
    return 'zero'
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    const { stateful, unroll } = this.given
    if (stateful && inputShape[0] === null) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: 'batch size of a stateful layer',
        expected: 'known',
        actual: '[B, …]',
        hint: 'Give the first layer batchInputShape: [batch, T, D].',
      })
    }
    if (unroll && inputShape[1] === null) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: 'number of steps with unroll: true',
        expected: 'known',
        actual: '[B, null, …]',
        hint: 'Give the first layer its inputLength or full inputShape.',
      })
    }
  }

  protected override createVariables(inputShape: Shape): void {
    const {
      outputDim: H,
      init,
      innerInit,
      bias,
      WRegularizer,
      URegularizer,
      bRegularizer,
    } = this.given
    const D = this.known(inputShape, -1, 'D')
    const G = this.gates.length
    this.#checkEigenvalue()
    // Keras fills W of 'gpu' in one go, with the fans of all gates together
    const W = this.#fused ? init : this.#fuse(D, () => this.initial(init, [D, H])) // [D, G*H]
    this.addVariable('W', [D, G * H], W, { regularizer: WRegularizer })
    const U = this.#fuse(H, () => this.initial(innerInit, [H, H])) // [H, G*H]
    this.addVariable('U', [H, G * H], U, { regularizer: URegularizer })
    for (const param of this.biases) {
      const value = this.#fuse(1, (gate) => this.initial(this.biasInit(gate), [H])) // [G*H]
      if (bias) this.addVariable(param, [G * H], value, { regularizer: bRegularizer })
      else this.addConstant(param, [G * H], 'zero') // zeros that stay so
    }
    for (const state of this.#learnedStates) this.addVariable(state, [H], 'zero')
  }

  /** Names of the learned initial states: 'h0'. */
  get #learnedStates(): string[] {
    return this.given.initialState === 'learned' ? this.stateNames.map((name) => `${name}0`) : []
  }

  /** Lays the values of each gate, `rows` x H, side by side: [rows, G*H]. */
  #fuse(rows: number, recipeOf: (gate: string) => Recipe): Recipe {
    const H = this.given.outputDim
    const recipes = this.gates.map(recipeOf)
    const width = recipes.length * H
    const rowsOfStep = rowsAtOnce(H)
    return {
      *make(precision) {
        const out = floats(precision, rows * width)
        for (const [k, recipe] of recipes.entries()) {
          const part = yield* recipe.make(precision)
          for (let r = 0; r < rows; r++) {
            out.set(part.subarray(r * H, (r + 1) * H), r * width + k * H)
            if ((r + 1) % rowsOfStep === 0) yield
          }
        }
        return out
      },
    }
  }

  /** Whether Keras has one array for all gates. */
  get #fused(): boolean {
    return this.gates.length === 1 || this.given.consumeLess === 'gpu'
  }

  /**
   * Refuses an EigenvalueRegularizer of fused gates: the eigenvalue of their matrix is not the sum
   * of those of the gates.
   */
  #checkEigenvalue(): void {
    if (this.#fused) return
    for (const key of ['WRegularizer', 'URegularizer'] as const) {
      const regularizer = this.given[key]
      if (!regularizer || !('eigenvalue' in regularizer.penalty)) continue
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: this.spelled(key),
        expected: `an l1 or l2 penalty with consumeLess: '${this.given.consumeLess}'`,
        actual: 'an EigenvalueRegularizer',
        hint: "With consumeLess: 'gpu' it acts on the fused matrix.",
      })
    }
  }

  /**
   * @internal Keras' arrays, gate by gate: W_i, U_i, b_i, W_c, …, or W, U, b when it has them
   *   fused; then learned states.
   */
  override kerasArrays(): KerasArray[] {
    if (this.#fused) return super.kerasArrays()
    const H = this.given.outputDim
    const isState = ({ param }: Variable) => this.#learnedStates.includes(param)
    const ofGates = this.ownWeights.filter((v) => !isState(v))
    const gates = this.kerasGates.flatMap(([gate, letter]) => {
      const k = this.gates.indexOf(gate)
      return ofGates.map((v) => this.slice(v, `${v.param}_${letter}`, [k * H, (k + 1) * H]))
    })
    return [...gates, ...this.ownWeights.filter(isState).map((v) => this.slice(v, v.param))]
  }

  protected emit(graph: Graph, x: Value): Value {
    const {
      outputDim,
      activation,
      returnSequences,
      goBackwards,
      stateful,
      dropoutW,
      dropoutU,
      consumeLess,
    } = this.given
    const { truncate, checkpoint, initialState } = this.given
    const { innerActivation = null } = this.options as { innerActivation?: ActivationName }
    const y = graph.op('recurrence', [x], this.computeOutputShape([null, ...x.shape]).slice(1), {
      ...this.opName(),
      options: {
        cell: this.cell,
        units: outputDim,
        activation,
        innerActivation,
        returnSequences,
        goBackwards,
        stateful,
        learnedStates: initialState === 'learned',
        dropoutW,
        dropoutU,
        sharedDropout: consumeLess === 'gpu',
        truncate: truncate ?? 0,
        checkpoint: checkpoint ?? 0,
      },
      params: this.paramUses(),
      reads: x.mask,
      mask: returnSequences ? 'pass' : 'none',
    })
    return { ...y, isReversed: returnSequences && goBackwards !== (x.isReversed ?? false) }
  }

  /** @internal What a configuration tells of the layer when it is built, beside its options. */
  builtConfig(): Record<string, unknown> {
    return {}
  }

  protected override savedOptions(): Record<string, unknown> {
    const { truncate, checkpoint, bias, initialState, ...keras } = super.savedOptions()
    const own = Object.entries({ truncate, checkpoint, bias, initialState }).filter(
      ([key, value]) => value !== Recurrent.defaults[key],
    )
    const options: Record<string, unknown> = { ...keras, ...Object.fromEntries(own) }
    if (!this.built) return options
    if (!this.stateful) return { ...options, inputDim: this.inputShape?.at(-1) }
    const { inputDim, inputLength, ...rest } = options
    return rest
  }

  /**
   * A stateful layer that is built tells its whole input shape instead of inputDim and inputLength.
   */
  override getConfig(): Record<string, unknown> {
    const config = super.getConfig()
    return this.stateful && this.inputShape
      ? { ...config, batch_input_shape: [...this.inputShape] }
      : config
  }
}
