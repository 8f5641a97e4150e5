// Workers that are ended in the middle of one kind of work, several at a time. Arguments: the kind,
// how many, how many at a time. Prints how many have ended. Longer campaigns: `node
// test/behaviour/children/worker-terminate.mjs fit 1000 8`.
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, threadId, Worker, workerData } from 'node:worker_threads'

const file = fileURLToPath(import.meta.url)

/** Each goes on for ever. `told` says when the work has begun. */
const WORK = {
  async fit({ model, x, y }, told) {
    told()
    await model.fit(x, y, { nbEpoch: 1e6, verbose: 0, batchSize: 16 })
  },
  async fitWithCallbacks({ model, x, y, LambdaCallback }, told) {
    const callbacks = [new LambdaCallback({ onBatchEnd: (batch) => batch === 1 && told() })]
    await model.fit(x, y, { nbEpoch: 1e6, verbose: 0, batchSize: 16, callbacks })
  },
  async exitInCallback({ model, x, y, LambdaCallback }, told) {
    told()
    const callbacks = [new LambdaCallback({ onBatchEnd: (batch) => batch === 2 && process.exit(0) })]
    await model.fit(x, y, { nbEpoch: 1e6, verbose: 0, batchSize: 16, callbacks })
  },
  async predict({ model, x }, told) {
    for (told(); ; ) await model.predict(x)
  },
  predictOnBatch({ model, x }, told) {
    for (told(); ; ) model.predictOnBatch(x)
  },
  predictOnBatchSync({ model, x }, told) {
    for (told(); ; ) model.predictOnBatchSync(x)
  },
  async train({ model, x, y }, told) {
    for (told(); ; ) await model.trainOnBatch(x, y)
  },
  async build({ Sequential, LSTM }, told) {
    for (told(); ; ) {
      const other = new Sequential([new LSTM(8, { inputShape: [3, 2] })])
      other.compile({ loss: 'mse', optimizer: 'sgd' })
      await other.predict({ data: new Float32Array(6), shape: [1, 3, 2] })
      other.dispose()
    }
  },
  async save({ model }, told) {
    for (told(); ; ) await model.save(saved())
  },
  getWeights({ model }, told) {
    for (told(); ; ) model.getWeights()
  },
  setWeights({ model }, told) {
    const weights = model.getWeights()
    for (told(); ; ) model.setWeights(weights)
  },
  errors({ model }, told) {
    const wrong = { data: new Float32Array(3), shape: [1, 1, 3] }
    for (told(); ; ) {
      try {
        model.predictOnBatchSync(wrong)
      } catch {}
    }
  },
}

const saved = (id = threadId) => path.join(tmpdir(), `hs-terminate-${process.pid}-${id}.h5`)

if (isMainThread) {
  const [kind, count = '8', atOnce = '4'] = process.argv.slice(2)
  if (!WORK[kind]) throw new Error(`the kind must be one of ${Object.keys(WORK).join(', ')}, got ${kind}`)
  let begun = 0
  let ended = 0
  const one = (delay) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(file, { workerData: kind })
      const id = worker.threadId
      worker.on('error', reject)
      worker.once('message', () => setTimeout(() => worker.terminate(), delay))
      worker.on('exit', () => {
        ended++
        rmSync(saved(id), { force: true })
        resolve()
      })
    })
  const row = async () => {
    // ms: another moment of the work each time
    while (begun < Number(count)) await one((begun++ * 7) % 30)
  }
  await Promise.all(Array.from({ length: Number(atOnce) }, row))
  process.stdout.write(`${JSON.stringify({ ended, megabytes: Math.round(process.memoryUsage.rss() / 1e6) })}\n`)
} else {
  const { Dense, LambdaCallback, LSTM, Sequential } = await import('hiddenstate')
  const model = new Sequential([new LSTM(32, { inputShape: [20, 8], dropoutW: 0.2 }), new Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  const x = { data: new Float32Array(64 * 160).fill(0.5), shape: [64, 20, 8] }
  const y = { data: new Float32Array(64), shape: [64, 1] }
  await WORK[workerData]({ model, x, y, Dense, LSTM, LambdaCallback, Sequential }, () => parentPort.postMessage('begun'))
}
