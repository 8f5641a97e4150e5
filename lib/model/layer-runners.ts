/**
 * Which runners a layer belongs to. Models that share layers take turns, and the weights may be in
 * the plan of any of them.
 */
import { Layer } from '../layers/base/layer.js'
import { withChildren } from '../layers/base/members.js'
import type { Runner } from '../engine/runner.js'

/** For each layer the runner of the model that it was added to first. */
const homes = new WeakMap<Layer, Runner>()

/** The runners of models that have the layer or one inside it, and of models that these are. */
export function runnersOf(layer: Layer): Set<Runner> {
  const all: (Layer & { runner?: Runner })[] = layer instanceof Layer ? withChildren([layer]) : []
  return new Set([
    ...all.flatMap(({ runner }) => runner ?? []),
    ...all.flatMap((each) => homes.get(each) ?? []),
  ])
}

/** Says that a layer and those inside it belong to a model, unless they belong to one already. */
export function recordRunner(layer: Layer, runner: Runner): void {
  for (const each of withChildren([layer])) if (!homes.has(each)) homes.set(each, runner)
}

/** Says that a layer and those inside it belong to no model any more. */
export function forgetRunner(layer: Layer): void {
  for (const each of withChildren([layer])) homes.delete(each)
}
