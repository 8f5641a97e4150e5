/** WAV files: reading what is there, refusing with a sentence what is not, and writing. */
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { checkOneOf } from '../call-options.js'
import { ConfigError, fail, FormatError, ShapeError } from '../errors.js'
import { checkedPath, fileError, writeFileAtomic, type WriteOptions } from '../files/atomic.js'
import { allocate, describe, NDArray, shapeText, type TensorLike } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { runAtOnce, runInSlices, type SlicedWork } from '../sliced-work.js'
import { checkFinite, checkRate } from './checks.js'
import { type WavEncoding, type WavHeader, wavHeader } from './wav-header.js'
import { type Channels, wavBlocks } from './wav-samples.js'

/** What a WAV file holds. */
export interface Wav {
  /**
   * Samples, float32: [T] for one channel or the mean of several, [T, C] with `channels: 'all'`.
   * Integers are divided by their largest magnitude, so that they lie in [-1, 1); floats are as
   * they are in the file.
   */
  samples: NDArray
  /** Samples of a channel in a second, in Hz. */
  sampleRate: number
  /** Channels of the file. */
  channels: number
  /** Length in s. */
  duration: number
  /** How the file stores samples. */
  encoding: WavEncoding
  /** Bits of a sample in the file. */
  bits: number
  /** Whether the file ends before it says, so that samples are missing. */
  truncated: boolean
}

/** Options of {@link readWav} and {@link parseWav}. */
export interface ReadWavOptions {
  /**
   * What becomes of several channels: their mean (`'mix'`, the default), one of them by its number
   * from 0, or `'all'` beside each other.
   */
  channels?: Channels | undefined
}

/** @throws ConfigError ERR_OPTION */
export function checkChannels(where: string, channels: unknown): Channels {
  if (channels === 'mix' || channels === 'all') return channels
  if (Number.isSafeInteger(channels) && (channels as number) >= 0) return channels as number
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'channels',
    expected: "'mix', 'all' or the number of one from 0",
    actual: describe(channels),
  })
}

/**
 * The header of a file that has the channel that is asked for.
 *
 * @throws FormatError ERR_FILE_FORMAT, ConfigError ERR_OPTION
 */
export function headerFor(bytes: Uint8Array, channels: Channels, where: string): WavHeader {
  const header = wavHeader(bytes, where)
  if (typeof channels === 'number' && channels >= header.channels)
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'channels',
      expected: `a number below ${header.channels}, which the file has`,
      actual: String(channels),
    })
  return header
}

/** @throws FormatError ERR_FILE_FORMAT for samples that are no numbers, as float files may hold */
export function checkSamples(where: string, samples: Float32Array, before = 0): void {
  try {
    checkFinite('samples', samples, before)
  } catch (error) {
    const { message, actual } = error as ConfigError
    const details = { expected: 'finite', actual: actual ?? message, cause: error }
    throw new FormatError('ERR_FILE_FORMAT', `${where}: ${message}`, details)
  }
}

function* decoded(bytes: Uint8Array, channels: Channels, where: string): SlicedWork<Wav> {
  const header = headerFor(bytes, channels, where)
  const { encoding, bits, sampleRate, length: T, truncated } = header
  const shape = channels === 'all' ? [T, header.channels] : [T]
  const out = allocate('float32', T * (shape[1] ?? 1)) as Float32Array // [T] or [T, C]
  let at = 0
  for (const block of wavBlocks(bytes, header, channels)) {
    out.set(block, at)
    at += block.length
    yield
  }
  if (encoding === 'float') checkSamples(where, out)
  const samples = new NDArray(out, shape)
  const duration = T / sampleRate
  return { samples, sampleRate, channels: header.channels, duration, encoding, bits, truncated }
}

/** The bytes of `source`, or undefined where it is none. */
export function contentOf(source: unknown): Uint8Array | undefined {
  if (source instanceof Uint8Array) return source
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer)
    return new Uint8Array(source)
  return undefined
}

/** The path that a string or a `file:` URL is. @throws ConfigError ERR_OPTION */
export function pathOf(where: string, source: unknown): string {
  if (source instanceof URL && source.protocol === 'file:') return fileURLToPath(source)
  if (typeof source === 'string') return checkedPath(where, source)
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'source',
    expected: 'the path of a file, its file: URL, or its bytes',
    actual: describe(source),
  })
}

