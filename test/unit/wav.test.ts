/** WAV files of every kind: what they hold, and what is said of those that are wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { audio, FormatError } from '../package.js'
import { chunk, extensible, fmt, int16, riff, u32 } from './wav-files.js'

const { formatWav, parseWav, readWav, writeWav } = audio
const folder = mkdtempSync(path.join(tmpdir(), 'hs-wav-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const values = (bytes: Uint8Array, channels: audio.Channels = 'mix') =>
  parseWav(bytes, { channels }).samples.toArray()
const said = (bytes: Uint8Array): string => {
  try {
    parseWav(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).code).toBe('ERR_FILE_FORMAT')
    expect((error as FormatError).expected).not.toBeUndefined()
    return (error as Error).message
  }
  return 'read'
}
const floats = (width: 4 | 8, ...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(width * numbers.length)
  for (const [i, number] of numbers.entries())
    if (width === 4) bytes.writeFloatLE(number, 4 * i)
    else bytes.writeDoubleLE(number, 8 * i)
  return bytes
}
const data = chunk('data', int16(0, 16384, -32768, 32767))
const four = [0, 0.5, -1, Math.fround(32767 / 32768)]

describe('samples', () => {
  it('of 8, 16, 24 and 32 bits are divided by their largest magnitude', () => {
    const of = (bits: number, hex: string) =>
      values(riff([fmt({ bits }), chunk('data', Buffer.from(hex, 'hex'))]))
    expect(of(8, '80c000ff')).toEqual([0, 0.5, -1, 127 / 128])
    expect(of(16, '000000400080ff7f')).toEqual(four)
    expect(of(24, '000000000040000080010000')).toEqual([0, 0.5, -1, 2 ** -23])
    expect(of(32, '000000000000004000000080ffffffff')).toEqual([0, 0.5, -1, -(2 ** -31)])
    expect(of(20, '000000000040000080100000')).toEqual([0, 0.5, -1, 2 ** -19])
  })

  it('of floats are as they are', () => {
    const of = (bits: 32 | 64) =>
      values(riff([fmt({ tag: 3, bits }), chunk('data', floats((bits / 8) as 4, 0, -0.25, 1.5))]))
    expect(of(32)).toEqual([0, -0.25, 1.5])
    expect(of(64)).toEqual([0, -0.25, 1.5])
  })

  it('of A-law and µ-law are those of G.711', () => {
    const of = (tag: number, hex: string) =>
      values(riff([fmt({ tag, bits: 8 }), chunk('data', Buffer.from(hex, 'hex'))])).map(
        (x: number) => x * 32768,
      )
    expect(of(6, 'd5552a80aa')).toEqual([8, -8, -32256, 5504, 32256])
    expect(of(7, 'ff7f80009f')).toEqual([0, -0, 32124, -32124, 8316])
  })

  it('of several channels are mixed, taken singly or given beside each other', () => {
    const bytes = riff([fmt({ channels: 2 }), data])
    expect(values(bytes)).toEqual([0.25, Math.fround((32767 / 32768 - 1) / 2)])
    expect(values(bytes, 0)).toEqual([0, -1])
    expect(values(bytes, 1)).toEqual([0.5, four[3]])
    expect(values(bytes, 'all')).toEqual([
      [0, 0.5],
      [-1, four[3]],
    ])
    expect(() => parseWav(bytes, { channels: 2 })).toThrow(
      'parseWav: channels must be a number below 2, which the file has, got 2.',
    )
  })

  it('of more than one block follow each other', async () => {
    const long = Float32Array.from({ length: 150_001 }, (_, i) => ((i * 7919) % 65536) / 32768 - 1)
    const bytes = formatWav(long, { sampleRate: 16000 })
    expect(parseWav(bytes).samples.data).toEqual(long)
    expect((await readWav(bytes)).samples.data).toEqual(long)
  })
})

describe('chunks', () => {
  it('come in any order, with others between, odd ones filled up or not', () => {
    const odd = chunk('LIST', Buffer.from('abc'))
    expect(values(riff([odd, fmt(), chunk('junk', Buffer.alloc(7)), data]))).toEqual(four)
    expect(values(riff([data, odd, fmt()]))).toEqual(four)
    expect(values(riff([odd.subarray(0, 11), fmt(), data]))).toEqual(four)
  })

  it('are read as RIFX, RF64 and WAVE_FORMAT_EXTENSIBLE too', () => {
    const big = Buffer.from(int16(0, 16384, -32768, 32767)).swap16()
    expect(values(riff([fmt({ big: true }), chunk('data', big, 8, true)], 'RIFX'))).toEqual(four)
    const ds64 = chunk('ds64', Buffer.concat([u32(0), u32(0), u32(8), u32(0), Buffer.alloc(12)]))
    const unsaid = chunk('data', int16(0, 16384, -32768, 32767), 0xffffffff)
    const info = chunk('LIST', Buffer.from('abcd'))
    expect(values(riff([ds64, fmt(), unsaid, info], 'RF64'))).toEqual(four)
    const more = extensible(1, 16)
    expect(values(riff([fmt({ tag: 0xfffe, more }), data]))).toEqual(four)
  })

  it('of writers into a pipe, which leave the size open, reach to the end', () => {
    for (const size of [0, 0xffffffff]) {
      const open = riff([fmt(), chunk('data', int16(0, 16384, -32768, 32767), size)])
      expect(values(open)).toEqual(four)
      expect(parseWav(open).truncated).toBe(false)
    }
    expect(values(riff([fmt(), chunk('data', Buffer.alloc(0)), chunk('LIST', data)]))).toEqual([])
  })

  it('that are cut off are read as far as they go', () => {
    const whole = riff([fmt(), data])
    const cut = parseWav(whole.subarray(0, whole.length - 3))
    expect(cut.samples.toArray()).toEqual(four.slice(0, 2))
    expect([cut.truncated, parseWav(whole).truncated]).toEqual([true, false])
    const huge = riff([fmt(), chunk('data', int16(0, 16384), 0xfffffff0)])
    expect(values(huge)).toEqual(four.slice(0, 2))
  })

  it('may lie at any byte of the memory', () => {
    const bytes = riff([fmt({ tag: 3, bits: 64 }), chunk('data', floats(8, 0.5))])
    const shifted = new Uint8Array(bytes.length + 1)
    shifted.set(bytes, 1)
    expect(values(shifted.subarray(1))).toEqual([0.5])
  })
})

describe('refusals', () => {
  it('name what is wrong', () => {
    const wrong: [string, Uint8Array][] = [
      ['empty', new Uint8Array(0)],
      ['text', Buffer.from('hello')],
      ['flac', Buffer.from('fLaC\0\0\0\x22')],
      ['mp3', Buffer.from('ID3\x04\0\0')],
      ['mp3 without tags', Buffer.from('fffb9064000f', 'hex')],
      ['avi', Buffer.from('RIFF\x04\0\0\0AVI ')],
      ['no chunks', riff([])],
      ['no data', riff([fmt()])],
      ['no format', riff([data])],
      ['a short format', riff([chunk('fmt ', Buffer.alloc(14)), data])],
      ['ADPCM', riff([fmt({ tag: 2, bits: 4, blockAlign: 256 }), data])],
      ['no channels', riff([fmt({ channels: 0 }), data])],
      ['0 Hz', riff([fmt({ rate: 0 }), data])],
      ['40 bits', riff([fmt({ bits: 40 }), data])],
      ['no bits', riff([fmt({ bits: 0 }), data])],
      ['float of 16 bits', riff([fmt({ tag: 3 }), data])],
      ['a block that lies', riff([fmt({ blockAlign: 1 }), data])],
      ['a block of nothing', riff([fmt({ blockAlign: 0 }), data])],
      ['a foreign id', riff([fmt({ tag: 0xfffe, more: Buffer.alloc(24) }), data])],
      ['a short extension', riff([fmt({ tag: 0xfffe, more: Buffer.alloc(2) }), data])],
      ['NaN', riff([fmt({ tag: 3, bits: 32 }), chunk('data', floats(4, 0, Number.NaN))])],
      ['chunks without end', riff([...new Array(10_001).fill(chunk('junk', data.subarray(0, 0)))])],
    ]
    expect(wrong.map(([name, bytes]) => `${name} → ${said(bytes)}`)).toMatchSnapshot()
  })

  it('of paths and options', async () => {
    await expect(readWav(path.join(folder, 'none.wav'))).rejects.toMatchObject({
      code: 'ERR_FILE_SYSTEM',
      cause: { code: 'ENOENT' },
    })
    await expect(readWav(folder)).rejects.toThrow('no regular file')
    await expect(readWav('')).rejects.toThrow('readWav: path must be the path of a file, got "".')
    await expect(readWav(7 as never)).rejects.toMatchObject({ code: 'ERR_OPTION' })
    await expect(readWav('x.wav', { channels: -1 })).rejects.toMatchObject({ code: 'ERR_OPTION' })
    await expect(readWav('x.wav', { mono: true } as never)).rejects.toThrow('unknown option `mono`')
    const file = path.join(folder, 'text.wav')
    writeFileSync(file, 'hello')
    await expect(readWav(file)).rejects.toThrow(`${file}: file must be a WAV file`)
  })
})

describe('writing', () => {
  const wave = Float32Array.from({ length: 101 }, (_, i) => Math.sin(i / 5))

  it('comes back: 16 and 24 bits to a step, floats to the bit', () => {
    for (const [encoding, step] of [
      ['pcm16', 2 ** -16],
      ['pcm24', 2 ** -24],
      ['float32', 0],
    ] as const) {
      const again = parseWav(formatWav(wave, { sampleRate: 11025, encoding }))
      expect(again.sampleRate).toBe(11025)
      expect(again.duration).toBe(101 / 11025)
      const apart = Array.from(again.samples.data, (x, i) => Math.abs(x - wave[i]!))
      expect(Math.max(...apart.filter((_, i) => wave[i]! < 0.9999)), encoding).toBeLessThanOrEqual(
        step,
      )
      const twice = parseWav(formatWav(again.samples, { sampleRate: 11025, encoding }))
      expect(twice.samples.data).toEqual(again.samples.data)
    }
  })

  it('cuts what is too loud, and keeps channels', () => {
    const bytes = formatWav(
      [
        [2, -2],
        [0.5, 0],
      ],
      { sampleRate: 8000 },
    )
    expect(values(bytes, 'all')).toEqual([
      [four[3], -1],
      [0.5, 0],
    ])
    expect(parseWav(bytes)).toMatchObject({ channels: 2, bits: 16, encoding: 'pcm' })
  })

  it('to a file, by path and URL', async () => {
    const file = path.join(folder, 'wave.wav')
    await writeWav(file, wave, { sampleRate: 16000, encoding: 'float32' })
    expect((await readWav(file)).samples.data).toEqual(wave)
    expect((await readWav(pathToFileURL(file))).samples.data).toEqual(wave)
    await expect(
      writeWav(file, wave, { sampleRate: 16000, overwrite: false }),
    ).rejects.toMatchObject({ code: 'ERR_OPTION' })
  })

  it('refuses what is no sound', () => {
    expect(() => formatWav([[[1]]], { sampleRate: 8000 })).toThrow(
      'formatWav: samples must be [T] or [T, C], got [1, 1, 1].',
    )
    expect(() => formatWav([0, Number.NaN], { sampleRate: 8000 })).toThrow(
      'formatWav: samples[1]: number must be finite, got NaN.',
    )
    expect(() => formatWav([0], {} as never)).toThrow('sampleRate must be an integer >= 1, in Hz')
    expect(() => formatWav([0], undefined as never)).toThrow('sampleRate')
    expect(() => formatWav([0], { sampleRate: 8000, encoding: 'mp3' as never })).toThrow("'pcm16'")
  })
})
