/**
 * What a layer owns: parameters as Keras' arrays and as native code knows them, precision, states;
 * its own and those inside.
 */
import type { Precision } from '../../backend.js'
import type { Constraint } from '../../constraints.js'
import { ConfigError, fail, StateError } from '../../errors.js'
import { type Init, type Ordering, type Recipe, recipe } from '../../initializations.js'
import { exceeds } from '../../limits.js'
import { checkMemory } from '../../memory.js'
import type { Floats, NativePlan } from '../../native.js'
import { type NDArray, sizeOf, type TensorLike } from '../../ndarray.js'
import { hasEigenvalue, type Regularizer } from '../../regularizers.js'
import type { ParamUse } from '../../spec.js'
import { Written } from '../../written.js'
import { areFilledLater, withoutInitialization } from './filled-later.js'
import { type LayerState, nativeShape, nativeStates, shownState } from './states.js'
import {
  type KerasArray,
  inFirstPlace,
  readKerasArrays,
  Variable,
  writeKerasArrays,
} from './variable.js'
import { paramFunctions, type WrittenParam } from './written-penalty.js'

interface ParamEntry {
  variable: Variable
  regularizer: Regularizer | Written | null
  constraint: Constraint | Written | null
  /**
   * Whether it stands in for a parameter that the layer goes without, such as a bias: it never
   * changes and is none of the weights.
   */
  isConstant: boolean
}

/** Names that layers had at one time. */
export type LayerNames = ReadonlyMap<ParameterOwner, string>

/** How many bytes parameters may still take, and the limit in all; null: no limit. */
let budget: { left: number; readonly limit: number } | null = null

/**
 * Builds layers whose parameters may take so many bytes in all; checked before they take any.
 * @param build must not wait
 * @throws FormatError `ERR_LIMIT`
 */
export function withParameterBytes<T>(limit: number, build: () => T): T {
  const before = budget
  budget = { left: limit, limit }
  try {
    return build()
  } finally {
    budget = before
  }
}

/** The part of a layer that owns its parameters and states. */
export abstract class ParameterOwner {
  /** Unique within a model; the stem of its parameters' names. */
  abstract name: string
  /** @internal How errors call this layer: 'lstm_1 (LSTM)'. */
  abstract readonly where: string
  /** @internal Layers inside this one, in the order of their weights. */
  abstract readonly children: readonly ParameterOwner[]
  /** Takes effect at the next `compile`. */
  abstract trainable: boolean
  /** @internal What wraps this layer, once that is built. */
  wrapper: ParameterOwner | null = null

  #params: ParamEntry[] = []
  #plan: NativePlan | null = null
  #planName = '' // how #plan calls it
  /** States that were set while no plan had the layer; null: none were. */
  #early: readonly Floats[] | null = null
  #ownFloatx: Precision = 'float32'

  /** Precision of the parameters: that of the model or of the wrapper, once there is one. */
  get floatx(): Precision {
    return this.wrapper?.floatx ?? this.#ownFloatx
  }

  /** @internal */
  set floatx(floatx: Precision) {
    this.#ownFloatx = floatx
  }

  /** @internal Own parameters, then those of the layers inside. */
  get variables(): readonly Variable[] {
    return [
      ...new Set([
        ...this.#params.map((p) => p.variable),
        ...this.children.flatMap((c) => c.variables),
      ]),
    ]
  }

  /** Own parameters without constants. */
  protected get ownWeights(): readonly Variable[] {
    return this.#params.filter((p) => !p.isConstant).map((p) => p.variable)
  }

