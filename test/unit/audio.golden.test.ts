/**
 * Features against those of python_speech_features, and of librosa and Kaldi by their definitions
 * in numpy (test/golden/make/gen_audio.py). References are doubles rounded to float32.
 */
import { describe, expect, it } from 'vitest'
import { type Case, type Golden, load } from '../golden/loader.js'
import { audio, NDArray } from '../package.js'
import { chunk, fmt, riff } from './wav-files.js'

interface Reference extends Case {
  call: string
  options: Record<string, unknown>
  value: Golden
  input?: Golden
}
const cases = load<Reference>('audio/features', 'float32')
const named = (call: string) => cases.filter((each) => each.call === call)
const [signal] = named('signal')
const hamming = audio.getWindow('hamming', 400, { periodic: false })
const asArray = ({ data, shape }: Golden) => new NDArray(data, shape)

/** What has no logarithm may be large: there the share counts. */
function expectNear(actual: NDArray, { data, shape }: Golden, log: unknown): void {
  expect(actual.shape).toEqual(shape)
  const apart = Array.from(data, (expected, i) => {
    const difference = Math.abs(actual.data[i]! - expected)
    return log === 'none' ? difference / Math.max(1, Math.abs(expected)) : difference
  })
  expect(Math.max(...apart)).toBeLessThan(1e-4)
  expect(actual.data.some((x) => Math.abs(x) > 0.01)).toBe(true)
}

const spectral = ({ window, ...options }: Record<string, unknown>) =>
  ({
    ...{ sampleRate: 16000, ...options },
    ...(window === 'np.hamming' ? { window: hamming } : {}),
  }) as audio.MfccOptions

const compute: Record<string, (reference: Reference) => NDArray> = {
  logMel: ({ options }) => audio.logMel(asArray(signal!.value), spectral(options)),
  mfcc: ({ options }) => audio.mfcc(asArray(signal!.value), spectral(options)),
  deltas: ({ options, input }) => audio.deltas(asArray(input!), options as audio.DeltasOptions),
  stft: ({ options }) => {
    const all = audio.stft(asArray(signal!.value), options as unknown as audio.StftOptions)
    const [F, K] = [all.shape[0]!, all.shape[1]!]
    const every5th = Array.from({ length: Math.ceil(F / 5) }, (_, i) => all.slice(5 * i, 5 * i + 1))
    const data = Float32Array.from(every5th.flatMap((frame) => [...frame.data]))
    return new NDArray(data, [every5th.length, K, 2])
  },
  melFilterbank: ({ options }) =>
    audio.melFilterbank(options as unknown as audio.MelFilterbankOptions),
}

describe.each(Object.keys(compute))('%s', (call) => {
  it.each(named(call))('$name', (reference) => {
    expectNear(compute[call]!(reference), reference.value, reference.options.log)
  })
})

describe('G.711', () => {
  it.each(named('g711'))('all codes of $name', ({ name, value }) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, code) => code)
    const tag = name === 'alaw' ? 6 : 7
    const wav = audio.parseWav(riff([fmt({ tag, bits: 8 }), chunk('data', bytes)]))
    expect(Array.from(wav.samples.data, (x) => x + 0)).toEqual(Array.from(value.data))
  })
})

it('there are references for each', () => {
  expect(cases.length).toBeGreaterThan(18)
})
