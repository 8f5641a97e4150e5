import type { NativePlan } from '../native.js'
import { KeptWeights } from './kept-weights.js'
import type { WeightHolder } from './owner.js'

/** A plan as layers get it. */
export interface GuardedPlan extends NativePlan {
  /** Copies weights that lie on a card, those of these layers, to the host. */
  keep(layers: readonly WeightHolder[]): void
}

/**
 * A plan as layers get it, whose own `getWeights`, `setWeights` and `resetStates` may come at any
 * time.
 *
 * @param device where its weights lie
 * @param check is told what is to be read or written, and throws where that must not be now
 */
export function guardedPlan(
  plan: NativePlan,
  device: string,
  check: (what: string, writes: boolean) => void,
): GuardedPlan {
  const kept = device === 'cpu' ? null : new KeptWeights(plan)
  const guarded: Pick<GuardedPlan, 'names' | 'read' | 'write' | 'keep'> = {
    names: () => {
      check('states of a layer', false)
      return plan.names()
    },
    read: (name) => {
      check(name, false)
      return kept ? kept.read(name) : plan.read(name)
    },
    write: (name, array, from) => {
      check(name, true)
      plan.write(name, array, from)
      if (from === undefined) kept?.written(name, array)
    },
    keep: (layers) => kept?.keep(guarded as GuardedPlan, layers),
  }
  return guarded as GuardedPlan
}
