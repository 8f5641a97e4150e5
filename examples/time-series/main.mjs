/**
 * An LSTM forecasts next month's CO2 on Mauna Loa from the changes of the last 24 months (npm
 * package vega-datasets), and is held against persistence: "as this month", and "as this month,
 * plus what the same month brought a year ago".
 *
 *   npm run example:time-series [-- --epochs 60 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dense, EarlyStopping, LSTM, Sequential, setSeed } from 'hiddenstate'
import { drawLines } from '../drawing.mjs'

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
  },
})
setSeed(Number(values.seed))

const csv = fs.readFileSync(
  createRequire(import.meta.url).resolve('vega-datasets/data/co2-concentration.csv'),
  'utf8',
)
const rows = csv
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split(','))
// Five months of 1958 and 1964 are missing; the rows are taken as if they followed each other.
const level = rows.map((row) => Number(row[1])) // ppm, one value a month
const change = level.map((value, t) => value - (level[t - 1] ?? value))

const window = 24
const first = window + 1 // the first month with 24 changes before it
const split = Math.floor(level.length * 0.75) // train on the months before, test on those after
const past = change.slice(1, split)
const mean = past.reduce((a, b) => a + b, 0) / past.length
const sd = Math.sqrt(past.reduce((a, b) => a + (b - mean) ** 2, 0) / past.length)

/**
 * Windows before each month of [from, to), and that month's change,
 * standardised with the training months.
 */
function windows(from, to) {
  const months = Array.from({ length: to - from }, (_, i) => from + i)
  const scale = (value) => (value - mean) / sd
  return {
    months,
    x: months.map((t) => change.slice(t - window, t).map((value) => [scale(value)])), // [N, 24, 1]
    y: months.map((t) => [scale(change[t])]), // [N, 1]
  }
}
const train = windows(first, split)
const test = windows(split, level.length)
console.log(
  `${train.months.length} months to learn from, ${test.months.length} to forecast (${rows[split][0].slice(0, 7)} and later)`,
)

const model = new Sequential()
model.add(new LSTM(32, { inputShape: [window, 1] }))
model.add(new Dense(1))
model.compile({ loss: 'mse', optimizer: 'adam' })
await model.fit(train.x, train.y, {
  batchSize: 16,
  nbEpoch: values.smoke ? 1 : Number(values.epochs),
  validationSplit: 0.15, // the last months before the split: no look at the test months
  callbacks: [new EarlyStopping({ monitor: 'val_loss', patience: 8 })],
})

const answers = await model.predict(test.x) // [N, 1]
const forecast = test.months.map((t, i) => level[t - 1] + mean + sd * answers.get(i, 0))
const rmse = (guess) =>
  Math.sqrt(
    test.months.reduce((sum, t, i) => sum + (guess(t, i) - level[t]) ** 2, 0) / test.months.length,
  )
console.log('\nError of the forecast one month ahead (RMSE, ppm):')
console.log(`  as this month                              ${rmse((t) => level[t - 1]).toFixed(3)}`)
console.log(
  `  as this month, plus last year's change     ${rmse((t) => level[t - 1] + change[t - 12]).toFixed(3)}`,
)
console.log(
  `  LSTM                                       ${rmse((_, i) => forecast[i]).toFixed(3)}`,
)

const shown = test.months.slice(-60)
const points = shown.flatMap((t) => [
  { t: new Date(rows[t][0]), value: level[t], series: 'true' },
  { t: new Date(rows[t][0]), value: forecast[test.months.indexOf(t)], series: 'predicted' },
])
const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out')
fs.mkdirSync(out, { recursive: true })
const file = path.join(out, 'co2.svg')
fs.writeFileSync(
  file,
  drawLines(points, {
    title: 'CO2 on Mauna Loa, one month ahead',
    x: 'month',
    y: 'ppm',
    from: points[0].t,
  }),
)
console.log(`\nDrawing: ${path.relative(process.cwd(), file)}`)
