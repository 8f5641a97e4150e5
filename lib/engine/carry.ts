/** The states of stateful layers, as a plan keeps them from batch to batch. */
import type { Floats, NativePlan } from '../native.js'

/** One state: 'lstm_1/h:carry' [B, H]. */
export interface Carry {
  readonly name: string
  readonly data: Floats
  readonly shape: readonly number[]
}

/** Copies of all; none before the first batch, but for those that were written. */
export function readCarries(plan: NativePlan): Carry[] {
  const names = plan.names().filter((name) => name.endsWith(':carry'))
  return names.map((name) => ({ name, ...plan.read(name) }))
}

/**
 * Puts states back, those that the plan has with the same shape; before its first batch it takes
 * all of them, to see then.
 */
export function writeCarries(plan: NativePlan, carries: readonly Carry[]): void {
  const own = new Map(readCarries(plan).map(({ name, shape }) => [name, shape.join()]))
  for (const { name, data, shape } of carries)
    if ((own.get(name) ?? shape.join()) === shape.join())
      plan.write(name, { data, shape: [...shape] })
}
