/**
 * `node bench/audio.mjs [--minutes 60 --rounds 3]`: features of a WAV file, in the thread of
 * extractFeatures. Prints for each setting the time that passed, the processor time of the whole
 * process, and the longest stretch of processor time that the event loop was kept (Linux; elsewhere
 * time that passed).
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { extractFeatures, writeWav } from 'hiddenstate/audio'
import { machine } from './machine.mjs'
import { median } from './statistics.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
  },
})
const RATE = 16000
const minutes = Number(values.minutes)
const SETTINGS = {
  'log-mel 40': { sampleRate: RATE },
  'Kaldi fbank 80': { sampleRate: RATE, like: 'kaldi', nMels: 80 },
  'Kaldi mfcc 13 + deltas, cmvn': {
    ...{ sampleRate: RATE, features: 'mfcc', like: 'kaldi' },
    ...{ deltas: 2, cmvn: 'utterance' },
  },
  'log-mel 40, from 44.1 kHz': { sampleRate: RATE, from: 44100 },
}
const clock = `/proc/self/task/${process.pid}/schedstat`
const kept = fs.existsSync(clock)
  ? () => Number(fs.readFileSync(clock, 'latin1').split(' ')[0]) / 1e6
  : () => performance.now()

/** Seconds passed and worked, and the longest stretch of the event loop in ms. */
async function measure(file, options) {
  let [last, longest] = [kept(), 0]
  const timer = setInterval(() => {
    const now = kept()
    longest = Math.max(longest, now - last)
    last = now
  }, 1)
  const [time, used] = [performance.now(), process.cpuUsage()]
  const { shape } = await extractFeatures(file, options)
  const { user, system } = process.cpuUsage(used)
  clearInterval(timer)
  const passed = (performance.now() - time) / 1000
  return { shape, passed, worked: (user + system) / 1e6, longest }
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-audio-'))
const file = path.join(folder, 'sound.wav')
console.log(JSON.stringify(machine()))
console.log(`${minutes} minutes of sound: s passed, s of processor, ms of the event loop`)
try {
  for (const [name, { from = RATE, ...options }] of Object.entries(SETTINGS)) {
    let state = 1
    const samples = Float32Array.from({ length: from * 60 * minutes }, (_, t) => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0
      return 0.3 * Math.sin(t / 9 + (t / 40000) ** 2) + state / 2 ** 35
    })
    await writeWav(file, samples, { sampleRate: from })
    const rounds = []
    for (let i = 0; i < Number(values.rounds); i++) rounds.push(await measure(file, options))
    const of = (key) => median(rounds.map((round) => round[key])).toFixed(2)
    const figures = `${of('passed')} s, ${of('worked')} s, ${of('longest')} ms`
    console.log(`${name}: ${figures}, [${rounds[0].shape}]`)
  }
} finally {
  fs.rmSync(folder, { recursive: true })
}
