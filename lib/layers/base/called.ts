/** What a layer is called on: `call`, and the tensors of its calls. */
import { ConfigError, fail } from '../../errors.js'
import { describe } from '../../ndarray.js'
import type { Graph, Shape, Value } from '../../spec.js'
import type { Layer } from './layer.js'
import { NamedLayer } from './layer-name.js'
import { refuseSteps } from './steps.js'
import { Node, Tensor } from './tensor.js'

/** What a layer says that gives other than one tensor; of no value. */
export declare const CALLED: unique symbol

/** What `call` of a layer gives: one tensor, or, of a model, as many as it has outputs. */
export type Called<L> = L extends { readonly [CALLED]?: infer T } ? NonNullable<T> : Tensor

/** A layer as far as its calls go. */
export abstract class CalledLayer extends NamedLayer {
  /** @internal The calls so far, in order: Keras' `inbound_nodes`. */
  readonly nodes: Node[] = []

  // what a layer of one input is
  /** @internal */
  abstract build(inputShape: Shape): void
  /** @internal */
  abstract computeOutputShape(inputShape: Shape): Shape
  /** @internal */
  abstract computeMask(masked: boolean): boolean
  /** @internal */
  abstract lower(graph: Graph, x: Value): Value

  /** @internal Makes the parameters for inputs of these shapes (with the batch). */
  buildAt(shapes: readonly Shape[]): void {
    this.build(this.#only(shapes))
  }

  /** @internal Shapes out for shapes in, all with the batch. */
  outputShapesAt(shapes: readonly Shape[]): readonly Shape[] {
    return [this.computeOutputShape(shapes[0]!)]
  }

  /**
   * @internal The same of arrays, whose extents are known: Keras' 'cos' says another shape than its
   *   arrays have.
   */
  arrayShapesAt(shapes: readonly Shape[]): readonly Shape[] {
    return this.outputShapesAt(shapes)
  }

  /** @internal Which outputs carry a mask. */
  masksAt(masked: readonly boolean[]): readonly boolean[] {
    return [this.computeMask(this.#only(masked))]
  }

  /**
   * @internal Which outputs are sequences that a session goes through where these inputs are: their
   *   step t is made of the steps up to t.
   * @throws ConfigError `ERR_OPTION` for inputs of which the layer needs more than that
   */
  stepsAt(stepped: readonly boolean[]): readonly boolean[] {
    if (!stepped.includes(true)) return [false]
    return refuseSteps(
      this,
      'one that sees several steps at once',
      'Outside of a session, model.predict takes whole sequences. What is to be done to each step by itself is new TimeDistributed(layer); an input that does not change from step to step is given in `fixed`.',
    )
  }

  /** @internal Adds this layer's ops to the graph. */
  lowerAt(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    return [this.lower(graph, inputs[0]!)]
  }

  #only<T>(list: readonly T[]): T {
    if (list.length === 1) return list[0]!
    return fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: 'argument',
      expected: 'one tensor',
      actual: `${list.length}`,
      hint: 'merge(tensors, { mode }) makes one of them.',
    })
  }

  /**
   * @internal Before its parameters are made: a layer that uses those of another one looks for it.
   *
   * @param find gives the layer of a name among those that the inputs come from
   */
  abstract meet(find: (name: string) => Layer | undefined): void

  /** @internal Before the first call: the layer is to compute as what it is called on. */
  protected abstract adopt(input: Tensor): void

  /**
   * Puts the layer behind tensors: its parameters are made for their shapes, the first time. Called
   * again, also on other shapes that its weights fit, it has the same weights there.
   *
   * @param x a tensor; a list of them for `Merge` and for a model with several inputs
   * @returns a tensor; a list of them for a model with several outputs
   * @throws ConfigError `ERR_OPTION` for anything but tensors, another number of them than the
   *   layer takes, and a mask that it does not support; ShapeError `ERR_SHAPE`
   * @example
   * import { Dense, Input, merge, Model } from 'hiddenstate'
   * const [a, b] = [Input({ shape: [3] }), Input({ shape: [3] })]
   * const shared = new Dense(2)
   * const y = merge([shared.call(a), shared.call(b)], { mode: 'concat' })
   * console.log(y.shape, new Model({ input: [a, b], output: y }).countParams()) // [ null, 4 ] 8
   * @see keras.engine.topology.Layer.__call__
   */
  call(x: Tensor | readonly Tensor[]): Called<this> {
    const inputs = tensorsOf(this.where, x)
    this.adopt(inputs[0]!)
    const outputs = this.place(inputs)
    return (outputs.length === 1 ? outputs[0] : outputs) as Called<this>
  }

