/**
 * Spoken digits become text: a net of GRUs learns, with CTC, to write strings of 3 to 7 digits that
 * nobody has aligned with their sound. Voices from npm speak; one of them is held out. Prints the
 * errors, draws what the net heard and what it wrote, and transcribes a WAV file.
 *
 *   npm start speech [-- FILE.wav --strings 400 --epochs 40 --seed 1 --smoke]
 *   npm start speech -- --data DIR [FILE.wav]     recordings of people, see recordings.mjs
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { readWav, specAugment } from 'hiddenstate/audio'
import { Ragged } from 'hiddenstate'
import { percent, readOptions } from '../keras/options.mjs'
import { mulberry32 } from '../sine/waves.mjs'
import { drawSpeech } from './drawing.mjs'
import * as recogniser from './recogniser.mjs'

const {
  strings: count,
  epochs,
  seed,
  data,
  units,
  path: file,
} = readOptions(
  { strings: 400, epochs: 40, seed: 1, data: '', units: 96 },
  { strings: 6, epochs: 1, units: 8 },
)
const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out')
const random = mulberry32(seed)

// ---- what is said ----

const { train, tests, sampleRate } = data ? await recorded(data) : await spoken()

/** Recordings: those of the data set's test split are held out, and joined to strings. */
async function recorded(folder) {
  const { isTest, joinStrings, readRecordings } = await import('./recordings.mjs')
  const recordings = await readRecordings(folder)
  const part = (is) => recordings.filter((each) => isTest(each) === is)
  return {
    train: joinStrings(part(false), count * 4, random),
    tests: { 'new recordings': joinStrings(part(true), Math.ceil(count / 2), random) },
    sampleRate: recordings[0].sampleRate,
  }
}

/** Voices from npm. */
async function spoken() {
  const { makeStrings, VOICES } = await import('./strings.mjs')
  const few = Math.ceil(count / 10)
  const make = (count, voices) => makeStrings({ count, voices, random })
  const train = await make(count, VOICES.train)
  const known = await make(few, VOICES.train)
  const other = await make(few, [VOICES.heldOut])
  return {
    train,
    tests: { 'new strings': known, [`a voice never heard (${VOICES.heldOut})`]: other },
    sampleRate: train[0].sampleRate,
  }
}

// ---- the net ----

for (const each of [train, ...Object.values(tests)].flat()) each.x = recogniser.features(each)
const own = recogniser.statistics(train.map(({ x }) => x))
for (const each of [train, ...Object.values(tests)].flat()) recogniser.normalise(each.x, own)
const seconds = train.reduce((sum, { x }) => sum + x.shape[0] / 100, 0)
console.log(
  `${train.length} strings of 3 to 7 digits, ${(seconds / 60).toFixed(1)} minutes of speech`,
)

const model = recogniser.makeModel({ units, lr: 0.003 })
const labels = train.map(({ digits }) => digits)
for (let epoch = 0; epoch < epochs; epoch++) {
  if (epoch === Math.ceil(epochs * 0.7)) model.optimizer.lr = 0.001
  const x = train.map(({ x }) =>
    recogniser.stacked(specAugment(x, { timeWidth: 10, frequencyWidth: 4 })),
  )
  const { history } = await model.fit(Ragged.from(x), labels, {
    batchSize: 16,
    nbEpoch: 1,
    verbose: 0,
  })
  if (epoch % 5 === 4 || epoch === epochs - 1)
    console.log(`epoch ${epoch + 1}: loss ${history.loss[0].toFixed(2)}`)
}

// ---- what it has learnt ----

for (const [name, strings] of Object.entries(tests)) {
  const { wer, cer, said, written } = await recogniser.errors(model, strings)
  console.log(`${name}: ${percent(wer)} of the words wrong, ${percent(cer)} of the characters`)
  const wrong = said.findIndex((text, i) => text !== written[i])
  if (wrong >= 0) console.log(`  said  ${said[wrong]}\n  wrote ${written[wrong]}`)
}

fs.mkdirSync(out, { recursive: true })
const shown = Object.values(tests).at(-1)[0]
const [shares] = await model.predict(Ragged.from([recogniser.stacked(shown.x)]))
const picture = path.join(out, 'speech.svg')
fs.writeFileSync(
  picture,
  drawSpeech({
    x: shown.x,
    shares,
    words: recogniser.WORDS,
    said: recogniser.textOf(shown.digits),
  }),
)
console.log(`Drawn: ${path.relative(process.cwd(), picture)}`)
await model.save(path.join(out, 'speech.h5'))
fs.writeFileSync(
  path.join(out, 'speech.json'),
  JSON.stringify({ sampleRate, mean: [...own.mean], deviation: [...own.deviation] }),
)

if (file) {
  const wav = await readWav(file)
  const samples = recogniser.atRate(wav, sampleRate)
  const x = recogniser.normalise(recogniser.features({ samples, sampleRate }), own)
  const [digits] = await recogniser.transcribe(model, [x])
  console.log(`${file}: ${recogniser.textOf(digits) || '(nothing)'}`)
}
