/** What the writing of ONNX passes on from layer to layer. */
import { ConfigError, fail } from '../../errors.js'
import type { Layer } from '../../layers/base/layer.js'
import { type KerasArray, readKerasArrays } from '../../layers/base/variable.js'
import type { Floats } from '../../native.js'
import { NDArray } from '../../ndarray.js'
import type { NodeText, PortText, TensorText } from './messages.js'

export type Config = Readonly<Record<string, unknown>>
/** What a layer gives in the graph: its name there, [batch, …]. */
export interface Given {
  readonly name: string
  readonly shape: readonly (number | string)[]
}

/** A layer that is being written. */
export interface Written {
  readonly className: string
  readonly config: Config
  readonly layer: Layer
}

/** The graph as it grows. */
export class Graph {
  readonly nodes: NodeText[] = []
  readonly tensors: TensorText[] = []
  readonly inputs: PortText[] = []
  #count = 0

  /** Adds an operation of one output. @returns the output's name */
  add(
    layer: string,
    op: string,
    inputs: readonly string[],
    attributes: NodeText['attributes'] = {},
    floats: NodeText['floats'] = {},
    /** Of an output that is not the first one, how many stand before it. */
    before = 0,
  ): string {
    const name = `${layer}/${op}_${this.#count++}`
    const outputs = [...Array.from({ length: before }, () => ''), `${name}:out`]
    this.nodes.push({ op, name, inputs, outputs, attributes, floats })
    return `${name}:out`
  }

  tensor(
    layer: string,
    what: string,
    shape: readonly number[],
    numbers: TensorText['numbers'],
  ): string {
    const name = `${layer}/${what}_${this.#count++}`
    this.tensors.push({ name, shape, numbers })
    return name
  }

  extents(layer: string, numbers: readonly number[]): string {
    return this.tensor(layer, 'extents', [numbers.length], numbers)
  }
}

/** @throws ConfigError ERR_OPTION */
export const unwritable = (
  { where }: Layer,
  what: string,
  expected: string,
  actual: unknown,
): never =>
  fail(ConfigError, 'ERR_OPTION', {
    where,
    layer: where,
    what,
    expected: `${expected}, to be written as ONNX`,
    actual: typeof actual === 'function' ? 'a function' : String(actual),
  })

/** A layer's arrays as Keras 2 has them: [kernel, recurrent kernel, bias]. */
export function arraysOf(layer: Layer): NDArray[] {
  const groups = layer.fusedArrays()
  const values = readKerasArrays(groups.flat() as KerasArray[])
  let at = 0
  return groups.map((parts) => {
    const own = values.slice(at, (at += parts.length)) as NDArray[]
    const [first] = own as [NDArray]
    if (own.length === 1) return first
    // two biases of a GRU, one after the other
    const data = new Float32Array(own.reduce((sum, { data: each }) => sum + each.length, 0))
    let place = 0
    for (const { data: each } of own) {
      data.set(each as Floats, place)
      place += each.length
    }
    return new NDArray(data, [own.length, ...first.shape])
  })
}
