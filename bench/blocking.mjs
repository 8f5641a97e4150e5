/**
 * `npm run bench:blocking [-- --only LSTM --limit 50]`: how long each call on a large model keeps
 * the event loop, at a stretch. What counts is the processor time of the main thread between two
 * turns (Linux; elsewhere the time that passed): it does not depend on what else the machine does.
 * Prints a table. With --limit, exit status 1 where a call that is to leave the event loop free
 * keeps it longer.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import {
  Dense,
  Embedding,
  Flatten,
  GRU,
  loadModel,
  LSTM,
  modelFromJson,
  Sequential,
  setSeed,
} from 'hiddenstate'
import { machine } from './machine.mjs'

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, limit: { type: 'string' } },
})
const clock = `/proc/self/task/${process.pid}/schedstat`
const now = fs.existsSync(clock)
  ? () => Number(fs.readFileSync(clock, 'latin1').split(' ')[0]) / 1e6
  : () => performance.now()
const file = path.join(os.tmpdir(), `hiddenstate-blocking-${process.pid}.h5`)
const N = 32

const recurrent = (layer) => ({ layers: () => [layer(), new Dense(1)], input: [2, 8] })
const MODELS = {
  'LSTM(512)': recurrent(() => new LSTM(512, { inputShape: [2, 8] })),
  'LSTM(1024)': recurrent(() => new LSTM(1024, { inputShape: [2, 8] })),
  'LSTM(2000)': recurrent(() => new LSTM(2000, { inputShape: [2, 8] })),
  'GRU(2000)': recurrent(() => new GRU(2000, { inputShape: [2, 8] })),
  'Dense, 20M parameters': {
    layers: () => [new Dense(20_000, { inputDim: 1000 }), new Dense(1)],
    input: [1000],
  },
  'Embedding 500,000 x 64': {
    layers: () => [new Embedding(500_000, 64, { inputLength: 4 }), new Flatten(), new Dense(1)],
    input: [4],
  },
}

/** What `call` returns, and its longest stretch in ms. */
async function stretch(call) {
  await new Promise((resolve) => setTimeout(resolve, 20))
  let [last, longest, isOver] = [now(), 0, false]
  const turn = () => {
    const time = now()
    longest = Math.max(longest, time - last)
    last = time
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  const result = await call()
  await new Promise((resolve) => setImmediate(resolve))
  isOver = true
  return { result, longest }
}

const CALLS = [
  'build',
  'compile',
  'first fit',
  'modelFromJson',
  'first predict',
  'loadModel',
  'save',
  'getWeights',
]
/** They return numbers, or write a copy of them: docs/performance.md says why. */
const AT_ONCE = new Set(['save', 'getWeights'])
console.log(JSON.stringify(machine()))
console.log(`| longest stretch, ms | ${CALLS.join(' | ')} |`)
console.log(`|---|${CALLS.map(() => '--:').join('|')}|`)
const problems = []
for (const [name, { layers, input }] of Object.entries(MODELS)) {
  if (!name.includes(values.only)) continue
  setSeed(1)
  const x = {
    data: new Float32Array(N * input.reduce((a, b) => a * b)).fill(1),
    shape: [N, ...input],
  }
  const y = { data: new Float32Array(N), shape: [N, 1] }
  let model
  const steps = {
    build: () => new Sequential(layers()),
    compile: () => model.compile({ loss: 'mse', optimizer: 'adam' }),
    'first fit': () => model.fit(x, y, { nbEpoch: 1, verbose: 0 }),
    getWeights: () => model.getWeights(),
    save: () => model.save(file),
    modelFromJson: () => modelFromJson(model.toJson()),
    'first predict': () => model.predict(x),
    loadModel: () => loadModel(file),
  }
  const longest = {}
  for (const [call, run] of Object.entries(steps)) {
    globalThis.gc?.()
    const measured = await stretch(run)
    longest[call] = measured.longest
    if (measured.result instanceof Sequential && measured.result !== model) {
      model?.dispose()
      model = measured.result
    }
    if (values.limit && !AT_ONCE.has(call) && measured.longest > Number(values.limit))
      problems.push(
        `${name}: ${call} keeps the event loop ${measured.longest.toFixed(0)} ms, more than ${values.limit}`,
      )
  }
  model.dispose()
  console.log(`| ${name} | ${CALLS.map((call) => longest[call].toFixed(0)).join(' | ')} |`)
}
fs.rmSync(file, { force: true })
for (const problem of problems) console.error(`blocking: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)
