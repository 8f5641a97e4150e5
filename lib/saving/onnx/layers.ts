/** The layers that an ONNX graph becomes, in the order in which they are made. */
import { fail, FormatError } from '../../errors.js'
import { at, slice } from '../../expressions/arranging.js'
import type { Expr } from '../../expressions/expr.js'
import { exceeds, type ResolvedLimits } from '../../limits.js'
import type { ModelDocument } from '../document.js'
import { type LayerArray, treeOf } from '../tree.js'
import type { H5File } from '../../hdf5/file.js'
import { nameOf, type Node, type OnnxGraph, type Port } from './model.js'
import { type Axis, extent, type Output, sameAxes, type Tensor, tensor } from './values.js'

type Config = Record<string, unknown>

/** A layer, as Keras 1 writes it. */
export interface Entry {
  readonly name: string
  readonly className: string
  readonly config: Config
  readonly inputs: readonly string[]
  /** In the order of Keras 2. */
  readonly arrays: LayerArray[]
  /** Whether it is the last step of its input. */
  readonly isLastStep?: boolean
}

/** @throws FormatError ERR_FILE_FORMAT naming the node */
export const refuse = (node: Pick<Node, 'where'>, what: string, expected: string, actual: string) =>
  fail(FormatError, 'ERR_FILE_FORMAT', { where: node.where, what, expected, actual })

const shapeOf = (axes: readonly Axis[]): (number | null)[] =>
  axes.map((axis) => {
    const size = extent(axis)
    return typeof size === 'number' && !axis.some(({ isBatch }) => isBatch) ? size : null
  })

export class Layers {
  readonly #entries = new Map<string, Entry>()
  #makers: Map<string, string> | undefined

  constructor(
    readonly graph: OnnxGraph,
    readonly limits: ResolvedLimits,
    /** How often each value of the graph is used. */
    readonly uses: ReadonlyMap<string, number>,
  ) {}

  /** A layer's name made of one in the file: letters, digits, no other layer's. */
  #name(wanted: string): string {
    const plain = wanted.replace(/[^\w.-]+/g, '_').replace(/^_+|_+$/g, '') || 'layer'
    let name = plain
    for (let i = 1; this.#entries.has(name); i++) name = `${plain}_${i}`
    return name
  }

  /** @param config settings, or what makes them of the layer's name */
  add(
    called: string,
    className: string,
    inputs: readonly string[],
    config: Config | ((name: string) => Config) = {},
    more: { arrays?: LayerArray[]; isLastStep?: boolean } = {},
  ): Entry {
    const name = this.#name(called)
    const own = typeof config === 'function' ? config(name) : config
    const entry = { name, className, inputs, config: { ...own, name }, arrays: [], ...more }
    this.#entries.set(name, entry)
    const { layers } = this.limits
    if (this.#entries.size > layers) exceeds(this.graph.path, 'layers', layers, 'more')
    return entry
  }

  entry(output: Output): Entry {
    return this.#entries.get(output.layer()) as Entry
  }

  /** What a layer gives. */
  output(axes: readonly Axis[], { name }: Entry): Output {
    return { axes, layer: () => name }
  }

  /** What a layer gives that is made when it is asked for. */
  #later(axes: readonly Axis[], make: () => Entry, part?: Output['part']): Output {
    let made: Entry | undefined
    const layer = () => (made ??= make()).name
    return part ? { axes, layer, part } : { axes, layer }
  }

  /** A function of one output, as a layer. */
  lambda(node: Node, from: Output, axes: readonly Axis[], compute: (x: Expr) => Expr): Output {
    const config = { function: compute }
    return this.output(axes, this.add(nameOf(node), 'Lambda', [from.layer()], config))
  }

  /** One step of a sequence [N, T, …]. */
  step(node: Node, from: Output, index: number): Output {
    const compute = (x: Expr) => at(x, index, 1)
    const make = () =>
      this.add(
        `${nameOf(node)}_step`,
        'Lambda',
        [from.layer()],
        { function: compute },
        { isLastStep: index === -1 },
      )
    return this.#later([from.axes[0]!, ...from.axes.slice(2)], make)
  }

  /** Some of the features, which come last. */
  features(node: Node, from: Output, start: number, end: number, part?: Output['part']): Output {
    const axes = [
      ...from.axes.slice(0, -1),
      part ? from.axes.at(-1)!.slice(1) : [{ size: end - start }],
    ]
    const make = () =>
      this.add(`${nameOf(node)}_part`, 'Lambda', [from.layer()], {
        function: (x: Expr) => slice(x, start, end, -1),
      })
    return this.#later(axes, make, part)
  }

