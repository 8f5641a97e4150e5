/** A rank that trains two layers, each large enough for a sum of its own, for three batches. */
import { array, Dense, distribute, Embedding, LSTM, Sequential } from 'hiddenstate'

const world = await distribute()
const model = new Sequential([
  new Embedding(5000, 16, { inputLength: 3 }),
  new LSTM(128, { returnSequences: true }),
  new LSTM(128),
  new Dense(1),
])
model.compile({ loss: 'mse', optimizer: 'sgd', distribute: world })
const words = array(
  Int32Array.from({ length: 36 }, (_, i) => (i * i * i) % 5000),
  [12, 3],
)
await model.fit(
  words,
  Float32Array.from({ length: 12 }, (_, i) => i % 2),
  {
    batchSize: 4,
    nbEpoch: 1,
    verbose: 0,
  },
)
