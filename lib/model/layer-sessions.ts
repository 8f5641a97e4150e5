/** Which models have a layer: they take turns, and one's weights may be with another. */
import { Layer } from '../layers/base/layer.js'
import { withChildren } from '../layers/base/members.js'
import type { Session } from '../engine/session.js'

/** Of the model that a layer was added to first. */
const homes = new WeakMap<Layer, Session>()

/** The sessions of models that have some of what is added, and of models that are added. */
export function sessionsOf(layer: Layer): Set<Session> {
  const all: (Layer & { session?: Session })[] = layer instanceof Layer ? withChildren([layer]) : []
  return new Set([
    ...all.flatMap(({ session }) => session ?? []),
    ...all.flatMap((each) => homes.get(each) ?? []),
  ])
}

/** The layer, and those inside it, are a model's, unless they are another's. */
export function recordSession(layer: Layer, session: Session): void {
  for (const each of withChildren([layer])) if (!homes.has(each)) homes.set(each, session)
}

/** They are no model's any more. */
export function forgetSession(layer: Layer): void {
  for (const each of withChildren([layer])) homes.delete(each)
}
