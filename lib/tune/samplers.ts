/** Who chooses the parameters of a trial. */
import { checkInteger } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { RandomStream } from '../random.js'
import { densityOf } from './parzen.js'
import { byValue, type Direction, type TrialRecord } from './records.js'
import { type Dimension, draw, fill, type Space, type Value, type Values } from './space.js'

/** Options of {@link tpe}. */
export interface TpeOptions {
  /** Trials with parameters at random before the first that is chosen. Default 10. */
  startupTrials?: number
  /** Values drawn for a parameter, of which the most promising is taken. Default 24. */
  candidates?: number
}

/** How the parameters of a trial are chosen: plain data that {@link tpe} makes. */
export type Sampler =
  | { readonly name: 'random' }
  | ({ readonly name: 'tpe' } & Required<TpeOptions>)

const TPE: Required<TpeOptions> = Object.freeze({ startupTrials: 10, candidates: 24 })

/**
 * The sampler `'tpe'` with options: the tree-structured Parzen estimator, each parameter by itself.
 * The best tenth of the trials (at most 25) makes a density of good values, the others one of
 * ordinary values; of some values drawn from the first, that with the largest ratio is taken. Of
 * trials that were pruned those count as better that came further.
 *
 * @throws ConfigError ERR_OPTION
 * @see Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for Hyper-Parameter Optimization";
 *   settings as in Optuna's `TPESampler(multivariate=False)`
 * @example
 * import { tpe, tune, uniform } from 'hiddenstate/tune'
 * const sweep = await tune({
 *   space: { x: uniform(-5, 5) },
 *   objective: ({ x }) => (x - 1) ** 2,
 *   sampler: tpe({ startupTrials: 5 }),
 *   trials: 20,
 *   verbose: 0,
 * })
 */
export function tpe(options?: TpeOptions): Sampler {
  const { startupTrials, candidates } = resolveOptions('tpe', TPE, options)
  checkInteger('tpe', 'startupTrials', startupTrials, 1)
  checkInteger('tpe', 'candidates', candidates, 1)
  return Object.freeze({ name: 'tpe', startupTrials, candidates })
}

/** @throws ConfigError ERR_OPTION */
export function checkSampler(where: string, given: unknown): Sampler {
  if (given === 'random') return Object.freeze({ name: 'random' })
  if (given === 'tpe') return tpe()
  const { name, ...options } = Object(given) as Partial<Sampler>
  if (name === 'random') return checkSampler(where, name)
  if (name === 'tpe') return tpe(options)
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'sampler',
    expected: "'random', 'tpe' or tpe({ … })",
    actual: describe(given),
  })
}

/** The best tenth, of at most 25, and the others; both in the order of their numbers. */
function split(ended: readonly TrialRecord[], direction: Direction) {
  const better = byValue(direction)
  const complete = ended.filter(({ state }) => state === 'complete')
  const pruned = ended.filter(({ state }) => state === 'pruned')
  const last = ({ reports }: TrialRecord) => reports.at(-1) ?? ([-1, Number.NaN] as const)
  complete.sort((a, b) => better(a.value!, b.value!) || a.number - b.number)
  pruned.sort((a, b) => {
    const [[stepA, valueA], [stepB, valueB]] = [last(a), last(b)]
    return stepB - stepA || better(valueA, valueB) || a.number - b.number
  })
  const ranked = [...complete, ...pruned]
  const good = Math.min(25, Math.ceil(ranked.length / 10))
  const inOrder = (trials: TrialRecord[]) => trials.sort((a, b) => a.number - b.number)
  return [inOrder(ranked.slice(0, good)), inOrder(ranked.slice(good))] as const
}

const valuesOf = (trials: readonly TrialRecord[], name: string): Value[] =>
  trials.flatMap(({ params }) => (Object.hasOwn(params, name) ? [params[name]!] : []))

/**
 * The parameters of the next trial: a function of its arguments alone.
 *
 * @param random a stream of this trial's own
 */
export function suggest(
  sampler: Sampler,
  space: Space,
  direction: Direction,
  trials: readonly TrialRecord[],
  random: RandomStream,
): Values {
  const atRandom = (_: string, dimension: Dimension) => draw(dimension, random)
  if (sampler.name === 'random') return fill(space, atRandom)
  const ended = trials.filter(({ state }) => state === 'complete' || state === 'pruned')
  if (ended.length < sampler.startupTrials) return fill(space, atRandom)
  const [good, others] = split(ended, direction)
  return fill(space, (name, dimension) => {
    const l = densityOf(dimension, valuesOf(good, name))
    const g = densityOf(dimension, valuesOf(others, name))
    let best: Value = null
    let bestRatio = Number.NEGATIVE_INFINITY
    for (let i = 0; i < sampler.candidates; i++) {
      const value = l.draw(random)
      const ratio = l.logDensity(value) - g.logDensity(value)
      if (i === 0 || ratio > bestRatio) [best, bestRatio] = [value, ratio]
    }
    return best
  })
}
