/**
 * `node bench/any-length.mjs [--rounds 5 --threads 1]`: an epoch on sequences with lengths as of
 * spoken sentences (log-normal, median 1 s of 10 ms frames), given as they are, and padded to the
 * longest with a mask. Rounds take turns; prints sequences a second both ways and the ratio.
 */
import { parseArgs } from 'node:util'
import {
  Bidirectional,
  Dense,
  LSTM,
  Masking,
  Ragged,
  Sequential,
  setSeed,
  setThreads,
  TimeDistributed,
} from 'hiddenstate'
import { machine } from './machine.mjs'
import { median } from './statistics.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
  },
})
const [N, D, H, K, BATCH] = [256, 40, 128, 28, 32]
const PADDING = -9

let state = 7
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return (state + 1) / 2 ** 32
}
const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random())
const lengths = Array.from({ length: N }, () =>
  Math.max(20, Math.min(400, Math.round(100 * Math.exp(0.5 * normal())))),
)
const total = lengths.reduce((sum, steps) => sum + steps, 0)
const sequences = (features) =>
  new Ragged(Float32Array.from({ length: total * features }, random), lengths, [features])

function made(masks = true) {
  setSeed(1)
  const shape = { inputShape: [null, D] }
  const model = new Sequential([
    ...(masks ? [new Masking({ maskValue: PADDING, ...shape })] : []),
    new Bidirectional(new LSTM(H, { returnSequences: true }), shape),
    new TimeDistributed(new Dense(K)),
  ])
  model.compile({ loss: 'mse', optimizer: 'adam' })
  return model
}

setThreads(Number(values.threads))
const x = sequences(D) // [N, T_i, D]
const y = sequences(K) // [N, T_i, K]
const padded = { x: x.padded(undefined, { value: PADDING }), y: y.padded() }
const ways = {
  'as they are': { model: made(), x, y, times: [] },
  'padded to the longest': { model: made(false), ...padded, times: [] },
  'padded to the longest, with a mask': { model: made(), ...padded, times: [] },
}
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const way of Object.values(ways)) {
    const start = performance.now()
    await way.model.fit(way.x, way.y, { batchSize: BATCH, nbEpoch: 1, verbose: 0 })
    if (round > 0) way.times.push(performance.now() - start) // the first one warms up
  }
}
console.log(machine())
const steps = `${Math.min(...lengths)} to ${Math.max(...lengths)} steps, ${Math.round(total / N)} on average`
console.log(`BiLSTM ${H}, batches of ${BATCH}, ${steps}, threads: ${values.threads}`)
for (const [name, { times }] of Object.entries(ways))
  console.log(`${name}: ${((N / median(times)) * 1000).toFixed(0)} sequences a second`)
const [own, ...others] = Object.values(ways).map(({ times }) => median(times))
console.log(`ratios: ${others.map((time) => (time / own).toFixed(2)).join(', ')}`)
