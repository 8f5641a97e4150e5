// How many threads the process has after one model, several at once, and a model in each of two
// workers; and what they use when idle.
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker } from 'node:worker_threads'
import { info } from 'hiddenstate'
import { data, model, print } from './task.mjs'

const { x, y } = data(320, 20, 8)
const fit = () => model(32, 8).fit(x, y, { nbEpoch: 2, batchSize: 160, verbose: 0 })
const inWorker = () =>
  new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url))
    worker.on('message', () => resolve(worker))
    worker.on('error', reject)
  })

if (isMainThread) {
  // libuv's own threads
  await Promise.all(Array.from({ length: 8 }, () => readFile(fileURLToPath(import.meta.url))))
  const count = () => readdirSync('/proc/self/task').length
  const before = count()
  await fit()
  const one = count() - before
  await Promise.all([fit(), fit(), fit()])
  const several = count() - before
  const workers = await Promise.all([inWorker(), inWorker()])
  const withWorkers = count() - before - workers.length // a worker is a thread itself
  await Promise.all(workers.map((worker) => worker.terminate()))
  await fit()
  await sleep(500) // patience ends
  const from = process.cpuUsage()
  await sleep(1000)
  const { user, system } = process.cpuUsage(from)
  const { threads, threading } = info()
  print({ threads, threading, one, several, withWorkers, idleMs: (user + system) / 1000 })
} else {
  await fit()
  const { parentPort } = await import('node:worker_threads')
  parentPort.postMessage('done')
  parentPort.on('message', () => {}) // stays
}
