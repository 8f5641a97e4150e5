/** Rows of several calls as one batch, and back. */
import type { Precision } from '../backend.js'
import type { NativeArray, NativeOutputs } from '../native.js'
import { sizeOf } from '../ndarray.js'

/** Arrays of each call, one below the other: [rows of all, …]. */
export function joined(
  parts: readonly (readonly NativeArray[])[],
  floatx: Precision,
): NativeArray[] {
  if (parts.length === 1) return [...parts[0]!]
  const Floats = floatx === 'float64' ? Float64Array : Float32Array
  return parts[0]!.map(({ shape: [, ...row] }, i) => {
    const rows = parts.reduce((sum, arrays) => sum + arrays[i]!.shape[0]!, 0)
    const data = new Floats(rows * sizeOf(row)) // [rows, …row]
    let at = 0
    for (const arrays of parts) {
      data.set(arrays[i]!.data, at)
      at += arrays[i]!.data.length
    }
    return { data, shape: [rows, ...row] }
  })
}

/** @param isKept whether they get memory of their own: who keeps them must not keep all rows */
export function cut(
  { data, shape: [rows, ...row] }: NativeOutputs[number],
  from: number,
  to: number,
  isKept: boolean,
): NativeOutputs[number] {
  const size = data.length / rows!
  const own = data.subarray(from * size, to * size)
  return { data: isKept ? own.slice() : own, shape: [to - from, ...row] }
}

/** What arrays of one batch have in common. */
export const shapesText = (arrays: readonly NativeArray[]): string =>
  arrays.map(({ shape }) => shape.slice(1).join()).join(' ')
