/**
 * Several processes train one GRU on sums of random numbers (the adding problem of Hochreiter and
 * Schmidhuber, 1997), over MPI. However many ranks there are, the last loss is the same number.
 *
 *   npm start distributed [-- --epochs 4 --samples 4000 --shards 8 --seed 1 --smoke]
 *   mpirun -n 4 node examples/distributed/main.mjs [--epochs 4 …]
 */
import '../one-sentence.mjs'
import { createHash } from 'node:crypto'
import { Dense, distribute, GRU, Sequential, setSeed } from 'hiddenstate'
import { readOptions } from '../keras/options.mjs'
import { mulberry32 } from '../sine/waves.mjs'

const { epochs, samples, shards, seed } = readOptions(
  { epochs: 4, samples: 4000, shards: 8, seed: 1 },
  { epochs: 1, samples: 256 },
)
const world = await distribute({ virtualShards: shards })
setSeed(seed)

/** Of T numbers two are marked; their sum is asked for. [samples, T, 2] and [samples, 1] */
function adding(T, random) {
  const x = new Float32Array(samples * T * 2)
  const y = new Float32Array(samples)
  for (let i = 0; i < samples; i++) {
    for (let t = 0; t < T; t++) x[(i * T + t) * 2] = random()
    for (const half of [0, 1]) {
      const t = Math.floor(((half + random()) * T) / 2)
      x[(i * T + t) * 2 + 1] = 1
      y[i] += x[(i * T + t) * 2]
    }
  }
  return { x: { data: x, shape: [samples, T, 2] }, y: { data: y, shape: [samples, 1] } }
}

const { x, y } = adding(20, mulberry32(seed))
const model = new Sequential([new GRU(32, { inputShape: [20, 2] }), new Dense(1)])
model.compile({ loss: 'mse', optimizer: 'adam', distribute: world })
const { history } = await model.fit(x, y, { batchSize: 64, nbEpoch: epochs, verbose: 2 })
if (world.isMain) {
  const hash = createHash('sha256')
  for (const { data } of model.getWeights()) hash.update(new Uint8Array(data.buffer))
  const weights = hash.digest('hex').slice(0, 12)
  const ranks = world.size === 1 ? '1 rank' : `${world.size} ranks`
  console.log(`${ranks}: loss ${history.loss.at(-1)}, weights ${weights}`)
}
await world.close()