/**
 * The bytes of a regular file: others, such as a device, may have no end.
 *
 * @throws FormatError ERR_FILE_SYSTEM
 */
export async function readRegularFile(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r')
    try {
      if (!(await file.stat()).isFile()) throw new Error('something that is no regular file')
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw fileError(path, 'readable', error)
  }
}

const READ_DEFAULTS = { channels: 'mix' as Channels | undefined }

/**
 * The samples of the bytes of a WAV file, as {@link readWav} gives them, at once.
 *
 * @param bytes the whole file
 * @throws FormatError ERR_FILE_FORMAT for what is no WAV file, or one that contradicts itself
 * @example
 * import { formatWav, parseWav } from 'hiddenstate/audio'
 * const wav = parseWav(formatWav([0, 0.5, -0.5], { sampleRate: 8000 }))
 * console.log(wav.sampleRate, wav.samples.toArray()) // 8000 [ 0, 0.5, -0.5 ]
 */
export function parseWav(bytes: Uint8Array | ArrayBuffer, options?: ReadWavOptions): Wav {
  const { channels } = resolveOptions('parseWav', READ_DEFAULTS, options)
  const content = contentOf(bytes)
  if (content === undefined)
    fail(ConfigError, 'ERR_OPTION', {
      where: 'parseWav',
      what: 'bytes',
      expected: 'a Uint8Array or ArrayBuffer',
      actual: describe(bytes),
    })
  return runAtOnce(decoded(content, checkChannels('parseWav', channels), 'parseWav'))
}

/**
 * Reads a WAV file: integers of 8, 16, 24 and 32 bits, floats of 32 and 64, A-law and µ-law
 * (ITU-T G.711), plain or WAVE_FORMAT_EXTENSIBLE, in RIFF, RIFX and RF64, chunks in any order.
 *
 * A file that ends before it says is read as far as it goes, and told by `truncated`; its claims
 * allocate nothing. Other formats (MP3, FLAC, Ogg) are refused by name. While a long file is
 * decoded, the event loop goes on.
 *
 * @param source the path of a file, its `file:` URL, or its bytes, which must not change meanwhile
 * @param options see {@link ReadWavOptions}
 * @throws FormatError ERR_FILE_FORMAT for what is no WAV file, or one that contradicts itself (no
 *   channels, 0 Hz, a block that does not fit its bits); ERR_FILE_SYSTEM where it cannot be read;
 *   ConfigError ERR_OPTION for a channel that the file has not (all as rejections)
 * @example
 * import { readWav, writeWav } from 'hiddenstate/audio'
 * await writeWav('tone.wav', Float32Array.from({ length: 8000 }, (_, t) => Math.sin(t / 3)), {
 *   sampleRate: 16000,
 * })
 * const { samples, sampleRate, duration } = await readWav('tone.wav')
 * console.log(samples.shape, sampleRate, duration) // [ 8000 ] 16000 0.5
 * @see scipy.io.wavfile.read; Multimedia Programming Interface and Data Specifications 1.0 (1991)
 */
export async function readWav(
  source: string | URL | Uint8Array | ArrayBuffer,
  options?: ReadWavOptions,
): Promise<Wav> {
  const where = 'readWav'
  const { channels } = resolveOptions(where, READ_DEFAULTS, options)
  const wanted = checkChannels(where, channels)
  const bytes = contentOf(source)
  if (bytes !== undefined) return runInSlices(decoded(bytes, wanted, where))
  const path = pathOf(where, source)
  return runInSlices(decoded(await readRegularFile(path), wanted, path))
}

/** Options of {@link formatWav}. */
export interface FormatWavOptions {
  /** Samples of a channel in a second, in Hz. */
  sampleRate: number
  /**
   * `'pcm16'`, `'pcm24'`: integers, what lies outside [-1, 1) is cut; `'float32'`: as they are.
   * Default `'pcm16'`.
   */
  encoding?: 'pcm16' | 'pcm24' | 'float32' | undefined
}

/** Options of {@link writeWav}. */
export interface WriteWavOptions extends FormatWavOptions, WriteOptions {}

const FORMAT_DEFAULTS = {
  sampleRate: undefined as number | undefined,
  encoding: 'pcm16' as FormatWavOptions['encoding'],
}