  /** All parameters without constants. */
  get #allWeights(): readonly Variable[] {
    return [...new Set([...this.ownWeights, ...this.children.flatMap((c) => c.#allWeights)])]
  }

  /** Whether states live on from batch to batch. */
  get stateful(): boolean {
    return this.children.some((c) => c.stateful)
  }

  /**
   * Adds one native parameter, `dims` as native code wants them.
   * @throws ConfigError `ERR_OPTION` for an EigenvalueRegularizer on anything
   *   but a matrix (Keras: ValueError)
   */
  protected addVariable(
    param: string,
    dims: readonly number[],
    value: Init | Recipe,
    details: {
      trainable?: boolean
      regularizer?: Regularizer | Written | null
      constraint?: Constraint | Written | null
      sharable?: boolean
      scales?: Variable['scales']
    } = {},
  ): Variable {
    if (hasEigenvalue(details.regularizer ?? null) && dims.length !== 2) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: `parameter ${param} with an EigenvalueRegularizer`,
        expected: 'a matrix',
        actual: `[${dims.join(', ')}]`,
      })
    }
    this.#afford(dims)
    const initial = typeof value === 'object' ? value : this.initial(value, dims)
    const variable = new Variable(param, dims, initial, this, details)
    this.#params.push({
      variable,
      regularizer: details.regularizer ?? null,
      constraint: details.constraint ?? null,
      isConstant: false,
    })
    return variable
  }

  /**
   * Adds a native parameter that keeps its value, for what the layer goes without:
   * it is none of the weights.
   */
  protected addConstant(param: string, dims: readonly number[], value: 'zero' | 'one'): void {
    this.#afford(dims)
    const variable = new Variable(param, dims, recipe(value, dims), this, { trainable: false })
    this.#params.push({ variable, regularizer: null, constraint: null, isConstant: true })
  }

  /** @throws FormatError `ERR_LIMIT`; InternalError `ERR_OUT_OF_MEMORY` */
  #afford(dims: readonly number[]): void {
    const bytes = sizeOf(dims) * (this.floatx === 'float64' ? 8 : 4)
    if (budget) budget.left -= bytes
    if (budget && budget.left < 0)
      exceeds(this.where, 'parameterBytes', budget.limit, budget.limit - budget.left)
    checkMemory(bytes) // the value is made later: nothing else would notice before
  }

  /**
   * The recipe for the initial values of a parameter; zeros where a file is about to set it.
   * @param ordering of a kernel's axes
   */
  protected initial(init: Init, dims: readonly number[], ordering: Ordering = 'th'): Recipe {
    return areFilledLater() ? recipe('zero', dims) : recipe(init, dims, ordering)
  }

  /**
   * Whether making the parameters again would give those that there are, but for their numbers.
   * @param create makes them
   */
  protected wouldHaveSame(create: () => void): boolean {
    const [kept, limits] = [this.#params, budget]
    this.#params = []
    budget = null
    try {
      withoutInitialization(create)
      return (
        this.#params.length === kept.length &&
        this.#params.every(({ variable }, i) => variable.couldBe(kept[i]!.variable))
      )
    } finally {
      this.#params = kept
      budget = limits
    }
  }

  /** Forgets the parameters. */
  protected dropVariables(): void {
    this.#params = []
  }

  /** The parameters as ops carry them; their shapes are settled by that. */
  protected paramUses(): ParamUse[] {
    for (const { variable } of this.#params) variable.settle()
    const written = new Map<object, Pick<ParamUse, 'functions'>>(
      this.writtenParams.map(({ variable, functions }) => [variable, { functions }]),
    )
    return this.#params.map(({ variable, regularizer, constraint }) => ({
      variable,
      ...written.get(variable),
      name: variable.param,
      dims: variable.dims,
      // what the layer is inside must be trainable, too: Graph sees to that
      trainable: this.trainable && variable.trainable,
      penalty: regularizer instanceof Written ? null : (regularizer?.penalty ?? null),
      constraint: constraint instanceof Written ? null : (constraint?.spec() ?? null),
    }))
  }

  /** @internal A parameter, for an op of another layer. */
  useOf(param: string): ParamUse | undefined {
    return this.paramUses().find(({ name }) => name === param)
  }

  /** @internal Parameters whose penalty or constraint is a function. */
  get writtenParams(): readonly WrittenParam[] {
    return this.#params.flatMap(({ variable, regularizer, constraint }) => {
      const arrays = () => this.kerasArrays().filter((array) => array.variable === variable)
      const functions = paramFunctions(this.where, regularizer, constraint, arrays)
      return functions ? [{ variable, functions }] : []
    })
  }

  /**
   * @internal Keras' arrays in the order of `getWeights`: trainable, then non-trainable; then those
   *   of the layers inside.
   */
  kerasArrays(): KerasArray[] {
    const own = this.ownWeights.flatMap((variable) => this.slices(variable))
    return [
      ...own.filter((a) => a.variable.trainable),
      ...own.filter((a) => !a.variable.trainable),
      ...this.fromInside(inFirstPlace(this.arraysInside())),
    ]
  }

  /**
   * @internal The parameters as Keras 2 divides them: each entry is one array, made of one
   *   variable, or of several that are stacked along a new first axis. In the order of its files:
   *   of the layers inside, first what trains.
   */
  fusedArrays(): (readonly KerasArray[])[] {
    const whole = this.ownWeights.map((variable) => this.slice(variable, variable.param))
    const inside = this.children
      .flatMap((c) => c.fusedArrays())
      .map((parts) => this.fromInside(parts))
    const trains = (parts: readonly KerasArray[]) => parts.every((a) => a.trainable)
    return [
      ...whole.filter((a) => a.variable.trainable).map((a) => [a]),
      ...whole.filter((a) => !a.variable.trainable).map((a) => [a]),
      ...inside.filter(trains),
      ...inside.filter((parts) => !trains(parts)),
    ]
  }

  /**
   * @internal The same in the order of files, which is that of Keras' `weights`: of the layers
   *   inside, first what trains.
   */
  fileArrays(): KerasArray[] {
    if (this.children.length === 0) return this.kerasArrays()
    const arrays = inFirstPlace(this.children.map((c) => c.fileArrays()))
    return this.fromInside([
      ...arrays.filter((a) => a.trainable),
      ...arrays.filter((a) => !a.trainable),
    ])
  }

  /** Arrays of each layer inside. */
  protected arraysInside(): (readonly KerasArray[])[] {
    return this.children.map((c) => c.kerasArrays())
  }

  /** Arrays of the layers inside as this layer gives them out: when it is frozen, so are they. */
  protected fromInside(arrays: readonly KerasArray[]): KerasArray[] {
    return arrays.map((array) => ({ ...array, trainable: array.trainable && this.trainable }))
  }

  /** How Keras divides one variable. Default: as it is, called `<layer>_<param>`. */
  protected slices(variable: Variable): KerasArray[] {
    return [this.slice(variable, variable.param)]
  }

  protected slice(
    variable: Variable,
    suffix: string,
    columns: KerasArray['columns'] = null,
  ): KerasArray {
    const shape = columns ? [...variable.dims.slice(0, -1), columns[1] - columns[0]] : variable.dims
    const trainable = this.trainable && variable.trainable
    return { name: `${this.name}_${suffix}`, variable, columns, shape, trainable }
  }

  /** Throws where numbers of a model cannot be read, or written, now. */
  protected checkReady(_call: string, _writes: boolean): void {}

  /**
   * Copies of the parameters, in Keras 1.2.2's order and shapes; of a model layer after layer.
   * Empty before the layer is part of a model. Initial values that nothing has needed before are
   * made now, on this thread.
   * @throws StateError `ERR_BUSY` while a batch runs (callbacks may call it)
   */
  getWeights(): NDArray[] {
    this.checkReady('getWeights', false)
    return readKerasArrays(this.kerasArrays())
  }

  /**
   * Sets the parameters, all or none.
   * @throws ShapeError `ERR_SHAPE` when the number of arrays
   *   or a shape differs from `getWeights()`.
   */
  setWeights(weights: readonly TensorLike[]): void {
    writeKerasArrays(this.where, this.kerasArrays(), weights)
  }

  /** The number of numbers in all parameters. */
  countParams(): number {
    return this.#allWeights.reduce((sum, v) => sum + v.size, 0)
  }

  /**
   * @internal Hands the parameters to a plan.
   * @param scope the prefix of the layer's name in the plan
   * @param names what the layers were called when the plan was made
   */
  attach(plan: NativePlan, scope: string, names: LayerNames): void {
    const name = scope + (names.get(this) ?? this.name)
    for (const { variable } of this.#params) variable.attach(plan, name)
    for (const child of this.children) child.attach(plan, this.isScope ? `${name}/` : scope, names)
    this.#plan = plan
    this.#planName = name
    if (!this.#early) return
    this.#writeStates(this.#early)
    this.#early = null
  }

  /** @internal Takes those parameters back that are in this plan. */
  detach(plan: NativePlan): void {
    for (const { variable } of this.#params) variable.detach(plan)
    for (const child of this.children) child.detach(plan)
    if (this.#plan === plan) this.#plan = null
  }

  /** @internal Whether all parameters are in this plan. */
  isIn(plan: NativePlan): boolean {
    return (
      this.#plan === plan &&
      this.#params.every(({ variable }) => variable.isIn(plan)) &&
      this.children.every((c) => c.isIn(plan))
    )
  }

  /** @internal Whether the names that plans have for the layers inside begin with this one's. */
  get isScope(): boolean {
    return false
  }

  // ---- states ----

  /** The layer's own states, once it is built; the layers inside have theirs. */
  protected ownStates(): readonly LayerState[] {
    return []
  }

  /** The layers with states, this one and those inside, in the order of their weights. */
  #stateOwners(): ParameterOwner[] {
    const inside = this.children
      .filter((child) => child.stateful)
      .flatMap((child) => child.#stateOwners())
    return this.ownStates().length > 0 ? [this, ...inside] : inside
  }

  /** @throws ConfigError `ERR_OPTION` for a layer without states; a model may be one */
  protected requireStateful(): void {
    if (this.stateful) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: 'layer',
      expected: 'stateful',
      actual: 'stateful: false',
    })
  }

  #requireStates(): ParameterOwner[] {
    this.requireStateful()
    const owners = this.#stateOwners()
    if (owners.length > 0 || !this.stateful) return owners
    return fail(StateError, 'ERR_NOT_BUILT', {
      where: this.where,
      layer: this.where,
      what: 'layer',
      expected: 'part of a model, which gives its states a batch size',
      actual: 'one of no model',
      hint: 'model.add(layer) comes first.',
    })
  }

  #stateName({ name }: LayerState): string {
    return `${this.#planName}/${name}:carry`
  }

  #readStates(): NDArray[] {
    const known = new Set(this.#plan?.names())
    return this.ownStates().map((state, i) => {
      const name = this.#stateName(state)
      if (known.has(name)) return shownState(state, this.#plan!.read(name).data)
      const size = sizeOf(state.shape)
      const zeros = this.floatx === 'float64' ? new Float64Array(size) : new Float32Array(size)
      return shownState(state, this.#early?.[i] ?? zeros)
    })
  }

  /** @param values as native code lays them */
  #writeStates(values: readonly Floats[]): void {
    if (!this.#plan) {
      this.#early = values
      return
    }
    for (const [i, state] of this.ownStates().entries())
      this.#plan.write(this.#stateName(state), { data: values[i]!, shape: nativeShape(state) })
  }

  /**
   * Copies of the states of a stateful layer, as the last batch left them, row by row: what the
   * next batch begins with. Keras' `layer.states`.
   *
   * Zeros before the first batch and after `resetStates`. LSTM: h [B, H], c [B, H]. GRU and
   * SimpleRNN: h [B, H]. ConvLSTM2D: h and c, each as one of its output images, [B, rows, columns,
   * nbFilter]. Bidirectional: those of the forward layer, then those of the backward layer. A
   * model: those of its stateful layers, one after the other; of none, an empty list. Models that
   * share a layer have states of their own there: these are those of the model that used it last.
   * @throws ConfigError `ERR_OPTION` when the layer is not stateful; StateError `ERR_NOT_BUILT`
   *   when it is not part of a model, `ERR_BUSY` while a batch runs (callbacks may call it)
   * @example
   * const layer = new GRU(3, { stateful: true, batchInputShape: [2, 5, 4] })
   * const model = new Sequential([layer])
   * await model.predict(
   *   Array.from({ length: 2 }, () => Array.from({ length: 5 }, () => [1, 2, 3, 4])),
   * )
   * const kept = layer.getStates() // [h]
   * model.resetStates()
   * layer.setStates(kept)
   * console.log(layer.getStates()[0].shape) // [ 2, 3 ]
   * @see keras.layers.Recurrent.states
   */
  getStates(): NDArray[] {
    this.checkReady('getStates', false)
    return this.#requireStates().flatMap((owner) => owner.#readStates())
  }

  /**
   * Sets the states of a stateful layer, all or none: the next batch begins with them, whichever
   * call it is of. A file does not hold them, as in Keras; the checkpoints of `fit` do.
   * @param states as {@link getStates} gives them
   * @throws ShapeError `ERR_SHAPE` when number or shapes differ; StateError `ERR_BUSY` during a fit
   *   (callbacks may call it); otherwise as {@link getStates}
   */
  setStates(states: readonly TensorLike[]): void {
    this.checkReady('setStates', true)
    const owners = this.#requireStates()
    const own = owners.flatMap((owner) => owner.ownStates())
    const values = nativeStates(this.where, own, states, this.floatx)
    for (const owner of owners) owner.#writeStates(values.splice(0, owner.ownStates().length))
  }

  /**
   * Sets the states of a stateful layer to zero.
   * @throws ConfigError `ERR_OPTION` when the layer is not stateful.
   */
  resetStates(): void {
    this.requireStateful()
    for (const owner of this.#stateOwners()) owner.#zeroStates()
  }

  #zeroStates(): void {
    this.#early = null
    if (!this.#plan) return
    const known = new Set(this.#plan.names())
    for (const state of this.ownStates()) {
      const name = this.#stateName(state)
      if (!known.has(name)) continue
      const { data, shape } = this.#plan.read(name)
      if (data.some((v) => v !== 0)) this.#plan.write(name, { data: data.fill(0), shape })
    }
  }
}
