/**
 * Layers one after the other, as one layer:
 * what a model is, whether it runs or is a part of another.
 */
import { type Floatx, floatx as globalFloatx } from '../../backend.js'
import type { InputSlot } from '../../training/data.js'
import { ConfigError, fail, ShapeError, StateError } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { refusesAssignment, resolveOptions } from '../../options.js'
import type { Graph, Shape, Value } from '../../spec.js'
import { Layer, type LayerConfig, type LayerOptions } from './layer.js'
import { renames, showShape, uniqueName } from './names.js'

/** Layers and those inside them. */
export const withChildren = (layers: readonly Layer[]): Layer[] =>
  layers.flatMap((layer) => [layer, ...withChildren(layer.children)])

/**
 * The same without what is inside models, whose names are their own affair;
 * and without those models.
 */
const outsideModels = (layers: readonly Layer[]): Layer[] =>
  layers.flatMap((layer) =>
    layer instanceof Container ? [] : [layer, ...outsideModels(layer.children)],
  )

const CHANGE = 'model.add(layer) and model.pop() change the layers.'

/** A frozen list whose `pop`, `push` and the like say how layers are changed. */
function fixed(layers: readonly Layer[]): readonly Layer[] {
  const list = [...layers]
  for (const call of [
    'pop',
    'push',
    'shift',
    'unshift',
    'splice',
    'sort',
    'reverse',
    'fill',
    'copyWithin',
  ]) {
    const value = () =>
      fail(ConfigError, 'ERR_OPTION', {
        where: `model.layers.${call}`,
        what: 'list of layers',
        expected: 'left as it is',
        actual: `a call of ${call}`,
        hint: CHANGE,
      })
    Object.defineProperty(list, call, { value })
  }
  return Object.freeze(list)
}

/** A chain of layers; Keras 1.2.2 `keras.engine.topology.Container`, `keras.models.Sequential`. */
export abstract class Container extends Layer<LayerOptions> {
  static override readonly defaults: Readonly<Record<string, unknown>> = { name: null }
  override readonly supportsMasking = true
  readonly #list: Layer[] = []
  /**
   * #list as others see it: frozen, another one after each change. Null: to be made when asked for.
   */
  #shown: readonly Layer[] | null = null
  /** The layers and those inside them. */
  #members = new Set<Layer>()
  /** The first of them that insists on a precision. */
  #insists: Layer | null = null
  /** Names that are taken, when {@link renames} was #namesAt. */
  #names = new Set<string>()
  #namesAt = -1
  /** Whether the output of each layer carries a mask. */
  readonly #masks: boolean[] = []
  #isPart = false
  /** @internal Of the hidden input layer. */
  inputName = 'input'

  static {
    refusesAssignment(Container, 'layers', 'left as it is', CHANGE)
  }
  protected constructor(options?: { name?: string | null }) {
    super([], options)
  }

  /** The layers, first to last: a frozen list, which `add` and `pop` replace. */
  get layers(): readonly Layer[] {
    return (this.#shown ??= fixed(this.#list))
  }

  /** @internal */
  override get children(): readonly Layer[] {
    return this.#list
  }

  /**
   * The layers in the order of the weights, those of the branches of a Merge in its place: what
   * files list. Models among the layers stay whole; a layer in two places is listed in the first.
   */
  get flattenedLayers(): readonly Layer[] {
    const branches = (this.#list[0]?.branches ?? []) as readonly Container[]
    const rest = branches.length === 0 ? this.#list : this.#list.slice(1)
    return [...new Set([...branches.flatMap((branch) => branch.flattenedLayers), ...rest])]
  }

  /**
   * Builds a layer and puts it at the end.
   *
   * @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE; then nothing has changed
   */
  protected push(layer: Layer): void {
    this.#checkMember(layer)
    const last = this.#list.at(-1)
    const floatx = this.#precisionWith(layer)
    if (layer.precision === null) layer.floatx = floatx
    this.#avoidNames(layer)
    const mask = last ? layer.computeMask(this.#masks.at(-1)!) : layer.computeFirstMask()
    if (last) layer.build(last.outputShape!)
    else layer.buildFirst()
    if (!last) this.inputName = uniqueName(`${layer.layerClass.className.toLowerCase()}_input`)
    for (const each of floatx === this.floatx ? [layer] : [...this.#list, layer])
      each.floatx = floatx
    this.floatx = floatx
    this.#list.push(layer)
    this.#shown = null
    for (const each of [layer, ...outsideModels([layer])]) this.#names.add(each.name)
    if (!last) this.#namesAt = -1 // a Merge brings the names in its branches
    for (const each of withChildren([layer])) {
      this.#members.add(each)
      if (each.precision !== null) this.#insists ??= each
      if (each instanceof Container) each.becomePart()
    }
    this.#masks.push(mask)
  }

  /** @throws ConfigError ERR_OPTION for what cannot be a layer of this model */
  #checkMember(layer: Layer): void {
    if (!(layer instanceof Layer)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'model.add',
        what: 'layer',
        expected: 'an instance of Layer',
        actual: describe(layer),
      })
    }
    if (withChildren([layer]).includes(this)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'model.add',
        what: 'layer',
        expected: `one that does not hold ${this.where}`,
        actual: layer === this ? 'that model itself' : layer.where,
      })
    }
    this.#checkWhole('add')
  }

