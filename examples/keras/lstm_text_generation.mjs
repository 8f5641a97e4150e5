/**
 * An LSTM writes after the manner of a text, a little better after each epoch. Keras takes
 * Nietzsche's (600,000 characters) and says that 20 epochs and 100,000 characters at least are
 * needed before the result sounds coherent. The text that comes with the examples, Lewis Carroll's,
 * is far shorter and soon known by heart; any other is given by its path.
 *
 *   npm start keras/lstm_text_generation [-- PATH --epochs 60 --length 400]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import { Activation, Dense, LSTM, RMSprop, Sequential } from 'hiddenstate'
import { mulberry32 } from '../sine/waves.mjs'
import { alphabetOf, draw, encodeWindows, startsOf } from '../text-generation/characters.mjs'
import { readOptions } from './options.mjs'

const maxlen = 40
const carroll = new URL('../text-generation/carroll.txt', import.meta.url)
const {
  path = carroll,
  epochs,
  length,
  seed,
} = readOptions({ epochs: 60, length: 400 }, { epochs: 1, length: 20 })

const text = fs.readFileSync(path, 'utf8').toLowerCase()
const alphabet = alphabetOf(text)
const chars = alphabet.characters
const { x, y } = encodeWindows(text, alphabet, startsOf(text, maxlen, 3), maxlen)
console.log(
  `corpus length: ${text.length}, total chars: ${chars.length}, nb sequences: ${x.shape[0]}`,
)

const model = new Sequential()
model.add(new LSTM(128, { inputShape: [maxlen, chars.length] }))
model.add(new Dense(chars.length))
model.add(new Activation('softmax'))
model.compile({ loss: 'categorical_crossentropy', optimizer: new RMSprop({ lr: 0.01 }) })

const random = mulberry32(seed)
let loss
for (let iteration = 1; iteration <= epochs; iteration++) {
  console.log(`\n${'-'.repeat(50)}\nIteration ${iteration}`)
  const { history } = await model.fit(x, y, { batchSize: 128, nbEpoch: 1 })
  loss = history.loss[0]
  const start = Math.floor(random() * (text.length - maxlen))
  for (const diversity of [0.2, 0.5, 1.0, 1.2]) {
    let sentence = text.slice(start, start + maxlen)
    console.log(`----- diversity: ${diversity}\n----- Generating with seed: "${sentence}"`)
    let generated = sentence
    for (let i = 0; i < length; i++) {
      const next = chars[draw(read(sentence), diversity, random)]
      generated += next
      sentence = sentence.slice(1) + next
    }
    console.log(generated)
  }
}
console.log(`\nLoss ${loss.toFixed(3)} nats a character (Keras publishes none)`)

/** Probabilities of the character after `sentence`. */
function read(sentence) {
  const { x } = encodeWindows(sentence + sentence[0], alphabet, [0], maxlen)
  return model.predictOnBatchSync(x).data // [1, K]
}
