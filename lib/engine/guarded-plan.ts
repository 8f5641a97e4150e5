import type { NativePlan } from '../native.js'

/**
 * A plan as layers get it, whose own `getWeights`, `setWeights` and `resetStates` may come at any
 * time.
 *
 * @param check is told what is to be read or written, and throws where that must not be now
 */
export function guardedPlan(
  plan: NativePlan,
  check: (what: string, writes: boolean) => void,
): NativePlan {
  const guarded: Pick<NativePlan, 'names' | 'read' | 'write'> = {
    names: () => {
      check('states of a layer', false)
      return plan.names()
    },
    read: (name) => {
      check(name, false)
      return plan.read(name)
    },
    write: (name, array, from) => {
      check(name, true)
      plan.write(name, array, from)
    },
  }
  return guarded as NativePlan
}