/** Sizes in a header have 32 bits. */
const MOST_BYTES = 2 ** 32 - 1

/**
 * The bytes of a WAV file. What {@link readWav} gave of 16 or 24 bits comes out as it was.
 *
 * @param samples [T], or [T, C] for C channels
 * @throws ShapeError ERR_SHAPE for another shape; ConfigError ERR_OPTION for numbers that are not
 *   finite, a bad option, or more than fits the format (4 GiB)
 * @example
 * import { formatWav } from 'hiddenstate/audio'
 * console.log(formatWav([0, 1], { sampleRate: 8000 }).length) // 48
 */
export function formatWav(samples: TensorLike, options: FormatWavOptions): Uint8Array {
  const where = 'formatWav'
  const { sampleRate, encoding } = resolveOptions(where, FORMAT_DEFAULTS, options)
  return formatted(where, samples, sampleRate, encoding)
}

function formatted(
  where: string,
  samples: TensorLike,
  sampleRate: unknown,
  encoding: unknown,
): Uint8Array {
  const rate = checkRate(where, 'sampleRate', sampleRate)
  const kind = checkOneOf(where, 'encoding', encoding, ['pcm16', 'pcm24', 'float32'])
  const width = kind === 'pcm16' ? 2 : kind === 'pcm24' ? 3 : 4
  const { data, shape } = NDArray.from(samples)
  const C = shape[1] ?? 1
  if (shape.length < 1 || shape.length > 2 || C < 1 || C * width > 0xffff)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'samples',
      expected: '[T] or [T, C]',
      actual: shapeText(shape),
    })
  const numbers =
    data instanceof Float32Array || data instanceof Float64Array ? data : Float32Array.from(data)
  checkFinite(`${where}: samples`, numbers)
  const size = numbers.length * width
  if (46 + size > MOST_BYTES || rate * C * width > MOST_BYTES)
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'bytes of the file, and of a second of it,',
      expected: `at most ${MOST_BYTES}`,
      actual: `${46 + size} and ${rate * C * width}`,
    })
  const bytes = new Uint8Array(44 + size + (size % 2))
  const view = new DataView(bytes.buffer)
  bytes.set(Buffer.from('RIFF    WAVEfmt '))
  view.setUint32(4, bytes.length - 8, true)
  view.setUint32(16, 16, true)
  view.setUint16(20, kind === 'float32' ? 3 : 1, true)
  view.setUint16(22, C, true)
  view.setUint32(24, rate, true)
  view.setUint32(28, rate * C * width, true)
  view.setUint16(32, C * width, true)
  view.setUint16(34, 8 * width, true)
  bytes.set(Buffer.from('data'), 36)
  view.setUint32(40, size, true)
  const largest = 2 ** (8 * width - 1)
  for (let i = 0, at = 44; i < numbers.length; i++, at += width) {
    const x = numbers[i]!
    if (kind === 'float32') view.setFloat32(at, x, true)
    else {
      const n = Math.max(-largest, Math.min(largest - 1, Math.round(x * largest)))
      view.setInt16(at, n, true)
      if (kind === 'pcm24') view.setInt8(at + 2, n >> 16)
    }
  }
  return bytes
}

const WRITE_DEFAULTS = { ...FORMAT_DEFAULTS, overwrite: true as boolean | undefined }

/**
 * Writes a WAV file, in one step.
 *
 * @param path where to
 * @param samples [T], or [T, C] for C channels
 * @param options `sampleRate` in Hz; see {@link WriteWavOptions}
 * @throws FormatError ERR_FILE_SYSTEM when it cannot be written; ShapeError ERR_SHAPE; ConfigError
 *   ERR_OPTION, also for an existing file with `overwrite: false` (all as rejections)
 * @example
 * import { writeWav } from 'hiddenstate/audio'
 * await writeWav('silence.wav', new Float32Array(16000), { sampleRate: 16000 })
 * @see scipy.io.wavfile.write
 */
export async function writeWav(
  path: string,
  samples: TensorLike,
  options: WriteWavOptions,
): Promise<void> {
  const where = 'writeWav'
  const { sampleRate, encoding, overwrite } = resolveOptions(where, WRITE_DEFAULTS, options)
  checkedPath(where, path)
  await writeFileAtomic(path, formatted(where, samples, sampleRate, encoding), { overwrite })
}
