/** A model as a layer: layers that are called on one another, from input tensors to outputs. */
import type { Precision } from '../../backend.js'
import type { InputSlot } from '../../training/data.js'
import { ConfigError, fail, StateError } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { refusesAssignment, resolveOptions } from '../../options.js'
import type { Graph, Shape, Value } from '../../spec.js'
import { type Called, oneOrList } from './called.js'
import { checkGraph, checkInputs } from './graph-checks.js'
import { graphConfig } from './graph-config.js'
import { Layer, type LayerOptions } from './layer.js'
import { CHANGE, giveNames, Members, withChildren } from './members.js'
import { requireOnePlace } from './one-place.js'
import { Node, type Tensor } from './tensor.js'
import type { KerasArray } from './variable.js'
import { Network } from './network.js'

/**
 * Layers that are called on one another, as one layer; Keras 1.2.2
 * `keras.engine.topology.Container`. A chain grows by {@link Container.push}; a graph is {@link
 * Container.assemble}d once.
 */
export abstract class Container extends Layer<LayerOptions> {
  static override readonly defaults: Readonly<Record<string, unknown>> = { name: null }
  override readonly supportsMasking = true
  readonly #members = new Members()
  #inputs: readonly Tensor[] = []
  /** Of a graph, its outputs; of a chain, what each of its layers gives. */
  readonly #tensors: Tensor[] = []
  /** The calls between inputs and outputs; null: to be made when asked for. */
  #network: Network | null = null
  #isGraph = false
  /** Whether another model has it as a layer, so that its own layers stay as they are. */
  #isPart = false

  static {
    refusesAssignment(Container, 'layers', 'left as it is', CHANGE)
  }
  protected constructor(options?: { name?: string | null }) {
    super([], options)
  }

  /** The layers, first to last: a frozen list, which `add` and `pop` replace. */
  get layers(): readonly Layer[] {
    return this.#members.frozenList
  }

  /** @internal */
  override get children(): readonly Layer[] {
    return this.#members.list
  }

