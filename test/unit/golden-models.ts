/** The models of the golden data, built from their configurations without native code. */
import { layerClasses, layerFromConfig } from '../../lib/saving/config.js'
import type { Layer, LayerClass } from '../../lib/layers/base/layer.js'
import { Sequential } from '../../lib/model/sequential.js'
import { Graph, type Shape, type Value } from '../../lib/spec.js'
import { type Case, type LayerConfig, load, type ModelConfig } from '../golden/loader.js'

export interface ModelCase extends Case {
  readonly model: ModelConfig
  readonly weight_names?: string[]
  readonly trainable_sorted?: string[]
  readonly optimizer_weight_order?: string[]
  readonly output_shape?: (number | null)[]
}

const isKnown = ({ class_name: name, config }: LayerConfig): boolean => {
  if (Array.isArray(config)) return config.every(isKnown)
  const inside = [config.layer ?? [], config.layers ?? []].flat() as LayerConfig[]
  return layerClasses.has(name) && inside.every(isKnown)
}

/** Every case with a model all of whose layers exist here; how many others there are. */
export function modelCases(suites: readonly string[]): {
  cases: [string, ModelCase][]
  others: number
} {
  const all = suites.flatMap((suite) =>
    load<ModelCase>(suite, 'float32').map((c) => [`${suite}/${c.name}`, c] as [string, ModelCase]),
  )
  const models = all.filter(([, c]) => c.model !== undefined)
  const cases = models.filter(([, c]) => c.model.config.every(isKnown))
  return { cases, others: models.length - cases.length }
}

/** The layers of a chain, built one after the other. */
export function buildChain(layers: readonly Layer[]): Shape {
  for (const [i, layer] of layers.entries()) {
    if (i === 0) layer.buildAt(layer.inputSlots().map(({ shape }) => shape))
    else layer.build(layers[i - 1]?.outputShape as Shape)
  }
  return layers.at(-1)?.outputShape as Shape
}

const models = new Map([['Sequential', Sequential as unknown as LayerClass]])
export const layersOf = (model: ModelConfig): Layer[] =>
  model.config.map((config) => layerFromConfig(config, { models }))

/** The ops of a chain, its parameters, and what comes out. */
export function lower(
  ...layers: Layer[]
): Pick<Graph, 'ops' | 'params'> & Pick<Value, 'mask' | 'shape'> {
  buildChain(layers)
  const graph = new Graph()
  let value = graph.input(layers[0]?.batchInputShape?.slice(1) ?? [])
  for (const layer of layers) value = layer.lower(graph, value)
  return { ops: graph.ops, params: graph.params, mask: value.mask, shape: value.shape }
}
