/**
 * An LSTM reads handwritten digits row by row. Keras has no such script by itself: its
 * mnist_hierarchical_rnn has a second LSTM that reads the pixels of every row.
 *
 *   npm start keras/mnist_rows_lstm [-- PATH --epochs 5]
 */
import '../one-sentence.mjs'
import { Dense, LSTM, Sequential } from 'hiddenstate'
import { loadDigits } from './digits.mjs'
import { percent, readOptions } from './options.mjs'

const batchSize = 32
const { path, epochs, limit } = readOptions({ epochs: 5 }, { epochs: 1, limit: 500 })
const { xTrain, yTrain, xTest, yTest } = await loadDigits({ source: path, shape: [28, 28], limit })
console.log(`${xTrain.shape[0]} train samples, ${xTest.shape[0]} test samples`)

const model = new Sequential()
model.add(new LSTM(128, { inputShape: [28, 28] })) // 28 rows of 28 pixels
model.add(new Dense(10, { activation: 'softmax' }))
model.compile({ loss: 'categorical_crossentropy', optimizer: 'rmsprop', metrics: ['accuracy'] })

await model.fit(xTrain, yTrain, { batchSize, nbEpoch: epochs, validationData: [xTest, yTest] })
const [loss, accuracy] = await model.evaluate(xTest, yTest, { verbose: 0 })
console.log(`Test loss ${loss.toFixed(4)}`)
console.log(
  `Test accuracy ${percent(accuracy)} (Keras' mnist_hierarchical_rnn after 5 epochs: 98.6 %)`,
)
