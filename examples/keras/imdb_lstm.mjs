/**
 * An LSTM tells reviews that praise from those that complain. Keras says of it that the data are
 * too few for an LSTM to be of any advantage over counting words; that holds here as well.
 *
 *   npm start keras/imdb_lstm [-- PATH --epochs 15]
 */
import '../one-sentence.mjs'
import { Activation, Dense, Embedding, LSTM, Sequential } from 'hiddenstate'
import { percent, readOptions } from './options.mjs'
import { loadReviews } from './reviews.mjs'

const maxFeatures = 20000
const maxlen = 80 // words of a text that are read: its last ones
const batchSize = 32
const { path, epochs, limit } = readOptions({ epochs: 15 }, { epochs: 1, limit: 128 })

const { xTrain, yTrain, xTest, yTest } = await loadReviews(path, {
  nbWords: maxFeatures,
  maxlen,
  limit,
})

const model = new Sequential()
model.add(new Embedding(maxFeatures, 128, { dropout: 0.2 }))
model.add(new LSTM(128, { dropoutW: 0.2, dropoutU: 0.2 }))
model.add(new Dense(1))
model.add(new Activation('sigmoid'))

model.compile({ loss: 'binary_crossentropy', optimizer: 'adam', metrics: ['accuracy'] })

await model.fit(xTrain, yTrain, { batchSize, nbEpoch: epochs, validationData: [xTest, yTest] })
const [score, accuracy] = await model.evaluate(xTest, yTest, { batchSize, verbose: 0 })
console.log(`Test score: ${score.toFixed(4)}`)
console.log(`Test accuracy: ${percent(accuracy)} (Keras publishes none for this script)`)
