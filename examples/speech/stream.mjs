/**
 * Writes while it listens: sound goes in 10 ms at a time, as from a microphone, and words come out
 * as soon as the net is sure of them. The net is that of `npm start speech`, which must have run.
 *
 *   node examples/speech/stream.mjs [FILE.wav]     without a file, a voice speaks
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadModel } from 'hiddenstate'
import { FeatureStream, readWav } from 'hiddenstate/audio'
import { atRate, BANDS, BLANK, FRAMES, normalise, WORDS } from './recogniser.mjs'

const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out')
const [file] = process.argv.slice(2)
if (!fs.existsSync(path.join(out, 'speech.json')))
  throw new Error('There is no net yet: run `npm start speech` first.')
const { sampleRate, mean, deviation } = JSON.parse(
  fs.readFileSync(path.join(out, 'speech.json'), 'utf8'),
)
const model = await loadModel(path.join(out, 'speech.h5'))
const samples = atRate(file ? await readWav(file) : await spoken(), sampleRate)

async function spoken() {
  const { speak, VOICES } = await import('./voices.mjs')
  const text = 'seven, one eight, two nine'
  console.log(`said: ${text}`)
  return speak(text, { voice: VOICES.train[1] })
}

const listening = new FeatureStream({ sampleRate, nMels: BANDS })
const session = model.session()
const step = new Float32Array(FRAMES * BANDS)
let frames = 0
let last = BLANK
const written = []

/** A frame [BANDS]; every FRAMES of them are a step of the net. */
function hear(frame) {
  step.set(frame, (frames % FRAMES) * BANDS)
  frames += 1
  if (frames % FRAMES > 0) return
  normalise({ data: step }, { mean, deviation })
  const { data } = session.stepSync(step) // [words + 1]
  const best = data.indexOf(Math.max(...data))
  if (best !== last && best !== BLANK) {
    written.push(WORDS[best])
    console.log(`${(frames / 100).toFixed(2)} s: ${written.join(' ')}`)
  }
  last = best
}

const piece = Math.round(sampleRate / 100)
const times = []
for (let from = 0; from < samples.length; from += piece) {
  const start = performance.now()
  const rows = listening.push(samples.subarray(from, from + piece)) // [0 or more, BANDS]
  for (let i = 0; i < rows.shape[0]; i++) hear(rows.slice(i, i + 1).data)
  times.push(performance.now() - start)
}
const rows = listening.end()
for (let i = 0; i < rows.shape[0]; i++) hear(rows.slice(i, i + 1).data)

console.log(`wrote: ${written.join(' ') || '(nothing)'}`)
times.sort((a, b) => a - b)
const at = (share) => times[Math.floor(share * (times.length - 1))].toFixed(3)
console.log(
  `10 ms of sound take ${at(0.5)} ms to work on, ${at(0.99)} ms in 1 of 100 (${times.length} pieces)`,
)
