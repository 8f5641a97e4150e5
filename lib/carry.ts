/** The states of stateful layers, as a plan keeps them from batch to batch. */
import type { Floats, NativePlan } from './native.js'
import { sizeOf } from './ndarray.js'
import type { Spec } from './spec.js'

/** One state: 'lstm_1/h:carry' [B, H]. */
export interface Carry {
  readonly name: string
  readonly data: Floats
  readonly shape: readonly number[]
}

/** Copies of all; none before the first batch. */
export function readCarries(plan: NativePlan): Carry[] {
  const names = plan.names().filter((name) => name.endsWith(':carry'))
  return names.map((name) => ({ name, ...plan.read(name) }))
}

/**
 * Puts states back, those that the plan has with the same shape. It has room for them once it has seen a batch; a made up one of a single
 * step will do.
 */
export function writeCarries(plan: NativePlan, { inputs }: Spec, carries: readonly Carry[]): void {
  if (carries.length === 0) return
  const samples = carries[0]!.shape[0]! // [B, H]
  const x = inputs.map(({ dims }) => {
    const shape = [samples, ...dims.map((extent) => extent ?? 1)]
    return { data: new Float32Array(sizeOf(shape)), shape }
  })
  plan.predict({ x })
  const names = new Set(plan.names())
  for (const { name, data, shape } of carries.filter((one) => names.has(one.name)))
    if (shape.join() === plan.read(name).shape.join()) plan.write(name, { data, shape: [...shape] })
}
