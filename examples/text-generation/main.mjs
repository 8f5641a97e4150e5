/**
 * An LSTM learns to write like a text, character by character, as Keras' lstm_text_generation. The
 * default text is Lewis Carroll's (Through the Looking-Glass, 1871);
 * any other is given by its path.
 *
 *   npm run example:text-generation [-- FILE --epochs 60 --units 128 --temperature 0.2
 *   --temperature 0.8 --length 400 --seed 1]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dense, LSTM, RMSprop, Sequential, setSeed } from 'hiddenstate'
import { mulberry32 } from '../sine/waves.mjs'
import { alphabetOf, draw, encodeWindows, startsOf } from './characters.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    epochs: { type: 'string', default: '60' },
    units: { type: 'string', default: '128' },
    temperature: { type: 'string', multiple: true, default: ['0.2', '0.5', '1.0'] },
    length: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
  },
})
setSeed(Number(values.seed))
const random = mulberry32(Number(values.seed))
const file =
  positionals[0] ?? path.join(path.dirname(fileURLToPath(import.meta.url)), 'carroll.txt')
const text = fs.readFileSync(file, 'utf8')
const window = 40
if (text.length <= window) {
  console.error(
    `text-generation: ${file} must hold more than ${window} characters, got ${text.length}.`,
  )
  process.exit(1)
}

const alphabet = alphabetOf(text)
const { characters, number } = alphabet
const K = characters.length
const units = Number(values.units)

// Windows of 40 characters, every third position (fewer when the text is short); the target is the
// character that follows.
const starts = startsOf(text, window, text.length > 20_000 ? 3 : 1)
const { x, y } = encodeWindows(text, alphabet, starts, window) // [N, T, K], [N, K]
console.log(`${text.length} characters, ${K} distinct, ${starts.length} windows of ${window}`)

const model = new Sequential()
model.add(new LSTM(units, { inputShape: [window, K] }))
model.add(new Dense(K, { activation: 'softmax' }))
model.compile({ loss: 'categorical_crossentropy', optimizer: new RMSprop({ lr: 0.01 }) })
const history = await model.fit(x, y, {
  batchSize: 128,
  nbEpoch: values.smoke ? 1 : Number(values.epochs),
})
console.log(`Loss ${history.history.loss.at(-1).toFixed(3)} nats a character`)

// To write, the model reads one character a step.
const writer = model.session()

/** Probabilities of the next character after reading `character`. */
function read(character) {
  const input = new Float32Array(K)
  input[number.get(character)] = 1
  return writer.stepSync(input).data // [K]
}

const opening = text.slice(0, window)
for (const temperature of values.temperature.map(Number)) {
  writer.reset()
  let probabilities
  for (const character of opening) probabilities = read(character)
  let written = ''
  while (written.length < (values.smoke ? 40 : Number(values.length))) {
    const next = characters[draw(probabilities, temperature, random)]
    written += next
    probabilities = read(next)
  }
  console.log(`\n── temperature ${temperature}\n${opening}|${written}`)
}
