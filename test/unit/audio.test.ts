/** Frames, spectra, resampling and what is done to features, by their definitions. */
import { describe, expect, it } from 'vitest'
import { audio, NDArray, setSeed } from '../package.js'

const {
  cmvn,
  deltas,
  framing,
  getWindow,
  logMel,
  melFilterbank,
  mfcc,
  resample,
  specAugment,
  stft,
} = audio
const range = (n: number, from = 0) => Float32Array.from({ length: n }, (_, i) => from + i)
const sine = (n: number, hz: number, rate: number) =>
  Float32Array.from({ length: n }, (_, t) => Math.sin((2 * Math.PI * hz * t) / rate))

describe('framing', () => {
  const cut = (T: number, edges: audio.Edges, frameLength = 4, hopLength = 2) =>
    framing(range(T, 1), { frameLength, hopLength, edges }).toArray()

  it('gives the frames that lie within the signal', () => {
    expect(cut(7, 'valid')).toEqual([
      [1, 2, 3, 4],
      [3, 4, 5, 6],
    ])
    expect(cut(3, 'valid')).toEqual([])
    expect(cut(9, 'valid', 2, 4)).toEqual([
      [1, 2],
      [5, 6],
    ])
  })

  it('fills up the end with zeros', () => {
    expect(cut(7, 'end')).toEqual([
      [1, 2, 3, 4],
      [3, 4, 5, 6],
      [5, 6, 7, 0],
    ])
    expect(cut(2, 'end')).toEqual([[1, 2, 0, 0]])
    expect(cut(6, 'end')).toHaveLength(2)
    expect(cut(0, 'end')).toEqual([])
  })

  it('has the middle of frame k at sample k · hopLength', () => {
    expect(cut(5, 'center')).toEqual([
      [0, 0, 1, 2],
      [1, 2, 3, 4],
      [3, 4, 5, 0],
    ])
    expect(cut(5, 'reflect')).toEqual([
      [3, 2, 1, 2],
      [1, 2, 3, 4],
      [3, 4, 5, 4],
    ])
    expect(() => cut(2, 'reflect')).toThrow(
      "edges: 'reflect': samples must be [T] with T > 2, got [2]. edges: 'center' fills up with zeros.",
    )
  })

  it('is of long signals as of short ones', () => {
    const T = 100_003
    const frames = framing(range(T), { frameLength: 400, hopLength: 160 })
    expect(frames.shape).toEqual([1 + Math.floor((T - 400) / 160), 400])
    const wrong = Array.from(frames.data, (x, i) => x - (160 * Math.floor(i / 400) + (i % 400)))
    expect(wrong.every((x) => x === 0)).toBe(true)
  })
})

describe('spectra', () => {
  it('are the sums of their definition', () => {
    for (const nFft of [4, 8, 16, 64, 128]) {
      const x = Float32Array.from({ length: 3 * nFft }, (_, t) => Math.sin(t * t) + 0.2)
      const frameLength = nFft - 1
      const spectrum = stft(x, { frameLength, hopLength: nFft, nFft, window: 'hamming' })
      const window = getWindow('hamming', frameLength).data
      expect(spectrum.shape).toEqual([3, nFft / 2 + 1, 2])
      for (let f = 0; f < 3; f++)
        for (let k = 0; k <= nFft / 2; k++) {
          let [re, im] = [0, 0]
          for (let n = 0; n < frameLength; n++) {
            const angle = (-2 * Math.PI * k * n) / nFft
            re += window[n]! * x[f * nFft + n]! * Math.cos(angle)
            im += window[n]! * x[f * nFft + n]! * Math.sin(angle)
          }
          expect(spectrum.get(f, k, 0)).toBeCloseTo(re, 4)
          expect(spectrum.get(f, k, 1)).toBeCloseTo(im, 4)
        }
    }
  })

  it('come as magnitude and power, too', () => {
    const o = { frameLength: 32, hopLength: 16 }
    const x = sine(100, 1000, 8000)
    const [complex, magnitude, power] = (['complex', 'magnitude', 'power'] as const).map((output) =>
      stft(x, { ...o, output }),
    ) as [NDArray, NDArray, NDArray]
    expect(magnitude.shape).toEqual([5, 17])
    for (let i = 0; i < power.size; i++) {
      const expected = complex.data[2 * i]! ** 2 + complex.data[2 * i + 1]! ** 2
      expect(power.data[i]!).toBeCloseTo(expected, 3)
      expect(magnitude.data[i]! ** 2).toBeCloseTo(expected, 3)
    }
  })

  it('windows are periodic or symmetric', () => {
    const rounded = (w: NDArray) => w.toArray().map((x: number) => Number(x.toFixed(4)))
    expect(rounded(getWindow('hann', 4, { periodic: false }))).toEqual([0, 0.75, 0.75, 0])
    expect(rounded(getWindow('hamming', 4))).toEqual([0.08, 0.54, 1, 0.54])
    expect(rounded(getWindow('blackman', 4)).map(Math.abs)).toEqual([0, 0.34, 1, 0.34])
    expect(rounded(getWindow('povey', 3))).toEqual([0, 1, 0])
    expect(rounded(getWindow('hann', 1, { periodic: false }))).toEqual([1])
  })
})

