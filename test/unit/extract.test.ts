/** Features of whole sounds, computed in threads: those of a stream, and what may go wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requireBuild } from '../child.js'
import { audio, FormatError, ShapeError } from '../package.js'
import { chunk, fmt, riff } from './wav-files.js'

const { extractFeatures, formatWav, FeatureStream, getWindow, parseWav, writeWav } = audio
const folder = mkdtempSync(path.join(tmpdir(), 'hs-extract-'))
beforeAll(requireBuild) // the thread is one of the built files
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const RATE = 16000
const sound = (seconds: number) =>
  Float32Array.from({ length: RATE * seconds }, (_, t) => 0.5 * Math.sin(t / 9 + (t / 4000) ** 2))
const expected = (samples: Float32Array, options: audio.FeatureOptions) => {
  const stream = new FeatureStream(options)
  return [...stream.push(samples).data, ...stream.end().data]
}
const file = path.join(folder, 'sound.wav')

describe('extractFeatures', () => {
  it('gives the bits of a stream, of samples, bytes, paths and URLs', async () => {
    const samples = sound(5)
    const options: audio.FeatureOptions[] = [
      { sampleRate: RATE },
      { sampleRate: RATE, features: 'mfcc', like: 'kaldi', deltas: 2, cmvn: 'utterance' },
      { sampleRate: 8000, cmvn: { mode: 'running' }, window: getWindow('hamming', 200) },
    ]
    await writeWav(file, samples, { sampleRate: RATE, encoding: 'float32' })
    for (const each of options) {
      const rows = expected(samples, { ...each, inputRate: RATE })
      const of = async (source: Parameters<typeof extractFeatures>[0]) => [
        ...(await extractFeatures(source, each)).data,
      ]
      expect(await of({ samples, sampleRate: RATE })).toEqual(rows)
      expect(await of(formatWav(samples, { sampleRate: RATE, encoding: 'float32' }))).toEqual(rows)
      expect(await of(file)).toEqual(rows)
      expect(await of(pathToFileURL(file))).toEqual(rows)
    }
  })

  it('takes what readWav gives, and one channel of several', async () => {
    const [left, right] = [sound(1), sound(1).reverse()]
    const both = Array.from(left, (x, t) => [x, right[t]!])
    const bytes = formatWav(both, { sampleRate: RATE, encoding: 'float32' })
    const o = { sampleRate: RATE }
    for (const channels of ['mix', 0, 1] as const) {
      const wav = parseWav(bytes, { channels })
      const rows = expected(wav.samples.data as Float32Array, o)
      expect([...(await extractFeatures(bytes, { ...o, channels })).data]).toEqual(rows)
      expect([...(await extractFeatures(wav, o)).data]).toEqual(rows)
    }
  })

  it('tells how far it is, and leaves the event loop free', async () => {
    const shares: number[] = []
    let [turns, isOver] = [0, false]
    const turn = () => {
      turns++
      if (!isOver) setImmediate(turn)
    }
    turn()
    const source = { samples: sound(120), sampleRate: RATE }
    await extractFeatures(source, { sampleRate: RATE, onProgress: (share) => shares.push(share) })
    isOver = true
    expect(shares.length).toBeGreaterThan(2)
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    expect(shares[0]).toBeLessThan(1)
    expect(shares.at(-1)).toBe(1)
    expect(turns).toBeGreaterThan(20)
  })

  it('ends with the reason of its signal, before, while it waits and while it works', async () => {
    // so long that no machine is done before the first word of progress
    const source = { samples: sound(600), sampleRate: RATE }
    const o = { sampleRate: RATE }
    const reason = new Error('enough')
    await expect(extractFeatures(source, { ...o, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
    const controller = new AbortController()
    const signal = controller.signal
    const running = extractFeatures(source, {
      ...{ ...o, signal },
      onProgress: () => controller.abort(reason),
    })
    const waiting = [1, 2, 3, 4, 5].map(() => extractFeatures(source, { ...o, signal }))
    const ended = await Promise.allSettled([running, ...waiting])
    expect(ended).toEqual(ended.map(() => ({ status: 'rejected', reason })))
    expect((await extractFeatures({ samples: sound(1), sampleRate: RATE }, o)).shape[0]).toBe(98)
  })

  it('ends with what onProgress throws', async () => {
    const source = { samples: sound(60), sampleRate: RATE }
    const onProgress = () => {
      throw new RangeError('of the caller')
    }
    await expect(extractFeatures(source, { sampleRate: RATE, onProgress })).rejects.toThrow(
      new RangeError('of the caller'),
    )
  })

  it('several at once come each to its caller', async () => {
    const counts = [1, 2, 3, 4, 5, 6, 7]
    const all = counts.map((n) =>
      extractFeatures({ samples: sound(n), sampleRate: RATE }, { sampleRate: RATE }),
    )
    for (const [i, rows] of (await Promise.all(all)).entries())
      expect(rows.shape[0]).toBe(100 * counts[i]! - 2)
  })

  it('rejects with the errors of the thread as its own', async () => {
    const o = { sampleRate: RATE }
    await expect(extractFeatures(path.join(folder, 'none.wav'), o)).rejects.toMatchObject({
      code: 'ERR_FILE_SYSTEM',
      cause: { code: 'ENOENT' },
    })
    const text = path.join(folder, 'text.wav')
    writeFileSync(text, 'hello')
    const refused = await extractFeatures(text, o).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(FormatError)
    expect(refused).toMatchObject({
      message: expect.stringContaining(`${text}: file must be a WAV`),
    })
    const numbers = new Float32Array(100_000)
    numbers[99_000] = Number.NaN
    const data = chunk('data', new Uint8Array(numbers.buffer))
    await expect(extractFeatures(riff([fmt({ tag: 3, bits: 32 }), data]), o)).rejects.toThrow(
      'extractFeatures: samples[99000]: number must be finite, got NaN.',
    )
    const slow = { samples: sound(1), sampleRate: 1 }
    await expect(extractFeatures(slow, o)).rejects.toMatchObject({ code: 'ERR_OPTION' })
    const few = { samples: [1, 2, 3], sampleRate: RATE }
    await expect(extractFeatures(few, { ...o, edges: 'reflect' })).rejects.toBeInstanceOf(
      ShapeError,
    )
  })

  it('refuses bad calls at once', async () => {
    const calls: [unknown, unknown][] = [
      [7, { sampleRate: RATE }],
      [null, { sampleRate: RATE }],
      [{ samples: [0] }, { sampleRate: RATE }],
      [{ samples: [[0]], sampleRate: RATE }, { sampleRate: RATE }],
      ['x.wav', undefined],
      ['x.wav', { sampleRate: RATE, nMel: 3 }],
      ['x.wav', { sampleRate: RATE, inputRate: 8000 }],
      ['x.wav', { sampleRate: RATE, channels: 'all' }],
      ['x.wav', { sampleRate: RATE, onProgress: 3 }],
      ['x.wav', { sampleRate: RATE, signal: {} }],
      [new URL('https://example.com/x.wav'), { sampleRate: RATE }],
    ]
    const said: string[] = []
    for (const [source, options] of calls)
      said.push(
        await extractFeatures(source as string, options as audio.ExtractFeaturesOptions).then(
          () => 'computed',
          (error: unknown) => `${(error as FormatError).code} ${(error as Error).message}`,
        ),
      )
    expect(said).toMatchSnapshot()
  })
})
