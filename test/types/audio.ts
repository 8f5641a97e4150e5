/** What must and must not compile of `hiddenstate/audio`. Never run. */
import { expectTypeOf } from 'vitest'
import {
  cmvn,
  extractFeatures,
  FeatureStream,
  framing,
  getWindow,
  logMel,
  mfcc,
  readWav,
  resample,
  type Wav,
  writeWav,
} from '../../lib/audio/index.js'
import type { NDArray } from '../../lib/index.js'

export async function files(bytes: Buffer): Promise<void> {
  const wav = await readWav(bytes, { channels: 1 })
  expectTypeOf(wav).toEqualTypeOf<Wav>()
  expectTypeOf(wav.encoding).toEqualTypeOf<'pcm' | 'float' | 'alaw' | 'mulaw'>()
  await readWav(new URL('file:///x.wav'), { channels: 'all' })
  await writeWav('x.wav', wav.samples, { sampleRate: wav.sampleRate })
  // @ts-expect-error the rate is missing
  await writeWav('x.wav', [0, 1], {})
  // @ts-expect-error no such option
  await readWav('x.wav', { mono: true })
}

export async function features(samples: Int16Array): Promise<void> {
  expectTypeOf(logMel(samples, { sampleRate: 16000 })).toEqualTypeOf<NDArray>()
  mfcc([0.1, 0.2], { sampleRate: 8000, like: 'kaldi', window: getWindow('hamming', 200) })
  framing(samples, { frameLength: 400, hopLength: 160, edges: 'center' })
  resample(samples, { from: 44100, to: 16000 })
  cmvn([[1, 2]], { mode: 'running' })
  const stream = new FeatureStream({ sampleRate: 16000, features: 'mfcc', deltas: 2 })
  expectTypeOf(stream.push(samples)).toEqualTypeOf<NDArray>()
  const signal = AbortSignal.timeout(1000)
  const source = { samples, sampleRate: 8000 }
  expectTypeOf(
    await extractFeatures(source, { sampleRate: 16000, signal }),
  ).toEqualTypeOf<NDArray>()
  // @ts-expect-error the rate is missing
  logMel(samples, {})
  // @ts-expect-error an option of mfcc
  logMel(samples, { sampleRate: 16000, nMfcc: 13 })
  // @ts-expect-error no such program
  mfcc(samples, { sampleRate: 16000, like: 'htk' })
  // @ts-expect-error no such window
  getWindow('hanning', 400)
  // @ts-expect-error the file says it
  await extractFeatures('x.wav', { sampleRate: 16000, inputRate: 8000 })
}
