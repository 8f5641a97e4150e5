/**
 * Trainings that write checkpoints, for signals: `two` at once in this thread, or one in a
 * `worker`. Each prints, after a batch, how many listen for SIGTERM. Arguments: which, and a folder
 * for the checkpoints.
 */
import path from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { Callback } from 'hiddenstate'
import { data, model } from './task.mjs'

const [how, folder] = isMainThread ? process.argv.slice(2) : workerData

class Slow extends Callback {
  async onBatchEnd() {
    process.stdout.write(`listening ${process.listenerCount('SIGTERM')}\n`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function train(name) {
  const { x, y } = data(32, 5, 4)
  const checkpoint = { dir: path.join(folder, name) }
  await model(4).fit(x, y, { batchSize: 4, nbEpoch: 1000, verbose: 0, checkpoint, callbacks: [new Slow()] })
}

if (how === 'two') await Promise.all([train('a'), train('b')])
else if (isMainThread) new Worker(new URL(import.meta.url), { workerData: [how, folder] })
else await train('a')
