/** Cutting a signal into frames that overlap. */
import { checkInteger, checkOneOf } from '../call-options.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import type { NDArray, TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { runAtOnce } from '../sliced-work.js'
import { type Numbers, samplesOf } from './checks.js'
import { asRows, runStage, type Stage } from './stage.js'

const EDGES = ['valid', 'end', 'center', 'reflect'] as const
/** What happens at the ends of a signal, see {@link FramingOptions}. */
export type Edges = (typeof EDGES)[number]

/** Options of {@link framing}. */
export interface FramingOptions {
  /** Samples of a frame. */
  frameLength: number
  /** Samples from the start of a frame to the start of the next one. */
  hopLength: number
  /**
   * Which frames there are of T samples. `'valid'` (the default): those that lie within the signal,
   * 1 + ⌊(T - frameLength) / hopLength⌋, as Kaldi has it. `'end'`: the signal is filled up with
   * zeros until every sample is in a frame, 1 + ⌈(T - frameLength) / hopLength⌉, as
   * python_speech_features has it. `'center'`, `'reflect'`: frame k has its middle at sample k ·
   * hopLength, 1 + ⌊T / hopLength⌋, as librosa has it, with zeros before and after the signal, or
   * the signal reflected at its first and last sample. No samples have no frames.
   */
  edges?: Edges | undefined
}

/** How frames lie in a signal. */
export interface Geometry {
  readonly frameLength: number
  readonly hopLength: number
  readonly edges: Edges
  /** Length of the transform in whose middle a frame lies; it rounds where frames begin. */
  readonly nFft: number
}

/** @throws ConfigError ERR_OPTION for lengths that are no integers >= 1, or unknown edges */
export function checkFrames(
  where: string,
  { frameLength, hopLength, edges }: Record<keyof FramingOptions, unknown>,
): { frameLength: number; hopLength: number; edges: Edges } {
  for (const [what, value] of Object.entries({ frameLength, hopLength }))
    if (typeof value === 'number' && value > 0 && value < 1)
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what,
        expected: 'a number of samples, an integer >= 1',
        actual: String(value),
        hint: 'Lengths are in samples, not in seconds: 0.025 s at 16000 Hz are 400.',
      })
  return {
    frameLength: checkInteger(where, 'frameLength', frameLength, 1),
    hopLength: checkInteger(where, 'hopLength', hopLength, 1),
    edges: checkOneOf(where, 'edges', edges, EDGES) as Edges,
  }
}

/** Finds the frames of a signal that comes in pieces. */
export class Framer {
  readonly #geometry: Geometry
  /** Samples that are put before the signal. */
  readonly #before: number
  readonly #emit: (samples: Float64Array, at: number) => void
  /** Those that frames to come may need; the first `#held`. */
  #samples: Float64Array // [capacity]
  #held = 0
  /** Samples that lie before the next frame begins, counted from the first that is held. */
  #ahead = 0
  /** Of the signal so far. */
  #total = 0
  #frames = 0
  /** With `'reflect'`: the first samples until there are enough, then the last ones. */
  #mirrored: number[] = []

  /** @param emit gets each frame: `frameLength` samples from `at` on, valid during the call */
  constructor(geometry: Geometry, emit: (samples: Float64Array, at: number) => void) {
    const { frameLength, edges, nFft } = geometry
    this.#geometry = geometry
    this.#emit = emit
    const centered = edges === 'center' || edges === 'reflect'
    const half = Math.floor(nFft / 2) - Math.floor((nFft - frameLength) / 2)
    this.#before = centered ? half : 0
    this.#samples = new Float64Array(2 * frameLength)
    if (edges === 'center') this.#take(new Float64Array(this.#before))
  }