describe('mel filters', () => {
  it('have their tops at equal distances in mel', () => {
    const bank = melFilterbank({ sampleRate: 16000, nFft: 2 ** 14, nMels: 10 })
    const mel = (hz: number) => 2595 * Math.log10(1 + hz / 700)
    for (const [m, row] of (bank.toArray() as number[][]).entries()) {
      const top = row.indexOf(Math.max(...row))
      expect(mel((top * 16000) / 2 ** 14)).toBeCloseTo((mel(8000) * (m + 1)) / 11, -1)
      expect(Math.max(...row)).toBeGreaterThan(0.98)
    }
  })

  it('of area 1 are that', () => {
    const bank = melFilterbank({ sampleRate: 8000, nFft: 4096, nMels: 8, norm: 'slaney' })
    for (const row of bank.toArray() as number[][])
      expect(row.reduce((a, b) => a + b) * (8000 / 4096)).toBeCloseTo(1, 2)
  })
})

describe('log-mel', () => {
  it('of a tone is loudest in its band', () => {
    const tone = sine(4000, 1000, 16000)
    const row = logMel(tone, { sampleRate: 16000, nMels: 26 }).slice(3, 4).data as Float32Array
    const bank = melFilterbank({ sampleRate: 16000, nFft: 512, nMels: 26 })
    const at1000 = (bank.toArray() as number[][]).map((weights) => weights[32]!)
    expect(row.indexOf(Math.max(...row))).toBe(at1000.indexOf(Math.max(...at1000)))
  })

  it('of silence is the floor, of no samples no frames', () => {
    const silent = logMel(new Float32Array(800), { sampleRate: 16000 })
    expect(new Set(silent.data)).toEqual(new Set([Math.fround(Math.log(1e-10))]))
    for (const like of ['kaldi', 'librosa', 'python_speech_features'] as const) {
      expect(logMel([], { sampleRate: 16000, like }).shape[0]).toBe(0)
      const loudness = mfcc(new Float32Array(5000), { sampleRate: 16000, like })
      expect(loudness.data.every(Number.isFinite)).toBe(true)
    }
  })

  it('of magnitudes in dB are 20 times the logarithm', () => {
    const x = sine(400, 1000, 16000)
    const of = (options: Partial<audio.LogMelOptions>) =>
      logMel(x, { sampleRate: 16000, nMels: 4, ...options }).data
    const [magnitude, db] = [
      of({ spectrum: 'magnitude', log: 'none' }),
      of({ spectrum: 'magnitude', log: 'db' }),
    ]
    for (const [i, m] of magnitude.entries()) expect(db[i]).toBeCloseTo(20 * Math.log10(m), 4)
  })
})

describe('resample', () => {
  const pairs = [
    [44100, 16000],
    [8000, 16000],
    [16000, 8000],
    [22050, 16000],
    [48000, 44100],
    [16000, 16001],
  ] as const

  it.each(pairs)('keeps tones: %i Hz to %i Hz', (from, to) => {
    const y = resample(sine(from / 4, 440, from), { from, to })
    expect(y.shape).toEqual([Math.ceil(((from / 4) * to) / from)])
    const expected = sine(y.size, 440, to)
    const inside = [...y.data].slice(200, -200)
    const apart = inside.map((v, i) => Math.abs(v - expected[i + 200]!))
    expect(Math.max(...apart)).toBeLessThan(1e-4)
  })

  it('keeps what is below the lower half rate, and dampens what would fold back', () => {
    const loudness = (hz: number) => {
      const y = [...resample(sine(48000, hz, 48000), { from: 48000, to: 16000 }).data].slice(
        500,
        -500,
      )
      return 10 * Math.log10((2 * y.reduce((sum, v) => sum + v * v, 0)) / y.length)
    }
    for (const hz of [100, 3000, 6700]) expect(Math.abs(loudness(hz))).toBeLessThan(0.01)
    for (const hz of [8000, 9000, 15000, 23000]) expect(loudness(hz)).toBeLessThan(-80)
  })

  it('keeps a constant, and the place of an impulse', () => {
    const y = resample(new Float32Array(3000).fill(0.7), { from: 44100, to: 16000 })
    expect([...y.data.slice(100, -100)].every((v) => Math.abs(v - 0.7) < 1e-6)).toBe(true)
    const impulse = new Float32Array(300)
    impulse[90] = 1
    const z = resample(impulse, { from: 24000, to: 8000 }).data as Float32Array
    expect(z.indexOf(Math.max(...z))).toBe(30)
    expect(z[29]).toBeCloseTo(z[31]!, 12)
  })

  it('of the same rate are the same samples', () => {
    const x = sine(10, 3, 100)
    expect(resample(x, { from: 8000, to: 8000 }).data).toEqual(x)
    expect(resample([], { from: 8000, to: 16000 }).shape).toEqual([0])
  })
})