  /** @internal {@link call} with a list; then nothing has changed where it throws. */
  place(inputs: readonly Tensor[]): readonly Tensor[] {
    const shapes = inputs.map(({ shape }) => shape)
    const masked = this.masksAt(inputs.map(({ isMasked }) => isMasked))
    this.meet((name) => before(inputs, name))
    this.buildAt(shapes)
    const node = new Node(this as unknown as Layer, inputs)
    node.outputs = this.outputShapesAt(shapes).map(
      (shape, i) => new Tensor(node, i, shape, masked[i]!),
    )
    this.nodes.push(node)
    return node.outputs
  }

  /** @internal Takes a call back. */
  displace(node: Node): void {
    this.nodes.splice(this.nodes.indexOf(node), 1)
  }

  // ---- the tensors of its calls ----

  /**
   * What the layer was called on: a tensor, or a list of several.
   *
   * @throws ConfigError `ERR_OPTION` unless it was called just once: see {@link getInputAt}
   */
  get input(): Tensor | readonly Tensor[] {
    return oneOrList(this.onlyNode('input', 'getInputAt').inputs)
  }

  /**
   * What the layer has given: a tensor, or a list of several.
   *
   * @throws ConfigError `ERR_OPTION` unless it was called just once: see {@link getOutputAt}
   */
  get output(): Called<this> {
    return oneOrList(this.onlyNode('output', 'getOutputAt').outputs) as Called<this>
  }

  /**
   * What the layer was called on in one of its calls.
   *
   * @param index of the call, from 0, in the order in which they were made
   * @throws ConfigError `ERR_OPTION` for a call that was not made
   */
  getInputAt(index: number): Tensor | readonly Tensor[] {
    return oneOrList(this.nodeAt('getInputAt', index).inputs)
  }

  /** What the layer gave in one of its calls; as {@link getInputAt}. */
  getOutputAt(index: number): Called<this> {
    return oneOrList(this.nodeAt('getOutputAt', index).outputs) as Called<this>
  }

  /** The shape, with the batch, of {@link getInputAt}; a list of several. */
  getInputShapeAt(index: number): Shape | readonly Shape[] {
    return oneOrList(this.nodeAt('getInputShapeAt', index).inputs.map(({ shape }) => shape))
  }

  /** The shape, with the batch, of {@link getOutputAt}; a list of several. */
  getOutputShapeAt(index: number): Shape | readonly Shape[] {
    return oneOrList(this.nodeAt('getOutputShapeAt', index).outputs.map(({ shape }) => shape))
  }

  protected onlyNode(what: string, instead: string): Node {
    const [node] = this.nodes
    if (this.nodes.length === 1) return node!
    const hint =
      this.nodes.length > 1
        ? `layer.${instead}(index) says which call is meant.`
        : 'layer.call(x), or model.add(layer), comes first.'
    return fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      layer: this.where,
      what: `number of calls, for ${what}`,
      expected: '1',
      actual: `${this.nodes.length}`,
      hint,
    })
  }

  /** @internal The calls as they are numbered. */
  get calls(): readonly Node[] {
    return this.nodes
  }

  protected nodeAt(call: string, index: number): Node {
    const { calls } = this
    const node = Number.isInteger(index) ? calls[index] : undefined
    return (
      node ??
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        layer: this.where,
        what: `index for ${call}`,
        expected: calls.length > 0 ? `a call, from 0 to ${calls.length - 1}` : 'a call',
        actual: calls.length > 0 ? describe(index) : 'one of a layer that was not called',
      })
    )
  }
}

/** The layer of this name among those that the tensors come from. */
function before(tensors: readonly Tensor[], name: string): Layer | undefined {
  const waiting = tensors.map(({ node }) => node)
  const met = new Set<Node>()
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (met.has(node)) continue
    met.add(node)
    if (node.layer.name === name) return node.layer
    waiting.push(...node.inputs.map((input) => input.node))
  }
  return undefined
}

/** The one entry of a list of one, else the list. */
export const oneOrList = <T>(list: readonly T[]): T | readonly T[] =>
  list.length === 1 ? list[0]! : list

/** @throws ConfigError ERR_OPTION for anything but a tensor or a list of them */
export function tensorsOf(where: string, x: unknown): readonly Tensor[] {
  const list: readonly unknown[] = Array.isArray(x) ? x : [x]
  const wrong = list.findIndex((each) => !(each instanceof Tensor))
  if (list.length > 0 && wrong < 0) return list as readonly Tensor[]
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    layer: where,
    what: 'argument',
    expected: 'a tensor, as Input() and calls of layers give, or a list of tensors',
    actual: wrong < 0 ? 'an empty list' : describe(list[wrong]),
    hint: 'Data go to model.predict and model.fit.',
  })
}
