/** Spectra of frames. */
import FFT from 'fft.js'
import { checkOneOf } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { describe, NDArray, type TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { runAtOnce } from '../sliced-work.js'
import { samplesOf } from './checks.js'
import { checkFrames, type FramingOptions, FrameStage, type Geometry } from './frames.js'
import { runStage } from './stage.js'
import { type Window, windowOf } from './windows.js'

const MOST_FFT = 2 ** 20
const LEAST_FFT = 4

/** The smallest power of two that holds a frame. */
export const fftFor = (frameLength: number): number =>
  Math.max(LEAST_FFT, 2 ** Math.ceil(Math.log2(frameLength)))

/**
 * The length of a transform: what was given, or the smallest there is.
 *
 * @throws ConfigError ERR_OPTION for what is no power of two, or less than a frame
 */
export function checkFft(where: string, nFft: unknown, frameLength: number): number {
  const least = fftFor(frameLength)
  if (nFft === null && least <= MOST_FFT) return least
  const isPower = typeof nFft === 'number' && Number.isInteger(Math.log2(nFft))
  if (isPower && nFft >= least && nFft <= MOST_FFT) return nFft
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'nFft',
    expected: `a power of two from ${LEAST_FFT} to ${MOST_FFT}, not less than a frame of ${frameLength} samples`,
    actual: nFft === null ? `${least}, which the frame needs` : describe(nFft),
    hint: 'Frames that are shorter are filled up with zeros.',
  })
}

/** The discrete Fourier transform of real frames, by fft.js, in doubles. */
export class Transform {
  readonly #fft: FFT
  readonly #in: Float64Array // [nFft]
  /** Real and imaginary parts of the frequencies 0 to nFft / 2; what follows means nothing. */
  readonly spectrum: Float64Array // [2 * nFft]
  /** Number of frequencies. */
  readonly bins: number

  constructor(nFft: number) {
    this.#fft = new FFT(nFft)
    this.#in = new Float64Array(nFft)
    this.spectrum = new Float64Array(2 * nFft)
    this.bins = nFft / 2 + 1
  }

  /** Transforms a frame, which is filled up with zeros; the result lies in `spectrum`. */
  run(frame: Float64Array): void {
    this.#in.set(frame)
    this.#fft.realTransform(this.spectrum, this.#in)
  }
}

/** Options of {@link stft}. */
export interface StftOptions extends FramingOptions {
  /**
   * Length of the transform, a power of two; frames are filled up with zeros at their end. Default
   * the smallest that holds a frame.
   */
  nFft?: number | null | undefined
  /** Name or numbers [frameLength]. Default `'hann'`. */
  window?: Window | undefined
  /**
   * `'complex'` (the default): real and imaginary part; `'magnitude'`: its absolute value;
   * `'power'`: the square of that.
   */
  output?: 'complex' | 'magnitude' | 'power' | undefined
}

class Stft extends FrameStage {
  readonly width: number
  readonly #frame: Float64Array // [frameLength]
  readonly #window: Float64Array // [frameLength]
  readonly #transform: Transform
  readonly #output: StftOptions['output']

  constructor(geometry: Geometry, window: Float64Array, output: StftOptions['output']) {
    super(geometry)
    this.#frame = new Float64Array(geometry.frameLength)
    this.#window = window
    this.#transform = new Transform(geometry.nFft)
    this.#output = output
    this.width = this.#transform.bins * (output === 'complex' ? 2 : 1)
  }

  protected row(samples: Float64Array, at: number, out: Float64Array, to: number): void {
    for (let i = 0; i < this.#frame.length; i++)
      this.#frame[i] = samples[at + i]! * this.#window[i]!
    this.#transform.run(this.#frame)
    const { spectrum, bins } = this.#transform
    if (this.#output === 'complex') {
      out.set(spectrum.subarray(0, this.width), to)
      return
    }
    for (let k = 0; k < bins; k++) {
      const power = spectrum[2 * k]! ** 2 + spectrum[2 * k + 1]! ** 2
      out[to + k] = this.#output === 'power' ? power : Math.sqrt(power)
    }
  }
}

const DEFAULTS = {
  frameLength: undefined as number | undefined,
  hopLength: undefined as number | undefined,
  edges: 'valid' as StftOptions['edges'],
  nFft: null as number | null,
  window: 'hann' as Window | undefined,
  output: 'complex' as StftOptions['output'],
}

/**
 * The short-time Fourier transform: of each frame x, times its window w, the K = nFft / 2 + 1
 * numbers
 *
 *     X[k] = Σ_n w[n] · x[n] · exp(-2πi · k · n / nFft),   n from 0 to frameLength - 1,
 *
 * at the frequencies k · sampleRate / nFft Hz. Nothing is divided by nFft or the window's sum. The
 * phase counts from the first sample of the frame; librosa, whose frames are filled up on both
 * sides, has the same magnitudes with `edges: 'center'`.
 *
 * @param samples [T]
 * @param options see {@link StftOptions}; lengths in samples
 * @returns float32, shape [F, K, 2] for real and imaginary parts, [F, K] for magnitude and power
 * @throws ShapeError ERR_SHAPE for samples or a window of another shape; ConfigError ERR_OPTION for
 *   bad options and numbers that are not finite
 * @example
 * import { stft } from 'hiddenstate/audio'
 * const wave = Float32Array.from({ length: 32 }, (_, t) => Math.cos((2 * Math.PI * t) / 4))
 * const o = { frameLength: 8, hopLength: 8, window: 'rectangular', output: 'power' }
 * const power = stft(wave, o)
 * console.log(power.shape, power.get(0, 2).toFixed(3)) // [ 4, 5 ] 16.000
 * @see Allen (1977), Short term spectral analysis, synthesis, and modification; scipy.signal.stft
 */
export function stft(samples: TensorLike, options: StftOptions): NDArray {
  const where = 'stft'
  const given = resolveOptions(where, DEFAULTS, options)
  const { frameLength, hopLength, edges } = checkFrames(where, given)
  const nFft = checkFft(where, given.nFft, frameLength)
  const output = checkOneOf(where, 'output', given.output, ['complex', 'magnitude', 'power'])
  const window = windowOf(where, given.window, frameLength)
  const stage = new Stft({ frameLength, hopLength, edges, nFft }, window, output as never)
  const out = runAtOnce(runStage(stage, samplesOf(where, samples)))
  const bins = nFft / 2 + 1
  const parts = output === 'complex' ? [2] : []
  return new NDArray(out, [out.length / stage.width, bins, ...parts])
}
