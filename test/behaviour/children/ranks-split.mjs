/**
 * A rank of a job that two trainings share: ranks of one colour train together, on data of their
 * own, then each alone, then all. Says what came of it.
 */
import { createHash } from 'node:crypto'
import { distribute, setSeed } from 'hiddenstate'
import { task } from './ranks-models.mjs'

const world = await distribute({ virtualShards: 4 })
const color = world.rank % 2
const part = await world.split(color, { virtualShards: 4 })
const alone = await part.split(part.rank, { virtualShards: 4 })

const trained = async (by, seed) => {
  setSeed(seed)
  const { model, x, y, fit } = task('gru', by)
  await model.fit(x, y, { ...fit, nbEpoch: 2 })
  const hash = createHash('sha256')
  for (const { data } of model.getWeights()) hash.update(new Uint8Array(data.buffer))
  return hash.digest('hex').slice(0, 16)
}
const weights = {
  part: await trained(part, color),
  alone: await trained(alone, color),
  all: await trained(world, 7),
}
const schedule = part.scaleLr(0.1)
console.log(
  JSON.stringify({
    rank: world.rank,
    parts: [world, part, alone].map(({ rank, size }) => `${rank} of ${size}`),
    weights,
    rates: [0, 2, 5, 9].map(schedule),
    short: part.scaleLr(0.1, { warmupEpochs: 1 })(1),
  }),
)
await part.barrier()
await world.close()
