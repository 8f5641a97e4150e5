/** From samples to words: features, a net with CTC, and what is right of what it writes. */
import { logMel, resample } from 'hiddenstate/audio'
import { ctcDecode } from 'hiddenstate/backend'
import { Adam, ctc, Dense, GRU, Ragged, Sequential, TimeDistributed } from 'hiddenstate'
import { cer, wer } from 'hiddenstate/utils'

export const WORDS = 'zero one two three four five six seven eight nine'.split(' ')
export const BLANK = WORDS.length
export const BANDS = 26

export const textOf = (digits) => Array.from(digits, (digit) => WORDS[digit]).join(' ')

/** Frames of 10 ms that go into the net together: labels are rarer than frames. */
export const FRAMES = 2

/** Logarithms of mel energies, a row each 10 ms: [frames, BANDS]. */
export const features = ({ samples, sampleRate }) => logMel(samples, { sampleRate, nMels: BANDS })

/** Rows that lie side by side: [frames, BANDS] → [frames / FRAMES, FRAMES · BANDS]. */
export const stacked = (rows) => {
  const steps = Math.floor(rows.shape[0] / FRAMES)
  return rows.slice(0, steps * FRAMES).reshape([steps, FRAMES * BANDS])
}

/** The samples at another rate, where they have not got it. */
export const atRate = ({ samples, sampleRate }, rate) =>
  sampleRate === rate
    ? (samples.data ?? samples)
    : resample(samples, { from: sampleRate, to: rate }).data

/** Means and deviations of the bands over all frames: [BANDS] each. */
export function statistics(list) {
  const [mean, square] = [new Float64Array(BANDS), new Float64Array(BANDS)]
  let frames = 0
  for (const { data } of list) {
    frames += data.length / BANDS
    for (const [i, value] of data.entries()) {
      mean[i % BANDS] += value
      square[i % BANDS] += value * value
    }
  }
  for (let d = 0; d < BANDS; d++) {
    mean[d] /= frames
    square[d] = Math.sqrt(Math.max(square[d] / frames - mean[d] ** 2, 1e-10))
  }
  return { mean, deviation: square }
}

/** Bands with mean 0 and deviation 1, in place. */
export function normalise(rows, { mean, deviation }) {
  for (let i = 0; i < rows.data.length; i++)
    rows.data[i] = (rows.data[i] - mean[i % BANDS]) / deviation[i % BANDS]
  return rows
}

/** Frames in, shares of the digits and of the blank out: it can go step by step. */
export function makeModel({ units, lr }) {
  const model = new Sequential([
    new GRU(units, { inputShape: [null, FRAMES * BANDS], returnSequences: true }),
    new GRU(units, { returnSequences: true }),
    new TimeDistributed(new Dense(WORDS.length + 1, { activation: 'softmax' })),
  ])
  model.compile({ loss: ctc({ blank: BLANK }), optimizer: new Adam({ lr, clipnorm: 5 }) })
  return model
}

/** The digits that shares of each frame say: of each frame the likeliest class. */
export async function decode(shares) {
  const [[labels]] = await ctcDecode(shares.padded(), shares.lengths, { blank: BLANK }) // [N, L]
  return Array.from({ length: shares.length }, (_, i) =>
    Array.from(labels.slice(i, i + 1).data).filter((digit) => digit >= 0),
  )
}

/** What the model writes for features [T_i, BANDS]. */
export const transcribe = async (model, list) =>
  decode(await model.predict(Ragged.from(list.map(stacked)), { batchSize: 16 }))

/** Shares of wrong words and characters over all strings. */
export async function errors(model, strings) {
  const said = strings.map(({ digits }) => textOf(digits))
  const written = (
    await transcribe(
      model,
      strings.map(({ x }) => x),
    )
  ).map(textOf)
  return { wer: wer(said, written), cer: cer(said, written), said, written }
}
