/** What is said of measured times. */

/** The value below which the share `q` of the sorted numbers lies. */
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

export const geometricMean = (numbers) =>
  Math.exp(numbers.reduce((sum, n) => sum + Math.log(n), 0) / numbers.length)

/** Of the steps of one round: count, least, quartiles, the 99th percentile. */
export function summary(times) {
  const sorted = [...times].sort((a, b) => a - b)
  const [q1, middle, q3, p99] = [0.25, 0.5, 0.75, 0.99].map((q) => quantile(sorted, q))
  return { steps: sorted.length, least: sorted[0], q1, median: middle, q3, p99 }
}

/** Of several rounds: the least of all, and the middle round of everything else. */
export function overall(rounds) {
  const middle = (key) => median(rounds.map((round) => round[key]))
  return {
    steps: rounds.reduce((sum, round) => sum + round.steps, 0),
    least: Math.min(...rounds.map((round) => round.least)),
    q1: middle('q1'),
    median: middle('median'),
    q3: middle('q3'),
    p99: middle('p99'),
  }
}

/**
 * How many times as long as ours: the middle of the ratios
 * that neighbours in time give, round by round.
 */
export const ratio = (theirs, ours) => median(theirs.map((round, i) => round.least / ours[i].least))
