/** A graph of calls as Keras 1.2.2 writes it: engine/topology.py, `Container.get_config`. */
import type { Network } from './network.js'
import type { Node, Tensor } from './tensor.js'

/** `[layer, node_index, tensor_index]`: a tensor, by its place among the calls of its layer. */
type Place = [layer: string, node: number, tensor: number]

export interface GraphConfig {
  name: string
  layers: {
    name: string
    class_name: string
    config: unknown
    inbound_nodes: Place[][]
  }[]
  input_layers: Place[]
  output_layers: Place[]
}

/** Calls are counted as far as the graph has them; a model inside begins with one of its own. */
export function graphConfig(name: string, network: Network): GraphConfig {
  const { layers, inputs, outputs } = network
  const within = new Set<Node>([...network.nodes, ...inputs.map(({ node }) => node)])
  const numbers = new Map<Node, number>()
  for (const layer of layers) {
    let next = layer.isScope ? 1 : 0
    for (const node of layer.nodes) if (within.has(node)) numbers.set(node, next++)
  }
  const place = ({ node, index }: Tensor): Place => [node.layer.name, numbers.get(node)!, index]
  return {
    name,
    layers: layers.map((layer) => ({
      name: layer.name,
      class_name: layer.layerClass.className,
      config: layer.getConfig(),
      inbound_nodes: layer.nodes
        .filter((node) => within.has(node) && node.inputs.length > 0)
        .map((node) => node.inputs.map(place)),
    })),
    input_layers: inputs.map(place),
    output_layers: outputs.map(place),
  }
}
