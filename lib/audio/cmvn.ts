/** Mean and variance of features, taken out. */
import { checkBoolean, checkInteger, checkOneOf } from '../call-options.js'
import type { NDArray, TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { runAtOnce } from '../sliced-work.js'
import { featuresOf, type Numbers } from './checks.js'
import { asRows, concat, runStage, type Stage } from './stage.js'

/** Options of {@link cmvn}. */
export interface CmvnOptions {
  /**
   * `'utterance'` (the default): mean and deviation of all frames, so that a stream gives its
   * frames at its end; `'running'`: of the frames up to each one, so that a stream gives it at
   * once.
   */
  mode?: 'utterance' | 'running' | undefined
  /** Whether features are divided by their deviation. Default `true`. */
  variance?: boolean | undefined
  /** With `'running'`: the latest frames that count, the one at hand included. Default 300. */
  window?: number | undefined
}

const MODES = ['utterance', 'running'] as const
const DEFAULTS = {
  mode: 'utterance' as CmvnOptions['mode'],
  variance: true as boolean | undefined,
  window: 300 as number | undefined,
}
/** A deviation below it counts as it: features that never change become 0. */
const LEAST = 1e-5

/** All frames, at the end. */
class Utterance implements Stage {
  readonly width: number
  readonly #scaled: boolean
  readonly #parts: Numbers[] = []

  constructor(D: number, variance: boolean) {
    this.width = D
    this.#scaled = variance
  }

  push(input: Numbers): Float32Array {
    this.#parts.push(input.slice())
    return new Float32Array(0)
  }

  end(): Float32Array {
    const D = this.width
    const rows = concat(this.#parts) // [F, D]
    const out = new Float32Array(rows.length)
    for (let d = 0; d < D; d++) {
      let n = 0
      let sum = 0
      let squares = 0
      for (let i = d; i < rows.length; i += D, n++) sum += rows[i]!
      const mean = sum / n
      for (let i = d; i < rows.length; i += D) squares += (rows[i]! - mean) ** 2
      const by = this.#scaled ? Math.max(LEAST, Math.sqrt(squares / n)) : 1
      for (let i = d; i < rows.length; i += D) out[i] = (rows[i]! - mean) / by
    }
    return out
  }
}

/**
 * The latest frames, in a ring. Sums go along with them, and are made anew once a ring, so that
 * errors do not grow. Numbers count from the first frame, so that those that never change are 0.
 */
class Running implements Stage {
  readonly width: number
  readonly #scaled: boolean
  readonly #window: number
  readonly #ring: Float64Array // [window, D]
  readonly #first: Float64Array // [D]
  readonly #sums: Float64Array // [D]
  readonly #squares: Float64Array // [D]
  #frames = 0

  constructor(D: number, variance: boolean, window: number) {
    this.width = D
    this.#scaled = variance
    this.#window = window
    this.#ring = new Float64Array(window * D)
    this.#first = new Float64Array(D)
    this.#sums = new Float64Array(D)
    this.#squares = new Float64Array(D)
  }

  push(input: Numbers): Float32Array {
    const D = this.width
    const out = new Float32Array(input.length)
    for (let at = 0; at < input.length; at += D) {
      if (this.#frames === 0) this.#first.set(input.subarray(at, at + D))
      const place = (this.#frames++ % this.#window) * D
      if (place === 0) this.#sumAnew()
      const n = Math.min(this.#frames, this.#window)
      for (let d = 0; d < D; d++) {
        const gone = this.#ring[place + d]!
        const x = input[at + d]! - this.#first[d]!
        this.#ring[place + d] = x
        this.#sums[d]! += x - gone
        this.#squares[d]! += x * x - gone * gone
        const mean = this.#sums[d]! / n
        const deviation = Math.sqrt(Math.max(0, this.#squares[d]! / n - mean * mean))
        out[at + d] = (x - mean) / (this.#scaled ? Math.max(LEAST, deviation) : 1)
      }
    }
    return out
  }

  end(): Float32Array {
    return new Float32Array(0)
  }

  #sumAnew(): void {
    const D = this.width
    this.#sums.fill(0)
    this.#squares.fill(0)
    for (let i = 0; i < this.#ring.length; i++) {
      this.#sums[i % D]! += this.#ring[i]!
      this.#squares[i % D]! += this.#ring[i]! ** 2
    }
  }
}

/** @throws ConfigError ERR_OPTION @param D features of a frame */
export function cmvnStage(where: string, D: number, options: unknown): Stage {
  const given = resolveOptions(where, DEFAULTS, options)
  const mode = checkOneOf(where, 'mode', given.mode, MODES)
  const variance = checkBoolean(where, 'variance', given.variance)
  const window = checkInteger(where, 'window', given.window, 1)
  return mode === 'utterance' ? new Utterance(D, variance) : new Running(D, variance, window)
}

/**
 * Cepstral mean and variance normalization: from each feature its mean over frames is taken, and
 * the rest is divided by its standard deviation (of the frames themselves, not estimated; at least
 * 1e-5). It takes out what microphone and room do to all frames alike.
 *
 * @param features [F, D]
 * @param options see {@link CmvnOptions}
 * @returns shape [F, D], float32
 * @throws ShapeError ERR_SHAPE for features of another shape; ConfigError ERR_OPTION for bad
 *   options and numbers that are not finite
 * @example
 * import { cmvn } from 'hiddenstate/audio'
 * console.log(cmvn([[1, 5], [3, 5]]).toArray()) // [ [ -1, 0 ], [ 1, 0 ] ]
 * console.log(cmvn([[1], [3], [3]], { mode: 'running', variance: false }).get(1, 0)) // 1
 * @see Atal (1974), Effectiveness of linear prediction characteristics of the speech wave; Kaldi,
 *   apply-cmvn and apply-cmvn-sliding
 */
export function cmvn(features: TensorLike, options?: CmvnOptions): NDArray {
  const where = 'cmvn'
  const { rows, D } = featuresOf(where, features)
  const stage = cmvnStage(where, D, options)
  return asRows(runAtOnce(runStage(stage, rows, Math.max(1, D))), stage.width)
}
