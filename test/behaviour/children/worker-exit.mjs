// Regression: an addon that is unloaded when the worker that loaded it ends takes the process with
// it (-z nodelete).
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker } from 'node:worker_threads'
import { print } from './task.mjs'

if (isMainThread) {
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve, reject) => {
      const worker = new Worker(fileURLToPath(import.meta.url))
      worker.once('error', reject)
      worker.once('exit', resolve)
    })
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  print('alive')
} else {
  const { data, model } = await import('./task.mjs')
  const { x, y } = data(32, 5, 4)
  await model().trainOnBatch(x, y)
}
