/**
 * How much each parameter matters by itself: the share of the variance of the ranks of the values
 * that its groups explain (one-way analysis of variance).
 *
 *   omega^2 = (SS_between - (G - 1) MS_within) / (SS_total + MS_within), at least 0
 *
 * Hays 1963, "Statistics for Psychologists"; unlike the plain share SS_between / SS_total it is
 * about 0 for a parameter that does not matter. Ranks, since one trial that diverged would be the
 * whole variance otherwise.
 */
import { byValue, type Direction, type TrialRecord } from './records.js'
import type { Dimension, Space } from './space.js'

/** Groups that the values of a range are put into, equally many in each. */
const GROUPS = 5

/** The group of each trial; those in which the parameter does not count are one of their own. */
function groupsOf(name: string, { kind }: Dimension, trials: readonly TrialRecord[]): string[] {
  const values = trials.map(({ params }) => params[name])
  if (kind === 'choice') return values.map((value) => JSON.stringify(value) ?? 'none')
  const sorted = values.filter((v) => v !== undefined).sort((a, b) => Number(a) - Number(b))
  return values.map((value) => {
    if (value === undefined) return 'none'
    // the same values are in the same group
    return String(Math.floor((sorted.indexOf(value) * GROUPS) / sorted.length))
  })
}

/** Ranks from 0; the same values share the mean of theirs. */
function ranksOf(values: readonly number[], direction: Direction): number[] {
  const sorted = [...values].sort(byValue(direction))
  return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2)
}

function explained(ranks: readonly number[], groups: readonly string[]): number {
  const n = ranks.length
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length
  const squares = (list: readonly number[]) => {
    const m = mean(list)
    return list.reduce((sum, x) => sum + (x - m) ** 2, 0)
  }
  const names = [...new Set(groups)]
  const within = names
    .map((name) => squares(ranks.filter((_, i) => groups[i] === name)))
    .reduce((a, b) => a + b, 0)
  const total = squares(ranks)
  if (names.length < 2 || n <= names.length || total === 0) return 0
  const error = within / (n - names.length)
  return Math.max(0, (total - within - (names.length - 1) * error) / (total + error))
}

/** Importance of each parameter by name, from the trials that are complete: 0 to 1. */
export function importancesOf(
  space: Space,
  direction: Direction,
  trials: readonly TrialRecord[],
): Record<string, number> {
  const complete = trials.filter(({ state }) => state === 'complete')
  const ranks = ranksOf(
    complete.map(({ value }) => value!),
    direction,
  )
  return Object.fromEntries(
    Object.entries(space).map(([name, dimension]) => [
      name,
      explained(ranks, groupsOf(name, dimension, complete)),
    ]),
  )
}
