/**
 * What all recurrent layers share: options, parameters of fused gates,
 * Keras' arrays as slices of them, lowering.
 */
import type { ActivationName } from '../../activations.js'
import { ConfigError, fail, ShapeError } from '../../errors.js'
import { slice } from '../../expressions/arranging.js'
import { Expr } from '../../expressions/expr.js'
import { floats, type Init, type Recipe, rowsAtOnce } from '../../initializations.js'
import { hasEigenvalue } from '../../regularizers.js'
import type { Graph, ParamUse, Shape, Value } from '../../spec.js'
import { Written } from '../../written.js'
import { cellLoop, type SizedCell } from './cell-step.js'
import { addExpressions } from './expression-ops.js'
import { Layer, type WrittenOptions } from './layer.js'
import type { Resolved } from './option-rules.js'
import type { RecurrentOptions } from './recurrent-options.js'
import type { LayerState } from './states.js'
import { refuseSteps, type StateBefore } from './steps.js'
import type { KerasArray, Variable } from './variable.js'
import { activate } from './written-activation.js'
import { zeroed } from './zeroed.js'

const OF_WHOLE_SEQUENCES = 'model.predict runs it on the whole sequence.'

/** What the formula of a built-in cell is made of. */
export interface StepOfGates {
  /** One of the layer's two activations. */
  activate(x: Expr, by: ActivationName | Written): Expr
  /** Before the step, [B, H] each. */
  readonly states: Readonly<Record<string, Expr>>
  /** x·W + b of a gate, [B, H]. */
  input(gate: string): Expr
  /** h·U of a gate, [B, H] for h [B, H], and its bias c if the cell has one. */
  recurrent(h: Expr, gate: string): Expr
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
    zoneout: 0,
    zeroOutputForMask: false,
    inputDim: null,
    inputLength: null,
    weights: null,
  }

  static override readonly written: WrittenOptions = {
    options: ['activation', 'innerActivation'],
    instead: 'defineCell makes layers of a step that you write.',
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

  /** @internal Activations are inside the step. */
  override get ownActivation(): null {
    return null
  }

  /** @internal Of one step. */
  override get activatedShape(): Shape {
    return [null, this.given.outputDim]
  }

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
  protected get stateNames(): readonly string[] {
    return ['h']
  }

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

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    if (stepped.includes(true) && this.given.goBackwards)
      refuseSteps(this, 'one with goBackwards, which begins at the last step', OF_WHOLE_SEQUENCES)
    return stepped.map((each) => each && this.returnSequences)
  }

  /** Initial bias of one gate. */
  protected biasInit(_gate: string): Init {
    return 'zero'
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    this.#checkZoneout()
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
    for (const state of this.learnedStates) this.addVariable(`${state}0`, [H], 'zero')
  }

  /** States that begin with a parameter: of state h, h0. */
  protected get learnedStates(): readonly string[] {
    return this.given.initialState === 'learned' ? this.stateNames : []
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
      if (!hasEigenvalue(regularizer)) continue
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
    const states = this.learnedStates.map((state) => `${state}0`)
    const isState = ({ param }: Variable) => states.includes(param)
    const ofGates = this.ownWeights.filter((v) => !isState(v))
    const gates = this.kerasGates.flatMap(([gate, letter]) => {
      const k = this.gates.indexOf(gate)
      return ofGates.map((v) => this.slice(v, `${v.param}_${letter}`, [k * H, (k + 1) * H]))
    })
    return [...gates, ...this.ownWeights.filter(isState).map((v) => this.slice(v, v.param))]
  }

  /**
   * The cell as an expression of a step, where it runs as one: for what the ops of built-in cells
   * do not have. Null: it runs as the op `recurrence`.
   *
   * @param D features of the input
   */
  protected asExpressions(D: number): SizedCell | null {
    const { innerActivation } = this.options as { innerActivation?: unknown }
    const isPlain = ![this.given.activation, innerActivation].some(
      (each) => each instanceof Written,
    )
    if (this.given.zoneout === 0 && isPlain) return null
    const H = this.given.outputDim
    const G = this.gates.length
    const weights = Object.fromEntries(this.paramUses().map(({ name, dims }) => [name, dims]))
    for (const state of this.learnedStates) delete weights[`${state}0`]
    const step: SizedCell['step'] = (values) => {
      const part = (param: string, gate: string) => {
        const k = this.gates.indexOf(gate)
        return G === 1 ? values[param]! : slice(values[param]!, k * H, (k + 1) * H)
      }
      return this.step({
        states: Object.fromEntries(this.stateNames.map((name) => [name, values[name]!])),
        input: (gate) => values.x!.dot(part('W', gate)).add(part('b', gate)),
        activate: (x, by) => activate(x, by, this.where),
        recurrent: (h, gate) => {
          const product = h.dot(part('U', gate))
          return this.biases.includes('c') ? product.add(part('c', gate)) : product
        },
      })
    }
    const states = Object.fromEntries(this.stateNames.map((name) => [name, [H]]))
    return { name: this.layerClass.className, features: D, weights, states, step }
  }

  /** The formula of the cell, as an expression: its states after a step. */
  protected abstract step(cell: StepOfGates): Readonly<Record<string, Expr>>

  protected emit(graph: Graph, x: Value): Value {
    const cell = this.asExpressions(x.shape.at(-1)!)
    const y = cell ? this.#emitExpressions(graph, x, cell) : this.#emitBuiltIn(graph, x)
    const { returnSequences, goBackwards, zeroOutputForMask } = this.given
    const isReversed = returnSequences && goBackwards !== (x.isReversed ?? false)
    const own = { ...y, isReversed }
    if (!zeroOutputForMask || x.mask === null) return own
    if (!returnSequences)
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: this.spelled('zeroOutputForMask'),
        expected: 'false where a mask meets the last output alone',
        actual: 'true',
      })
    return zeroed(graph, own, x.mask, { ...this.opName(), where: this.where })
  }

  /** A state, where it comes from outside: with the parameter that it begins with. */
  #stateOf(name: string, shape: readonly number[]): Omit<StateBefore, 'value'> {
    const isLearned = this.learnedStates.includes(name)
    const begins = isLearned && this.variables.find(({ param }) => param === `${name}0`)
    return { name, shape, begins: begins || null }
  }

  #emitExpressions(graph: Graph, x: Value, cell: SizedCell): Value {
    const { dropoutW, dropoutU, consumeLess, goBackwards, stateful } = this.given
    const { truncate, checkpoint } = this.given
    const uses = new Map(this.paramUses().map((use) => [use.name, use]))
    const steps = graph.steps?.has(x) ? graph.steps : null
    const states: StateBefore[] = []
    const params = new Map<Expr, ParamUse>()
    const initial = new Map(
      this.learnedStates.map((state) => {
        const use = uses.get(`${state}0`)!
        const expr = new Expr('weight', [], use.dims, {}, use.name)
        params.set(expr, use)
        return [state, expr]
      }),
    )
    const made = cellLoop(cell, {
      isMasked: x.mask !== null,
      dropoutW,
      dropoutU,
      sharedDropout: consumeLess === 'gpu',
      goBackwards,
      stateful: stateful && steps === null,
      truncate,
      checkpoint,
      returnSequences: this.returnSequences,
      zoneout: (state) => this.#zoneoutOf(state),
      initial,
      isGivenStates: steps !== null,
    })
    for (const [name, expr] of made.weights) params.set(expr, uses.get(name)!)
    const inputs = new Map<Expr, Value>([[made.x, x]])
    for (const { name, shape, before } of made.states) {
      const [state] = steps!.enter(graph, [this.#stateOf(name, shape)])
      inputs.set(before, state!.value)
      states.push(state!)
    }
    const [y, ...after] = addExpressions(graph, [made.root, ...made.states.map((s) => s.after)], {
      ...this.opName(),
      where: this.where,
      inputs,
      params,
      reads: x.mask,
      mask: { name: this.returnSequences ? x.mask : null },
    })
    steps?.leave(graph.placeOf(this.name), states, after)
    return y!
  }

  /** @throws ConfigError `ERR_OPTION` for zoneout of a state that there is not */
  #checkZoneout(): void {
    const { zoneout } = this.given
    const named = typeof zoneout === 'number' ? [] : Object.keys(zoneout)
    const unknown = named.find((state) => !this.stateNames.includes(state))
    if (unknown === undefined) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: this.spelled('zoneout'),
      expected: `by the names of states: ${this.stateNames.join(', ')}`,
      actual: `'${unknown}'`,
    })
  }

  #zoneoutOf(state: string): number {
    const { zoneout } = this.given
    return typeof zoneout === 'number' ? zoneout : (zoneout[state] ?? 0)
  }

  #emitBuiltIn(graph: Graph, x: Value): Value {
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
    const steps = graph.steps?.has(x) ? graph.steps : null
    const states =
      steps?.enter(
        graph,
        this.stateNames.map((name) => this.#stateOf(name, [outputDim])),
      ) ?? []
    const before = states.map(({ value }) => value)
    const shape = this.computeOutputShape([null, ...x.shape]).slice(1)
    const shapes = [shape, ...before.map((state) => state.shape)]
    const isLearned = ({ name }: ParamUse) =>
      this.learnedStates.some((state) => name === `${state}0`)
    const [y, ...after] = graph.several('recurrence', [x, ...before], shapes, {
      ...this.opName(),
      options: {
        cell: this.cell,
        units: outputDim,
        activation: activation as ActivationName,
        innerActivation,
        returnSequences,
        goBackwards,
        stateful: stateful && steps === null,
        learnedStates: initialState === 'learned' && steps === null,
        ...(steps ? { takesStates: true, givesStates: true } : {}),
        dropoutW,
        dropoutU,
        sharedDropout: consumeLess === 'gpu',
        truncate: truncate ?? 0,
        checkpoint: checkpoint ?? 0,
      },
      params: this.paramUses().filter((use) => steps === null || !isLearned(use)),
      reads: x.mask,
      mask: returnSequences ? 'pass' : 'none',
    })
    steps?.leave(graph.placeOf(this.name), states, after)
    return y!
  }

  /** @internal What a configuration tells of the layer when it is built, beside its options. */
  builtConfig(): Record<string, unknown> {
    return {}
  }

  protected override savedOptions(): Record<string, unknown> {
    const { truncate, checkpoint, bias, initialState, zoneout, zeroOutputForMask, ...keras } =
      super.savedOptions()
    const later = { truncate, checkpoint, bias, initialState, zoneout, zeroOutputForMask }
    const own = Object.entries(later).filter(([key, value]) => value !== Recurrent.defaults[key])
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
