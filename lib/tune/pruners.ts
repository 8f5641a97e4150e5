/** Who ends a trial early. */
import { ConfigError, fail } from '../errors.js'
import { checkInteger } from '../call-options.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { byValue, type Direction, type TrialRecord } from './records.js'

/** Options of {@link asha}. */
export interface AshaOptions {
  /** The step of the first rung: no trial ends before it. Default 1. */
  minStep?: number
  /** Each rung lies this many times as far as the one before. Default 4. */
  reductionFactor?: number
}

/** Who ends a trial early: plain data that {@link asha} makes. */
export type Pruner = { readonly name: 'none' } | ({ readonly name: 'asha' } & Required<AshaOptions>)

const ASHA: Required<AshaOptions> = Object.freeze({ minStep: 1, reductionFactor: 4 })

/**
 * The pruner `'asha'` with options: asynchronous successive halving. Rungs lie at the steps
 * `minStep`, `minStep · reductionFactor`, `minStep · reductionFactor²`, …; a trial that reaches one
 * goes on when its value there is among the best `1 / reductionFactor` of all that have reached it
 * so far (the best one always does), and ends otherwise.
 *
 * @throws ConfigError ERR_OPTION
 * @see Li et al. 2018, "A System for Massively Parallel Hyperparameter Tuning" (arXiv:1810.05934);
 *   in the form that ends trials instead of pausing them
 * @example
 * import { asha, tune, uniform } from 'hiddenstate/tune'
 * const sweep = await tune({
 *   space: { x: uniform(-5, 5) },
 *   objective: async ({ x }, trial) => {
 *     for (let step = 1; step <= 9 && !trial.shouldPrune; step++) await trial.report(x * x, step)
 *     return x * x
 *   },
 *   pruner: asha({ minStep: 1, reductionFactor: 3 }),
 *   trials: 20,
 *   verbose: 0,
 * })
 */
export function asha(options?: AshaOptions): Pruner {
  const { minStep, reductionFactor } = resolveOptions('asha', ASHA, options)
  checkInteger('asha', 'minStep', minStep, 1)
  checkInteger('asha', 'reductionFactor', reductionFactor, 2)
  return Object.freeze({ name: 'asha', minStep, reductionFactor })
}

/** @throws ConfigError ERR_OPTION */
export function checkPruner(where: string, given: unknown): Pruner {
  if (given === 'none') return Object.freeze({ name: 'none' })
  if (given === 'asha') return asha()
  const { name, ...options } = Object(given) as Partial<Pruner>
  if (name === 'none') return checkPruner(where, name)
  if (name === 'asha') return asha(options)
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'pruner',
    expected: "'none', 'asha' or asha({ … })",
    actual: describe(given),
  })
}

/** The value with which a trial reached a rung; undefined: it has not. */
const valueAt = ({ reports }: TrialRecord, rung: number): number | undefined =>
  reports.find(([step]) => step >= rung)?.[1]

/** Whether the last report of a trial ends it: a function of its arguments alone. */
export function shouldPrune(
  pruner: Pruner,
  direction: Direction,
  trials: readonly TrialRecord[],
  trial: TrialRecord,
): boolean {
  const step = trial.reports.at(-1)?.[0]
  if (pruner.name === 'none' || step === undefined) return false
  const before = Math.max(0, ...trial.reports.slice(0, -1).map(([earlier]) => earlier))
  const { minStep, reductionFactor } = pruner
  for (let rung = minStep; rung <= step; rung *= reductionFactor) {
    if (rung <= before) continue // it has passed that one
    const own = valueAt(trial, rung)!
    const values = trials.map((other) => valueAt(other, rung)).filter((v) => v !== undefined)
    const places = Math.max(1, Math.floor(values.length / reductionFactor))
    const worst = values.sort(byValue(direction))[places - 1]!
    // beside one that is as good, it goes on too; NaN never does
    if (!(direction === 'minimize' ? own <= worst : own >= worst)) return true
  }
  return false
}
