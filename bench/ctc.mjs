/**
 * `node bench/ctc.mjs [--rounds 8 --threads 1]`: what the loss 'ctc' adds to a training step of a
 * BiLSTM of 256 units, 32 samples of 500 frames, 60 labels and 32 classes, beside the same net with
 * categorical_crossentropy. Steps take turns; prints medians in ms.
 */
import { parseArgs } from 'node:util'
import {
  Bidirectional,
  ctc,
  Dense,
  LSTM,
  NDArray,
  Sequential,
  setSeed,
  setThreads,
  TimeDistributed,
} from 'hiddenstate'
import { mulberry32 } from '../examples/sine/waves.mjs'
import { machine } from './machine.mjs'
import { median } from './statistics.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    threads: { type: 'string', default: '1' },
  },
})
const [B, T, D, H, K, L] = [32, 500, 40, 256, 32, 60]
const random = mulberry32(1)

function made(loss) {
  setSeed(1)
  const model = new Sequential([
    new Bidirectional(new LSTM(H, { returnSequences: true }), { inputShape: [T, D] }),
    new TimeDistributed(new Dense(K, { activation: 'softmax' })),
  ])
  model.compile({ loss, optimizer: 'adam' })
  return model
}

setThreads(Number(values.threads))
const x = new NDArray(
  Float32Array.from({ length: B * T * D }, () => random() - 0.5),
  [B, T, D],
)
const frames = new NDArray(
  Float32Array.from({ length: B * T * K }, (_, i) => Number(i % K === 3)),
  [B, T, K],
)
const labels = Array.from({ length: B }, () =>
  Array.from({ length: L }, () => Math.floor(random() * (K - 1))),
)
const losses = {
  categorical_crossentropy: { model: made('categorical_crossentropy'), y: frames, times: [] },
  ctc: { model: made(ctc()), y: labels, times: [] },
}
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const { model, y, times } of Object.values(losses)) {
    const start = performance.now()
    await model.trainOnBatch(x, y)
    if (round > 0) times.push(performance.now() - start) // the first one warms up
  }
}
console.log(machine())
for (const [name, { times }] of Object.entries(losses))
  console.log(`${name}: ${median(times).toFixed(0)} ms a step, threads: ${values.threads}`)
const added = median(losses.ctc.times) / median(losses.categorical_crossentropy.times) - 1
console.log(`added: ${(100 * added).toFixed(1)} %`)
