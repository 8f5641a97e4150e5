// By how many megabytes the process grows over six calls of each kind on 4 MB of data, which
// nothing collects meanwhile.
import { setTimeout } from 'node:timers/promises'
import { SimpleRNN, Sequential } from 'hiddenstate'

const [B, T, D] = [8, 1024, 128]
const x = { data: new Float32Array(B * T * D), shape: [B, T, D] }
const y = { data: new Float32Array(B * 2), shape: [B, 2] }
const model = new Sequential([new SimpleRNN(2, { inputShape: [T, D] })])
model.compile({ optimizer: 'sgd', loss: 'mse' })
const quiet = { verbose: 0 }
const batches = async function* () {
  for (;;) yield [x, y]
}
const calls = {
  trainOnBatch: () => model.trainOnBatch(x, y),
  testOnBatch: () => model.testOnBatch(x, y),
  predictOnBatch: () => model.predictOnBatch(x),
  fit: () => model.fit(x, y, { ...quiet, nbEpoch: 1, validationData: [x, y] }),
  evaluate: () => model.evaluate(x, y, quiet),
  predict: () => model.predict(x, quiet),
  fitGenerator: () => model.fitGenerator(batches(), { ...quiet, samplesPerEpoch: 2 * B, nbEpoch: 1 }),
  evaluateGenerator: () => model.evaluateGenerator(batches(), { valSamples: 2 * B }),
}
const left = {}
for (const [name, call] of Object.entries(calls)) {
  await call()
  globalThis.gc()
  const before = process.memoryUsage.rss()
  for (let i = 0; i < 6; i++) await call()
  // The engine's thread may let go of the last call's data a little later on a busy machine.
  let after = process.memoryUsage.rss()
  for (let i = 0; i < 20 && after - before > 4 * 2 ** 20; i++) {
    await setTimeout(50)
    after = Math.min(after, process.memoryUsage.rss())
  }
  left[name] = (after - before) / 2 ** 20
}
console.log(JSON.stringify(left))
