/**
 * What the header of a WAV file says: RIFF, its big-endian form RIFX, and RF64 for more than 4 GiB
 * (EBU Tech 3306). No claim of a file is believed beyond the bytes that are there.
 *
 * A file is 'RIFF', a size, 'WAVE', then chunks: four letters, a size, so many bytes, and one more
 * where that is odd. 'fmt ' and 'data' may come in any order, with others before and between.
 */
import { fail, FormatError } from '../errors.js'

/** How samples are stored. */
export type WavEncoding = 'pcm' | 'float' | 'alaw' | 'mulaw'

/** Where the samples lie, and what they are. */
export interface WavHeader {
  encoding: WavEncoding
  /** Bits of a sample as the file says. */
  bits: number
  /** Bytes of a sample of one channel. */
  width: number
  channels: number
  /** Hz. */
  sampleRate: number
  isLittle: boolean
  /** Byte at which the samples begin. */
  offset: number
  /** Samples of each channel that are there. */
  length: number
  /** Whether the file claims more of them. */
  truncated: boolean
}

/** Chunks that are looked at; real files have a handful. */
const MOST_CHUNKS = 10_000
/** A size that stands for another one, elsewhere or unknown: RF64, and writers into a pipe. */
const UNKNOWN = 0xffffffff
const HEAD = 8

const ENCODINGS: ReadonlyMap<number, WavEncoding> = new Map([
  [1, 'pcm'],
  [3, 'float'],
  [6, 'alaw'],
  [7, 'mulaw'],
])
const EXTENSIBLE = 0xfffe
/** Bytes of a sample that each encoding may have. */
const WIDTHS: Readonly<Record<WavEncoding, readonly number[]>> = {
  pcm: [1, 2, 3, 4],
  float: [4, 8],
  alaw: [1],
  mulaw: [1],
}
/** The last 14 bytes of the id of a format that has a plain number, too (mmreg.h). */
const PLAIN_ID = '000000001000800000aa00389b71'
/** Formats of sound that are often taken for WAV, by their first bytes. */
const OTHERS: readonly (readonly [name: string, begins: RegExp])[] = [
  ['FLAC', /^fLaC/],
  ['MP3', /^(ID3|\xff[\xe2-\xff])/],
  ['Ogg', /^OggS/],
  ['AIFF', /^FORM.{4}AIF/s],
  ['AU', /^\.snd/],
  ['MPEG-4', /^.{4}ftyp/s],
  ['WebM or Matroska', /^.\x45\xdf\xa3/s],
  ['CAF', /^caff/],
  ['AMR', /^#!AMR/],
  ['SPHERE', /^NIST_1A/],
  ['Wave64', /^riff/],
  ['a Git LFS pointer', /^version https:/],
]
const CONVERT = 'ffmpeg -i IN -c:a pcm_s16le OUT.wav converts it, and so does sox IN OUT.wav.'

const GUESS = 'The header is damaged; ffmpeg or sox may still guess what it means.'

const bad = (where: string, what: string, expected: string, actual: string, hint?: string): never =>
  fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual, hint })

/** Four letters of a file. */
const letters = (bytes: Uint8Array, at: number, length = 4): string =>
  String.fromCharCode(...bytes.subarray(at, at + length))

/** For messages: what cannot be printed as a point. */
const shown = (text: string): string => `'${text.replace(/[^\x20-\x7e]/g, '.')}'`

/** Whether chunks could begin at `at`: four printable letters. */
const isChunkId = (bytes: Uint8Array, at: number): boolean =>
  at + HEAD <= bytes.length && /^[\x20-\x7e]{4}$/.test(letters(bytes, at))

interface Chunk {
  at: number
  /** Bytes that it claims. */
  claimed: number
  /** Bytes of them that are there. */
  size: number
}

/** `fmt ` and `data` of a file, the first of each. */
function findChunks(
  bytes: Uint8Array,
  view: DataView,
  little: boolean,
): { fmt: Chunk | undefined; data: Chunk | undefined; seen: number } {
  let [fmt, data]: (Chunk | undefined)[] = []
  let long: number | undefined // what RF64 says of `data`
  let seen = 0
  let at = 12
  for (; at + HEAD <= bytes.length && !(fmt && data) && seen < MOST_CHUNKS; seen++) {
    const id = letters(bytes, at)
    let claimed = view.getUint32(at + 4, little)
    at += HEAD
    const rest = bytes.length - at
    if (id === 'ds64' && claimed >= 16 && rest >= 16)
      long = view.getUint32(at + 8, little) + 2 ** 32 * view.getUint32(at + 12, little)
    if (id === 'data') {
      // A writer into a pipe cannot go back to say how much it wrote: it leaves 0 or all ones.
      const unsaid = claimed === UNKNOWN || (claimed === 0 && rest > 0 && !isChunkId(bytes, at))
      if (claimed === UNKNOWN && long !== undefined) claimed = long
      else if (unsaid) claimed = rest
    }
    const size = Math.min(claimed, rest)
    if (id === 'fmt ') fmt ??= { at, claimed, size }
    if (id === 'data') data ??= { at, claimed, size }
    at += size
    // Some writers leave the byte out that fills up an odd chunk.
    if (size % 2 === 1 && !['fmt ', 'data'].includes(letters(bytes, at))) at++
  }
  return { fmt, data, seen }
}

