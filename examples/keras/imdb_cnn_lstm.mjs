/**
 * A convolution finds short phrases in reviews, an LSTM reads them and tells praise from complaint.
 * Sensitive to the size of the batches, as Keras says.
 *
 *   npm start keras/imdb_cnn_lstm [-- PATH --epochs 2]
 */
import '../one-sentence.mjs'
import {
  Activation,
  Convolution1D,
  Dense,
  Dropout,
  Embedding,
  LSTM,
  MaxPooling1D,
  Sequential,
} from 'hiddenstate'
import { percent, readOptions } from './options.mjs'
import { loadReviews } from './reviews.mjs'

// Embedding
const maxFeatures = 20000
const maxlen = 100 // words of a text that are read: its last ones
const embeddingSize = 128
// Convolution
const filterLength = 5
const nbFilter = 64
const poolLength = 4
// LSTM
const lstmOutputSize = 70
// Training
const batchSize = 30
const { path, epochs, limit } = readOptions({ epochs: 2 }, { epochs: 1, limit: 120 })

const { xTrain, yTrain, xTest, yTest } = await loadReviews(path, {
  nbWords: maxFeatures,
  maxlen,
  limit,
})

const model = new Sequential()
model.add(new Embedding(maxFeatures, embeddingSize, { inputLength: maxlen }))
model.add(new Dropout(0.25))
model.add(
  new Convolution1D(nbFilter, filterLength, {
    borderMode: 'valid',
    activation: 'relu',
    subsampleLength: 1,
  }),
)
model.add(new MaxPooling1D({ poolLength }))
model.add(new LSTM(lstmOutputSize))
model.add(new Dense(1))
model.add(new Activation('sigmoid'))

model.compile({ loss: 'binary_crossentropy', optimizer: 'adam', metrics: ['accuracy'] })

await model.fit(xTrain, yTrain, { batchSize, nbEpoch: epochs, validationData: [xTest, yTest] })
const [score, accuracy] = await model.evaluate(xTest, yTest, { batchSize, verbose: 0 })
console.log(`Test score: ${score.toFixed(4)}`)
console.log(
  `Test accuracy: ${percent(accuracy)} (Keras, on the 50,000 reviews of IMDB after 2 epochs: 85.0 %)`,
)
