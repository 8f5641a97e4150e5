/**
 * ONNX models as models of layers: each node is read in its order, and what the outputs need
 * becomes a layer (values.ts). What no layer computes is refused by the name of its node.
 */
import { fail, FormatError } from '../../errors.js'
import type { H5File } from '../../hdf5/file.js'
import type { ResolvedLimits } from '../../limits.js'
import type { ModelDocument } from '../document.js'
import { COMPUTE } from './compute.js'
import { Layers } from './layers.js'
import { type Node, type OnnxGraph, type Port, readGraph } from './model.js'
import { MOVES, type Rule } from './moves.js'
import { recurrent } from './recurrent.js'
import { type Tensor, tensor, type Value } from './values.js'

const RULES: Readonly<Record<string, Rule>> = { ...MOVES, ...COMPUTE }
const RECURRENT: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN'])

/** Names of operators that are read. */
export const OPERATORS: readonly string[] = [...Object.keys(RULES), ...RECURRENT].sort()

/** The first and last opset whose operators are read as they are meant. */
export const OPSETS = [7, 24] as const

/** Nodes that the outputs need. */
function neededNodes({ nodes, outputs }: OnnxGraph): { nodes: Node[]; uses: Map<string, number> } {
  const uses = new Map<string, number>()
  const use = (name: string) => uses.set(name, (uses.get(name) ?? 0) + 1)
  for (const { name } of outputs) use(name)
  const needed: Node[] = []
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => uses.has(name))) continue
    needed.push(node)
    for (const name of node.inputs) if (name !== '') use(name)
  }
  return { nodes: needed.reverse(), uses }
}

function checkOperators({ nodes, opset, path }: OnnxGraph): void {
  if (opset < OPSETS[0] || opset > OPSETS[1])
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: path,
      what: 'opset',
      expected: `${OPSETS[0]} to ${OPSETS[1]}`,
      actual: `${opset}`,
    })
  const unknown = nodes.find(({ op }) => !Object.hasOwn(RULES, op) && !RECURRENT.has(op))
  if (unknown)
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: unknown.where,
      what: 'operator',
      expected: `one of ${OPERATORS.join(', ')}`,
      actual: unknown.op.slice(0, 80),
    })
}

/** What an output of the graph is: batch first, as a layer gives it. */
function outputOf(layers: Layers, { name }: Port, value: Value | undefined): string {
  const where = `${layers.graph.path}: output '${name.slice(0, 80)}'`
  if (value?.kind !== 'tensor')
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what: 'output',
      expected: 'a tensor that a layer gives',
      actual: value === undefined ? 'nothing (no node makes it)' : `a ${value.kind}`,
    })
  return layers.arranged({ where }, value as Tensor, 'output').layer()
}

/**
 * The model of an ONNX file: layers as Keras 1 writes them, and their weights in the tree of an
 * HDF5 file of Keras 2.
 *
 * @throws FormatError ERR_FILE_FORMAT naming the node that is not understood, ERR_LIMIT
 */
export function readOnnx(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): { file: H5File; document: ModelDocument } {
  const graph = readGraph(path, bytes, limits)
  const { nodes, uses } = neededNodes(graph)
  checkOperators({ ...graph, nodes })
  const layers = new Layers(graph, limits, uses)
  const values = new Map<string, Value>(graph.constants)
  const inputs = graph.inputs.filter(({ name }) => uses.has(name))
  const inputLayers = inputs.map((port) => {
    const output = layers.input(port)
    values.set(port.name, tensor(output))
    return output.layer()
  })
  for (const node of nodes) {
    const given = node.inputs.map((name) => {
      if (name === '' || values.has(name)) return values.get(name)
      return fail(FormatError, 'ERR_FILE_FORMAT', {
        where: node.where,
        what: 'input',
        expected: 'a value of a node before it',
        actual: `'${name.slice(0, 80)}', which is unknown there (nodes out of order?)`,
      })
    })
    const made = RECURRENT.has(node.op)
      ? recurrent(
          layers,
          node,
          given,
          node.outputs.map((name) => uses.has(name)),
        )
      : [RULES[node.op]!(layers, node, given)]
    for (const [i, name] of node.outputs.entries()) if (made[i]) values.set(name, made[i]!)
  }
  const outputs = graph.outputs.map((port) => outputOf(layers, port, values.get(port.name)))
  return layers.model(inputLayers, outputs)
}
