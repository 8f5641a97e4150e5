/** Energies of mel filters, and their logarithm. */
import { checkBoolean, checkOneOf } from '../call-options.js'
import type { NDArray, TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { runAtOnce } from '../sliced-work.js'
import { checkNumber, checkRate, type Numbers, samplesOf } from './checks.js'
import { checkFrames, type Edges, FrameStage } from './frames.js'
import {
  checkMel,
  type Filter,
  MEL_DEFAULTS,
  type MelFilterbankOptions,
  melFilters,
  type MelSettings,
} from './mel.js'
import { checkFft, Transform } from './spectrum.js'
import { asRows, Chain, concat, runStage, type Stage } from './stage.js'
import { type Window, windowOf } from './windows.js'

const LIKES = ['kaldi', 'librosa', 'python_speech_features'] as const
/** Programs whose features are met with one word, see {@link LogMelOptions}. */
export type Like = (typeof LIKES)[number]

/** Options of {@link logMel}. */
export interface LogMelOptions extends Omit<MelFilterbankOptions, 'nFft'> {
  /**
   * Takes the defaults of all other options from a program, so that the features are its own:
   *
   * | option | (none) | `'kaldi'`, dither off | `'librosa'` | `'python_speech_features'` |
   * |---|---|---|---|---|
   * | frameLength | 25 ms | 25 ms, cut | 2048 | 25 ms |
   * | hopLength | 10 ms | 10 ms, cut | 512 | 10 ms |
   * | edges | valid | valid | center | end |
   * | window | hann | povey | hann | rectangular |
   * | scale | 1 | 32768 | 1 | 32768 |
   * | removeDc | no | yes | no | no |
   * | preEmphasis, its place | 0 | 0.97, frame | 0 | 0.97, signal |
   * | spectrum | power | power | power | power/nFft |
   * | nMels | 40 | 23 | 128 | 26 |
   * | fMin in Hz | 0 | 20 | 0 | 0 |
   * | melScale, triangles, norm | htk, hz | htk, mel | slaney, hz, slaney | htk, bins |
   * | log, floor | natural, 1e-10 | natural, 2^-23 | db, 1e-10 | natural, 2^-52 |
   * | topDb | | | 80 | |
   * | nMfcc, lifter, energy | 13, 0 | 13, 22, samples | 20, 0 | 13, 22, spectrum |
   */
  like?: Like | undefined
  /** Samples of a frame. Default 25 ms, rounded. */
  frameLength?: number | undefined
  /** Samples from a frame to the next. Default 10 ms, rounded. */
  hopLength?: number | undefined
  /** Which frames there are, see {@link FramingOptions}. Default `'valid'`. */
  edges?: Edges | undefined
  /** Length of the transform, a power of two. Default the smallest that holds a frame. */
  nFft?: number | null | undefined
  /** Name or numbers [frameLength]. Default `'hann'`. */
  window?: Window | undefined
  /**
   * Samples are multiplied by it first: 32768 makes those in [-1, 1), as readWav gives them, the
   * 16-bit integers that Kaldi works on. Default 1.
   */
  scale?: number | undefined
  /** Whether each frame loses its mean. Default `false`. */
  removeDc?: boolean | undefined
  /** a of y[t] = x[t] - a · x[t - 1], from 0 to 1. Default 0: none. */
  preEmphasis?: number | undefined
  /**
   * Where: `'signal'` (the default), whose first sample stays; or each `'frame'`, after removeDc,
   * with x[-1] = x[0].
   */
  preEmphasisOf?: 'signal' | 'frame' | undefined
  /**
   * `'power'` (the default): |X|²; `'power/nFft'`: that divided by nFft; `'magnitude'`: |X|.
   */
  spectrum?: 'power' | 'power/nFft' | 'magnitude' | undefined
  /**
   * `'natural'` (the default): ln; `'db'`: decibels, 10 · log10, of magnitudes 20 · log10;
   * `'none'`: the energies as they are.
   */
  log?: 'natural' | 'db' | 'none' | undefined
  /** Energies below it are set to it before the logarithm. Default 1e-10. */
  floor?: number | undefined
  /**
   * With `'db'`: what lies more than this below the largest number of the whole signal, in dB, is
   * raised to it. A stream then gives its frames at its end. Default `null`: nothing is.
   */
  topDb?: number | null | undefined
}

/** Options of mfcc beside those of the spectrum, see MfccOptions. */
export interface CepstrumDefaults {
  nMfcc: number
  lifter: number
  energy: 'samples' | 'spectrum' | null
}

const FLOAT_EPSILON = 2 ** -23
const DOUBLE_EPSILON = 2 ** -52

/** The defaults, which follow from the sample rate. */
function defaultsOf(rate: number, like: Like | undefined) {
  const ms = (n: number, round: (x: number) => number) => Math.max(1, round((rate * n) / 1000))
  const own = {
    ...MEL_DEFAULTS,
    sampleRate: rate as number | undefined,
    like: like as Like | undefined,
    frameLength: ms(25, Math.round),
    hopLength: ms(10, Math.round),
    edges: 'valid' as Edges,
    nFft: null as number | null,
    window: 'hann' as Window,
    scale: 1,
    removeDc: false,
    preEmphasis: 0,
    preEmphasisOf: 'signal',
    spectrum: 'power',
    log: 'natural',
    floor: 1e-10,
    topDb: null as number | null,
    nMfcc: 13,
    lifter: 0,
    energy: null as CepstrumDefaults['energy'],
  }
  if (like === undefined) return own
  const speech = { ...own, scale: 32768, preEmphasis: 0.97, lifter: 22 }
  if (like === 'kaldi')
    return {
      ...speech,
      frameLength: ms(25, Math.floor),
      hopLength: ms(10, Math.floor),
      removeDc: true,
      preEmphasisOf: 'frame',
      window: 'povey' as Window,
      nMels: 23,
      fMin: 20,
      triangles: 'mel' as const,
      floor: FLOAT_EPSILON,
      energy: 'samples' as const,
    }
  if (like === 'python_speech_features')
    return {
      ...speech,
      edges: 'end' as Edges,
      window: 'rectangular' as Window,
      spectrum: 'power/nFft',
      nMels: 26,
      triangles: 'bins' as const,
      floor: DOUBLE_EPSILON,
      energy: 'spectrum' as const,
    }
  return {
    ...own,
    frameLength: 2048,
    hopLength: 512,
    edges: 'center' as Edges,
    nMels: 128,
    melScale: 'slaney' as const,
    norm: 'slaney' as const,
    log: 'db',
    topDb: 80,
    nMfcc: 20,
  }
}
/** All options of logMel and mfcc, filled in. */
export type Filled = Readonly<ReturnType<typeof defaultsOf>>

/**
 * Fills in the defaults.
 *
 * @param cepstral whether options of mfcc are known
 * @throws ConfigError ERR_OPTION for an unknown option, a bad rate or an unknown program
 */
export function fillIn(where: string, options: unknown, cepstral: boolean): Filled {
  const given = (options ?? {}) as { sampleRate?: unknown; like?: unknown }
  const rate = checkRate(where, 'sampleRate', given.sampleRate)
  const like =
    given.like === undefined ? undefined : checkOneOf(where, 'like', given.like as Like, LIKES)
  const defaults = defaultsOf(rate, like)
  if (cepstral) return resolveOptions(where, defaults, options)
  const { nMfcc, lifter, energy, ...spectral } = defaults
  return { ...resolveOptions(where, spectral, options), nMfcc, lifter, energy }
}

/** What a frame becomes. */
export interface Analysis {
  readonly mel: MelSettings
  readonly frameLength: number
  readonly hopLength: number
  readonly edges: Edges
  readonly window: Float64Array // [frameLength]
  readonly scale: number
  readonly removeDc: boolean
  readonly preEmphasis: number
  readonly preEmphasisOf: 'signal' | 'frame'
  readonly spectrum: 'power' | 'power/nFft' | 'magnitude'
  readonly log: 'natural' | 'db' | 'none'
  readonly floor: number
  readonly topDb: number | null
}

/** @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE for a window of another length */
export function checkAnalysis(where: string, given: Filled): Analysis {
  const { frameLength, hopLength, edges } = checkFrames(where, given)
  const nFft = checkFft(where, given.nFft, frameLength)
  const choice = <T>(what: keyof Filled, allowed: readonly T[]): T =>
    checkOneOf(where, what, given[what], allowed as readonly unknown[]) as T
  return {
    mel: checkMel(where, { ...given, nFft }),
    ...{ frameLength, hopLength, edges },
    window: windowOf(where, given.window, frameLength),
    scale: checkNumber(where, 'scale', given.scale, 0),
    removeDc: checkBoolean(where, 'removeDc', given.removeDc),
    preEmphasis: checkNumber(where, 'preEmphasis', given.preEmphasis, 0, 1),
    preEmphasisOf: choice('preEmphasisOf', ['signal', 'frame']),
    spectrum: choice('spectrum', ['power', 'power/nFft', 'magnitude']),
    log: choice('log', ['natural', 'db', 'none']),
    floor: checkNumber(where, 'floor', given.floor, Number.MIN_VALUE),
    topDb: given.topDb === null ? null : checkNumber(where, 'topDb', given.topDb, 0),
  }
}

/** y[t] = x[t] - a · x[t - 1] of the whole signal; the first sample stays. */
class PreEmphasis implements Stage {
  readonly width = 1
  readonly #a: number
  #before = 0

  constructor(a: number) {
    this.#a = a
  }

  push(input: Numbers): Float64Array {
    const out = new Float64Array(input.length)
    let last = this.#before
    for (let t = 0; t < input.length; t++) {
      out[t] = input[t]! - this.#a * last
      last = input[t]!
    }
    this.#before = last
    return out
  }

  end(): Float64Array {
    return new Float64Array(0)
  }
}

/** The logarithms of the energies of a frame's filters, and of the frame itself if it is wanted. */
class MelFrames extends FrameStage {
  readonly width: number
  readonly #is: Analysis
  readonly #energy: CepstrumDefaults['energy']
  readonly #filters: readonly Filter[]
  readonly #frame: Float64Array // [frameLength]
  readonly #transform: Transform
  readonly #powers: Float64Array // [bins]

  constructor(analysis: Analysis, energy: CepstrumDefaults['energy']) {
    super({ ...analysis, nFft: analysis.mel.nFft })
    this.#is = analysis
    this.#energy = energy
    this.#filters = melFilters(analysis.mel)
    this.#frame = new Float64Array(analysis.frameLength)
    this.#transform = new Transform(analysis.mel.nFft)
    this.#powers = new Float64Array(this.#transform.bins)
    this.width = this.#filters.length + (energy === null ? 0 : 1)
  }

  protected row(samples: Float64Array, at: number, out: Float64Array, to: number): void {
    const powers = this.#powers
    const ofSamples = this.#prepare(samples, at)
    this.#transform.run(this.#frame)
    this.#measure()
    for (let m = 0; m < this.#filters.length; m++) {
      const { first, weights } = this.#filters[m]!
      let sum = 0
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * powers[first + k]!
      out[to + m] = this.#logarithm(sum)
    }
    if (this.#energy === null) return
    let total = ofSamples
    if (this.#energy === 'spectrum') {
      total = 0
      for (let k = 0; k < powers.length; k++) total += powers[k]!
    }
    out[to + this.#filters.length] = Math.log(Math.max(total, this.#is.floor))
  }

  /** The frame as it is transformed. @returns the sum of its squares before emphasis and window */
  #prepare(samples: Float64Array, at: number): number {
    const { scale, removeDc, preEmphasis, preEmphasisOf, window } = this.#is
    const frame = this.#frame
    const L = frame.length
    for (let i = 0; i < L; i++) frame[i] = samples[at + i]! * scale
    if (removeDc) {
      let sum = 0
      for (let i = 0; i < L; i++) sum += frame[i]!
      const mean = sum / L
      for (let i = 0; i < L; i++) frame[i]! -= mean
    }
    let energy = 0
    if (this.#energy === 'samples') for (let i = 0; i < L; i++) energy += frame[i]! ** 2
    if (preEmphasis !== 0 && preEmphasisOf === 'frame') {
      for (let i = L - 1; i > 0; i--) frame[i]! -= preEmphasis * frame[i - 1]!
      frame[0]! -= preEmphasis * frame[0]!
    }
    for (let i = 0; i < L; i++) frame[i]! *= window[i]!
    return energy
  }

  /** The spectrum's numbers from its complex ones. */
  #measure(): void {
    const { spectrum, bins } = this.#transform
    const kind = this.#is.spectrum
    const scale = kind === 'power/nFft' ? 1 / this.#is.mel.nFft : 1
    for (let k = 0; k < bins; k++) {
      const power = (spectrum[2 * k]! ** 2 + spectrum[2 * k + 1]! ** 2) * scale
      this.#powers[k] = kind === 'magnitude' ? Math.sqrt(power) : power
    }
  }

  #logarithm(energy: number): number {
    const { log, floor, spectrum } = this.#is
    if (log === 'none') return energy
    const raised = Math.max(energy, floor)
    if (log === 'natural') return Math.log(raised)
    return (spectrum === 'magnitude' ? 20 : 10) * Math.log10(raised)
  }
}

/** Raises what lies too far below the largest number; known at the end alone. */
class TopDb implements Stage {
  readonly width: number
  readonly #columns: number
  readonly #top: number
  readonly #rows: Numbers[] = []

  /** @param columns of each row that count; those after them stay */
  constructor(width: number, columns: number, top: number) {
    this.width = width
    this.#columns = columns
    this.#top = top
  }

  push(input: Numbers): Float64Array {
    this.#rows.push(input)
    return new Float64Array(0)
  }

  end(): Float64Array {
    const rows = concat(this.#rows)
    const counts = (i: number) => i % this.width < this.#columns
    let largest = Number.NEGATIVE_INFINITY
    for (let i = 0; i < rows.length; i++) if (counts(i) && rows[i]! > largest) largest = rows[i]!
    const least = largest - this.#top
    for (let i = 0; i < rows.length; i++) if (counts(i) && rows[i]! < least) rows[i] = least
    return rows
  }
}

/**
 * From samples to logarithms of mel energies.
 *
 * @param energy what a last column holds the logarithm of, if there is to be one
 */
export function melStage(analysis: Analysis, energy: CepstrumDefaults['energy']): Stage {
  const { preEmphasis, preEmphasisOf, log, topDb } = analysis
  const frames = new MelFrames(analysis, energy)
  const isBefore = preEmphasis !== 0 && preEmphasisOf === 'signal'
  const hasTop = log === 'db' && topDb !== null
  const stages: Stage[] = [
    ...(isBefore ? [new PreEmphasis(preEmphasis)] : []),
    frames,
    ...(hasTop ? [new TopDb(frames.width, analysis.mel.nMels, topDb)] : []),
  ]
  return new Chain(stages, frames.width)
}

/**
 * Logarithms of mel energies ("log-mel", "fbank"), what most recognisers of speech read: of each
 * frame, after scale, removeDc, preEmphasis and window, the spectrum; of that the sums under
 * triangles of equal width in mel (melFilterbank); of those the logarithm.
 *
 * `like: 'kaldi'`, `'librosa'` and `'python_speech_features'` give the numbers of
 * `compute-fbank-feats --dither=0`, of `power_to_db(melspectrogram(…))` and of `logfbank`, to 1e-4;
 * each of their settings can be changed by its own option.
 *
 * @param samples [T]
 * @param options `sampleRate` in Hz; lengths in samples, see {@link LogMelOptions}
 * @returns shape [F, nMels], float32: natural logarithms, or dB with `log: 'db'`
 * @throws ShapeError ERR_SHAPE for samples or a window of another shape; ConfigError ERR_OPTION for
 *   bad options and numbers that are not finite
 * @example
 * import { logMel } from 'hiddenstate/audio'
 * const tone = Float32Array.from({ length: 16000 }, (_, t) => Math.sin(t / 6))
 * console.log(logMel(tone, { sampleRate: 16000 }).shape) // [ 98, 40 ]
 * console.log(logMel(tone, { sampleRate: 16000, like: 'kaldi', nMels: 80 }).shape) // [ 98, 80 ]
 * @see Kaldi, src/feat/feature-fbank.cc; librosa.feature.melspectrogram;
 *   python_speech_features.logfbank
 */
export function logMel(samples: TensorLike, options: LogMelOptions): NDArray {
  const where = 'logMel'
  const stage = melStage(checkAnalysis(where, fillIn(where, options, false)), null)
  return asRows(runAtOnce(runStage(stage, samplesOf(where, samples))), stage.width)
}