describe('deltas', () => {
  it('are slopes, with ends repeated', () => {
    expect(deltas([[0], [1], [4], [9]], { width: 1 }).toArray()).toEqual([[0.5], [2], [4], [2.5]])
    expect(deltas([[3, 0]], {}).toArray()).toEqual([[0, 0]])
    expect(deltas(new NDArray(new Float32Array(0), [0, 2])).shape).toEqual([0, 2])
  })

  it('of higher orders are deltas of deltas, alone or behind the features', () => {
    const x = NDArray.from(sine(60, 3, 100)).reshape([20, 3])
    const once = deltas(x)
    const twice = deltas(once)
    expect(deltas(x, { order: 2 }).data).toEqual(twice.data)
    const all = deltas(x, { order: 2, append: true })
    expect(all.shape).toEqual([20, 9])
    expect(all.toArray()[7]).toEqual([x, once, twice].flatMap((each) => each.toArray()[7]))
  })
})

describe('cmvn', () => {
  const x = NDArray.from(sine(400, 3.7, 100)).reshape([100, 4])
  const column = (array: NDArray, d: number) => [...array.data].filter((_, i) => i % 4 === d)
  const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length

  it('of an utterance leaves mean 0 and deviation 1', () => {
    for (const variance of [true, false]) {
      const y = cmvn(x, { variance })
      for (let d = 0; d < 4; d++) {
        const list = column(y, d)
        expect(mean(list)).toBeCloseTo(0, 6)
        const original = mean(column(x, d).map((v) => v * v)) - mean(column(x, d)) ** 2
        expect(mean(list.map((v) => v * v))).toBeCloseTo(variance ? 1 : original, 5)
      }
    }
  })

  it('running takes the latest frames', () => {
    for (const window of [1, 2, 7, 1000]) {
      const y = cmvn(x, { mode: 'running', window })
      for (const t of [0, 1, 5, 40, 99])
        for (let d = 0; d < 4; d++) {
          const list = column(x, d).slice(Math.max(0, t - window + 1), t + 1)
          const sd = Math.sqrt(mean(list.map((v) => (v - mean(list)) ** 2)))
          const expected = (list.at(-1)! - mean(list)) / Math.max(1e-5, sd)
          expect(y.get(t, d)).toBeCloseTo(expected, 4)
        }
    }
  })

  it('of features that never change is 0', () => {
    const still = new NDArray(new Float32Array(2000).fill(-22.7), [1000, 2])
    for (const mode of ['utterance', 'running'] as const)
      expect(cmvn(still, { mode, window: 10 }).data.every((v) => Math.abs(v) < 1e-6)).toBe(true)
    expect(cmvn(new NDArray(new Float32Array(0), [0, 2])).shape).toEqual([0, 2])
  })
})