/**
 * Reads the header of a whole file.
 *
 * @param where the file, for errors
 * @throws FormatError ERR_FILE_FORMAT for what is no WAV file, or one with sizes, a format or a
 *   rate that cannot be
 */
export function wavHeader(bytes: Uint8Array, where: string): WavHeader {
  const start = letters(bytes, 0, 16)
  const container = start.slice(0, 4)
  if (!['RIFF', 'RIFX', 'RF64', 'BW64'].includes(container)) {
    const other = OTHERS.find(([, begins]) => begins.test(start))?.[0]
    const actual =
      bytes.length === 0 ? 'an empty one' : (other ?? `one that begins with ${shown(container)}`)
    const hint = other === 'a Git LFS pointer' ? 'git lfs pull fetches the sound.' : CONVERT
    bad(where, 'file', "a WAV file ('RIFF', 'RIFX' or 'RF64')", actual, other && hint)
  }
  if (start.slice(8, 12) !== 'WAVE')
    bad(where, 'kind of RIFF file', "'WAVE'", shown(start.slice(8, 12)))
  const little = container !== 'RIFX'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { fmt, data, seen } = findChunks(bytes, view, little)
  if (fmt === undefined || fmt.size < 16 || data === undefined) {
    const missing = fmt === undefined || fmt.size < 16 ? "'fmt ' of 16 bytes" : "'data'"
    const actual = seen < MOST_CHUNKS ? `none in ${bytes.length} bytes` : `${seen} others`
    return bad(where, 'chunk', missing, actual, 'The file is damaged or was cut off.')
  }
  return { ...format(view, fmt, data, little, where), isLittle: little, offset: data.at }
}

/** What `fmt ` says, held against `data`. */
function format(
  view: DataView,
  fmt: Chunk,
  data: Chunk,
  little: boolean,
  where: string,
): Omit<WavHeader, 'isLittle' | 'offset'> {
  const at = (offset: number) => view.getUint16(fmt.at + offset, little)
  let tag = at(0)
  const channels = at(2)
  const sampleRate = view.getUint32(fmt.at + 4, little)
  const [blockAlign, bits] = [at(12), at(14)]
  if (tag === EXTENSIBLE) {
    if (fmt.size < 40)
      bad(where, "'fmt ' of WAVE_FORMAT_EXTENSIBLE", 'at least 40 bytes', `${fmt.size}`)
    tag = at(24)
    const id = Buffer.from(view.buffer, view.byteOffset + fmt.at + 26, 14).toString('hex')
    if (id !== PLAIN_ID) bad(where, 'format', 'PCM, float, A-law or µ-law', `an id ending in ${id}`)
  }
  const encoding = ENCODINGS.get(tag)
  if (encoding === undefined)
    return bad(
      where,
      'format',
      'PCM (1), float (3), A-law (6) or µ-law (7)',
      `number ${tag}`,
      CONVERT,
    )
  if (channels === 0) bad(where, 'channels', 'at least 1', '0', GUESS)
  if (sampleRate === 0) bad(where, 'sample rate', 'at least 1 Hz', '0', GUESS)
  const width = Math.ceil(bits / 8)
  if (!WIDTHS[encoding].includes(width) || (encoding !== 'pcm' && bits % 8 !== 0)) {
    const expected = WIDTHS[encoding].map((bytes) => 8 * bytes).join(', ')
    bad(where, `bits of ${encoding} samples`, expected, String(bits), CONVERT)
  }
  if (blockAlign !== channels * width) {
    const expected = `${channels * width} bytes (channels: ${channels}, bits: ${bits})`
    bad(where, 'block of one sample of every channel', expected, String(blockAlign), GUESS)
  }
  const length = Math.floor(data.size / blockAlign)
  const truncated = data.claimed > data.size || data.size % blockAlign !== 0
  return { encoding, bits, width, channels, sampleRate, length, truncated }
}
