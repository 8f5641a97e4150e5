/**
 * An LSTM learns whether a sentence of a review praises or complains. `npm start` builds everything
 * and runs this.
 *
 *   node examples/sentiment/main.mjs [--epochs 8] [--seed 1] [--smoke]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dense, Embedding, info, LSTM, Sequential, setSeed } from 'hiddenstate'
import { naiveBayesAccuracy, prepareReviews } from './reviews.mjs'

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
  },
})
setSeed(Number(values.seed))

const reviews = prepareReviews()
const { xTrain, yTrain, xTest, yTest, encode } = reviews
console.log(
  `${yTrain.length} sentences to learn from, ${yTest.length} held out, ${reviews.words} words`,
)
console.log(`hiddenstate ${info().version} on ${info().isa}, ${info().threads} threads`)

const model = new Sequential()
model.add(new Embedding(reviews.words + 1, 64, { inputLength: 40 }))
model.add(new LSTM(64, { dropoutW: 0.2, dropoutU: 0.2 }))
model.add(new Dense(1, { activation: 'sigmoid' }))
model.compile({ loss: 'binary_crossentropy', optimizer: 'adam', metrics: ['accuracy'] })

await model.fit(xTrain, yTrain, {
  batchSize: 32,
  nbEpoch: values.smoke ? 1 : Number(values.epochs),
})

const [loss, accuracy] = await model.evaluate(xTest, yTest, { verbose: 0 })
const percent = (share) => `${(100 * share).toFixed(1)} %`
console.log(
  `\nHeld-out accuracy: LSTM ${percent(accuracy)} (loss ${loss.toFixed(3)}), naive Bayes on words ${percent(naiveBayesAccuracy(reviews))}`,
)
console.log(
  `(600 sentences: a sampling error of about ${percent(Math.sqrt((accuracy * (1 - accuracy)) / yTest.length))}; the two are close.)\n`,
)

const sentences = [
  'The battery lasts for days and the sound is excellent.',
  'What a waste of money, it broke after one week.',
  'The acting was wooden and the plot made no sense.',
  'Friendly staff, wonderful food, we will be back!',
  'I do not recommend this place.',
]
const scores = await model.predict(encode(sentences)) // [5, 1]
for (const [i, sentence] of sentences.entries())
  console.log(`${percent(scores.get(i, 0)).padStart(7)} positive  ${sentence}`)

const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out')
fs.mkdirSync(out, { recursive: true })
const file = path.join(out, 'sentiment.h5')
await model.save(file)
console.log(`\nSaved the model as ${path.relative(process.cwd(), file)} (in Keras 1.2.2's layout).`)