describe('specAugment', () => {
  const ones = new NDArray(new Float32Array(200 * 40).fill(1), [200, 40])
  const lines = (masked: NDArray) => {
    const rows = masked.toArray() as number[][]
    return {
      frames: rows.filter((row) => row.every((v) => v === 0)).length,
      features: rows[0]!.filter((_, d) => rows.every((row) => row[d] === 0)).length,
    }
  }

  it('masks whole frames and features, as many as it may', () => {
    const found = Array.from({ length: 200 }, (_, seed) =>
      lines(
        specAugment(ones, {
          timeMasks: 1,
          frequencyMasks: 1,
          timeWidth: 7,
          frequencyWidth: 3,
          seed,
        }),
      ),
    )
    expect(new Set(found.map((each) => each.frames))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]))
    expect(new Set(found.map((each) => each.features))).toEqual(new Set([0, 1, 2, 3]))
    const short = Array.from({ length: 50 }, (_, seed) =>
      lines(specAugment(ones.slice(0, 10), { timeMasks: 1, frequencyMasks: 0, seed })),
    )
    expect(Math.max(...short.map((each) => each.frames))).toBe(2) // a fifth of 10
    expect(lines(specAugment(ones, { timeMasks: 0, frequencyMasks: 0 })).frames).toBe(0)
  })

  it('is the same for a seed, of the call or of the process, and leaves its input', () => {
    const [a, b, c] = [5, 5, 6].map((seed) => specAugment(ones, { seed }).data)
    expect(a).toEqual(b)
    expect(a).not.toEqual(c)
    const drawn = () => {
      setSeed(9)
      return [specAugment(ones).data, specAugment(ones).data]
    }
    const [first, second] = drawn()
    expect(drawn()).toEqual([first, second])
    expect(first).not.toEqual(second)
    expect(ones.data.every((v) => v === 1)).toBe(true)
  })

  it('fills with a number or the mean', () => {
    const x = NDArray.from([range(4), range(4, 4)]) // mean 3.5
    const filled = (value: number | 'mean') =>
      specAugment(x, { timeMasks: 30, timeShare: 0.5, frequencyMasks: 0, seed: 1, value }).data
    expect(new Set(filled(-7))).toEqual(new Set([-7]))
    expect(new Set(filled('mean'))).toEqual(new Set([3.5]))
  })
})

describe('what is wrong is told', () => {
  const x = sine(1000, 300, 8000)
  const o = { sampleRate: 8000 }
  const wrong: Record<string, () => unknown> = {
    stereo: () => logMel([[0, 0]], o),
    text: () => logMel('sound' as never, o),
    NaN: () => logMel([0, Number.NaN], o),
    'infinite features': () => cmvn([[1, Number.POSITIVE_INFINITY]]),
    'no rate': () => logMel(x, {} as never),
    'no options': () => logMel(x, undefined as never),
    'half a Hz': () => logMel(x, { sampleRate: 0.5 }),
    seconds: () => logMel(x, { ...o, frameLength: 0.025 }),
    'a short transform': () => logMel(x, { ...o, nFft: 128 }),
    'a transform of 400': () => stft(x, { frameLength: 300, hopLength: 100, nFft: 400 }),
    'too long a frame': () => logMel(x, { ...o, frameLength: 2 ** 21 }),
    'a short window': () => logMel(x, { ...o, window: [1, 2, 3] }),
    'an unknown window': () => logMel(x, { ...o, window: 'hanning' as never }),
    'a number as window': () => logMel(x, { ...o, window: 3 as never }),
    'an unknown program': () => logMel(x, { ...o, like: 'htk' as never }),
    'an option of mfcc': () => logMel(x, { ...o, nMfcc: 13 } as never),
    'a typo': () => mfcc(x, { ...o, nMfc: 13 } as never),
    'more cepstra than bands': () => mfcc(x, { ...o, nMels: 10 }),
    'fMin above fMax': () => logMel(x, { ...o, fMin: 3000, fMax: 200 }),
    'fMax above half the rate': () => logMel(x, { ...o, fMax: 8000 }),
    'no filters': () => melFilterbank({ ...o, nFft: 512, nMels: 0 }),
    'no transform': () => melFilterbank({ ...o } as never),
    'a floor of 0': () => logMel(x, { ...o, floor: 0 }),
    'log of base 2': () => logMel(x, { ...o, log: 'log2' as never }),
    'rates far apart': () => resample(x, { from: 8000, to: 30 }),
    'a broken rate': () => resample(x, { from: 8000.5, to: 16000 }),
    'flat features': () => deltas([1, 2, 3]),
    'a delta of nothing': () => deltas([[1]], { width: 0 }),
    'an unknown mode': () => cmvn([[1]], { mode: 'global' as never }),
    'a negative mask': () => specAugment([[1]], { timeMasks: -1 }),
    'a value of NaN': () => specAugment([[1]], { value: Number.NaN }),
    'a bad seed': () => specAugment([[1]], { seed: -1 }),
    'deltas of order 3': () => new audio.FeatureStream({ ...o, deltas: 3 as never }),
    'a function': () => new audio.FeatureStream({ ...o, cmvn: (() => 0) as never }),
  }

  it('in one sentence', () => {
    const said = Object.entries(wrong).map(([name, call]) => {
      try {
        call()
      } catch (error) {
        return `${name} → ${(error as { code: string }).code} ${(error as Error).message}`
      }
      return `${name} → nothing`
    })
    expect(said.filter((line) => !/ → ERR_(OPTION|SHAPE) /.test(line))).toEqual([])
    expect(said).toMatchSnapshot()
  })
})