  /**
   * Gives what is added, unless somebody chose its name, one that no layer of the model has: counts
   * begin anew in each process.
   */
  #avoidNames(layer: Layer): void {
    const added = layer.built ? [] : outsideModels([layer])
    if (this.#namesAt !== renames()) {
      this.#names = new Set(
        [...outsideModels(this.#list), ...this.flattenedLayers].map((each) => each.name),
      )
      this.#namesAt = renames()
    }
    for (const each of added) each.avoidNames(this.#names)
  }

  /** Layers may not change where another model was built on their shapes. */
  #checkWhole(call: string): void {
    if (!this.#isPart) return
    fail(ConfigError, 'ERR_OPTION', {
      where: `model.${call}`,
      layer: this.where,
      what: 'model',
      expected: 'one of its own',
      actual: `${this.where}, which is part of another model`,
      hint: 'Finish a model before you put it into another.',
    })
  }

  /** From now on the layers stay as they are. @internal */
  becomePart(): void {
    this.#isPart = true
  }

  /**
   * @internal Also what a layer insists on:
   *   a model that has layers cannot change what it computes in.
   */
  override get precision(): Floatx | null {
    return this.#list.length > 0 ? this.floatx : null
  }

  /**
   * The precision of the model when `layer` is part of it.
   *
   * @throws ConfigError ERR_OPTION for two that differ
   */
  #precisionWith(layer: Layer): Floatx {
    const insisting = withChildren([layer]).filter((each) => each.precision !== null)
    const first = this.#insists ?? insisting[0]
    const other = insisting.find((each) => each.precision !== first!.precision)
    if (other) {
      fail(ConfigError, 'ERR_OPTION', {
        where: other.where,
        layer: other.where,
        what: 'dtype',
        expected: `'${first!.precision}', as that of ${first!.where}`,
        actual: `'${other.precision}'`,
        hint: 'A model computes in one precision.',
      })
    }
    return first?.precision ?? this.#list[0]?.floatx ?? globalFloatx()
  }

