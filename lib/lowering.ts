/** Layers and what `compile` was told → Spec. */
import type { Floatx } from './backend.js'
import { ConfigError } from './errors.js'
import type { Layer } from './layers/layer.js'
import { Graph, type Option, type Spec } from './spec.js'

/** The part of a Spec that `compile` decides. */
export interface Training {
  /** Canonical name. */
  loss: string
  /** Canonical names. */
  metrics: readonly string[]
  temporal: boolean
  optimizer: { name: string; [hyper: string]: Option }
}

/** @throws ConfigError ERR_OPTION when two layers have the same name */
function checkNames(layers: readonly Layer[]): void {
  const seen = new Set<string>()
  for (const { name } of layers) {
    if (seen.has(name)) {
      throw new ConfigError(
        'ERR_OPTION',
        `model: layer names must be unique, got '${name}' twice. Give one of the layers another \`name\`.`,
        {
          layer: name,
          expected: 'unique layer names',
          actual: `'${name}' twice`,
        },
      )
    }
    seen.add(name)
  }
}

/**
 * Lowers a chain of layers.
 *
 * @param training null: for predictions only
 * @throws ConfigError ERR_OPTION for layer names used twice and masks that meet a layer without support for them
 */
export function lowerModel(layers: readonly Layer[], floatx: Floatx, training: Training | null): Spec {
  checkNames(layers)
  const graph = new Graph()
  let value = graph.input(layers[0]!.batchInputShape!.slice(1))
  for (const layer of layers) value = layer.lower(graph, value)
  return {
    floatx,
    inputs: graph.inputs,
    ops: graph.ops,
    output: value.name,
    outputMask: value.mask,
    loss: training?.loss ?? null,
    metrics: [...(training?.metrics ?? [])],
    temporal: training?.temporal ?? false,
    optimizer: training?.optimizer ?? null,
    seed: 0, // set when training begins, see Session
  }
}
