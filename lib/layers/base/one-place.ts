/** A stateful layer keeps the states of one sequence. */
import { ConfigError, fail } from '../../errors.js'
import type { Graph } from '../../spec.js'
import type { Layer } from './layer.js'

/** @throws ConfigError `ERR_OPTION` for a stateful layer that the graph has already */
export function requireOnePlace(layer: Layer, graph: Graph): void {
  if (graph.isNew(layer) || !layer.stateful) return
  fail(ConfigError, 'ERR_OPTION', {
    where: layer.where,
    layer: layer.where,
    what: 'stateful layer',
    expected: 'in one place of a model, since it keeps the states of one sequence',
    actual: 'in two',
    hint: 'Make a layer of its own for each place; setWeights gives it the same numbers.',
  })
}
