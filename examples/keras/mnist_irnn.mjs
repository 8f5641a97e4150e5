/**
 * Digits pixel by pixel, 784 steps: a plain recurrent net with rectified units that starts from the
 * identity (Le, Jaitly and Hinton 2015, https://arxiv.org/abs/1504.00941), trained with RMSprop. A
 * matter of days, in Keras and here: an epoch says little.
 *
 *   npm start keras/mnist_irnn [-- PATH --epochs 200 --limit 60000 --lr 1e-6]
 */
import '../one-sentence.mjs'
import { Activation, Dense, identity, normal, RMSprop, Sequential, SimpleRNN } from 'hiddenstate'
import { loadDigits } from './digits.mjs'
import { percent, readOptions } from './options.mjs'

const batchSize = 32
const hiddenUnits = 100
const clipnorm = 1.0
const { path, epochs, limit, lr } = readOptions(
  { epochs: 200, limit: 60000, lr: 1e-6 },
  { epochs: 1, limit: 64 },
)
const { xTrain, yTrain, xTest, yTest } = await loadDigits({ source: path, shape: [784, 1], limit })
console.log(`${xTrain.shape[0]} train samples, ${xTest.shape[0]} test samples`)

const model = new Sequential()
model.add(
  new SimpleRNN(hiddenUnits, {
    init: normal({ scale: 0.001 }),
    innerInit: identity({ scale: 1.0 }),
    activation: 'relu',
    inputShape: [784, 1],
  }),
)
model.add(new Dense(10))
model.add(new Activation('softmax'))
model.compile({
  loss: 'categorical_crossentropy',
  optimizer: new RMSprop({ lr, clipnorm }),
  metrics: ['accuracy'],
})

await model.fit(xTrain, yTrain, { batchSize, nbEpoch: epochs, validationData: [xTest, yTest] })
const [score, accuracy] = await model.evaluate(xTest, yTest, { verbose: 0 })
console.log(`IRNN test score: ${score.toFixed(4)}`)
console.log(`IRNN test accuracy: ${percent(accuracy)} (Keras after 900 epochs: 93 %)`)