  /**
   * The layers in the order of the weights, those of the branches of a Merge in its place: what
   * files list. Models among the layers stay whole; a layer in two places is listed in the first.
   */
  get flattenedLayers(): readonly Layer[] {
    const branches = (this.#members.list[0]?.branches ?? []) as readonly Container[]
    const rest = branches.length === 0 ? this.#members.list : this.#members.list.slice(1)
    return [...new Set([...branches.flatMap((branch) => branch.flattenedLayers), ...rest])]
  }

  /** @internal Whether it was assembled, and is no chain. */
  get isGraph(): boolean {
    return this.#isGraph
  }

  /** @internal */
  get network(): Network {
    const outputs = this.#isGraph ? this.#tensors : this.#tensors.slice(-1)
    return (this.#network ??= new Network(this.#inputs, outputs))
  }

  /**
   * Calls a layer on what the last one gives, and puts it at the end.
   *
   * @param enter gives what the first layer is called on
   * @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE; then nothing has changed
   */
  protected push(layer: Layer, enter: (layer: Layer) => readonly Tensor[]): void {
    this.#checkMember(layer)
    const isFirst = this.#members.list.length === 0
    const floatx = this.#members.precisionWith([layer])
    if (layer.precision === null) layer.floatx = floatx
    this.#members.avoidNames(layer, () => this.flattenedLayers)
    if (layer instanceof Container) layer.requireFilled()
    const inputs = isFirst ? enter(layer) : [this.#tensors.at(-1)!]
    const [output, another] = layer.place(inputs)
    if (another) this.#refuseOutputs(layer, output!)
    for (const each of floatx === this.floatx ? [layer] : [...this.#members.list, layer])
      each.floatx = floatx
    this.floatx = floatx
    if (isFirst) this.#inputs = inputs
    this.#tensors.push(output!)
    this.#admit([layer])
  }

  #admit(layers: readonly Layer[]): void {
    this.#members.admit(layers)
    this.#network = null
    for (const each of withChildren(layers)) if (each instanceof Container) each.becomePart()
  }

  #refuseOutputs(layer: Layer, output: Tensor): never {
    const { length } = output.node.outputs
    layer.displace(output.node)
    return fail(ConfigError, 'ERR_OPTION', {
      where: 'model.add',
      layer: layer.where,
      what: 'layer',
      expected: 'one with one output',
      actual: `${layer.where}, which has ${length}`,
      hint: 'new Model({ input, output }) takes any number.',
    })
  }

  /**
   * Makes this a graph, for good: all that lies between inputs and outputs.
   *
   * @throws ConfigError ERR_OPTION for tensors that are no graph, and for one name twice; then
   *   nothing has changed
   */
  protected assemble(inputs: readonly Tensor[], outputs: readonly Tensor[]): void {
    const network = new Network(inputs, outputs)
    checkGraph(this.where, network)
    const { layers } = network
    const floatx = this.#members.precisionWith(layers)
    giveNames(this.where, layers)
    for (const each of [this, ...layers]) each.floatx = floatx
    this.#inputs = inputs
    this.#tensors.push(...outputs)
    this.#isGraph = true
    this.#admit(layers)
    this.#network = network
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
    this.#checkNotPart('add')
  }

  /** Refuses to change the layers of a part of another model, which was built on their shapes. */
  #checkNotPart(call: string): void {
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

  /** @internal Its layers have met those before them. */
  override meet(): void {}

  /** @internal From now on the layers stay as they are. */
  becomePart(): void {
    this.#isPart = true
  }

  /** @internal A model that has layers keeps the precision that it has. */
  override get precision(): Precision | null {
    return this.#members.list.length > 0 ? this.floatx : null
  }

  /**
   * Removes the last layer.
   *
   * @throws StateError ERR_NOT_BUILT when there is none;
   *   ConfigError ERR_OPTION for a part of another model
   */
  protected drop(): Layer {
    this.#checkNotPart('pop')
    const last = this.requireLayers('pop').at(-1)!
    last.displace(this.#tensors.pop()!.node)
    this.#members.pop()
    this.#network = null
    return last
  }

  /** @throws StateError ERR_NOT_BUILT for a model without layers */
  protected requireLayers(call: string): readonly Layer[] {
    if (this.#members.list.length > 0) return this.layers
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
   * @param which `{ name }`, or `{ index }`, that in `layers`. In a chain, index 0 is the hidden
   *   input layer, as in Keras, so that `layers[0]` has index 1; in one that begins with a Merge
   *   the branches come first: index 0 is the first of them.
   * @returns undefined for an unknown name
   * @throws ConfigError ERR_OPTION for an index out of range
   */
  getLayer(which: { name: string } | { index: number }): Layer | undefined {
    const nothing: { name?: string | undefined; index?: number | undefined } = {
      name: undefined,
      index: undefined,
    }
    const { name, index } = resolveOptions('getLayer', nothing, which)
    const branches = this.#members.list[0]?.branches ?? []
    const all = [...branches, ...this.#members.list]
    if (name !== undefined) return all.find((layer) => layer.name === name)
    const first = this.#isGraph || branches.length > 0 ? 0 : 1
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
    return find(this.#members.list)
  }

  // ---- inputs and outputs ----

  /** The tensors that it begins with: one, or a list of several. Undefined without layers. */
  override get input(): Tensor | readonly Tensor[] {
    return oneOrList(this.#inputs)
  }

  /** The tensors that it ends with: one, or a list of several. */
  override get output(): Called<this> {
    return oneOrList(this.network.outputs) as Called<this>
  }

  /** @internal The call from its own inputs to its outputs comes first, as in Keras. */
  override get calls(): readonly Node[] {
    const own = new Node(this, this.#inputs)
    own.outputs = this.network.outputs
    return [own, ...this.nodes]
  }

  /** Names of the inputs, those of their layers: the keys for data by name. */
  get inputNames(): readonly string[] {
    return this.#inputs.map(({ node }) => node.layer.name)
  }

  /** Names of the outputs, those of the layers that make them: the keys for targets by name. */
  get outputNames(): readonly string[] {
    return this.#members.list.length === 0
      ? []
      : this.network.outputs.map(({ node }) => node.layer.name)
  }

  /**
   * With the batch: `[null, 28, 64]`. Undefined without layers, and with several inputs:
   * see {@link inputShapes}.
   */
  override get inputShape(): Shape | undefined {
    const shapes = this.inputShapes
    return shapes.length === 1 ? shapes[0] : undefined
  }

  /** With the batch, one for each input. */
  get inputShapes(): readonly Shape[] {
    return this.#inputs.map(({ shape }) => shape)
  }

  /**
   * With the batch. Undefined without layers, and with several outputs: see {@link outputShapes}.
   */
  override get outputShape(): Shape | undefined {
    const shapes = this.outputShapes
    return shapes.length === 1 ? shapes[0] : undefined
  }

  /** With the batch, one for each output. */
  get outputShapes(): readonly Shape[] {
    return this.#members.list.length === 0 ? [] : this.network.outputs.map(({ shape }) => shape)
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
    this.requireLayers('predict')
    const { inputs, uses } = this.network
    return inputs.map(({ shape, node: { layer } }, i) => {
      const slots = uses[i]!.map((use) => use.layer.slotAt(use.at))
      const limits = slots.flatMap(({ indexLimit }) => indexLimit ?? [])
      return {
        name: layer.name,
        // the hidden input of a chain is named by its first layer: no user has written it
        where: this.#isGraph ? layer.where : slots[0]!.where,
        shape,
        indexLimit: limits.length > 0 ? Math.min(...limits) : null,
        padding: slots.every(({ padding }) => padding === slots[0]!.padding)
          ? slots[0]!.padding
          : null,
      }
    })
  }

  /** @internal */
  override slotAt(at: number): InputSlot {
    return this.inputSlots()[at]!
  }

  /** What one of the layers gives in this model. @throws ConfigError */
  protected outputsOf(name: string): readonly Tensor[] {
    const nodes = this.network.nodes.filter(({ layer }) => layer.name === name)
    if (nodes.length === 1) return nodes[0]!.outputs
    const names = [...new Set(this.network.nodes.map(({ layer }) => layer.name))]
    return fail(ConfigError, nodes.length === 0 ? 'ERR_UNKNOWN_NAME' : 'ERR_OPTION', {
      where: this.where,
      what: 'name of the layer',
      expected: nodes.length === 0 ? `one of ${names.join(', ')}` : 'one that is called once',
      actual: nodes.length === 0 ? describe(name) : `'${name}', called ${nodes.length} times`,
    })
  }

  // ---- as a layer ----

  /** @internal @throws ConfigError ERR_OPTION for a model without layers */
  requireFilled(): void {
    if (this.#members.list.length > 0) return
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
   * @internal Checks that inputs of these shapes are what the model was made for: its layers are
   *   built already.
   * @throws ShapeError ERR_SHAPE
   */
  override buildAt(shapes: readonly Shape[]): void {
    this.requireFilled()
    checkInputs(this.where, this.inputShapes, shapes)
  }

  /** @internal */
  override build(inputShape: Shape): void {
    this.buildAt([inputShape])
  }

  /** @internal */
  override outputShapesAt(shapes: readonly Shape[]): readonly Shape[] {
    return this.network.run(shapes, (layer, inputs) => layer.outputShapesAt(inputs))
  }

  /** @internal */
  override arrayShapesAt(shapes: readonly Shape[]): readonly Shape[] {
    return this.network.arrayShapes(shapes)
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return this.#only(this.outputShapesAt([inputShape]))
  }

  /** @internal */
  override masksAt(masked: readonly boolean[]): readonly boolean[] {
    if (masked.length !== this.#inputs.length) return [] // buildAt refuses it
    return this.network.run(masked, (layer, inputs) => layer.masksAt(inputs))
  }

  /** @internal */
  override computeMask(masked: boolean): boolean {
    return this.#only(this.masksAt([masked]))
  }

  /** @internal */
  override stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    return this.network.run(stepped, (layer, inputs) => layer.stepsAt(inputs))
  }

  #only<T>(list: readonly T[]): T {
    if (list.length === 1) return list[0]!
    return fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: 'model inside a layer',
      expected: 'one with one input and one output',
      actual: `${this.#inputs.length} inputs and ${this.outputShapes.length} outputs`,
    })
  }

  /** @internal */
  override lowerAt(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    if (inputs.length === 1 && this.network.outputs.length === 1)
      return [this.lower(graph, inputs[0]!)]
    requireOnePlace(this, graph)
    return graph.within({ scope: '', trains: this.trainable }, () => this.#lowerPart(graph, inputs))
  }

  protected emit(graph: Graph, x: Value): Value {
    return this.#only(this.#lowerPart(graph, [x]))
  }

  #lowerPart(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    const part = { scope: this.name, trains: true } // lower and lowerAt say whether it trains
    return graph.within(part, () => this.#lowerAll(graph, inputs))
  }

  /** @internal Adds the whole model to a graph that holds nothing but its inputs. */
  lowerAlone(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    const part = { scope: '', trains: this.trainable }
    return graph.within(part, () => this.#lowerAll(graph, inputs))
  }

  #lowerAll(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    return this.network.run(inputs, (layer, values) => {
      const made = layer.lowerAt(graph, values)
      return graph.steps?.made(layer, values, made) ?? made
    })
  }

  /** @internal */
  override get isScope(): boolean {
    return true
  }

  /** In a graph, a model inside it lists what trains first, as Keras' `weights` does. */
  protected override arraysInside(): (readonly KerasArray[])[] {
    return this.#isGraph ? this.children.map((c) => c.fileArrays()) : super.arraysInside()
  }

  // ---- configuration ----

  /**
   * Of a chain, the list of `{ class_name, config }` of the layers; of a graph, `{ name, layers,
   * input_layers, output_layers }`, which lists their calls too. With Keras' snake_case keys.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a list or an object
  override getConfig(): any {
    if (this.#isGraph) return graphConfig(this.name, this.network)
    return this.#members.list.map((layer) => ({
      class_name: layer.layerClass.className,
      config: layer.getConfig(),
    }))
  }
}
