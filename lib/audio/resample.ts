/** Another sample rate. */
import { ConfigError, fail } from '../errors.js'
import { NDArray, type TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { runAtOnce } from '../sliced-work.js'
import { checkNumber, checkRate, type Numbers, samplesOf } from './checks.js'
import { runStage, type Stage } from './stage.js'

/** Options of {@link resample}. */
export interface ResampleOptions {
  /** Rate of the samples, in Hz, an integer. */
  from: number
  /** Rate that is wanted, in Hz, an integer. */
  to: number
  /**
   * Zero crossings of the filter on each side of its middle: more make a steeper filter, and more
   * work. Default 32.
   */
  zeroCrossings?: number | undefined
  /** Where the filter is at half its height, as a share of half the lower rate. Default 0.92. */
  rolloff?: number | undefined
  /** β of the Kaiser window: more dampen more, less steeply. Default 9. */
  beta?: number | undefined
}

/** Rates whose quotient is larger are taken for a mistake, or a damaged header. */
const MOST_RATIO = 256
/** Numbers of the filter that are kept; what is beyond is computed each time. */
const MOST_KEPT = 2 ** 22

const DEFAULTS = {
  from: undefined as number | undefined,
  to: undefined as number | undefined,
  zeroCrossings: 32 as number | undefined,
  rolloff: 0.92 as number | undefined,
  beta: 9 as number | undefined,
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/** The modified Bessel function of the first kind, order 0, by its series. */
function bessel(x: number): number {
  let [sum, term] = [1, 1]
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2
    sum += term
  }
  return sum
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

/** A filter of which each phase is computed when it is first needed. */
class Filter {
  /** Samples of the input on each side that count. */
  readonly reach: number
  readonly #cutoff: number
  readonly #beta: number
  readonly #phases = new Map<number, Float64Array>()
  #kept = 0

  constructor(cutoff: number, zeroCrossings: number, beta: number) {
    this.#cutoff = cutoff
    this.#beta = beta
    this.reach = Math.ceil(zeroCrossings / cutoff)
  }

  /**
   * Weights of the samples from `reach - 1` before to `reach` after the last one at or before a
   * place that lies `phase / phases` behind it; their sum is 1.
   */
  weights(phase: number, phases: number): Float64Array {
    const known = this.#phases.get(phase)
    if (known) return known
    const weights = new Float64Array(2 * this.reach)
    const scale = bessel(this.#beta)
    let sum = 0
    for (let i = 0; i < weights.length; i++) {
      const t = i - (this.reach - 1) - phase / phases
      const inside = Math.max(0, 1 - (t / this.reach) ** 2)
      weights[i] = sinc(this.#cutoff * t) * (bessel(this.#beta * Math.sqrt(inside)) / scale)
      sum += weights[i]!
    }
    for (let i = 0; i < weights.length; i++) weights[i]! /= sum
    this.#kept += weights.length
    if (this.#kept <= MOST_KEPT) this.#phases.set(phase, weights)
    return weights
  }
}

/** Makes samples of one rate from those of another that come in pieces. */
class Resampler implements Stage {
  readonly width = 1
  readonly #filter: Filter
  /** Of the rates, without common factors: `up` samples come out for `down` that go in. */
  readonly #up: number
  readonly #down: number
  /** Samples that are still needed, the first at place `#base` of the signal. */
  #samples = new Float64Array(0)
  #held = 0
  #base = 0
  /** Of the next sample that comes out: the last one at or before it, and how far behind. */
  #place = 0
  #phase = 0
  #total = 0
  #given = 0

  constructor(up: number, down: number, filter: Filter) {
    this.#up = up
    this.#down = down
    this.#filter = filter
  }

  push(input: Numbers): Float32Array {
    const needed = this.#held + input.length
    if (needed > this.#samples.length) {
      const larger = new Float64Array(needed + 2 * this.#filter.reach)
      larger.set(this.#samples.subarray(0, this.#held))
      this.#samples = larger
    }
    this.#samples.set(input, this.#held)
    this.#held = needed
    this.#total += input.length
    const ready = this.#total - this.#filter.reach - this.#place // samples that places may pass
    const out = this.#take(Math.max(0, Math.ceil((ready * this.#up - this.#phase) / this.#down)))
    this.#drop()
    return out
  }

  end(): Float32Array {
    return this.#take(Math.ceil((this.#total * this.#up) / this.#down) - this.#given)
  }

  /** The next `count` samples; what is not there counts as 0. */
  #take(count: number): Float32Array {
    const { reach } = this.#filter
    const out = new Float32Array(count)
    for (let n = 0; n < count; n++) {
      const weights = this.#filter.weights(this.#phase, this.#up)
      const first = this.#place - (reach - 1) // of the samples that count
      const from = Math.max(0, -first)
      const to = Math.min(weights.length, this.#total - first)
      const at = first - this.#base
      let sum = 0
      for (let i = from; i < to; i++) sum += weights[i]! * this.#samples[at + i]!
      out[n] = sum
      this.#phase += this.#down
      this.#place += Math.floor(this.#phase / this.#up)
      this.#phase %= this.#up
    }
    this.#given += count
    return out
  }

  #drop(): void {
    const gone = Math.min(
      this.#held,
      Math.max(0, this.#place - this.#filter.reach + 1 - this.#base),
    )
    this.#samples.copyWithin(0, gone, this.#held)
    this.#held -= gone
    this.#base += gone
  }
}

/** The same rate: samples as they are. */
class Same implements Stage {
  readonly width = 1

  push(input: Numbers): Float32Array {
    return Float32Array.from(input)
  }

  end(): Float32Array {
    return new Float32Array(0)
  }
}

/** @throws ConfigError ERR_OPTION */
export function resampleStage(where: string, options: unknown): Stage {
  const given = resolveOptions(where, DEFAULTS, options)
  const from = checkRate(where, 'from', given.from)
  const to = checkRate(where, 'to', given.to)
  const zeroCrossings = checkNumber(where, 'zeroCrossings', given.zeroCrossings, 1, 1000)
  const rolloff = checkNumber(where, 'rolloff', given.rolloff, 0.1, 1)
  const beta = checkNumber(where, 'beta', given.beta, 0, 50)
  if (Math.max(from / to, to / from) > MOST_RATIO)
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'quotient of the rates',
      expected: `at most ${MOST_RATIO}`,
      actual: `${from} Hz and ${to} Hz`,
    })
  if (from === to) return new Same()
  const common = gcd(from, to)
  const filter = new Filter(rolloff * Math.min(1, to / from), zeroCrossings, beta)
  return new Resampler(to / common, from / common, filter)
}

/**
 * Samples at another rate, by a windowed sinc of which each output takes its own phase:
 *
 *     y[n] = Σ_k x[k] · h(n · from / to - k),   h(t) = c · sinc(c · t) · I0(β · √(1 - (t/R)²)) /
 *     I0(β)
 *
 * with sinc(x) = sin(πx)/(πx), c = rolloff · min(1, to / from), R = ⌈zeroCrossings / c⌉ and h
 * scaled so that a constant stays what it is; samples before and after the signal count as 0. By
 * default tones up to 0.84 of half the lower rate keep their height to 0.1 %, and what would fold
 * back from above it is dampened by 80 dB.
 *
 * @param samples [T]
 * @param options rates in Hz, see {@link ResampleOptions}
 * @returns shape [⌈T · to / from⌉], float32
 * @throws ShapeError ERR_SHAPE for samples of another shape; ConfigError ERR_OPTION for bad options
 *   and numbers that are not finite
 * @example
 * import { resample } from 'hiddenstate/audio'
 * const angle = (2 * Math.PI * 440) / 44100
 * const tone = Float32Array.from({ length: 44100 }, (_, t) => Math.sin(angle * t))
 * const slow = resample(tone, { from: 44100, to: 16000 })
 * console.log(slow.shape, slow.get(8000 + 4).toFixed(3)) // [ 16000 ] 0.637
 * @see Smith and Gossett (1984), A flexible sampling-rate conversion method
 */
export function resample(samples: TensorLike, options: ResampleOptions): NDArray {
  const where = 'resample'
  const stage = resampleStage(where, options)
  return new NDArray(runAtOnce(runStage(stage, samplesOf(where, samples))))
}
