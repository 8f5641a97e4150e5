/**
 * Parzen estimators of one parameter: the densities l and g of TPE.
 *
 * Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for Hyper-Parameter Optimization", section
 * 4; with the settings of Optuna's TPESampler(multivariate=False): a prior as wide as the range, a
 * kernel's width the distance to its farther neighbour, clipped to [range / min(100, 1 + kernels),
 * range], kernels cut off at the ends of the range, weights that fade beyond the last 25.
 *   p(x) = sum_k w_k N(x; mu_k, sigma_k^2) / (Phi((high-mu_k)/sigma_k) - Phi((low-mu_k)/sigma_k))
 * An integer has the mass of its interval instead of a density.
 */
import type { RandomStream } from '../random.js'
import { normalMass } from './normal-distribution.js'
import { axisOf, type Dimension, type Value } from './space.js'

/** A density over the values of a dimension. */
export interface Density {
  draw(random: RandomStream): Value
  /** Up to a constant that is the same for all densities of the dimension. */
  logDensity(value: Value): number
}

/** How many of the newest observations count in full. */
const FULL = 25

/** Weights of n observations, oldest first, and of the prior after them; their sum is 1. [n + 1] */
function weightsOf(n: number): Float64Array {
  const weights = new Float64Array(n + 1).fill(1)
  const fading = n - FULL
  for (let i = 0; i < fading; i++)
    weights[i] = fading === 1 ? 1 / n : 1 / n + (i * (1 - 1 / n)) / (fading - 1)
  const sum = weights.reduce((a, b) => a + b)
  return weights.map((weight) => weight / sum)
}

/** The index of one, with these weights, whose sum is 1. */
function drawIndex(weights: Float64Array, random: RandomStream): number {
  let left = random.random()
  const last = weights.length - 1
  for (let k = 0; k < last; k++) if ((left -= weights[k]!) < 0) return k
  return last
}

function choiceDensity(values: readonly Value[], observed: readonly Value[]): Density {
  const weights = weightsOf(observed.length)
  const kernels = observed.length + 1
  // Each observation is a distribution of its own: a prior spread over all values, and one more of
  // its own value.
  const spread = 1 / kernels
  const total = values.length * spread + 1
  const shares = new Float64Array(values.length).fill(weights[kernels - 1]! / values.length)
  observed.forEach((value, k) => {
    const own = values.indexOf(value)
    for (let i = 0; i < shares.length; i++)
      shares[i]! += (weights[k]! * (spread + (i === own ? 1 : 0))) / total
  })
  return {
    draw: (random) => values[drawIndex(shares, random)]!,
    logDensity: (value) => Math.log(shares[values.indexOf(value)]!),
  }
}

/** Widths of kernels at these places, by the distance to the farther neighbour. */
function widthsOf(mus: Float64Array, low: number, high: number): Float64Array {
  const order = Array.from(mus.keys()).sort((a, b) => mus[a]! - mus[b]!)
  const sorted = [low, ...order.map((k) => mus[k]!), high]
  const widths = new Float64Array(mus.length)
  const least = (high - low) / Math.min(100, 1 + mus.length)
  order.forEach((k, i) => {
    const before = sorted[i + 1]! - sorted[i]!
    const after = sorted[i + 2]! - sorted[i + 1]!
    // the outermost look inwards: an end of the range is no neighbour
    const isFirst = i === 0 && order.length > 1
    const isLast = i === order.length - 1 && order.length > 1
    const width = isFirst ? after : isLast ? before : Math.max(before, after)
    widths[k] = Math.min(high - low, Math.max(least, width))
  })
  return widths
}

function rangeDensity(
  dimension: Exclude<Dimension, { kind: 'choice' }>,
  observed: readonly number[],
): Density {
  const { low, high, point, cell, at } = axisOf(dimension)
  const isInt = dimension.kind === 'int'
  const K = observed.length + 1 // kernels, the last one the prior
  const mus = Float64Array.from({ length: K }, (_, k) =>
    k < K - 1 ? point(observed[k]!) : (low + high) / 2,
  )
  const sigmas = widthsOf(mus, low, high)
  sigmas[K - 1] = high - low
  const weights = weightsOf(K - 1)
  // what of each kernel lies in the range
  const inside = sigmas.map((sigma, k) =>
    normalMass((low - mus[k]!) / sigma, (high - mus[k]!) / sigma),
  )
  const pair = new Float64Array(2)
  return {
    draw(random) {
      const k = drawIndex(weights, random)
      // at least a third of each kernel lies in the range
      for (;;) {
        const x = random.fillNormal(pair, mus[k]!, sigmas[k]!)[0]!
        if (x >= low && x <= high) return at(x)
      }
    },
    logDensity(value) {
      const [from, to] = cell(value as number)
      let sum = 0
      for (let k = 0; k < K; k++) {
        const [mu, sigma] = [mus[k]!, sigmas[k]!]
        const mass = isInt
          ? normalMass((from - mu) / sigma, (to - mu) / sigma)
          : Math.exp(-0.5 * ((from - mu) / sigma) ** 2) / (sigma * Math.sqrt(2 * Math.PI))
        sum += (weights[k]! * mass) / inside[k]!
      }
      return Math.log(sum)
    },
  }
}

/** The density that observed values of a dimension, oldest first, make. */
export const densityOf = (dimension: Dimension, observed: readonly Value[]): Density =>
  dimension.kind === 'choice'
    ? choiceDensity(dimension.values, observed)
    : rangeDensity(dimension, observed as readonly number[])
