/** Layers and what `compile` was told → Spec. */
import { ConfigError, fail } from './errors.js'
import type { Layer } from './layers/layer.js'
import { Graph, type MetricSpec, type Option, type Spec } from './spec.js'

/** The part of a Spec that `compile` decides. */
export interface Training {
  /** Canonical name. */
  loss: string
  metrics: readonly MetricSpec[]
  temporal: boolean
  optimizer: { name: string; [hyper: string]: Option }
}

/** Each layer by its name. @throws ConfigError ERR_OPTION when two have the same */
function checkNames(layers: readonly Layer[]): void {
  const seen = new Map<string, Layer>()
  for (const layer of layers) {
    const other = seen.get(layer.name)
    if (other) {
      const place = ({ where, wrapper }: Layer) => (wrapper ? `${where} in ${wrapper.where}` : where)
      fail(ConfigError, 'ERR_OPTION', {
        where: 'model',
        layer: layer.where,
        what: 'layer names',
        expected: 'unique',
        actual: `'${layer.name}' twice: ${place(other)} and ${place(layer)}`,
        hint: 'Give one of the layers another `name`.',
      })
    }
    seen.set(layer.name, layer)
  }
}

/** The layers that have parameters and states: not the wrappers. */
const innermost = (layers: readonly Layer[]): Layer[] =>
  layers.flatMap((layer) => (layer.children.length > 0 ? innermost(layer.children) : [layer]))

/**
 * Lowers a chain of layers.
 *
 * @param training null: for predictions only
 * @throws ConfigError ERR_OPTION for layer names used twice and masks that meet a layer without support for them
 */
export function lowerModel(layers: readonly Layer[], training: Training | null): Spec {
  checkNames(layers)
  checkNames(innermost(layers)) // a wrapper may be called as what it wraps
  const graph = new Graph()
  let value = graph.input(layers[0]!.batchInputShape!.slice(1))
  for (const layer of layers) value = layer.lower(graph, value)
  return {
    floatx: layers[0]!.floatx,
    inputs: graph.inputs,
    ops: graph.ops,
    output: value.name,
    outputMask: value.mask,
    loss: training?.loss ?? null,
    metrics: [...(training?.metrics ?? [])],
    temporal: training?.temporal ?? false,
    optimizer: training?.optimizer ?? null,
  }
}
