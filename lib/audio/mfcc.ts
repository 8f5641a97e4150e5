/** Cepstra: the cosine transform of logarithms of mel energies. */
import { checkInteger, checkOneOf } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import type { NDArray, TensorLike } from '../ndarray.js'
import { runAtOnce } from '../sliced-work.js'
import { checkNumber, type Numbers, samplesOf } from './checks.js'
import {
  type CepstrumDefaults,
  checkAnalysis,
  type Filled,
  fillIn,
  type LogMelOptions,
  melStage,
} from './log-mel.js'
import { asRows, Chain, runStage, type Stage } from './stage.js'

/** Options of {@link mfcc}. */
export interface MfccOptions extends LogMelOptions {
  /** Number of coefficients, at most nMels. Default 13. */
  nMfcc?: number | undefined
  /**
   * L of the lifter: coefficient n is multiplied by 1 + L/2 · sin(π · n / L), n from 0, as HTK,
   * Kaldi and python_speech_features have it (librosa counts n from 1). Default 0: none.
   */
  lifter?: number | undefined
  /**
   * Puts the natural logarithm of the frame's energy in the place of coefficient 0: the sum of the
   * squares of its `'samples'`, before pre-emphasis and window (Kaldi), or the sum of its
   * `'spectrum'` (python_speech_features). Default `null`: coefficient 0 stays.
   */
  energy?: 'samples' | 'spectrum' | null | undefined
}

/** What a row of logarithms becomes. */
interface Cepstrum {
  readonly nMels: number
  readonly nMfcc: number
  readonly lifter: number
  readonly energy: CepstrumDefaults['energy']
}

/** @throws ConfigError ERR_OPTION */
function checkCepstrum(where: string, given: Filled, nMels: number): Cepstrum {
  const nMfcc = checkInteger(where, 'nMfcc', given.nMfcc, 1)
  if (nMfcc > nMels)
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'nMfcc',
      expected: `at most ${nMels}, which nMels is`,
      actual: String(nMfcc),
    })
  const allowed = ['samples', 'spectrum', null] as const
  const energy = checkOneOf(where, 'energy', given.energy, allowed)
  return { nMels, nMfcc, lifter: checkNumber(where, 'lifter', given.lifter, 0), energy }
}

/** The DCT-II, orthonormal, of rows [nMels], or [nMels + 1] with the energy at their end. */
class Cepstra implements Stage {
  readonly width: number
  readonly #is: Cepstrum
  readonly #basis: Float64Array // [nMfcc, nMels], times the lifter

  constructor(cepstrum: Cepstrum) {
    const { nMels, nMfcc, lifter } = cepstrum
    this.#is = cepstrum
    this.width = nMfcc
    this.#basis = new Float64Array(nMfcc * nMels)
    for (let n = 0; n < nMfcc; n++) {
      const lift = lifter === 0 ? 1 : 1 + (lifter / 2) * Math.sin((Math.PI * n) / lifter)
      const norm = Math.sqrt((n === 0 ? 1 : 2) / nMels) * lift
      for (let m = 0; m < nMels; m++)
        this.#basis[n * nMels + m] = norm * Math.cos((Math.PI * n * (m + 0.5)) / nMels)
    }
  }

  push(input: Numbers): Float64Array {
    const { nMels, nMfcc, energy } = this.#is
    const columns = nMels + (energy === null ? 0 : 1)
    const rows = input.length / columns
    const out = new Float64Array(rows * nMfcc) // [rows, nMfcc]
    for (let r = 0; r < rows; r++) {
      const from = r * columns
      for (let n = 0; n < nMfcc; n++) {
        let sum = 0
        for (let m = 0; m < nMels; m++) sum += this.#basis[n * nMels + m]! * input[from + m]!
        out[r * nMfcc + n] = sum
      }
      if (energy !== null) out[r * nMfcc] = input[from + nMels]!
    }
    return out
  }

  end(): Float64Array {
    return new Float64Array(0)
  }
}

/** From samples to cepstra. @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE */
export function mfccStage(where: string, given: Filled): Stage {
  const analysis = checkAnalysis(where, given)
  const cepstrum = checkCepstrum(where, given, analysis.mel.nMels)
  return new Chain([melStage(analysis, cepstrum.energy), new Cepstra(cepstrum)], cepstrum.nMfcc)
}

/**
 * Mel-frequency cepstral coefficients: the orthonormal DCT-II of the rows that logMel gives,
 *
 *     c[n] = s(n) · Σ_m logMel[m] · cos(π · n · (m + 1/2) / nMels),   s(0) = √(1/nMels), else
 *     √(2/nMels)
 *
 * of which the first nMfcc are kept, and liftered.
 *
 * `like: 'kaldi'`, `'librosa'` and `'python_speech_features'` give the numbers of
 * `compute-mfcc-feats --dither=0`, `librosa.feature.mfcc` and `mfcc`, to 1e-4.
 *
 * @param samples [T]
 * @param options `sampleRate` in Hz; lengths in samples, see {@link MfccOptions}
 * @returns shape [F, nMfcc], float32
 * @throws ShapeError ERR_SHAPE for samples or a window of another shape; ConfigError ERR_OPTION for
 *   bad options and numbers that are not finite
 * @example
 * import { mfcc } from 'hiddenstate/audio'
 * const tone = Float32Array.from({ length: 8000 }, (_, t) => Math.sin(t / 3))
 * console.log(mfcc(tone, { sampleRate: 8000, like: 'python_speech_features' }).shape) // [ 99, 13 ]
 * @see Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word
 *   recognition; The HTK Book, 5.6
 */
export function mfcc(samples: TensorLike, options: MfccOptions): NDArray {
  const where = 'mfcc'
  const stage = mfccStage(where, fillIn(where, options, true))
  return asRows(runAtOnce(runStage(stage, samplesOf(where, samples))), stage.width)
}