  /**
   * Takes the last layer away.
   *
   * @throws StateError ERR_NOT_BUILT when there is none;
   *   ConfigError ERR_OPTION for a part of another model
   */
  protected drop(): Layer {
    this.#checkWhole('pop')
    const last = this.requireLayers('pop').at(-1)!
    this.#list.pop()
    this.#shown = null
    this.#namesAt = -1
    this.#members = new Set(withChildren(this.#list))
    if (this.#insists && !this.#members.has(this.#insists))
      this.#insists = [...this.#members].find((each) => each.precision !== null) ?? null
    this.#masks.pop()
    return last
  }

  /** @throws StateError ERR_NOT_BUILT for a model without layers */
  protected requireLayers(call: string): readonly Layer[] {
    if (this.#list.length > 0) return this.layers
    fail(StateError, 'ERR_NOT_BUILT', {
      where: `model.${call}`,
      what: 'model',
      expected: 'one with layers',
      actual: 'an empty one',
      hint: 'Add some layers first.',
    })
  }

  /**
   * A layer by name or by index.
   *
   * @param which `{ name }`, or `{ index }`, where index 0 is the hidden input layer, as in Keras:
   *   `layers[0]` has index 1. In a model that begins with a Merge the branches come first: index 0
   *   is the first of them.
   * @returns undefined for an unknown name
   * @throws ConfigError ERR_OPTION for an index out of range
   */
  getLayer(which: { name: string } | { index: number }): Layer | undefined {
    const nothing: { name?: string | undefined; index?: number | undefined } = {
      name: undefined,
      index: undefined,
    }
    const { name, index } = resolveOptions('getLayer', nothing, which)
    const branches = this.#list[0]?.branches ?? []
    const all = [...branches, ...this.#list]
    if (name !== undefined) return all.find((layer) => layer.name === name)
    const first = branches.length > 0 ? 0 : 1
    if (Number.isInteger(index) && index! >= first && index! < all.length + first)
      return all[index! - first]
    fail(ConfigError, 'ERR_OPTION', {
      where: 'model.getLayer',
      what: 'index',
      expected: `from ${first} to ${all.length + first - 1}${first === 1 ? ' (0 is the hidden input layer)' : ''}`,
      actual: describe(index),
    })
  }

  /**
   * @internal How errors call what native code calls `name`:
   *   a layer of this model, or of one inside it.
   */
  whereOf(name: string): string | undefined {
    const find = (layers: readonly Layer[]): string | undefined => {
      for (const layer of layers) {
        if (layer.name === name) return layer.where
        if (!(layer instanceof Container)) {
          const inside = find(layer.children)
          if (inside) return inside
        } else if (name.startsWith(`${layer.name}/`)) {
          const inside = layer.whereOf(name.slice(layer.name.length + 1))
          if (inside) return `${inside} in ${layer.where}`
        }
      }
      return undefined
    }
    return find(this.#list)
  }

  // ---- shapes ----

  /**
   * With the batch: `[null, 28, 64]`. Undefined without layers, and with several inputs:
   * see {@link inputShapes}.
   */
  override get inputShape(): Shape | undefined {
    const shapes = this.inputShapes
    return shapes.length === 1 ? shapes[0] : undefined
  }

  /** With the batch, one for each input; several where the model begins with a Merge. */
  get inputShapes(): readonly Shape[] {
    return this.#list[0]?.inputSlots().map((slot) => slot.shape) ?? []
  }

  /** With the batch. Undefined without layers. */
  override get outputShape(): Shape | undefined {
    return this.#list.at(-1)?.outputShape
  }

  override get batchInputShape(): Shape | null {
    return this.inputShape ?? null
  }

  /** @internal The batch size of a model with stateful layers; null: any. */
  get statefulBatchSize(): number | null {
    if (!this.stateful) return null
    return this.inputShapes.map((shape) => shape[0] ?? null).find((rows) => rows !== null) ?? null
  }

  protected override requireStateful(): void {}

  /** @internal */
  override inputSlots(): readonly InputSlot[] {
    return this.requireLayers('predict')[0]!.inputSlots()
  }

  /** @internal */
  override buildFirst(): void {
    if (this.#list.length > 0) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: 'model inside a model',
      expected: 'one with layers',
      actual: 'an empty one',
      hint: 'Add its layers first.',
    })
  }

  /**
   * @internal Checks that inputs of this shape are what the model was made for:
   *   its layers are built already.
   * @throws ShapeError ERR_SHAPE
   */
  override build(inputShape: Shape): void {
    this.buildFirst()
    const shapes = this.inputShapes
    const fits = (shape: Shape) =>
      shape.length === inputShape.length &&
      shape.every((extent, axis) => extent === null || extent === inputShape[axis])
    if (shapes.length === 1 && fits(shapes[0]!)) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'input',
      expected:
        shapes.length === 1
          ? showShape(shapes[0]!)
          : `${shapes.length} arrays, as the first layer of a model gets`,
      actual: showShape(inputShape),
    })
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return this.#list.reduce((shape, layer) => layer.computeOutputShape(shape), inputShape)
  }

  /** @internal */
  override computeFirstOutputShape(inputs: readonly Shape[]): Shape {
    const [first, ...rest] = this.#list
    return rest.reduce(
      (shape, layer) => layer.computeOutputShape(shape),
      first!.computeFirstOutputShape(inputs),
    )
  }

  /** @internal */
  override computeMask(masked: boolean): boolean {
    return this.#list.reduce((carries, layer) => layer.computeMask(carries), masked)
  }

  /** @internal */
  override computeFirstMask(): boolean {
    return this.#masks.at(-1) ?? false
  }

  // ---- lowering: as a part of another model ----

  protected emit(graph: Graph, x: Value): Value {
    const part = { scope: this.name, trains: true } // lower has seen to the rest
    return graph.within(part, () =>
      this.#list.reduce((value, layer) => layer.lower(graph, value), x),
    )
  }

  /** @internal */
  override lowerFirst(graph: Graph, scope = this.name): Value {
    const [first, ...rest] = this.#list
    return graph.within({ scope, trains: this.trainable }, () =>
      rest.reduce((value, layer) => layer.lower(graph, value), first!.lowerFirst(graph)),
    )
  }

  protected override get isScope(): boolean {
    return true
  }

  // ---- configuration ----

  /** The list of `{ class_name, config }` of the layers, with Keras' snake_case keys. */
  override getConfig(): LayerConfig[] {
    return this.#list.map((layer) => ({
      class_name: layer.layerClass.className,
      config: layer.getConfig(),
    }))
  }
}