  /**
   * The tensor as an output whose axes are those of the tensor.
   *
   * @throws FormatError ERR_FILE_FORMAT where the batch is not first, or axes were mixed
   */
  arranged(node: Pick<Node, 'where'>, { output, axes }: Tensor, what = 'input'): Output {
    if (sameAxes(axes, output.axes)) return output
    const [first = []] = axes
    if (!(first.length === 1 && first[0]!.isBatch))
      return refuse(
        node,
        what,
        'batch first, as layers have it',
        `axes of [${axes.map((axis) => extent(axis) as string).join(', ')}], batch at another place (a layout with the time first?)`,
      )
    const flat = axes.flat()
    const order = output.axes.filter((axis) => axis.length > 0)
    const wanted: Axis[] = []
    for (let i = 0; i < flat.length; ) {
      const axis = order.find((each) => each.every((factor, k) => flat[i + k] === factor))
      if (!axis) return refuse(node, what, 'whole axes in another order', 'axes that are mixed')
      wanted.push(axis)
      i += axis.length
    }
    let last = output
    const isMoved = wanted.some((axis, i) => axis !== order[i])
    if (isMoved) {
      const dims = wanted.slice(1).map((axis) => output.axes.indexOf(axis))
      if (dims.length !== output.axes.length - 1)
        return refuse(node, what, 'axes in another order', 'axes of extent 1 among them')
      const from = output
      last = this.output(wanted, this.add('permute', 'Permute', [from.layer()], { dims }))
    }
    if (sameAxes(axes, last.axes)) return last
    const shape = shapeOf(axes).slice(1)
    if (shape.filter((size) => size === null).length > 1)
      return refuse(node, what, 'one unknown extent at most', `[${shape.join(', ')}]`)
    const config = { target_shape: shape.map((size) => size ?? -1) }
    return this.output(axes, this.add('reshape', 'Reshape', [last.layer()], config))
  }

  /**
   * The tensor with its batch first.
   *
   * @param last the axis that comes last, where it matters
   * @returns also which axis of the tensor each one is
   * @throws FormatError ERR_FILE_FORMAT where the batch is no axis of its own
   */
  batchFirst(
    node: Node,
    { output, axes }: Tensor,
    last?: number,
  ): { from: Output; order: readonly number[] } {
    const batch = axes.findIndex((axis) => axis.length === 1 && axis[0]!.isBatch)
    if (batch < 0 || batch === last)
      return refuse(node, 'input', 'with the batch as an axis of its own', 'another')
    const between = [...axes.keys()].filter((i) => i !== batch && i !== last)
    const order = [batch, ...between, ...(last === undefined ? [] : [last])]
    const own = order.map((i) => axes[i]!)
    return { from: this.arranged(node, tensor(output, own)), order }
  }

  input(port: Port): Output {
    const isInteger = port.type !== 1 && port.type !== 11
    const axes = port.shape.map((size, i) => [i === 0 ? { size, isBatch: true } : { size }])
    const config = {
      batch_input_shape: shapeOf(axes),
      input_dtype: isInteger ? 'int32' : 'float32',
    }
    return this.output(axes, this.add(port.name, 'InputLayer', [], config))
  }

  isInput(output: Output): boolean {
    return this.entry(output).className === 'InputLayer'
  }

  /** The operator of the node that gives a value of the graph. */
  maker(name: string): string | undefined {
    this.#makers ??= new Map(
      this.graph.nodes.flatMap(({ op, outputs }) => outputs.map((each) => [each, op] as const)),
    )
    return this.#makers.get(name)
  }

  /** Recurrent layers of which the last step alone is used need not give the others. */
  #withoutSequences(outputs: readonly string[]): Map<string, string> {
    const uses = new Map<string, number>()
    for (const name of [...outputs, ...[...this.#entries.values()].flatMap(({ inputs }) => inputs)])
      uses.set(name, (uses.get(name) ?? 0) + 1)
    const renamed = new Map<string, string>()
    for (const { name, inputs, isLastStep } of this.#entries.values()) {
      const from = this.#entries.get(inputs[0] ?? '')
      const isSequence = from?.config.return_sequences === true && from.config.go_backwards !== true
      if (!isLastStep || !isSequence || uses.get(from.name) !== 1) continue
      from.config.return_sequences = false
      renamed.set(name, from.name)
    }
    return renamed
  }

  /** The model of all layers that the outputs need. */
  model(
    inputs: readonly string[],
    outputs: readonly string[],
  ): { file: H5File; document: ModelDocument } {
    const renamed = this.#withoutSequences(outputs)
    const own = (name: string) => renamed.get(name) ?? name
    const all = [...this.#entries.values()].filter(({ name }) => !renamed.has(name))
    const needed = new Set([...inputs, ...outputs.map(own)])
    for (const { name, inputs: from } of [...all].reverse())
      if (needed.has(name)) for (const each of from) needed.add(own(each))
    const entries = all.filter(({ name }) => needed.has(name))
    const tree = treeOf(this.graph.path, new Map(entries.map(({ name, arrays }) => [name, arrays])))
    const layers = entries.map(({ className, config, name, inputs: from }) => ({
      class_name: className,
      config,
      name,
      inbound_nodes: from.length > 0 ? [from.map((each) => [own(each), 0, 0])] : [],
    }))
    const isChain =
      inputs.length === 1 &&
      outputs.length === 1 &&
      entries.every(({ inputs: from }, i) =>
        i === 0 ? from.length === 0 : from.length === 1 && own(from[0]!) === entries[i - 1]!.name,
      )
    const places = (names: readonly string[]) => names.map((name) => [own(name), 0, 0])
    const document: ModelDocument = isChain
      ? { className: 'Sequential', config: layers, keras: 2 }
      : {
          className: 'Model',
          config: {
            name: 'model',
            layers,
            input_layers: places(inputs),
            output_layers: places(outputs),
          },
          keras: 2,
        }
    return { file: tree, document }
  }
}
