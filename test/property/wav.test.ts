/**
 * WAV files of any kind, damaged: each is read, or refused with a typed sentence; nothing crashes,
 * hangs or takes more memory than its bytes allow. `HS_RUNS` runs each for longer.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { audio, HiddenstateError } from '../package.js'
import { chunk, extensible, fmt, riff, u32 } from '../unit/wav-files.js'
import { law } from './law.js'

/** Samples that a file of so many bytes may hold: one each, as 8 bits are the least. */
const fits = ({ samples }: audio.Wav, bytes: Uint8Array): boolean => samples.size <= bytes.length

/** What is read of `bytes`, or null where it is refused as it must be. */
function read(bytes: Uint8Array): audio.Wav | null {
  try {
    const wav = audio.parseWav(bytes, { channels: 'all' })
    expect(fits(wav, bytes)).toBe(true)
    expect(wav.samples.shape).toEqual([wav.samples.size / wav.channels, wav.channels])
    expect(wav.sampleRate).toBeGreaterThan(0)
    expect(wav.samples.data.every(Number.isFinite)).toBe(true)
    return wav
  } catch (error) {
    if (!(error instanceof HiddenstateError)) throw error
    expect(error.code).toBe('ERR_FILE_FORMAT')
    expect(error.message).toMatch(/^parseWav: .+ must be .+, got .+\.$/)
    return null
  }
}

const kinds = [
  { tag: 1, bits: 8 },
  { tag: 1, bits: 16 },
  { tag: 1, bits: 24 },
  { tag: 1, bits: 32 },
  { tag: 3, bits: 32 },
  { tag: 3, bits: 64 },
  { tag: 6, bits: 8 },
  { tag: 7, bits: 8 },
]
const size = fc.constantFrom(0, 1, 4, 0x7fffffff, 0xfffffff0, 0xffffffff)
const others = fc.array(
  fc
    .record({
      id: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom('LIST', 'fact', 'bext', 'ds64', 'id3 ') },
        { weight: 1, arbitrary: fc.constantFrom('data', 'fmt ', '\0\0\0\0') },
      ),
      content: fc.uint8Array({ maxLength: 40 }),
      claimed: fc.oneof(
        { weight: 15, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: size },
      ),
    })
    .map(({ id, content, claimed }) => chunk(id, content, claimed ?? content.length)),
  { maxLength: 3 },
)
const files = fc
  .record({
    kind: fc.constantFrom(...kinds),
    channels: fc.integer({ min: 1, max: 5 }),
    frames: fc.integer({ min: 0, max: 40 }),
    byte: fc.integer({ min: 0, max: 255 }),
    long: fc.boolean(),
    before: others,
    between: others,
  })
  .map(({ kind, channels, frames, byte, long, before, between }) => {
    const more = long ? extensible(kind.tag, kind.bits) : Buffer.alloc(0)
    const format = fmt({ ...kind, channels, tag: long ? 0xfffe : kind.tag, more })
    const bytes = Buffer.alloc((frames * channels * kind.bits) / 8, byte)
    return riff([...before, format, ...between, chunk('data', bytes)])
  })
/** Without the liking for small numbers: the first bytes are not all there is to damage. */
const place = fc.noBias(fc.integer({ min: 0, max: 2 ** 20 }))
const damages = fc.array(
  fc.oneof(
    fc.record({ at: place, byte: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ at: place, word: size }),
    fc.record({ at: place, cut: fc.constant(true) }),
    // the header alone: 36 bytes where nothing comes before `fmt `
    fc.record({
      header: fc.noBias(fc.integer({ min: 0, max: 43 })),
      byte: fc.integer({ min: 0, max: 255 }),
    }),
  ),
  { minLength: 1, maxLength: 4 },
)

const damaged = fc.tuple(files, damages).map(([file, list]) => {
  let bytes = Buffer.from(file)
  for (const damage of list) {
    if ('header' in damage) bytes[Math.min(damage.header, bytes.length - 1)] = damage.byte
    else {
      const at = damage.at % bytes.length
      if ('byte' in damage) bytes[at] = damage.byte
      else if ('word' in damage) u32(damage.word).copy(bytes, at)
      else bytes = bytes.subarray(0, Math.max(1, at))
    }
  }
  return bytes
})

describe('WAV files', () => {
  let [readable, refused] = [0, 0]
  law(
    'that are damaged are read or refused',
    damaged,
    async (bytes) => {
      if (read(bytes) === null) refused++
      else readable++
    },
    40,
  )

  it('that are damaged: both happened', () => {
    expect(Math.min(readable, refused)).toBeGreaterThan((readable + refused) / 10)
  })

  law(
    'of any bytes are refused or read',
    fc.uint8Array({ maxLength: 200 }),
    async (bytes) => {
      read(bytes)
      read(Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVEfmt '), bytes]))
    },
    10,
  )

  law(
    'hold what was written, to a step of their integers',
    fc.record({
      samples: fc.array(fc.float({ min: -1, max: Math.fround(0.999), noNaN: true }), {
        maxLength: 50,
      }),
      encoding: fc.constantFrom('pcm16', 'pcm24', 'float32'),
      sampleRate: fc.integer({ min: 1, max: 192_000 }),
    }),
    async ({ samples, encoding, sampleRate }) => {
      const wav = audio.parseWav(audio.formatWav(samples, { sampleRate, encoding }))
      const step = encoding === 'float32' ? 0 : encoding === 'pcm16' ? 2 ** -16 : 2 ** -24
      expect(wav.sampleRate).toBe(sampleRate)
      expect(wav.samples.size).toBe(samples.length)
      for (const [i, x] of wav.samples.data.entries())
        expect(Math.abs(x - samples[i]!)).toBeLessThanOrEqual(step)
    },
    4,
  )
})
