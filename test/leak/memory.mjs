// Resident memory in the course of many fits of one model, of many models, and of many loads.
// Run with --expose-gc.
import { Dense, GRU, LSTM, loadModel, Sequential } from 'hiddenstate'
import { data, print } from '../behaviour/children/task.mjs'

const { x, y } = data(64, 20, 8)
const MB = 2 ** 20

/** Finalizers run in a later turn of the event loop, some only after a second collection. */
async function settle() {
  for (let i = 0; i < 4; i++) {
    global.gc()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Megabytes resident after each of `points` rounds of `work`. */
async function curve(points, work) {
  const rss = []
  for (let i = 0; i < points; i++) {
    await work(i)
    await settle()
    rss.push(process.memoryUsage().rss / MB)
  }
  return rss
}

function make(units = 32) {
  const m = new Sequential([new LSTM(units, { inputShape: [20, 8], returnSequences: true }), new GRU(units), new Dense(1)])
  m.compile({ optimizer: 'adam', loss: 'mse' })
  return m
}

const one = make()
const fits = await curve(8, async () => {
  for (let i = 0; i < 15; i++) {
    await one.fit(x, y, { nbEpoch: 1, verbose: 0 })
    await one.predict(x)
  }
})

// Dropped, not disposed: the collector must find them.
const dropped = await curve(10, async () => {
  for (let i = 0; i < 30; i++) await make().trainOnBatch(x, y)
})

const disposed = await curve(6, async () => {
  for (let i = 0; i < 30; i++) {
    const m = make()
    await m.trainOnBatch(x, y)
    m.dispose()
  }
})

const file = process.argv[2]
await one.save(file)
const loads = await curve(5, async () => {
  for (let i = 0; i < 6; i++) {
    await one.save(file)
    await loadModel(file)
  }
})

// The negative control: what is kept shows.
const kept = []
const held = await curve(3, async () => {
  for (let i = 0; i < 15; i++) {
    const m = make(128)
    await m.trainOnBatch(x, y)
    kept.push(m)
  }
})
print({ fits, dropped, disposed, loads, held, kept: kept.length })
