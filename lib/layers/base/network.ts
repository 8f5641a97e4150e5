/**
 * The calls of layers between tensors in and tensors out, in the order in which they are computed.
 * Keras 1.2.2 engine/topology.py, `Container`.
 */
import type { Shape } from '../../spec.js'
import type { Layer } from './layer.js'
import type { Node, Tensor } from './tensor.js'

/** A call, by the places of its tensors in a list of all. */
interface Step {
  readonly node: Node
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
}

/** A use of a tensor: the layer that is called on it, and as which of its inputs. */
export interface Use {
  readonly layer: Layer
  readonly at: number
}

export class Network {
  /** Calls that have inputs; each after those that it needs. */
  readonly nodes: readonly Node[]
  /** In Keras' order: the deepest first, those of one depth as they are met from the outputs. */
  readonly layers: readonly Layer[]
  /** Tensors that the outputs need, and that no call makes from the inputs. */
  readonly missing: readonly Tensor[]
  /** Per input. */
  readonly uses: readonly (readonly Use[])[]
  readonly #steps: readonly Step[]
  readonly #outputs: readonly number[]
  readonly #size: number
  /** What `arrayShapes` was asked last, and what it said. */
  #arrays: { readonly inputs: string; readonly outputs: readonly Shape[] } | null = null

  constructor(
    readonly inputs: readonly Tensor[],
    readonly outputs: readonly Tensor[],
  ) {
    const { met, done, missing } = walk(inputs, outputs)
    this.missing = missing
    this.nodes = done.filter((node) => node.inputs.length > 0)
    this.layers = inKerasOrder(met, done, outputs)
    const places = new Map<Tensor, number>()
    for (const tensor of [...inputs, ...this.nodes.flatMap((node) => node.outputs)])
      if (!places.has(tensor)) places.set(tensor, places.size)
    const placesOf = (tensors: readonly Tensor[]) => tensors.map((each) => places.get(each)!)
    this.#steps =
      missing.length > 0
        ? []
        : this.nodes.map((node) => ({
            node,
            inputs: placesOf(node.inputs),
            outputs: placesOf(node.outputs),
          }))
    this.#outputs = placesOf(outputs)
    this.#size = places.size
    this.uses = inputs.map((input) =>
      this.nodes.flatMap(({ layer, inputs: list }) =>
        list.flatMap((each, at) => (each === input ? [{ layer, at }] : [])),
      ),
    )
  }

  /**
   * Goes through the calls with something for each tensor: shapes, masks, values of a graph.
   *
   * @param given for the inputs
   * @param apply what a layer makes of that for what it is called on
   * @returns of the outputs
   */
  run<T>(given: readonly T[], apply: (layer: Layer, inputs: readonly T[]) => readonly T[]): T[] {
    const all = new Array<T>(this.#size)
    for (let i = 0; i < given.length; i++) all[i] = given[i]!
    for (const { node, inputs, outputs } of this.#steps) {
      const made = apply(
        node.layer,
        inputs.map((place) => all[place]!),
      )
      for (let i = 0; i < outputs.length; i++) all[outputs[i]!] = made[i]!
    }
    return this.#outputs.map((place) => all[place]!)
  }

  /**
   * The shapes of the outputs' arrays for those of the inputs. Each batch asks, mostly for the same
   * ones; and layers that are written as expressions build them to know.
   */
  arrayShapes(shapes: readonly Shape[]): readonly Shape[] {
    const inputs = JSON.stringify(shapes)
    if (this.#arrays?.inputs !== inputs)
      this.#arrays = { inputs, outputs: this.run(shapes, (layer, of) => layer.arrayShapesAt(of)) }
    return this.#arrays.outputs
  }
}

/** Goes from the outputs to the inputs, depth first; without recursion, since nets may be deep. */
function walk(
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
): { met: readonly Node[]; done: readonly Node[]; missing: readonly Tensor[] } {
  const given = new Set(inputs)
  const met = new Set<Node>()
  const done: Node[] = []
  const missing = new Set<Tensor>()
  const open: { node: Node; next: number }[] = []
  const enter = (tensor: Tensor) => {
    const { node } = tensor
    if (node.inputs.length === 0 && !given.has(tensor)) missing.add(tensor)
    if (met.has(node)) return
    met.add(node)
    open.push({ node, next: 0 })
  }
  for (const output of outputs) {
    enter(output)
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const { node } = top
      const input = given.has(node.outputs[0]!) ? undefined : node.inputs[top.next++]
      if (input) enter(input)
      else done.push(open.pop()!.node)
    }
  }
  return { met: [...met], done, missing: [...missing] }
}

function inKerasOrder(
  met: readonly Node[],
  done: readonly Node[],
  outputs: readonly Tensor[],
): readonly Layer[] {
  const depths = new Map<Node, number>()
  const deepen = (node: Node, depth: number) => {
    if (depth > (depths.get(node) ?? -1)) depths.set(node, depth)
  }
  for (const { node } of outputs) deepen(node, 0)
  for (const node of [...done].reverse())
    for (const input of node.inputs) deepen(input.node, depths.get(node)! + 1)
  const ofLayer = new Map<Layer, number>()
  for (const node of met) {
    const depth = depths.get(node)!
    if (depth > (ofLayer.get(node.layer) ?? -1)) ofLayer.set(node.layer, depth)
  }
  // a sort of equals keeps their order, which is that in which they were met
  return [...ofLayer.keys()].sort((a, b) => ofLayer.get(b)! - ofLayer.get(a)!)
}
