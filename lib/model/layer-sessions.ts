/**
 * Which sessions a layer belongs to. Models that share layers take turns, and the weights may be in
 * the plan of any of them.
 */
import { Layer } from '../layers/base/layer.js'
import { withChildren } from '../layers/base/members.js'
import type { Session } from '../engine/session.js'

/** For each layer the session of the model that it was added to first. */
const homes = new WeakMap<Layer, Session>()

/** The sessions of models that have the layer or one inside it, and of models that these are. */
export function sessionsOf(layer: Layer): Set<Session> {
  const all: (Layer & { session?: Session })[] = layer instanceof Layer ? withChildren([layer]) : []
  return new Set([
    ...all.flatMap(({ session }) => session ?? []),
    ...all.flatMap((each) => homes.get(each) ?? []),
  ])
}

/** Says that a layer and those inside it belong to a model, unless they belong to one already. */
export function recordSession(layer: Layer, session: Session): void {
  for (const each of withChildren([layer])) if (!homes.has(each)) homes.set(each, session)
}

/** Says that a layer and those inside it belong to no model any more. */
export function forgetSession(layer: Layer): void {
  for (const each of withChildren([layer])) homes.delete(each)
}
