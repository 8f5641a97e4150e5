/**
 * A stateful LSTM follows a long series one value a step: what it has to know of the past is in its
 * state alone. The series is a cosine that dies away, the task its next value.
 *
 *   npm start keras/stateful_lstm [-- --epochs 25]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Dense, LSTM, Sequential } from 'hiddenstate'
import { drawLines } from '../drawing.mjs'
import { readOptions } from './options.mjs'

const tsteps = 1
const batchSize = 25
const { epochs, count } = readOptions({ epochs: 25, count: 50000 }, { epochs: 1, count: 5000 })

/** amp cos(2 pi i / period) exp(-k i) for i from 0 to n. */
const genCosineAmp = (n, { amp = 100, period = 1000, k = 0.0001 } = {}) =>
  Float32Array.from(
    { length: n },
    (_, i) => amp * Math.cos((2 * Math.PI * i) / period) * Math.exp(-k * i),
  )

const cos = genCosineAmp(count)
const expected = Float32Array.from(cos, (_, i) => cos[i + 1] ?? 0)
const x = { data: cos, shape: [count, tsteps, 1] }
const y = { data: expected, shape: [count, 1] }

const model = new Sequential()
model.add(
  new LSTM(50, { batchInputShape: [batchSize, tsteps, 1], returnSequences: true, stateful: true }),
)
model.add(new LSTM(50, { returnSequences: false, stateful: true }))
model.add(new Dense(1))
model.compile({ loss: 'mse', optimizer: 'rmsprop' })

for (let epoch = 1; epoch <= epochs; epoch++) {
  console.log(`Epoch ${epoch} / ${epochs}`)
  await model.fit(x, y, { batchSize, nbEpoch: 1, shuffle: false })
  model.resetStates()
}

const predicted = (await model.predict(x, { batchSize })).data // [N, 1]
const rmse = (values) =>
  Math.sqrt(values.reduce((sum, v, i) => sum + (v - expected[i]) ** 2, 0) / count)
console.log(
  `RMSE of the series: predicted ${rmse(predicted).toFixed(2)}, always 0 ${rmse(cos.map(() => 0)).toFixed(2)}`,
)
console.log('(Keras publishes no figure, it draws both.)')

const shown = Array.from({ length: Math.min(400, count / 5) }, (_, i) => i * 5)
const points = shown.flatMap((t) => [
  { t, value: expected[t], series: 'true' },
  { t, value: predicted[t], series: 'predicted' },
])
const out = new URL('out/', import.meta.url)
fs.mkdirSync(out, { recursive: true })
const file = fileURLToPath(new URL('stateful_lstm.svg', out))
fs.writeFileSync(
  file,
  drawLines(points, { title: 'A stateful LSTM', x: 'step', y: 'value', from: 0 }),
)
console.log(`Drawing: ${file}`)
