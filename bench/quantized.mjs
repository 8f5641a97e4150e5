/**
 * `npm run bench:quantized [-- --threads 1 --rounds 5 --vowels DIR --nietzsche FILE --sunspots FILE
 * --seeds 3 --out FILE.json]`: what `model.quantize` saves and costs. Steps of recurrent layers as
 * float32, bfloat16 and int8, by turns; sizes of their files; and the tasks of bench/quality, whose
 * data are given, trained as float32 and judged in all three. Prints and writes JSON.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LSTM, NDArray, Sequential, setSeed, setThreads } from 'hiddenstate'
import { machine } from './machine.mjs'
import { tasks } from './quality/tasks.mjs'
import { median } from './statistics.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const text = (value) => ({ type: 'string', default: value })
const { values } = parseArgs({
  options: {
    threads: text('1'),
    rounds: text('5'),
    seeds: text('3'),
    vowels: { type: 'string' },
    nietzsche: { type: 'string' },
    sunspots: { type: 'string' },
    out: text(path.join(here, 'out', 'quantized.json')),
  },
})
setThreads(Number(values.threads))

/** Batch, steps, features, units of each LSTM. */
const SHAPES = {
  'W6, one step of LSTM 256': [1, 1, 64, [256]],
  'one step of LSTM 512': [1, 1, 512, [512]],
  'one step of LSTM 1024': [1, 1, 1024, [1024]],
  '100 steps of two LSTM 256': [1, 100, 64, [256, 256]],
  '64 rows, 100 steps of LSTM 256': [64, 100, 64, [256]],
}

async function quantized(model) {
  return {
    float32: model,
    bfloat16: await model.quantize('bfloat16'),
    int8: await model.quantize('int8'),
  }
}

/** Microseconds of a call: the median over rounds of the mean of 200 ms; and bytes of the file. */
async function steps([B, T, D, units]) {
  setSeed(1)
  const first = { batchInputShape: [B, T, D] }
  const layers = units.map(
    (H, i) =>
      new LSTM(H, {
        ...(i === 0 ? first : {}),
        stateful: T === 1,
        returnSequences: i < units.length - 1,
      }),
  )
  const models = await quantized(new Sequential(layers))
  const x = NDArray.from(
    Float32Array.from({ length: B * T * D }, (_, i) => Math.sin(i)),
    [B, T, D],
  )
  const file = path.join(os.tmpdir(), `hs-quantized-${process.pid}.safetensors`)
  const rows = Object.fromEntries(Object.keys(models).map((name) => [name, { all: [] }]))
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, model] of Object.entries(models)) {
      let calls = 0
      const from = performance.now()
      for (; performance.now() < from + 200; calls++) model.predictOnBatchSync(x)
      rows[name].all.push((1000 * (performance.now() - from)) / calls)
    }
  for (const [name, model] of Object.entries(models)) {
    await model.save(file)
    rows[name].bytes = fs.statSync(file).size
    rows[name].us = median(rows[name].all)
    model.dispose()
  }
  fs.rmSync(file)
  return rows
}

/** Tasks with a test set: what they are compiled with, and what of it is shown, in which unit. */
const JUDGED = {
  sentiment: { loss: 'binary_crossentropy', accuracy: true },
  vowels: { loss: 'categorical_crossentropy', accuracy: true },
  addition: { loss: 'categorical_crossentropy', accuracy: true },
  sine: { loss: 'mse' },
  chars: { loss: 'categorical_crossentropy' },
}

/** The measure of a task's test set, float32, bfloat16 and int8, a row a seed. */
async function judged(name, layer, data) {
  const { loss, accuracy } = JUDGED[name]
  const rows = []
  for (let seed = 0; seed < Number(values.seeds); seed++) {
    setSeed(seed)
    const { model } = await tasks[name].train(layer, data, seed)
    const row = {}
    for (const [kind, each] of Object.entries(await quantized(model))) {
      each.compile({ loss, optimizer: 'sgd', metrics: ['accuracy'] })
      const [cost, right] = await each.evaluate(data.test.x, data.test.y, { verbose: 0 })
      row[kind] = accuracy ? 100 * right : cost
      each.dispose()
    }
    rows.push(row)
  }
  return rows
}

const report = { machine: machine(), threads: Number(values.threads), steps: {}, tasks: {} }
const show = (number) => String(Number(number.toPrecision(4)))
console.log('| | float32 | bfloat16 | int8 | file, float32 | bfloat16 | int8 |')
console.log('|---|--:|--:|--:|--:|--:|--:|')
for (const [name, shape] of Object.entries(SHAPES)) {
  const rows = await steps(shape)
  report.steps[name] = rows
  const all = Object.values(rows)
  const sizes = all.map(({ bytes }) => `${show(bytes / 1e6)} MB`)
  console.log(`| ${[name, ...all.map(({ us }) => `${show(us)} µs`), ...sizes].join(' | ')} |`)
}
console.log('\n| task, mean of seeds | float32 | bfloat16 | int8 | int8, worst of a seed |')
console.log('|---|--:|--:|--:|--:|')
for (const [name, { accuracy }] of Object.entries(JUDGED)) {
  const { needs, layers } = tasks[name]
  if (needs && !values[needs]) continue
  const data = tasks[name].data(values)
  for (const layer of layers) {
    const rows = await judged(name, layer, data)
    report.tasks[`${name}/${layer}`] = rows
    const mean = (kind) => rows.reduce((sum, row) => sum + row[kind], 0) / rows.length
    const lost = rows.map(({ float32, int8 }) => (accuracy ? float32 - int8 : int8 - float32))
    const unit = accuracy ? ' %' : ''
    const means = ['float32', 'bfloat16', 'int8'].map((kind) => show(mean(kind)) + unit)
    const what = accuracy ? 'accuracy' : 'loss'
    console.log(
      `| ${name}, ${layer}, ${what} | ${means.join(' | ')} | ${show(Math.max(...lost))} |`,
    )
  }
}
fs.mkdirSync(path.dirname(values.out), { recursive: true })
fs.writeFileSync(values.out, `${JSON.stringify(report, null, 1)}\n`)
