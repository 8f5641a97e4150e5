/** The states of stateful layers, as a plan keeps them from batch to batch. */
import { isOfDevice } from '../errors.js'
import type { Floats, NativePlan } from '../native.js'

/** One state: 'lstm_1/h:carry' [B, H]. */
export interface Carry {
  readonly name: string
  readonly data: Floats
  readonly shape: readonly number[]
}

/** Copies of all states; before the first batch, of those alone that were written. */
export function readCarries(plan: NativePlan): Carry[] {
  const names = plan.names().filter((name) => name.endsWith(':carry'))
  return names.map((name) => ({ name, ...plan.read(name) }))
}

/**
 * Puts back the states that the plan has with the same shape. A plan that has run no batch takes
 * all of them, and checks them then.
 */
export function writeCarries(plan: NativePlan, carries: readonly Carry[]): void {
  const own = new Map(readCarries(plan).map(({ name, shape }) => [name, shape.join()]))
  for (const { name, data, shape } of carries)
    if ((own.get(name) ?? shape.join()) === shape.join())
      plan.write(name, { data, shape: [...shape] })
}

/** What stateful layers keep; nothing where that lay on a card that has failed. */
export function carriesLeft(plan: NativePlan): Carry[] {
  try {
    return readCarries(plan)
  } catch (error) {
    if (isOfDevice(error)) return []
    throw error
  }
}
