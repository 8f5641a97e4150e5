/**
 * The same LSTM in the three modes of `consumeLess`: what they cost and what they learn. In Keras
 * they are three ways to compute; 'gpu' shares a dropout mask among the gates,
 * so it learns a little differently.
 *
 *   npm start keras/lstm_benchmark [-- PATH --epochs 10]
 */
import '../one-sentence.mjs'
import { Dense, Embedding, LSTM, Sequential } from 'hiddenstate'
import { readOptions } from './options.mjs'
import { loadReviews } from './reviews.mjs'

const maxFeatures = 20000
const maxLength = 80
const embeddingDim = 256
const batchSize = 128
const { path, epochs, limit } = readOptions({ epochs: 10 }, { epochs: 1, limit: 64 })

const { xTrain, yTrain, xTest, yTest } = await loadReviews(path, {
  nbWords: maxFeatures,
  maxlen: maxLength,
  limit,
})

const results = {}
for (const mode of ['cpu', 'mem', 'gpu']) {
  console.log(`Testing mode: consumeLess '${mode}'`)
  const model = new Sequential()
  model.add(new Embedding(maxFeatures, embeddingDim, { inputLength: maxLength, dropout: 0.2 }))
  model.add(new LSTM(embeddingDim, { dropoutW: 0.2, dropoutU: 0.2, consumeLess: mode }))
  model.add(new Dense(1, { activation: 'sigmoid' }))
  model.compile({ loss: 'binary_crossentropy', optimizer: 'adam', metrics: ['accuracy'] })

  const from = performance.now()
  const { history } = await model.fit(xTrain, yTrain, {
    batchSize,
    nbEpoch: epochs,
    validationData: [xTest, yTest],
  })
  const seconds = (performance.now() - from) / 1000 / epochs
  results[mode] = {
    'seconds an epoch': Number(seconds.toFixed(2)),
    'validation loss': Number(history.val_loss.at(-1).toFixed(4)),
    'validation accuracy': Number(history.val_acc.at(-1).toFixed(4)),
  }
}
console.table(results)
console.log('(Keras publishes no figures, it draws them.)')
