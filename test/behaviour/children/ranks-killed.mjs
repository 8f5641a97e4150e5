/**
 * A rank of a training that somebody kills, with checkpoints: epochs, the folder of the checkpoints
 * ('none': without), batches between two of them, and after how many batches each rank sends itself
 * a SIGTERM. Rank 0 says `fit` when the training begins, and writes how many batches are done to
 * the file `batches` beside the folder: `from 12` as it begins, `13`, `14`, ….
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { Callback, distribute, LambdaCallback, setSeed } from 'hiddenstate'
import { task } from './ranks-models.mjs'

const [epochs, dir, everyBatches = '3', terminatedAfter] = process.argv.slice(2)

class Counter extends Callback {
  batches = 0
  isFirst = true
  get everyRank() {
    return false
  }
  getState() {
    return this.batches
  }
  setState(batches) {
    this.batches = batches
  }
  log(text) {
    fs.appendFileSync(path.join(path.dirname(dir), 'batches'), `${text}\n`)
  }
  onBatchBegin() {
    if (!this.isFirst) return
    this.isFirst = false
    this.log(`from ${this.batches}`)
    console.log('fit')
  }
  onBatchEnd() {
    this.log(++this.batches)
  }
}

const world = await distribute({ virtualShards: 4 })
setSeed(5)
const { model, x, y, fit } = task('gru', world)
let batches = 0
const onBatchEnd = () => {
  if (++batches === Number(terminatedAfter)) process.kill(process.pid, 'SIGTERM')
}
const kept = {
  checkpoint: { dir, everyBatches: Number(everyBatches) },
  resume: 'auto',
  callbacks: [new Counter(), new LambdaCallback({ onBatchEnd })],
}
const { history } = await model.fit(x, y, {
  ...fit,
  nbEpoch: Number(epochs),
  validationSplit: 0.1,
  ...(dir === 'none' ? {} : kept),
})
const hash = createHash('sha256').update(JSON.stringify(history))
for (const { data } of model.getWeights()) hash.update(new Uint8Array(data.buffer))
console.log(JSON.stringify({ rank: world.rank, bits: hash.digest('hex').slice(0, 16) }))
