// A worker is ended while the compute thread, which all share, is in a loop that would go on for
// minutes; then a function of the main thread must have its turn. Prints what it gives.
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { add, dot, fn, last, mean, scan, shared, sum, placeholder } from 'hiddenstate/backend'

if (isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url))
  await new Promise((resolve) => worker.once('message', resolve))
  await sleep(100)
  await worker.terminate()
  const x = placeholder(['N'], 'x')
  const total = await fn([x], sum(x))([1, 2])
  process.stdout.write(`${JSON.stringify({ sum: total.data[0] })}\n`)
} else {
  const row = () => Array.from({ length: 400 }, () => 0.001)
  const A = shared(Array.from({ length: 400 }, row), 'A')
  const [h] = scan((h) => [mean(dot(add(A, h), A))], {
    outputsInfo: [shared(0, 'start')],
    nSteps: 50_000,
  })
  const run = fn([], last(h))()
  parentPort.postMessage('begun')
  await run
}
