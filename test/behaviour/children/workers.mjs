// Four workers load the package and train; one is terminated in mid-fit. Prints what each reported.
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { data, longFit, model, print } from './task.mjs'

const file = fileURLToPath(import.meta.url)

if (isMainThread) {
  const worker = (endless) => new Worker(file, { workerData: { endless } })
  const result = (w) =>
    new Promise((resolve, reject) => {
      w.once('message', resolve)
      w.once('error', reject)
    })
  const victim = worker(true)
  await result(victim) // it is in the middle of its fit
  const others = [worker(false), worker(false), worker(false)]
  const losses = Promise.all(others.map(result))
  const terminated = await victim.terminate()
  print({ terminated, losses: await losses })
} else if (workerData.endless) {
  const { LambdaCallback } = await import('hiddenstate')
  const told = new LambdaCallback({ onBatchEnd: (batch) => batch === 3 && parentPort.postMessage('fitting') })
  await longFit(undefined, { callbacks: [told] })
} else {
  const { x, y } = data(64, 10, 4)
  const history = await model().fit(x, y, { nbEpoch: 3, verbose: 0 })
  parentPort.postMessage(history.history.loss)
}
