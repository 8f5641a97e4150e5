/** Layers and what `compile` was told → Spec. */
import { ConfigError, fail } from './errors.js'
import { Container } from './layers/container.js'
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

/** A layer and what its name is in a Spec: the names of the models it is inside in front. */
interface Named {
  layer: Layer
  name: string
  /** Whether it only holds others: a wrapper may be called as what it wraps. */
  holds: boolean
}

function named(layers: readonly Layer[], scope: string): Named[] {
  return layers.flatMap((layer) => {
    const name = scope + layer.name
    const inside = named(layer.children, layer instanceof Container ? `${name}/` : scope)
    return [{ layer, name, holds: inside.length > 0 }, ...inside]
  })
}

/** @throws ConfigError ERR_OPTION when two have the same name */
function checkNames(list: readonly Named[]): void {
  const seen = new Map<string, Layer>()
  for (const { layer, name } of list) {
    const other = seen.get(name)
    if (other) {
      const place = ({ where, wrapper }: Layer) => (wrapper ? `${where} in ${wrapper.where}` : where)
      fail(ConfigError, 'ERR_OPTION', {
        where: 'model',
        layer: layer.where,
        what: 'layer names',
        expected: 'unique',
        actual: `'${name}' twice: ${place(other)} and ${place(layer)}`,
        hint: 'Give one of the layers another `name`.',
      })
    }
    seen.set(name, layer)
  }
}

/**
 * Lowers a model.
 *
 * @param training null: for predictions only
 * @throws ConfigError ERR_OPTION for layer names used twice and masks that meet a layer without support for them
 */
export function lowerModel(model: Container, training: Training | null): Spec {
  const all = named(model.layers, '')
  checkNames(all.filter(({ layer }) => !layer.wrapper))
  checkNames(all.filter(({ holds }) => !holds))
  const graph = new Graph()
  const value = model.lowerFirst(graph, '')
  return {
    floatx: model.floatx,
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