  push(input: Numbers): void {
    if (input.length === 0) return
    const begins = this.#total <= this.#before
    this.#total += input.length
    if (this.#geometry.edges !== 'reflect') {
      this.#take(input)
      return
    }
    const known = this.#mirrored
    for (const sample of input.subarray(begins ? 0 : -this.#geometry.frameLength - 1))
      known.push(sample)
    if (begins) {
      if (this.#total <= this.#before) return
      this.#take(Float64Array.from({ length: this.#before }, (_, i) => known[this.#before - i]!))
      this.#take(Float64Array.from(known))
    } else this.#take(input)
    known.splice(0, known.length - this.#geometry.frameLength - 1)
  }

  /** @throws ShapeError ERR_SHAPE for a signal that is too short to be reflected */
  end(): void {
    const { frameLength, hopLength, edges } = this.#geometry
    const frames = this.#count()
    if (frames <= this.#frames) return
    const after = (frames - 1) * hopLength + frameLength - this.#before - this.#total
    const filling = new Float64Array(Math.max(0, after))
    if (edges === 'reflect') {
      const least = Math.max(this.#before, after)
      if (this.#total <= least)
        fail(ShapeError, 'ERR_SHAPE', {
          where: "edges: 'reflect'",
          what: 'samples',
          expected: `[T] with T > ${least}`,
          actual: `[${this.#total}]`,
          hint: "edges: 'center' fills up with zeros.",
        })
      const last = this.#mirrored.length - 1
      for (let i = 0; i < after; i++) filling[i] = this.#mirrored[last - 1 - i]!
    }
    this.#take(filling)
  }

  /** Frames of the whole signal. */
  #count(): number {
    const { frameLength: L, hopLength, edges, nFft } = this.#geometry
    const T = this.#total
    if (T === 0) return 0
    if (edges === 'valid') return T < L ? 0 : 1 + Math.floor((T - L) / hopLength)
    if (edges === 'end') return T <= L ? 1 : 1 + Math.ceil((T - L) / hopLength)
    return 1 + Math.floor((T + 2 * Math.floor(nFft / 2) - nFft) / hopLength)
  }

  #take(input: Numbers): void {
    const { frameLength, hopLength } = this.#geometry
    const needed = this.#held + input.length
    if (needed > this.#samples.length) {
      const larger = new Float64Array(needed + frameLength)
      larger.set(this.#samples.subarray(0, this.#held))
      this.#samples = larger
    }
    this.#samples.set(input, this.#held)
    this.#held = needed
    for (; this.#ahead + frameLength <= this.#held; this.#ahead += hopLength, this.#frames++)
      this.#emit(this.#samples, this.#ahead)
    const gone = Math.min(this.#ahead, this.#held)
    this.#samples.copyWithin(0, gone, this.#held)
    this.#held -= gone
    this.#ahead -= gone
  }
}

/** Makes a row of each frame. */
export abstract class FrameStage implements Stage {
  abstract readonly width: number
  readonly #framer: Framer
  #rows = new Float64Array(0) // [capacity, width]
  #filled = 0

  constructor(geometry: Geometry) {
    this.#framer = new Framer(geometry, (samples, at) => this.#add(samples, at))
  }

  /** Writes the row [width] of the frame that begins at `at` to `out`, from `to` on. */
  protected abstract row(samples: Float64Array, at: number, out: Float64Array, to: number): void

  push(input: Numbers): Float64Array {
    this.#framer.push(input)
    return this.#take()
  }

  end(): Float64Array {
    this.#framer.end()
    return this.#take()
  }

  #add(samples: Float64Array, at: number): void {
    const needed = this.#filled + this.width
    if (needed > this.#rows.length) {
      const larger = new Float64Array(2 * needed)
      larger.set(this.#rows)
      this.#rows = larger
    }
    this.row(samples, at, this.#rows, this.#filled)
    this.#filled = needed
  }

  #take(): Float64Array {
    const rows = this.#rows.slice(0, this.#filled)
    this.#filled = 0
    return rows
  }
}

class Frames extends FrameStage {
  readonly width: number

  constructor(geometry: Geometry) {
    super(geometry)
    this.width = geometry.frameLength
  }

  protected row(samples: Float64Array, at: number, out: Float64Array, to: number): void {
    out.set(samples.subarray(at, at + this.width), to)
  }
}

const DEFAULTS = {
  frameLength: undefined as number | undefined,
  hopLength: undefined as number | undefined,
  edges: 'valid' as Edges | undefined,
}

/**
 * Cuts samples into frames.
 *
 * @param samples [T]
 * @param options see {@link FramingOptions}; lengths in samples
 * @returns shape [F, frameLength], float32
 * @throws ShapeError ERR_SHAPE for samples of another shape, and for too few to reflect;
 *   ConfigError ERR_OPTION for bad options and numbers that are not finite
 * @example
 * import { framing } from 'hiddenstate/audio'
 * const frames = framing([1, 2, 3, 4, 5], { frameLength: 3, hopLength: 2 })
 * console.log(frames.toArray()) // [ [ 1, 2, 3 ], [ 3, 4, 5 ] ]
 */
export function framing(samples: TensorLike, options: FramingOptions): NDArray {
  const where = 'framing'
  const checked = checkFrames(where, resolveOptions(where, DEFAULTS, options))
  const stage = new Frames({ ...checked, nFft: checked.frameLength })
  return asRows(runAtOnce(runStage(stage, samplesOf(where, samples))), stage.width)
}
