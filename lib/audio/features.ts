/** The whole way from samples to the rows that a model reads, as one list of options. */
import { checkOneOf } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { describe, type NDArray, type TensorLike } from '../ndarray.js'
import { checkRate, samplesOf } from './checks.js'
import { type CmvnOptions, cmvnStage } from './cmvn.js'
import { deltaStage } from './deltas.js'
import { checkAnalysis, fillIn, melStage } from './log-mel.js'
import { type MfccOptions, mfccStage } from './mfcc.js'
import { resampleStage } from './resample.js'
import { asRows, Chain, Rounded, type Stage } from './stage.js'

/** Options of {@link FeatureStream}: those of {@link mfcc}, and these. */
export interface FeatureOptions extends MfccOptions {
  /** `'logMel'` (the default) or `'mfcc'`. */
  features?: 'logMel' | 'mfcc' | undefined
  /**
   * Rate of the samples that go in, in Hz, where it is not `sampleRate`: they are resampled first,
   * as resample does. Default: they have it.
   */
  inputRate?: number | undefined
  /**
   * Orders of deltas that stand behind the features, of width 2: 1 doubles the features of a frame,
   * 2 makes them three times as many. Default 0.
   */
  deltas?: 0 | 1 | 2 | undefined
  /** Options of cmvn, or its mode alone. Default `null`: none. */
  cmvn?: 'utterance' | 'running' | CmvnOptions | null | undefined
}

/** The stages that options ask for. @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE */
export function featureStages(where: string, options: unknown): Stage {
  const { features, inputRate, deltas, cmvn, ...spectral } = (options ?? {}) as FeatureOptions
  const kind = checkOneOf(where, 'features', features ?? 'logMel', ['logMel', 'mfcc'])
  const given = fillIn(where, options === null ? undefined : spectral, kind === 'mfcc')
  const rows =
    kind === 'mfcc' ? mfccStage(where, given) : melStage(checkAnalysis(where, given), null)
  const stages: Stage[] = []
  const rate = given.sampleRate as number
  if (inputRate !== undefined && checkRate(where, 'inputRate', inputRate) !== rate)
    stages.push(resampleStage(where, { from: inputRate, to: rate }))
  // What follows gets the numbers that logMel and mfcc give.
  stages.push(rows, new Rounded(rows.width))
  const order = checkOneOf(where, 'deltas', deltas ?? 0, [0, 1, 2])
  if (order > 0) stages.push(deltaStage(where, rows.width, { order, append: true }))
  const D = rows.width * (order + 1)
  if (cmvn !== undefined && cmvn !== null) {
    if (typeof cmvn !== 'string' && typeof cmvn !== 'object')
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'cmvn',
        expected: "'utterance', 'running', options of cmvn or null",
        actual: describe(cmvn),
      })
    stages.push(cmvnStage(where, D, typeof cmvn === 'string' ? { mode: cmvn } : cmvn))
  }
  return new Chain(stages, D)
}

/**
 * Features of sound that comes piece by piece: from a microphone, a call, a long file. The rows are
 * those that logMel or mfcc of the whole gives, then deltas and cmvn, to the bit, whatever the
 * pieces are. A frame comes out as soon as its last sample is in (with deltas, 2 · deltas frames
 * later); with `cmvn: 'utterance'` or `topDb`, which must know all frames, they come at the end.
 *
 * @param options `sampleRate` in Hz; lengths in samples, see {@link FeatureOptions}
 * @throws ConfigError ERR_OPTION for bad options; ShapeError ERR_SHAPE for a window of another
 *   length
 * @example
 * import { FeatureStream } from 'hiddenstate/audio'
 * const stream = new FeatureStream({ sampleRate: 16000, features: 'mfcc', cmvn: 'running' })
 * for (let i = 0; i < 4; i++) console.log(stream.push(new Float32Array(160)).shape)
 * console.log(stream.width, stream.end().shape) // 13 [ 0, 13 ]
 */
export class FeatureStream {
  readonly #options: unknown
  #stages: Stage

  constructor(options: FeatureOptions) {
    this.#stages = featureStages('FeatureStream', options)
    this.#options = structuredClone(options) // as it was: the caller may change it
  }

  /** Features of a frame. */
  get width(): number {
    return this.#stages.width
  }

  /**
   * Takes the samples that come next.
   *
   * @param samples [T], any T
   * @returns the frames that are known by them, [F, width], float32; often none
   * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION for what is no array [T] of finite
   *   numbers: the stream is as it was before
   */
  push(samples: TensorLike): NDArray {
    return this.#rows(this.#stages.push(samplesOf('FeatureStream.push', samples)))
  }

  /**
   * Gives the rest, [F, width]. The next {@link push} begins a new signal.
   *
   * @throws ShapeError ERR_SHAPE where `edges: 'reflect'` has too few samples
   */
  end(): NDArray {
    const stages = this.#stages
    this.#stages = featureStages('FeatureStream', this.#options)
    return this.#rows(stages.end())
  }

  #rows(numbers: Float32Array | Float64Array): NDArray {
    return asRows(
      numbers instanceof Float32Array ? numbers : Float32Array.from(numbers),
      this.width,
    )
  }
}
