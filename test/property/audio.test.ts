/** Sound in pieces gives the bits of sound as a whole, whatever the pieces are. */
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { audio, type NDArray } from '../package.js'
import { law } from './law.js'

/** A signal with a trend, tones and noise; the same for the same length. */
function wave(T: number): Float32Array {
  let state = 1
  return Float32Array.from({ length: T }, (_, t) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return 0.4 * Math.sin(t / 7) + 0.2 * Math.sin((t * t) / 9000) + state / 2 ** 33
  })
}

/** Cuts in [0, T], with repetitions, so that pieces may be empty. */
const pieces = (T: number, cuts: readonly number[]): [number, number][] => {
  const at = [0, ...[...cuts].map((cut) => cut % (T + 1)).sort((a, b) => a - b), T]
  return at.slice(1).map((to, i) => [at[i]!, to])
}

const cuts = fc.oneof(
  fc.array(fc.noBias(fc.integer({ min: 0, max: 2 ** 20 })), { maxLength: 12 }),
  fc.constant(Array.from({ length: 3000 }, (_, i) => i)), // sample by sample
)
const lengths = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.noBias(fc.integer({ min: 41, max: 3000 })),
)
const bits = (rows: NDArray[]): number[] => rows.flatMap((each) => [...each.data])

const settings: fc.Arbitrary<audio.FeatureOptions> = fc.record(
  {
    sampleRate: fc.constantFrom(8000, 16000),
    features: fc.constantFrom('logMel', 'mfcc'),
    like: fc.constantFrom('kaldi', 'python_speech_features', undefined),
    frameLength: fc.constantFrom(17, 64, 200),
    hopLength: fc.constantFrom(5, 64, 300),
    edges: fc.constantFrom('valid', 'end', 'center'),
    preEmphasis: fc.constantFrom(0, 0.9),
    preEmphasisOf: fc.constantFrom('signal', 'frame'),
    log: fc.constantFrom('natural', 'db'),
    topDb: fc.constantFrom(null, 30),
    deltas: fc.constantFrom(0, 1, 2),
    cmvn: fc.constantFrom<audio.FeatureOptions['cmvn'][]>(
      ...[null, 'utterance' as const, 'running' as const],
      { mode: 'running', window: 3 },
    ),
    inputRate: fc.constantFrom(11025, 16000, 8000, undefined),
  },
  { requiredKeys: ['sampleRate'] },
)

describe('features of a stream', () => {
  law(
    'are those of the whole',
    fc.record({ settings, T: lengths, cuts }),
    async ({ settings, T, cuts }) => {
      const samples = wave(T)
      const whole = new audio.FeatureStream(settings)
      const expected = bits([whole.push(samples), whole.end()])
      const stream = new audio.FeatureStream(settings)
      for (let again = 0; again < 2; again++) {
        const rows = pieces(T, cuts).map(([from, to]) => stream.push(samples.subarray(from, to)))
        expect(bits([...rows, stream.end()])).toEqual(expected)
      }
      // and of one call after the other
      const { features, inputRate, deltas, cmvn, ...spectral } = settings
      const rate = settings.sampleRate
      const x = inputRate ? audio.resample(samples, { from: inputRate, to: rate }) : samples
      const compute = features === 'mfcc' ? audio.mfcc : audio.logMel
      let y = compute(x, spectral)
      if (deltas) y = audio.deltas(y, { order: deltas, append: true })
      if (cmvn) y = audio.cmvn(y, typeof cmvn === 'string' ? { mode: cmvn } : cmvn)
      expect([...y.data]).toEqual(expected)
    },
    4,
  )

  law(
    'reflected at its ends, too',
    fc.record({ T: fc.integer({ min: 40, max: 500 }), cuts, hopLength: fc.constantFrom(7, 30) }),
    async ({ T, cuts, hopLength }) => {
      const samples = wave(T)
      const options = { frameLength: 31, hopLength, edges: 'reflect' } as const
      const stream = new audio.FeatureStream({ sampleRate: 8000, log: 'none', ...options })
      const rows = pieces(T, cuts).map(([from, to]) => stream.push(samples.subarray(from, to)))
      const expected = audio.logMel(samples, { sampleRate: 8000, log: 'none', ...options })
      expect(bits([...rows, stream.end()])).toEqual([...expected.data])
    },
  )
})
