/** What layers and their shapes are called. */
import type { Shape } from '../spec.js'

const counts = new Map<string, number>()

/** Keras' automatic names: 'lstm_1', 'lstm_2', … per process and prefix. */
export function uniqueName(prefix: string): string {
  const n = (counts.get(prefix) ?? 0) + 1
  counts.set(prefix, n)
  return `${prefix}_${n}`
}

/** A shape with the batch as errors print it: `[B, 5, null]`. */
export const showShape = (shape: Shape): string =>
  `[${shape.map((d, i) => (d === null && i === 0 ? 'B' : String(d))).join(', ')}]`
