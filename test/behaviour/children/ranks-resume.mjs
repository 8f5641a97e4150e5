/**
 * A rank of a training with checkpoints. Arguments: folder of checkpoints, number of epochs, and
 * 'dies': rank 0 is killed in the middle.
 */
import { createHash } from 'node:crypto'
import { distribute, EarlyStopping, LambdaCallback, setSeed } from 'hiddenstate'
import { task } from './ranks-models.mjs'

const [dir, epochs, how] = process.argv.slice(2)
const world = await distribute({ virtualShards: 4 })
setSeed(5)
const { model, x, y, fit } = task('gru', world)
let batches = 0
const onBatchEnd = () => {
  if (how === 'dies' && world.isMain && ++batches === 14) process.kill(process.pid, 'SIGKILL')
}
const { history } = await model.fit(x, y, {
  ...fit,
  nbEpoch: Number(epochs),
  validationSplit: 0.1,
  callbacks: [new EarlyStopping({ patience: 100 }), new LambdaCallback({ onBatchEnd })],
  ...(dir === 'none' ? {} : { checkpoint: { dir, everyBatches: 3 }, resume: 'auto' }),
})
const hash = createHash('sha256')
for (const { data } of model.getWeights()) hash.update(new Uint8Array(data.buffer))
console.log(
  JSON.stringify({ rank: world.rank, weights: hash.digest('hex').slice(0, 16), loss: history.loss }),
)
