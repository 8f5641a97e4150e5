/** The mel scale, and filters of equal width on it. */
import { checkInteger, checkOneOf } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { NDArray } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { checkNumber, checkRate } from './checks.js'
import { checkFft } from './spectrum.js'

/** Options of {@link melFilterbank}. */
export interface MelFilterbankOptions {
  /** Samples in a second, in Hz. */
  sampleRate: number
  /** Length of the transform, a power of two. */
  nFft: number
  /** Number of filters. Default 40. */
  nMels?: number | undefined
  /** Where the first filter begins, in Hz. Default 0. */
  fMin?: number | undefined
  /** Where the last filter ends, in Hz. Default half the sample rate. */
  fMax?: number | null | undefined
  /**
   * `'htk'` (the default): mel = 2595 · log10(1 + f / 700), as HTK, Kaldi and
   * python_speech_features have it. `'slaney'`: linear to 1000 Hz (3 mel for 200 Hz), then 27 mel
   * for a factor of 6.4, as Slaney's Auditory Toolbox and librosa have it.
   */
  melScale?: 'htk' | 'slaney' | undefined
  /**
   * What is linear in a triangle. `'hz'` (the default): the frequency, as in librosa; `'mel'`: the
   * mel, as in Kaldi; `'bins'`: corners are rounded down to bins of the transform, ⌊(nFft + 1) · f
   * / sampleRate⌋, as in python_speech_features.
   */
  triangles?: 'hz' | 'mel' | 'bins' | undefined
  /**
   * `null` (the default): the top of each triangle is 1; `'slaney'`: its area in Hz is 1, that is,
   * its top 2 / (its width in Hz), as is librosa's default.
   */
  norm?: 'slaney' | null | undefined
}

/** Options that were checked. */
export type MelSettings = {
  [K in keyof MelFilterbankOptions]-?: Exclude<MelFilterbankOptions[K], undefined>
} & { readonly fMax: number }

export const MEL_DEFAULTS = {
  nMels: 40 as number | undefined,
  fMin: 0 as number | undefined,
  fMax: null as number | null | undefined,
  melScale: 'htk' as MelFilterbankOptions['melScale'],
  triangles: 'hz' as MelFilterbankOptions['triangles'],
  norm: null as MelFilterbankOptions['norm'],
}

const LINEAR_HZ = 200 / 3
const LOG_FROM = 1000
const LOG_STEP = Math.log(6.4) / 27

/** Hz to mel and back. */
const SCALES = {
  htk: {
    mel: (hz: number) => 2595 * Math.log10(1 + hz / 700),
    hz: (mel: number) => 700 * (10 ** (mel / 2595) - 1),
  },
  slaney: {
    mel: (hz: number) =>
      hz < LOG_FROM ? hz / LINEAR_HZ : LOG_FROM / LINEAR_HZ + Math.log(hz / LOG_FROM) / LOG_STEP,
    hz: (mel: number) =>
      mel < LOG_FROM / LINEAR_HZ
        ? mel * LINEAR_HZ
        : LOG_FROM * Math.exp(LOG_STEP * (mel - LOG_FROM / LINEAR_HZ)),
  },
}

/** @throws ConfigError ERR_OPTION */
export function checkMel(where: string, given: Record<keyof MelSettings, unknown>): MelSettings {
  const sampleRate = checkRate(where, 'sampleRate', given.sampleRate)
  const nyquist = sampleRate / 2
  const fMin = checkNumber(where, 'fMin', given.fMin, 0, nyquist)
  const fMax = checkNumber(where, 'fMax', given.fMax ?? nyquist, 0, nyquist)
  if (fMin >= fMax)
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'fMin',
      expected: `below fMax, ${fMax} Hz`,
      actual: String(fMin),
    })
  return {
    sampleRate,
    nFft: given.nFft as number,
    nMels: checkInteger(where, 'nMels', given.nMels, 1),
    fMin,
    fMax,
    melScale: checkOneOf(where, 'melScale', given.melScale, ['htk', 'slaney']) as 'htk',
    triangles: checkOneOf(where, 'triangles', given.triangles, ['hz', 'mel', 'bins']) as 'hz',
    norm: checkOneOf(where, 'norm', given.norm, ['slaney', null]) as null,
  }
}

