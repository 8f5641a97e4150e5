/** How a law is tested: fast-check with a fixed seed, so that a red run can be had again. */
import fc from 'fast-check'
import { it } from 'vitest'

/** `HS_SEED=random` looks for new counterexamples; a number repeats a run. */
const SEED =
  process.env.HS_SEED === 'random' ? Date.now() | 0 : Number(process.env.HS_SEED ?? 20261122)
const RUNS = Number(process.env.HS_RUNS ?? 25)

/** Checks that `holds` does not throw for `runs` drawn values (HS_RUNS scales all laws alike). */
export function law<T>(
  name: string,
  values: fc.Arbitrary<T>,
  holds: (value: T) => Promise<void>,
  share = 1,
): void {
  const numRuns = Math.max(5, Math.round(RUNS * share))
  it(
    name,
    () => fc.assert(fc.asyncProperty(values, holds), { seed: SEED, numRuns, endOnFailure: false }),
    Math.max(60_000, 100 * numRuns),
  )
}
