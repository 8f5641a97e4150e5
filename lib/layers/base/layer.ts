/** The base of all layers: options, configuration, parameters, and lowering to ops of the graph. */
import { type Precision, floatx, keptIn } from '../../backend.js'
import { ConfigError, fail, InternalError, ShapeError } from '../../errors.js'
import type { InputSlot } from '../../training/data.js'
import type { TensorLike } from '../../ndarray.js'
import { camelToSnake, snakeToCamel } from '../../options.js'
import { Written } from '../../written.js'
import { setConsoleText } from '../../console-text.js'
import type { Graph, Shape, Value } from '../../spec.js'
import { checkKeys, resolveArguments } from './arguments.js'
import { CalledLayer } from './called.js'
import { tellReversedSteps } from './mask-warnings.js'
import type { Decode, LayerClass, WrittenOptions } from './layer-class.js'
import type { LayerConfig, LayerOptions } from './layer-options.js'
import { layerText, sameShape, showShape } from './names.js'
import { requireOnePlace } from './one-place.js'
import { normalizeOption, type Resolved } from './option-rules.js'
import { from, origin, spelling } from './origin.js'
import type { Tensor } from './tensor.js'
import { withoutInitialization } from './filled-later.js'
import { checkOutputFunctions, savedOption, withOutputFunctions } from './written-activation.js'
import { checkParamFunctions } from './written-penalty.js'

export type { Decode, LayerClass, LayerConfig, LayerOptions, WrittenOptions }

/**
 * Base class of all layers; Keras 1.2.2 `keras.engine.topology.Layer`.
 *
 * A subclass says `className`, `positional`, `defaults`, how its output shape follows from its
 * input shape (`computeOutputShape`), which parameters it has (`createVariables`)
 * and which ops it is (`emit`).
 */