/** A triangle: its weights from a bin on. */
export interface Filter {
  first: number
  weights: Float64Array
}

/** The filters, without their zeros on both sides. */
export function melFilters(settings: MelSettings): Filter[] {
  const { sampleRate, nFft, nMels, fMin, fMax, melScale, triangles, norm } = settings
  const scale = SCALES[melScale]
  const [low, high] = [scale.mel(fMin), scale.mel(fMax)]
  const mels = Array.from({ length: nMels + 2 }, (_, i) => low + (i * (high - low)) / (nMels + 1))
  const hz = mels.map(scale.hz)
  const bins = nFft / 2 + 1
  const width = sampleRate / nFft // of a bin, in Hz
  // where corners and bins lie on the axis on which triangles are straight
  const corners =
    triangles === 'mel'
      ? mels
      : triangles === 'hz'
        ? hz
        : hz.map((f) => Math.floor(((nFft + 1) * f) / sampleRate))
  const place = (bin: number) =>
    triangles === 'mel' ? scale.mel(bin * width) : triangles === 'hz' ? bin * width : bin
  const places = Float64Array.from({ length: bins }, (_, bin) => place(bin))
  return Array.from({ length: nMels }, (_, m) => {
    const [left, top, right] = [corners[m]!, corners[m + 1]!, corners[m + 2]!]
    const gain = norm === 'slaney' ? 2 / (hz[m + 2]! - hz[m]!) : 1
    const all = Array.from(places, (x) => {
      if (!(x >= left && x < right)) return 0
      return gain * (x < top ? (x - left) / (top - left) : (right - x) / (right - top))
    })
    const set = all.flatMap((weight, bin) => (weight > 0 ? [bin] : []))
    const [first, last] = [set[0] ?? 0, set.at(-1) ?? -1]
    return { first, weights: Float64Array.from(all.slice(first, last + 1)) }
  })
}

const DEFAULTS = {
  ...MEL_DEFAULTS,
  sampleRate: undefined as number | undefined,
  nFft: undefined as number | undefined,
}

/**
 * Triangular filters whose corners are nMels + 2 points of equal distance in mel from fMin to fMax;
 * filter m rises from point m to its top at point m + 1 and falls to point m + 2.
 *
 * With many filters and a short transform the lowest ones may lie between two bins and be all
 * zero; a larger `nFft` or fewer filters help.
 *
 * @param options see {@link MelFilterbankOptions}; frequencies in Hz
 * @returns shape [nMels, nFft / 2 + 1], float64
 * @throws ConfigError ERR_OPTION for bad options
 * @example
 * import { melFilterbank } from 'hiddenstate/audio'
 * const filters = melFilterbank({ sampleRate: 16000, nFft: 512, nMels: 26, melScale: 'slaney' })
 * console.log(filters.shape) // [ 26, 257 ]
 * @see Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word
 *   recognition; The HTK Book, 5.4; librosa.filters.mel
 */
export function melFilterbank(options: MelFilterbankOptions): NDArray {
  const where = 'melFilterbank'
  const given = resolveOptions(where, DEFAULTS, options)
  const nFft = checkFft(where, given.nFft, 1)
  const settings = checkMel(where, { ...given, nFft })
  const bins = nFft / 2 + 1
  const out = new Float64Array(settings.nMels * bins) // [nMels, bins]
  for (const [m, { first, weights }] of melFilters(settings).entries())
    out.set(weights, m * bins + first)
  return new NDArray(out, [settings.nMels, bins])
}
