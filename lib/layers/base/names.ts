/** What layers and their shapes are called. */
import type { Shape } from '../../spec.js'

const counts = new Map<string, number>()

/** Keras' automatic names: 'lstm_1', 'lstm_2', … per process and prefix. */
export function uniqueName(prefix: string): string {
  const n = (counts.get(prefix) ?? 0) + 1
  counts.set(prefix, n)
  return `${prefix}_${n}`
}

let count = 0

/**
 * How often layers of this thread were given another name:
 * names that were read before may have changed since.
 */
export const renames = (): number => count

export function noteRename(): void {
  count++
}

/** A layer in a line, as `console.log` shows it. */
export function layerText(layer: {
  name: string
  layerClass: { className: string }
  inputShape: Shape | undefined
  outputShape: Shape | undefined
  countParams(): number
}): string {
  const { name, inputShape, outputShape, layerClass } = layer
  if (!outputShape) return `${layerClass.className}(${name}: not in a model yet)`
  const from = inputShape ? `${showShape(inputShape)} → ` : ''
  return `${layerClass.className}(${name}: ${from}${showShape(outputShape)}, ${layer.countParams()} parameters)`
}

/** A shape with the batch as errors print it: `[B, 5, null]`. */
export const showShape = (shape: Shape): string =>
  `[${shape.map((d, i) => (d === null && i === 0 ? 'B' : String(d))).join(', ')}]`

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis])
