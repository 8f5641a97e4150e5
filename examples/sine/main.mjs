/**
 * A GRU learns to continue sine waves; the drawing shows it going on alone, each prediction being
 * its next input.
 *
 *   npm run example:sine [-- --epochs 20 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dense, GRU, Sequential, setSeed } from 'hiddenstate'
import { drawLines } from '../drawing.mjs'
import { makeWaves } from './waves.mjs'

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
  },
})
setSeed(Number(values.seed))
const train = makeWaves(1000, 1)
const test = makeWaves(500, 2)

const model = new Sequential()
model.add(new GRU(32, { inputShape: [50, 1] }))
model.add(new Dense(1))
model.compile({ loss: 'mse', optimizer: 'adam' })
await model.fit(train.x, train.y, {
  batchSize: 32,
  nbEpoch: values.smoke ? 1 : Number(values.epochs),
})

const mse = await model.evaluate(test.x, test.y, { batchSize: 250, verbose: 0 })
const last = test.y.data.map((y, i) => (y - test.x.data[i * 50 + 49]) ** 2)
console.log(
  `\nTest MSE ${mse.toExponential(1)} (Keras 1.2.2, same set-up, 20 epochs: 5.0e-4 ± 1.7e-4 over 5 seeds)`,
)
console.log(
  `Repeating the last value: ${(last.reduce((a, b) => a + b) / last.length).toExponential(1)}`,
)

// Going on alone from the 50 values of the first test wave.
const { w, p } = test.waves[0]
const wave = Array.from(test.x.data.subarray(0, 50))
while (wave.length < 100) {
  const window = { data: Float32Array.from(wave.slice(-50)), shape: [1, 50, 1] }
  wave.push((await model.predict(window)).get(0, 0))
}
const points = wave.flatMap((value, t) => [
  { t, value: Math.sin(w * t + p), series: 'true' },
  ...(t < 50 ? [] : [{ t, value, series: 'predicted' }]),
])
const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out')
fs.mkdirSync(out, { recursive: true })
const file = path.join(out, 'sine.svg')
fs.writeFileSync(
  file,
  drawLines(points, {
    title: 'A GRU goes on alone after 50 steps',
    x: 'step',
    y: 'value',
    from: 50,
  }),
)
console.log(`Drawing: ${path.relative(process.cwd(), file)}`)
