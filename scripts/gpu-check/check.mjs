/**
 * What there is to know of a card, in one run without a network: `node check.mjs [FOLDER]`. FOLDER
 * is one that scripts/gpu-bundle.mjs made, and where gpu-check.json goes; default: this checkout,
 * with its build, and build/.
 *
 *   1 what the driver says
 *   2 the native tests, every op and plan on the card
 *   3 losses of 10 batches beside the processor's: cells × masks × dropout × optimizers; equal bits
 *   4 milliseconds of a training step, beside the processor's and, if it is there, PyTorch's
 *
 * Exit status 0: 2 and 3 are as they must be. --quick: a smaller 3 and 4; --no-native: without 2.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const args = process.argv.slice(2)
const quick = args.includes('--quick')
const given = args.find((arg) => !arg.startsWith('--'))
const root = path.resolve(given ?? path.join(here, '..', '..'))
const load = (file) => import(pathToFileURL(path.join(root, file)).href)
const hs = await load('dist/index.js')
const { workload, batchOf } = await load('bench/workloads.mjs')
const { modelOf } = await load('bench/peers/hiddenstate-model.mjs')

const report = { date: new Date().toISOString(), node: process.version, devices: hs.info().devices }
const card = report.devices.find((device) => 'card' in device)
console.log(card ?? report.devices.at(-1))
if (!card || card.problem !== undefined) process.exit(2)

// ---- the native tests

const native = ['native_tests', 'build/native_tests', 'build/Release/native_tests']
  .map((file) => path.join(root, file))
  .find((file) => fs.existsSync(file))
if (native && !args.includes('--no-native')) {
  const kernels = path.join(root, 'native', 'device', 'cuda', 'kernels.ptx')
  const env = { ...process.env, HIDDENSTATE_DEVICE: 'cuda', HIDDENSTATE_CUDA_KERNELS: kernels }
  const ended = spawnSync(native, { env, encoding: 'utf8', maxBuffer: 1 << 26 })
  const lines = (ended.stdout ?? '').trim().split('\n')
  report.nativeStatus = ended.status ?? ended.signal ?? String(ended.error)
  report.nativeTests = lines.at(-1)
  report.nativeFailures = lines.filter((line) => line.startsWith('FAILED'))
  console.log('native tests:', report.nativeTests, ...report.nativeFailures)
}

// ---- losses

const steps = 10
const cells = {
  SimpleRNN: (options) => new hs.SimpleRNN(8, options),
  GRU: (options) => new hs.GRU(8, options),
  'GRU resetAfter': (options) => new hs.GRU(8, { ...options, resetAfter: true }),
  LSTM: (options) => new hs.LSTM(8, options),
}
const optimizers = ['sgd', 'rmsprop', 'adagrad', 'adadelta', 'adam', 'adamax', 'nadam']
const words = Array.from({ length: 6 }, (_, b) =>
  Array.from({ length: 7 }, (_, t) => ((b + 2) * (t + 1)) % 9),
)
const targets = words.map((_, b) => [b % 3])

async function losses(device, { cell, masked, dropout, optimizer }, weights) {
  const model = new hs.Sequential([
    new hs.Embedding(9, 5, { inputLength: 7, maskZero: masked }),
    cells[cell](dropout ? { dropoutW: 0.2, dropoutU: 0.3 } : {}),
    new hs.Dense(3, { activation: 'softmax' }),
  ])
  model.compile({ optimizer, loss: 'sparse_categorical_crossentropy', device })
  if (weights) model.setWeights(weights)
  hs.setSeed(3)
  const own = model.getWeights()
  const seen = []
  for (let i = 0; i < steps; i++) seen.push(await model.trainOnBatch(words, targets))
  const last = model.getWeights()
  model.dispose()
  return { own, seen, last }
}

report.losses = []
for (const cell of Object.keys(cells)) {
  for (const masked of [false, true]) {
    for (const dropout of [false, true]) {
      for (const optimizer of quick ? ['adam'] : optimizers) {
        const which = { cell, masked, dropout, optimizer }
        const cpu = await losses('cpu', which)
        const once = await losses('cuda', which, cpu.own)
        const again = await losses('cuda', which, cpu.own)
        const difference = Math.max(...cpu.seen.map((loss, i) => Math.abs(loss - once.seen[i])))
        const equal = once.last.every(({ data }, i) =>
          data.every((v, j) => Object.is(v, again.last[i].data[j])),
        )
        report.losses.push({ ...which, difference, equal })
      }
    }
  }
}
const worst = report.losses.reduce((a, b) => (a.difference > b.difference ? a : b))
const unequal = report.losses.filter(({ equal }) => !equal)
console.log(
  `${report.losses.length} trainings, losses differ by ${worst.difference} at most`,
  worst,
)
console.log(`twice the same: ${report.losses.length - unequal.length}`)

// ---- times

const seconds = quick ? 0.2 : 3
async function stepMs(job, device) {
  hs.setDevice(device)
  const { model, compile } = modelOf(hs, job)
  compile()
  hs.setDevice('cpu')
  const { x, y } = batchOf(job)
  const times = []
  for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y)
  const end = performance.now() + seconds * 1000
  while (performance.now() < end || times.length < 3) {
    const from = performance.now()
    await model.trainOnBatch(x, y)
    times.push(performance.now() - from)
  }
  model.dispose()
  return times.sort((a, b) => a - b)[times.length >> 1]
}

const python = spawnSync('python3', ['-c', 'import torch; print(torch.cuda.is_available())'])
const hasTorch = String(python.stdout).trim() === 'True'
report.times = []
for (const name of quick ? ['W7'] : ['W2', 'W3', 'W4', 'W5', 'W7']) {
  const job = workload(name)
  const [cuda, cpu] = [await stepMs(job, 'cuda'), await stepMs(job, 'cpu')]
  const row = { workload: name, cuda, cpu, faster: cpu / cuda, usPerStep: (cuda * 1000) / job.T }
  if (hasTorch) {
    const script = path.join(here, 'torch_times.py')
    const { stdout, stderr } = spawnSync('python3', [script, JSON.stringify(job), seconds], {
      encoding: 'utf8',
    })
    row.torch = Number(stdout) || stderr.trim().split('\n').at(-1)
  }
  report.times.push(row)
}
console.table(report.times)

const file = path.join(given ? root : path.join(root, 'build'), 'gpu-check.json')
fs.writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`)
console.log(file)
const near = report.losses.every(({ difference }) => difference < 1e-4)
const tested = args.includes('--no-native') || report.nativeStatus === 0
process.exit(near && tested && unequal.length === 0 ? 0 : 1)
