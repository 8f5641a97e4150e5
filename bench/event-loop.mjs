/**
 * `npm run bench:event-loop [-- --seconds 10 --limit 20]`: how long a 5 ms timer waits beyond its
 * time while a model with 256 units is fitted; whether two fits of two models both progress;
 * whether predict answers during a fit. Writes JSON; with --limit, exit status 1 when the longest
 * wait is above it.
 *
 *   mpirun -n 2 node bench/event-loop.mjs --distributed [--seconds 10 --limit 20]
 *
 * The wait alone, of each rank while all of them fit one model.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dense, distribute, LSTM, Sequential, setSeed } from 'hiddenstate'
import { machine } from './machine.mjs'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    limit: { type: 'string' },
    distributed: { type: 'boolean', default: false },
    out: {
      type: 'string',
      default: path.join(path.dirname(fileURLToPath(import.meta.url)), 'out', 'event-loop.json'),
    },
  },
})
const seconds = Number(values.seconds)
setSeed(1)
const [N, T, D, H] = [1024, 50, 32, 256]
const x = {
  data: Float32Array.from({ length: N * T * D }, (_, i) => Math.sin(i * 0.7)),
  shape: [N, T, D],
}
const y = { data: Float32Array.from({ length: N }, (_, i) => Math.cos(i)), shape: [N, 1] }
const one = { data: x.data.slice(0, T * D), shape: [1, T, D] }

const world = values.distributed ? await distribute() : null

function makeModel() {
  const model = new Sequential([new LSTM(H, { inputShape: [T, D] }), new Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam', distribute: world })
  return model
}

/** Fits until the time is over, which rank 0 says to the others; epochs done. */
async function fitFor(model, ms) {
  const signal = world && !world.isMain ? null : AbortSignal.timeout(ms)
  let epochs = 0
  try {
    for (;;) {
      await model.fit(x, y, { nbEpoch: 1, verbose: 0, signal })
      epochs += 1
    }
  } catch (error) {
    if (error !== signal?.reason && error.code !== 'ERR_RANK') throw error
  }
  return epochs
}

/**
 * Runs `work` beside a chain of 5 ms timers; `{ ticks, longest, p99 }`, waits beyond 5 ms in ms.
 */
async function watch(work) {
  const waits = []
  let due = performance.now() + 5
  let timer = setTimeout(function tick() {
    const now = performance.now()
    waits.push(Math.max(0, now - due))
    due = now + 5
    timer = setTimeout(tick, 5)
  }, 5)
  const result = await work()
  clearTimeout(timer)
  waits.sort((a, b) => a - b)
  return {
    result,
    ticks: waits.length,
    longest: waits.at(-1),
    p99: waits[Math.floor(waits.length * 0.99)],
  }
}

const idle = await watch(() => new Promise((resolve) => setTimeout(resolve, 2000)))
const model = makeModel()
const single = await watch(() => fitFor(model, seconds * 1000))

if (world) {
  const { rank, size } = world
  const figures = {
    rank,
    size,
    ticks: single.ticks,
    longestWaitMs: single.longest,
    p99: single.p99,
  }
  console.log(JSON.stringify({ ...figures, machine: machine() }))
  process.exit(values.limit && single.longest > Number(values.limit) ? 1 : 0)
}

// Building a model is synchronous work of this thread and not watched; one prediction makes its
// native side ready.
const models = [makeModel(), makeModel(), makeModel()]
for (const m of models) await m.predict(one)
const pair = await watch(() =>
  Promise.all(models.slice(0, 2).map((m) => fitFor(m, (seconds / 2) * 1000))),
)

const answers = []
const during = await watch(async () => {
  const busy = models[2]
  const fitting = fitFor(busy, (seconds / 2) * 1000)
  const end = performance.now() + (seconds / 2) * 1000 - 200
  while (performance.now() < end) {
    const from = performance.now()
    await busy.predict(one)
    answers.push(performance.now() - from)
  }
  return fitting
})
answers.sort((a, b) => a - b)

const report = {
  machine: machine(),
  model: `LSTM(${H}), T=${T}, D=${D}, batch 32, ${N} samples`,
  idle: { ticks: idle.ticks, longestWaitMs: idle.longest },
  fit: {
    seconds,
    epochs: single.result,
    ticks: single.ticks,
    longestWaitMs: single.longest,
    p99WaitMs: single.p99,
  },
  twoFits: { seconds: seconds / 2, epochs: pair.result, longestWaitMs: pair.longest },
  predictDuringFit: {
    answers: answers.length,
    medianMs: answers[answers.length >> 1] ?? null,
    longestMs: answers.at(-1) ?? null,
    epochs: during.result,
    longestWaitMs: during.longest,
  },
}
fs.mkdirSync(path.dirname(values.out), { recursive: true })
fs.writeFileSync(values.out, `${JSON.stringify(report, null, 1)}\n`)
console.log(JSON.stringify(report, null, 1))
const problems = []
if (values.limit && single.longest > Number(values.limit))
  problems.push(`a 5 ms timer waited ${single.longest.toFixed(1)} ms, more than ${values.limit}`)
if (Math.min(...pair.result) < 1)
  problems.push(`two fits side by side: both must progress, got ${pair.result} epochs`)
if (answers.length === 0) problems.push('predict did not answer during a fit')
for (const problem of problems) console.error(`event-loop: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)
