/**
 * A rank, or a process alone, that trains a workload for some seconds. Rank 0 prints JSON: the
 * milliseconds of a step, the mean of each epoch.
 *
 *   node bench/rank-steps.mjs WORKLOAD BATCH SECONDS [plain]
 *
 * BATCH: rows of a step, of all ranks together. `plain`: without `distribute`.
 */
import * as hs from 'hiddenstate'
import { modelOf } from './peers/hiddenstate-model.mjs'
import { batchOf, flops, workload } from './workloads.mjs'

/** Epochs that do not count. */
const WARM_UP = 2
const [name, batch, seconds, how] = process.argv.slice(2)
const world = how === 'plain' ? null : await hs.distribute()
const w = workload(name)
const batchSize = Number(batch)
// an epoch is some tenths of a second: long beside what begins and ends it
const batches = Math.max(2, Math.ceil(2e10 / flops({ ...w, B: batchSize }, 'train')))
const { x, y } = batchOf({ ...w, B: batches * batchSize })
hs.setSeed(1)
const { model, compile } = modelOf(hs, w)
compile(world ? { distribute: world } : {})

const isMain = world?.isMain ?? true
const enough = new AbortController()
const steps = []
let begun = 0
let counted = 0
const timer = new hs.LambdaCallback({
  onEpochBegin: (epoch) => {
    begun = performance.now()
    if (epoch === WARM_UP) counted = begun
  },
  onEpochEnd: (epoch) => {
    const now = performance.now()
    if (epoch < WARM_UP) return
    steps.push((now - begun) / batches)
    if (isMain && now - counted > 1000 * Number(seconds)) enough.abort()
  },
})
const { signal } = enough
try {
  await model.fit(x, y, { batchSize, nbEpoch: 1e6, verbose: 0, callbacks: [timer], signal })
} catch (error) {
  // what rank 0 ends, ends the others with ERR_RANK
  if (error !== signal.reason && error.code !== 'ERR_RANK') throw error
}
if (isMain) console.log(JSON.stringify({ steps }))
