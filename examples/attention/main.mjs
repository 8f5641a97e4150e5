/**
 * Dates in many forms become ISO dates: an encoder reads the characters, a decoder writes one
 * after another, with attention to those read. Trained with the right characters as its input
 * (teacher forcing); then it goes on from its own, step by step. Draws where it looks.
 *
 *   npm start attention [-- DATE --epochs 12 --dates 4000 --tests 500 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  Adam,
  Attention,
  Bidirectional,
  Dense,
  Embedding,
  GRU,
  Input,
  merge,
  Model,
  TimeDistributed,
} from 'hiddenstate'
import { padSequences } from 'hiddenstate/preprocessing'
import { readOptions } from '../keras/options.mjs'
import { mulberry32 } from '../sine/waves.mjs'
import { drawDate } from './dates.mjs'
import { drawAttention } from './drawing.mjs'

const {
  epochs,
  dates,
  tests,
  seed,
  path: asked,
} = readOptions(
  { epochs: 12, dates: 4000, tests: 500, seed: 1 },
  { epochs: 1, dates: 64, tests: 8 },
)
const random = mulberry32(seed)
const draw = (count) => Array.from({ length: count }, () => drawDate(random))
const [train, test] = [draw(dates), draw(tests)]

const READ = ' ,./0123456789abcdefghijklmnopqrstuvwxyz' // 0 is padding
const WRITTEN = '-0123456789' // 0 is what a decoder begins with
const LENGTH = 10
const numbers = (text, characters) => {
  const list = Array.from(text.toLowerCase(), (character) => characters.indexOf(character) + 1)
  const unknown = list.indexOf(0)
  if (unknown >= 0)
    throw new Error(`A date has letters, digits and ' ,./', got '${text[unknown]}'.`)
  return list
}

// ---- the net ----

const H = 64
const source = Input({ shape: [null], dtype: 'int32', name: 'source' }) // [B, T]
const target = Input({ shape: [null], dtype: 'int32' }) // [B, S]: what was written before
const encoded = new Bidirectional(new GRU(H, { returnSequences: true })).call(
  new Embedding(READ.length + 1, 32, { maskZero: true }).call(source),
) // [B, T, 2H]
const query = new GRU(H, { returnSequences: true }).call(
  new Embedding(WRITTEN.length + 1, 16).call(target),
) // [B, S, H]
const attention = new Attention({ score: 'general' })
const both = merge([query, attention.call([query, encoded])], { mode: 'concat' })
const hidden = new TimeDistributed(new Dense(H, { activation: 'tanh' })).call(both)
const output = new TimeDistributed(new Dense(WRITTEN.length + 1, { activation: 'softmax' }))
const model = new Model({ input: [source, target], output: output.call(hidden) })
model.compile({ loss: 'sparse_categorical_crossentropy', optimizer: new Adam({ lr: 0.002 }) })

const read = padSequences(
  train.map(({ written }) => numbers(written, READ)),
  { padding: 'post' },
)
const iso = train.map((date) => numbers(date.iso, WRITTEN))
const before = {
  data: Int32Array.from(iso.flatMap((date) => [0, ...date.slice(0, -1)])),
  shape: [iso.length, LENGTH],
}
const after = { data: Int32Array.from(iso.flat()), shape: [iso.length, LENGTH, 1] }
await model.fit([read, before], after, {
  batchSize: 32,
  nbEpoch: epochs,
  verbose: 2,
})

// ---- writing, a character at a time ----

async function normalize(text) {
  // Reads the text in its first step, and writes one character a step.
  const writer = model.session({ fixed: { source: numbers(text, READ) } })
  let last = 0
  let written = ''
  while (written.length < LENGTH) {
    const { data } = await writer.step(last)
    last = data.indexOf(Math.max(...data))
    written += last === 0 ? ' ' : WRITTEN[last - 1]
  }
  return written
}

let right = 0
for (const { written, iso: expected } of test)
  right += (await normalize(written)) === expected ? 1 : 0
console.log(`\n${((100 * right) / test.length).toFixed(1)} % of ${test.length} new dates right`)
const shown = asked ?? 'Wednesday, june 24th 2026'
const answer = await normalize(shown)
console.log(`${shown} → ${answer}`)

// ---- where it looked ----

const look = new Attention({ score: 'general', returns: 'weights' })
const looker = new Model({ input: [source, target], output: look.call([query, encoded]) })
look.setWeights(attention.getWeights())
const list = numbers(shown, READ)
const written = numbers(answer.replaceAll(' ', '0'), WRITTEN)
const shares = await looker.predict([
  { data: Int32Array.from(list), shape: [1, list.length] },
  { data: Int32Array.from([0, ...written.slice(0, -1)]), shape: [1, LENGTH] },
]) // [1, S, T]
const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out')
fs.mkdirSync(out, { recursive: true })
const file = path.join(out, 'attention.svg')
fs.writeFileSync(file, drawAttention(shares, [...shown], [...answer]))
console.log(`Drawing: ${path.relative(process.cwd(), file)}`)