export abstract class Layer<O extends LayerOptions = LayerOptions> extends CalledLayer {
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
    dtype: null,
    acceptMask: false,
  }
  /** Options that no configuration holds. */
  static readonly unsaved: readonly string[] = [
    'inputShape',
    'batchInputShape',
    'inputDtype',
    'dtype',
    'weights',
  ]
  /** @internal Of most layers none: what they compute is not applied last. */
  static readonly written: WrittenOptions = {
    options: [],
    instead: 'defineLayer makes layers of functions.',
  }
  /** @internal Names of the options that a program has defined; they hold data. */
  static readonly own: readonly string[] = []

  /** Merged with the defaults, checked, names resolved; frozen. */
  readonly options: Resolved<O>
  #trainable = true
  readonly inputDtype: string
  /** The configuration that the layer is made from; null: it is made by a program. */
  readonly #origin = origin()
  /** Whether a mask may reach this layer. */
  readonly supportsMasking: boolean = false
  built = false
  #batchInputShape: Shape | null
  /** Whether a mask has met `acceptMask`. */
  #acceptedMask = false
  #inputShape: Shape | undefined
  #outputShape: Shape | undefined

  /**
   * What inputs look like, for checks and errors: letters of the axes;
   * '…' stands for any number of them.
   */
  protected readonly inputLetters: readonly string[] = ['B', '…']

  /** The keys of `getConfig` that describe the input: those that it writes. */
  #inputKeys: readonly string[] = []

  static {
    setConsoleText(Layer, layerText)
  }
  protected constructor(args: readonly unknown[], options: object | null | undefined) {
    super()
    if (typeof this.emit !== 'function') {
      const [where, actual] = [this.layerClass.className, 'a subclass without operations']
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'layer',
        expected: 'one of those that the package exports',
        actual,
      })
    }
    const kept = resolveArguments(this.layerClass, args, options)
    this.options = Object.freeze(kept) as Resolved<O>
    const { name, trainable, inputShape, batchInputShape, inputDtype, dtype } =
      kept as unknown as Resolved<LayerOptions>
    this.floatx = dtype ?? floatx()
    this.begin(name)
    this.trainable = trainable ?? true
    this.#batchInputShape =
      batchInputShape ?? this.impliedInputShape() ?? (inputShape ? [null, ...inputShape] : null)
    this.inputDtype = inputDtype ?? this.defaultInputDtype()
    if (this.#batchInputShape) this.#inputKeys = ['batch_input_shape', 'input_dtype']
  }

  /** @internal What errors call an option: what the layer's configuration calls it. */
  spelled(option: string): string {
    return this.#origin?.spelled(option) ?? option
  }

  /** With the batch; null when the layer was given none and so cannot be first in a model. */
  get batchInputShape(): Shape | null {
    return this.#batchInputShape
  }

  /** With the batch, in its first place; undefined before. */
  get inputShape(): Shape | undefined {
    return this.#inputShape
  }

  /** @internal What a function as activation is applied to, with the batch; undefined before. */
  get activatedShape(): Shape | undefined {
    return this.outputShape
  }

  /** With the batch, in its first place; undefined before. */
  get outputShape(): Shape | undefined {
    return this.#outputShape
  }

  /** @internal The precision that this layer was given; null: that of its model. */
  get precision(): Precision | null {
    return this.options.dtype ?? null
  }

  /**
   * Takes effect at the next `compile`.
   * @throws ConfigError `ERR_OPTION` for anything but true and false
   */
  get trainable(): boolean {
    return this.#trainable
  }

  set trainable(trainable: boolean) {
    this.#trainable = normalizeOption(this.where, 'trainable', trainable, true) as boolean
  }

  /** The class with its static side. */
  get layerClass(): LayerClass {
    return this.constructor as unknown as LayerClass
  }

  /** @internal How errors call this layer: 'lstm_1 (LSTM)'. */
  get where(): string {
    return `${this.name} (${this.layerClass.className})`
  }

  /** @internal Layers inside this one, in the order of their weights. */
  get children(): readonly Layer[] {
    return []
  }

  /**
   * @internal Whether the op does the same with every step, so that TimeDistributed need not fold
   *   steps into rows.
   */
  get perStep(): boolean {
    return false
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    return this.perStep && this.ownActivation === null ? stepped : super.stepsAt(stepped)
  }

  /** @internal Inputs must be word indices: integers below this. Null: any numbers. */
  get indexLimit(): number | null {
    return null
  }

  /** @internal Steps of the input that hold only this number are masked. Null: no number is. */
  get padding(): number | null {
    return null
  }

  // ---- shapes and parameters ----

  /**
   * @internal Creates the parameters for inputs of this shape (with the batch), once: in other
   *   places the layer has the same ones.
   * @throws ShapeError `ERR_SHAPE` when the layer cannot take such inputs, or its parameters do not
   *   fit them; InternalError `ERR_OUT_OF_MEMORY` when the parameters cannot be allocated.
   */
  build(inputShape: Shape): void {
    this.checkInput(inputShape)
    const outputShape = this.computeOutputShape(inputShape)
    checkOutputFunctions(this, outputShape)
    if (this.built) {
      this.#requireFit(inputShape)
      return
    }
    try {
      const weights = (this.options as { weights?: readonly TensorLike[] | null }).weights
      if (weights) withoutInitialization(() => this.createVariables(inputShape))
      else this.createVariables(inputShape)
      this.#inputShape = [...inputShape]
      this.built = true
      checkParamFunctions(this.writtenParams)
      if (weights) this.setWeights(weights)
    } catch (error) {
      this.#unbuild()
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
    this.#outputShape = outputShape
  }

  /** @internal @throws ConfigError `ERR_OPTION` when the layer has its place already */
  requireNew(): void {
    if (!this.built) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what: 'layer',
      expected: 'new',
      actual: `one that is part of a ${this.wrapper ? 'wrapper' : 'model'} already, with input ${showShape(this.inputShape ?? [])}`,
      hint: 'Make a layer of its own for each place.',
    })
  }

  /** In another place, with the weights it has. */
  #requireFit(inputShape: Shape): void {
    const own = this.#inputShape ?? []
    if (sameShape(own, inputShape)) return
    if (this.wouldHaveSame(() => this.createVariables(inputShape))) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'input',
      expected: `${showShape(own)}, for which its weights were made`,
      actual: showShape(inputShape),
      hint: 'Make a new layer.',
    })
  }

  /** Builds a layer inside this one, which from now on trains and computes as this one does. */
  protected buildInside(layer: Layer, inputShape: Shape): void {
    if (!layer.built) layer.wrapper = this
    layer.build(inputShape)
  }

  /** Undoes `build`, in the layers inside, too. */
  #unbuild(): void {
    for (const child of this.children.filter((each) => each.wrapper === this)) {
      child.#unbuild()
      child.wrapper = null
    }
    this.dropVariables()
    this.#inputShape = undefined
    this.#outputShape = undefined
    this.built = false
  }

  /** @internal Shape out (with the batch) for shape in (with the batch). */
  abstract override computeOutputShape(inputShape: Shape): Shape

  /** Calls `addVariable` for each parameter. */
  protected createVariables(_inputShape: Shape): void {}

  /** @throws ShapeError `ERR_SHAPE` when the number of axes is wrong. */
  protected checkInput(inputShape: Shape): void {
    const letters = this.inputLetters
    const open = letters.includes('…')
    if (open ? inputShape.length >= letters.length - 1 : inputShape.length === letters.length)
      return
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
    return keptIn(floatx())
  }

  // ---- lowering ----

  /**
   * @internal Whether the output carries a mask when the input does.
   * @throws ConfigError `ERR_OPTION` when a mask meets a layer
   *   that does not support it (Keras: ValueError).
   */
  computeMask(masked: boolean): boolean {
    const accepts = masked && !this.supportsMasking && this.options.acceptMask === true
    this.#acceptedMask ||= accepts
    if (accepts) return this.acceptedMask === 'pass'
    if (masked && !this.supportsMasking) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: 'input',
        expected: 'without a mask, which this layer does not support',
        actual:
          'one with a mask (from Masking, Embedding with maskZero, or sequences of several lengths)',
        hint: this.maskHint(),
      })
    }
    return masked
  }

  /** What happens to a mask that reaches this layer by `acceptMask` alone. */
  protected get acceptedMask(): 'end' | 'pass' | 'use' {
    return 'end'
  }

  protected maskHint(): string {
    return 'Put a recurrent layer without returnSequences before it.'
  }

  /** @internal Adds this layer's ops to the graph; after `build`. */
  lower(graph: Graph, x: Value): Value {
    this.computeMask(x.mask !== null)
    requireOnePlace(this, graph)
    const ends = !this.supportsMasking && this.acceptedMask === 'end'
    const seen = ends ? { ...x, mask: null } : x
    if (seen.mask !== null && x.isReversed) tellReversedSteps(this, this.where)
    return graph.within({ scope: '', trains: this.trainable }, () => {
      const y = this.emit(graph, seen)
      return withOutputFunctions(graph, this, y, this.opName())
    })
  }

  /** @internal The activation, where it is a function; it is applied to what `emit` gives. */
  get ownActivation(): Written | null {
    const { activation } = this.options as { activation?: unknown }
    return activation instanceof Written ? activation : null
  }

  protected abstract emit(graph: Graph, x: Value): Value

  // ---- as one of the calls of a model ----

  /** @internal */
  override meet(find: (name: string) => Layer | undefined): void {
    for (const child of this.children) child.meet(find)
  }

  protected adopt(input: Tensor): void {
    if (!this.built && this.precision === null) this.floatx = input.node.layer.floatx
  }

  /** @internal Models whose outputs this layer takes: those of a Merge. */
  get branches(): readonly Layer[] {
    return []
  }

  /**
   * @internal What a caller has to give where this is the first layer of a model.
   * @throws ConfigError `ERR_OPTION` when the layer was given no shape
   */
  inputSlots(): readonly InputSlot[] {
    const shape = this.batchInputShape
    if (shape) return [{ ...this.slotAt(0), shape }]
    const inside = this.children.some((child) => child.batchInputShape)
    return fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: 'first layer of a model',
      expected: 'given an inputShape or batchInputShape',
      actual: 'one without',
      hint: inside
        ? 'The shape belongs to the wrapper, not to the layer in it.'
        : 'For example inputShape: [28, 64].',
    })
  }

  /** @internal What data must be that go into one of its inputs. */
  slotAt(_at: number): Pick<InputSlot, 'where' | 'indexLimit' | 'padding'> {
    return { where: this.where, indexLimit: this.indexLimit, padding: this.padding }
  }

  /** Name and class for an op. */
  protected opName(): { layer: string; className: string } {
    return { layer: this.name, className: this.layerClass.className }
  }

  // ---- configuration ----

  /** Keras' own snake_case dictionary, made from the options. */
  // biome-ignore lint/suspicious/noExplicitAny: a model's is a list, which no record of unknowns takes
  getConfig(): Record<string, any> {
    const config: Record<string, unknown> = { name: this.name, trainable: this.trainable }
    if (this.#inputKeys.includes('batch_input_shape'))
      config.batch_input_shape = [...(this.batchInputShape ?? [])]
    if (this.#inputKeys.includes('input_dtype')) config.input_dtype = this.inputDtype
    const { unsaved } = this.layerClass
    for (const [key, value] of Object.entries(this.savedOptions())) {
      if (key === 'acceptMask' && !this.#acceptedMask) continue
      if (!unsaved.includes(key) && !(camelToSnake(key) in config))
        config[camelToSnake(key)] = savedOption(this, key, value)
    }
    return config
  }

  /** @internal A new, unbuilt layer with the same options but for `changes`. */
  clone(changes: Readonly<Record<string, unknown>> = {}): this {
    const { positional } = this.layerClass
    const given: Record<string, unknown> = {
      ...this.options,
      name: this.name,
      trainable: this.trainable,
      ...changes,
    }
    const args = positional.map((key) => given[key])
    for (const key of positional) delete given[key]
    return new this.layerClass(...args, given) as this
  }

  /** What `JSON.stringify` writes: class and configuration. */
  toJSON(): object {
    return { class_name: this.layerClass.className, config: this.getConfig() }
  }

  /**
   * The options as a configuration shows them; some layers learn an `inputDim` when they are built.
   */
  protected savedOptions(): Record<string, unknown> {
    return { ...this.options }
  }

  /**
   * The layer that a configuration describes.
   * @param decode makes the layers inside (wrappers)
   * @throws ConfigError `ERR_OPTION` for an unknown key or a bad value.
   */
  static fromConfig(this: LayerClass, config: object, decode: Decode): Layer {
    void decode
    // biome-ignore lint/complexity/noThisInStatic: the class it is called on
    return Layer.#make(this, config)
  }

  static #make(Class: LayerClass, config: object): Layer {
    const given = Object.fromEntries(
      Object.entries(config).map(([key, value]) => [snakeToCamel(key), value]),
    )
    const there = origin() ?? { where: Class.className, spelled: spelling(config) }
    checkKeys(Class, given, there)
    const args = Class.positional.map((key) => given[key])
    for (const key of Class.positional) delete given[key]
    const layer = from(there, () => new Class(...args, given))
    layer.#inputKeys = layer.#inputKeys.filter((key) => key in config)
    return layer
  }
}
