/** What the writing of ONNX passes on from layer to layer. */
import { refusing, type Unwritable } from '../predicting.js'
import type { NodeText, PortText, TensorText } from './messages.js'

/** What a layer gives in the graph: its name there, [batch, …]. */
export interface Given {
  readonly name: string
  readonly shape: readonly (number | string)[]
  /** Of its mask, [batch, time]: 1 at steps that count. Default: all do. */
  readonly mask?: string
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
    /** Of an output that is not the first one, those before it: '' where it may be left out. */
    before: readonly string[] = [],
  ): string {
    const name = `${layer}/${op}_${this.#count++}`
    const unused = before.map((each) => (each === '' ? '' : `${name}:${each}`))
    const outputs = [...unused, `${name}:out`]
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

  /** A whole number without axes. */
  scalar(layer: string, value: number): string {
    return this.tensor(layer, 'number', [], [value])
  }

  extents(layer: string, numbers: readonly number[]): string {
    return this.tensor(layer, 'extents', [numbers.length], numbers)
  }
}

/** @throws ConfigError ERR_OPTION */
export const unwritable: Unwritable = refusing('ONNX')
