/**
 * An LSTM reads reviews from both ends and tells those that praise from those that complain.
 *
 *   npm start keras/imdb_bidirectional_lstm [-- PATH --epochs 4]
 */
import '../one-sentence.mjs'
import { Bidirectional, Dense, Dropout, Embedding, LSTM, Sequential } from 'hiddenstate'
import { percent, readOptions } from './options.mjs'
import { loadReviews } from './reviews.mjs'

const maxFeatures = 20000
const maxlen = 100 // words of a text that are read: its last ones
const batchSize = 32
const { path, epochs, limit } = readOptions({ epochs: 4 }, { epochs: 1, limit: 128 })

const { xTrain, yTrain, xTest, yTest } = await loadReviews(path, {
  nbWords: maxFeatures,
  maxlen,
  limit,
})

const model = new Sequential()
model.add(new Embedding(maxFeatures, 128, { inputLength: maxlen }))
model.add(new Bidirectional(new LSTM(64)))
model.add(new Dropout(0.5))
model.add(new Dense(1, { activation: 'sigmoid' }))

model.compile({ optimizer: 'adam', loss: 'binary_crossentropy', metrics: ['accuracy'] })

const { history } = await model.fit(xTrain, yTrain, {
  batchSize,
  nbEpoch: epochs,
  validationData: [xTest, yTest],
})
console.log(
  `Test accuracy: ${percent(history.val_acc.at(-1))} (Keras, on the 50,000 reviews of IMDB after 4 epochs: 81.5 %)`,
)
