/** Masks over features, so that a recogniser learns not to rely on any of them. */
import { checkInteger, checkOneOf } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { describe, NDArray, type TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { nextSeed, RandomStream } from '../random.js'
import { checkNumber, featuresOf } from './checks.js'

/** Options of {@link specAugment}. */
export interface SpecAugmentOptions {
  /** Masks over frames. Default 2. */
  timeMasks?: number | undefined
  /** Most frames of such a mask. Default 40. */
  timeWidth?: number | undefined
  /** Most frames of such a mask as a share of all, from 0 to 1. Default 0.2. */
  timeShare?: number | undefined
  /** Masks over features. Default 2. */
  frequencyMasks?: number | undefined
  /** Most features of such a mask. Default 15, and at most half of them. */
  frequencyWidth?: number | undefined
  /** What is put into the masks: a number, or `'mean'`, that of all features. Default 0. */
  value?: number | 'mean' | undefined
  /**
   * An integer from 0 to 2^53 - 1: the same masks for the same seed and shape. Default `null`: the
   * next random numbers of this thread, which `setSeed` fixes.
   */
  seed?: number | null | undefined
}

const DEFAULTS = {
  timeMasks: 2 as number | undefined,
  timeWidth: 40 as number | undefined,
  timeShare: 0.2 as number | undefined,
  frequencyMasks: 2 as number | undefined,
  frequencyWidth: 15 as number | undefined,
  value: 0 as number | 'mean' | undefined,
  seed: null as number | null | undefined,
}

/** The stream that masks are drawn from. @throws ConfigError ERR_OPTION */
function streamOf(where: string, seed: unknown): RandomStream {
  if (seed === null) return new RandomStream(nextSeed())
  return new RandomStream(checkInteger(where, 'seed', seed, 0))
}

/**
 * SpecAugment: some stretches of frames and some bands of features, drawn at random, are replaced
 * by one value. Each mask over frames is t frames long, t uniform from 0 to min(timeWidth,
 * timeShare · F), and begins uniformly where it fits; masks over features likewise. They may
 * overlap. (The time warp of the paper, which it finds to matter least, is left out.)
 *
 * Meant for features with a mean of 0 (cmvn), during training only, drawn anew in each epoch.
 *
 * @param features [F, D]; left as they are
 * @param options see {@link SpecAugmentOptions}
 * @returns shape [F, D], float32
 * @throws ShapeError ERR_SHAPE for features of another shape; ConfigError ERR_OPTION for bad
 *   options and numbers that are not finite
 * @example
 * import { specAugment } from 'hiddenstate/audio'
 * const features = Array.from({ length: 100 }, () => new Float32Array(40).fill(1))
 * const masked = specAugment(features, { timeMasks: 1, seed: 3 })
 * console.log(masked.shape, masked.data.some((x) => x === 0)) // [ 100, 40 ] true
 * @see Park et al. (2019), SpecAugment: a simple data augmentation method for automatic speech
 *   recognition
 */
export function specAugment(features: TensorLike, options?: SpecAugmentOptions): NDArray {
  const where = 'specAugment'
  const { rows, F, D } = featuresOf(where, features)
  const given = resolveOptions(where, DEFAULTS, options)
  const count = (what: keyof SpecAugmentOptions) => checkInteger(where, what, given[what], 0)
  const [timeMasks, timeWidth] = [count('timeMasks'), count('timeWidth')]
  const [frequencyMasks, frequencyWidth] = [count('frequencyMasks'), count('frequencyWidth')]
  const timeShare = checkNumber(where, 'timeShare', given.timeShare, 0, 1)
  const { value } = given
  if (!(typeof value === 'number' && Number.isFinite(value))) {
    if (typeof value === 'number')
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'value',
        expected: "a finite number or 'mean'",
        actual: describe(value),
      })
    checkOneOf(where, 'value', value, ['mean'])
  }
  const stream = streamOf(where, given.seed)
  const out = Float32Array.from(rows) // [F, D]
  let filling = value as number
  if (value === 'mean') {
    let sum = 0
    for (const x of rows) sum += x
    filling = rows.length === 0 ? 0 : sum / rows.length
  }
  const draw = (most: number, extent: number): [from: number, to: number] => {
    const length = stream.integer(Math.min(most, extent) + 1)
    const from = stream.integer(extent - length + 1)
    return [from, from + length]
  }
  for (let i = 0; i < timeMasks; i++) {
    const [from, to] = draw(Math.min(timeWidth, Math.floor(timeShare * F)), F)
    out.fill(filling, from * D, to * D)
  }
  for (let i = 0; i < frequencyMasks; i++) {
    const [from, to] = draw(Math.min(frequencyWidth, Math.floor(D / 2)), D)
    for (let t = 0; t < F; t++) out.fill(filling, t * D + from, t * D + to)
  }
  return new NDArray(out, [F, D])
}
