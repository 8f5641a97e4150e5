/**
 * Histograms as TensorFlow makes them: buckets that grow by a tenth,
 * from 1e-12 to 1e20, and their mirror image.
 */

/**
 * As HistogramProto has it: `counts[i]` values lie from `limits[i - 1]` up to,
 * not including, `limits[i]`.
 */
export interface Histogram {
  min: number
  max: number
  num: number
  sum: number
  sumSquares: number
  limits: readonly number[]
  counts: readonly number[]
}

const positive: number[] = []
for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit)
positive.push(Number.MAX_VALUE)

/** Ascending; the last is the largest double. */
const LIMITS: readonly number[] = [...positive.map((limit) => -limit).reverse(), 0, ...positive]

/** Index of the first limit above `value`. */
function bucketOf(value: number): number {
  let low = 0
  let high = LIMITS.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (LIMITS[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}

/** Values that are not finite have no bucket and are left out. */
export function histogramOf(values: ArrayLike<number>): Histogram {
  const counts = new Float64Array(LIMITS.length)
  let [min, max, num, sum, sumSquares] = [Number.MAX_VALUE, -Number.MAX_VALUE, 0, 0, 0]
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!Number.isFinite(value)) continue
    counts[bucketOf(value)]!++
    num++
    sum += value
    sumSquares += value * value
    if (value < min) min = value
    if (value > max) max = value
  }
  if (num === 0)
    return { min: 0, max: 0, num, sum, sumSquares, limits: [Number.MAX_VALUE], counts: [0] }
  // of several empty buckets in a row only the last is written, as TensorFlow does
  const isKept = (i: number): boolean =>
    counts[i]! > 0 || (i + 1 < counts.length && counts[i + 1]! > 0)
  const kept = LIMITS.map((_, i) => i).filter(isKept)
  return {
    min,
    max,
    num,
    sum,
    sumSquares,
    limits: kept.map((i) => LIMITS[i]!),
    counts: kept.map((i) => counts[i]!),
  }
}
