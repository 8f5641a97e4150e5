/** The base of all layers: options, configuration, parameters, and lowering to ops of the graph. */
import type { Constraint } from '../constraints.js'
import { ConfigError, fail, InternalError, ShapeError } from '../errors.js'
import { type Init, initialize } from '../initializations.js'
import type { NativePlan } from '../native.js'
import { describe, type NDArray, type TensorLike } from '../ndarray.js'
import { camelToSnake, resolveOptions, snakeToCamel } from '../options.js'
import { floatx } from '../backend.js'
import type { Regularizer } from '../regularizers.js'
import type { Graph, ParamSpec, Shape, Value } from '../spec.js'
import { normalizeOption, type Resolved, serializeOption } from './option-rules.js'
import { type KerasArray, readKerasArrays, Variable, writeKerasArrays } from './variable.js'

/** What every layer accepts. */
export interface LayerOptions {
  /** Unique within a model. Default: class name in lower case and a number, `'lstm_1'`. */
  name?: string
  /** False freezes the parameters; set it before `compile`. Default `true`. */
  trainable?: boolean
  /** Shape of one sample, for a first layer: `[T, D]`; `null` for an unknown extent. */
  inputShape?: Shape | null
  /** The same with the batch in front, `[B, T, D]`; a stateful layer needs the batch size. */
  batchInputShape?: Shape | null
  /** Default: the floatx in use (`'float32'`); Embedding `'int32'`. */
  inputDtype?: string | null
}

/** `{ class_name, config }`: how Keras writes a layer. */
export interface LayerConfig {
  class_name: string
  config: Record<string, unknown>
}

/** The static side of a layer class, which registries and `fromConfig` work with. */
export interface LayerClass {
  // biome-ignore lint/suspicious/noExplicitAny: constructors differ in their positional arguments
  new (...args: any[]): Layer
  readonly className: string
  readonly positional: readonly string[]
  readonly defaults: Readonly<Record<string, unknown>>
  readonly unsaved: readonly string[]
  fromConfig(config: Record<string, unknown>, decode: (layer: LayerConfig) => Layer): Layer
}

interface ParamEntry {
  variable: Variable
  regularizer: Regularizer | null
  constraint: Constraint | null
}

const counts = new Map<string, number>()

/** Keras' automatic names: 'lstm_1', 'lstm_2', … per process and prefix. */
export function uniqueName(prefix: string): string {
  const n = (counts.get(prefix) ?? 0) + 1
  counts.set(prefix, n)
  return `${prefix}_${n}`
}

/** A shape with the batch as errors print it: `[B, 5, null]`. */
export const showShape = (shape: Shape): string =>
  `[${shape.map((d, i) => (d === null && i === 0 ? 'B' : String(d))).join(', ')}]`

function checkedOptions(className: string, positional: readonly string[], options: object | null | undefined): object {
  if (options === undefined || options === null) return {}
  if (typeof options !== 'object' || Array.isArray(options)) {
    fail(ConfigError, 'ERR_OPTION', {
      where: className,
      what: 'options',
      expected: 'one object after the arguments',
      actual: describe(options),
    })
  }
  const twice = positional.find((key) => key in options)
  if (twice) {
    fail(ConfigError, 'ERR_OPTION', {
      where: className,
      what: twice,
      expected: `an argument: new ${className}(${positional.join(', ')}, { … })`,
      actual: 'an option',
    })
  }
  return options
}

/**
 * Base class of all layers; Keras 1.2.2 `keras.engine.topology.Layer`.
 *
 * A subclass says `className`, `positional`, `defaults`, how its output shape follows from its input shape
 * (`computeOutputShape`), which parameters it has (`createVariables`) and which ops it is (`emit`).
 */
export abstract class Layer<O extends LayerOptions = LayerOptions> {
  /** Keras' class name, also in files. */
  static readonly className: string = 'Layer'
  /** Constructor arguments without default, in order. */
  static readonly positional: readonly string[] = []
  /** Every other option with its default. */
  static readonly defaults: Readonly<Record<string, unknown>> = {
    name: null,
    trainable: true,
    inputShape: null,
    batchInputShape: null,
    inputDtype: null,
  }
  /** Options that no configuration holds. */
  static readonly unsaved: readonly string[] = ['inputShape', 'batchInputShape', 'inputDtype', 'weights']

  /** Merged with the defaults, checked, names resolved; frozen. */
  readonly options: Resolved<O>
  /** Unique within a model; the stem of its parameters' names. */
  readonly name: string
  /** Takes effect at the next `compile`. */
  trainable: boolean
  /** With the batch; null when the layer was given none and so cannot be first in a model. */
  readonly batchInputShape: Shape | null
  readonly inputDtype: string
  /** Whether a mask may reach this layer. */
  readonly supportsMasking: boolean = true
  /** With the batch, after `build`. */
  inputShape: Shape | undefined
  /** With the batch, after `build`. */
  outputShape: Shape | undefined
  built = false

  /** What inputs look like, for checks and errors: letters of the axes; '…' stands for any number of them. */
  protected readonly inputLetters: readonly string[] = ['B', '…']

  #params: ParamEntry[] = []
  #plan: NativePlan | null = null
  /** Which of the keys that describe the input the configuration shows. */
  #tells: readonly string[] = []

  /**
   * @param args the positional arguments, in the order of `positional`
   * @param options everything else
   */
  protected constructor(args: readonly unknown[], options: object | null | undefined) {
    const { className, positional, defaults } = this.layerClass
    const given: Record<string, unknown> = { ...checkedOptions(className, positional, options) }
    for (const [i, key] of positional.entries()) {
      if (args[i] === undefined || args[i] === null) {
        fail(ConfigError, 'ERR_OPTION', {
          where: className,
          what: key,
          expected: `argument ${i + 1}`,
          actual: describe(args[i]),
        })
      }
      given[key] = args[i]
    }
    const merged = resolveOptions(
      className,
      { ...Object.fromEntries(positional.map((k) => [k, null])), ...defaults },
      given,
    ) as Record<string, unknown>
    const kept: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(merged)) kept[key] = normalizeOption(className, key, value, defaults[key])
    this.options = Object.freeze(kept) as Resolved<O>
    const { name, trainable, inputShape, batchInputShape, inputDtype } = kept as unknown as Resolved<LayerOptions>
    this.name = name ?? uniqueName(className.toLowerCase())
    this.trainable = trainable
    this.batchInputShape = batchInputShape ?? this.impliedInputShape() ?? (inputShape ? [null, ...inputShape] : null)
    this.inputDtype = inputDtype ?? this.defaultInputDtype()
    if (this.batchInputShape) this.#tells = ['batch_input_shape', 'input_dtype']
  }

  /** The class with its static side. */
  get layerClass(): LayerClass {
    return this.constructor as unknown as LayerClass
  }

  /** How errors call this layer: 'lstm_1 (LSTM)'. */
  get where(): string {
    return `${this.name} (${this.layerClass.className})`
  }

  /** Layers inside this one, in the order of their weights. */
  get children(): readonly Layer[] {
    return []
  }

  /** Whether the op does the same with every step, so that TimeDistributed need not fold steps into rows. */
  get perStep(): boolean {
    return false
  }

  /** Own parameters, then those of the layers inside. */
  get variables(): readonly Variable[] {
    return [...this.#params.map((p) => p.variable), ...this.children.flatMap((c) => c.variables)]
  }

  /** For inputs that are word indices: they must be integers below this. Null: any numbers. */
  get indexLimit(): number | null {
    return null
  }

  /** Whether states live on from batch to batch. */
  get stateful(): boolean {
    return this.children.some((c) => c.stateful)
  }

  // ---- shapes and parameters ----

  /**
   * Creates the parameters for inputs of this shape (with the batch). Once per layer.
   * @throws ShapeError `ERR_SHAPE` when the layer cannot take such inputs; ConfigError `ERR_OPTION` when it is built already;
   *   InternalError `ERR_OUT_OF_MEMORY` when the parameters cannot be allocated.
   */
  build(inputShape: Shape): void {
    if (this.built) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        what: 'layer',
        expected: 'new',
        actual: `one that is part of a model already, with input ${showShape(this.inputShape ?? [])}`,
        hint: 'Make a layer of its own for each place.',
      })
    }
    this.checkInput(inputShape)
    const outputShape = this.computeOutputShape(inputShape)
    try {
      this.createVariables(inputShape)
      this.inputShape = [...inputShape]
      this.built = true
      const weights = (this.options as { weights?: readonly TensorLike[] | null }).weights
      if (weights) this.setWeights(weights)
    } catch (error) {
      this.#params = []
      this.inputShape = undefined
      this.built = false
      // 'Invalid typed array length', 'Array buffer allocation failed'
      if (error instanceof RangeError) {
        fail(InternalError, 'ERR_OUT_OF_MEMORY', {
          where: this.where,
          layer: this.where,
          what: `parameters for input ${showShape(inputShape)}`,
          expected: 'small enough for the memory there is',
          actual: `what cannot be allocated (${error.message})`,
        })
      }
      throw error
    }
    this.outputShape = outputShape
  }

  /** Shape out (with the batch) for shape in (with the batch). */
  abstract computeOutputShape(inputShape: Shape): Shape

  /** Calls `addVariable` for each parameter. */
  protected createVariables(_inputShape: Shape): void {}

  /** Adds one native parameter, `dims` as native code wants them. */
  protected addVariable(
    param: string,
    dims: readonly number[],
    value: Init | ArrayLike<number>,
    rest: { trainable?: boolean; regularizer?: Regularizer | null; constraint?: Constraint | null } = {},
  ): Variable {
    const numbers = typeof value === 'string' || typeof value === 'function' ? initialize(value, dims) : value
    const variable = new Variable(`${this.name}/${param}`, dims, numbers, rest.trainable ?? true)
    this.#params.push({ variable, regularizer: rest.regularizer ?? null, constraint: rest.constraint ?? null })
    return variable
  }

  /** @throws ShapeError `ERR_SHAPE` when the number of axes is wrong. */
  protected checkInput(inputShape: Shape): void {
    const letters = this.inputLetters
    const open = letters.includes('…')
    if (open ? inputShape.length >= letters.length - 1 : inputShape.length === letters.length) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'input',
      expected: `[${letters.join(', ')}]`,
      actual: showShape(inputShape),
      hint:
        letters.length === 3 && inputShape.length === 2
          ? 'Does the layer before it need returnSequences: true?'
          : undefined,
    })
  }

  /** The extent of one axis, which must be known. */
  protected known(inputShape: Shape, axis: number, letter: string): number {
    const extent = inputShape.at(axis)
    if (typeof extent === 'number') return extent
    return fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: `${letter} of the input`,
      expected: 'known',
      actual: showShape(inputShape),
      hint: 'Give the first layer its full inputShape.',
    })
  }

  /** An input shape that other options imply, such as `inputDim`. */
  protected impliedInputShape(): Shape | null {
    return null
  }

  protected defaultInputDtype(): string {
    return floatx()
  }

  // ---- lowering ----

  /**
   * Whether the output carries a mask when the input does.
   * @throws ConfigError `ERR_OPTION` when a mask meets a layer that does not support it (Keras: ValueError).
   */
  computeMask(masked: boolean): boolean {
    if (masked && !this.supportsMasking) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'input',
        expected: 'without a mask, which this layer does not support',
        actual: 'one with a mask (from Masking, or Embedding with maskZero)',
        hint: this.maskHint(),
      })
    }
    return masked
  }

  protected maskHint(): string {
    return 'Put a recurrent layer without returnSequences before it.'
  }

  /** Adds this layer's ops to the graph; after `build`. */
  lower(graph: Graph, x: Value): Value {
    this.computeMask(x.mask !== null)
    return this.emit(graph, x)
  }

  protected abstract emit(graph: Graph, x: Value): Value

  /** The parameters as ops carry them. */
  protected paramSpecs(): ParamSpec[] {
    return this.#params.map(({ variable, regularizer, constraint }) => ({
      name: variable.param,
      dims: variable.dims,
      trainable: this.trains && variable.trainable,
      penalty: regularizer?.penalty ?? null,
      constraint: constraint?.spec() ?? null,
    }))
  }

  /** Set by a wrapper: whether what wraps this layer is trainable. */
  wrapper: Layer | null = null

  /** Whether this layer and all that wraps it are trainable. */
  protected get trains(): boolean {
    return this.trainable && (this.wrapper?.trains ?? true)
  }

  /** Name and class for an op. */
  protected opName(): { layer: string; className: string } {
    return { layer: this.name, className: this.layerClass.className }
  }

  // ---- weights ----

  /** Keras' arrays in the order of `getWeights`: trainable, then non-trainable. */
  kerasArrays(): KerasArray[] {
    const own = this.#params.flatMap(({ variable }) => this.slices(variable))
    return [
      ...own.filter((a) => a.variable.trainable),
      ...own.filter((a) => !a.variable.trainable),
      ...this.children.flatMap((c) => c.kerasArrays()),
    ]
  }

  /** How Keras divides one variable. Default: as it is, called `<layer>_<param>`. */
  protected slices(variable: Variable): KerasArray[] {
    return [this.slice(variable, variable.param)]
  }

  protected slice(variable: Variable, suffix: string, columns: KerasArray['columns'] = null): KerasArray {
    const shape = columns ? [...variable.dims.slice(0, -1), columns[1] - columns[0]] : variable.dims
    return { name: `${this.name}_${suffix}`, variable, columns, shape, trainable: this.trains && variable.trainable }
  }

  /** Copies of the parameters, in Keras 1.2.2's order and shapes. Empty before the layer is part of a model. */
  getWeights(): NDArray[] {
    return readKerasArrays(this.kerasArrays())
  }

  /**
   * Sets the parameters, all or none.
   * @throws ShapeError `ERR_SHAPE` when the number of arrays or a shape differs from `getWeights()`.
   */
  setWeights(weights: readonly TensorLike[]): void {
    writeKerasArrays(this.where, this.kerasArrays(), weights)
  }

  /** The number of numbers in all parameters. */
  countParams(): number {
    return this.variables.reduce((sum, v) => sum + v.size, 0)
  }

  /** Hands the parameters to a plan, or takes them back. */
  attach(plan: NativePlan | null): void {
    for (const { variable } of this.#params) variable.attach(plan)
    for (const child of this.children) child.attach(plan)
    this.#plan = plan
  }

  /**
   * Sets the states of a stateful layer to zero.
   * @throws ConfigError `ERR_OPTION` when the layer is not stateful.
   */
  resetStates(): void {
    if (!this.stateful) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'layer',
        expected: 'stateful',
        actual: 'stateful: false',
      })
    }
    for (const child of this.children) if (child.stateful) child.resetStates()
    if (!this.#plan) return
    for (const name of this.#plan.names()) {
      if (!name.startsWith(`${this.name}/`) || !name.endsWith(':carry')) continue
      const { data, shape } = this.#plan.read(name)
      this.#plan.write(name, { data: data.fill(0), shape })
    }
  }

  // ---- configuration ----

  /** Keras' own snake_case dictionary, made from the options. */
  getConfig(): Record<string, unknown> {
    const config: Record<string, unknown> = { name: this.name, trainable: this.trainable }
    if (this.#tells.includes('batch_input_shape')) config.batch_input_shape = [...(this.batchInputShape ?? [])]
    if (this.#tells.includes('input_dtype')) config.input_dtype = this.inputDtype
    const { unsaved } = this.layerClass
    for (const [key, value] of Object.entries(this.savedOptions())) {
      if (!unsaved.includes(key) && !(camelToSnake(key) in config))
        config[camelToSnake(key)] = serializeOption(key, value)
    }
    return config
  }

  /** A new, unbuilt layer with the same options but for `changes`. */
  clone(changes: Readonly<Record<string, unknown>> = {}): this {
    const { positional } = this.layerClass
    const given: Record<string, unknown> = { ...this.options, name: this.name, trainable: this.trainable, ...changes }
    const args = positional.map((key) => given[key])
    for (const key of positional) delete given[key]
    return new this.layerClass(...args, given) as this
  }

  /** The options as a configuration shows them; some layers learn an `inputDim` when they are built. */
  protected savedOptions(): Record<string, unknown> {
    return { ...this.options }
  }

  /**
   * The layer that a configuration describes.
   * @param decode makes the layers inside (wrappers)
   * @throws ConfigError `ERR_OPTION` for an unknown key or a bad value.
   */
  static fromConfig(this: LayerClass, config: Record<string, unknown>, decode: (layer: LayerConfig) => Layer): Layer {
    void decode
    // biome-ignore lint/complexity/noThisInStatic: the class it is called on
    return Layer.#make(this, config)
  }

  static #make(Class: LayerClass, config: Record<string, unknown>): Layer {
    const given = Object.fromEntries(Object.entries(config).map(([key, value]) => [snakeToCamel(key), value]))
    const args = Class.positional.map((key) => given[key])
    for (const key of Class.positional) delete given[key]
    const layer = new Class(...args, given)
    layer.#tells = layer.#tells.filter((key) => key in config)
    return layer
  }
}
