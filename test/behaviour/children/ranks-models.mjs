/** Models and data for tests of ranks: each of what a distributed training must add up. */
import {
  Adam,
  array,
  Dense,
  Dropout,
  Embedding,
  GaussianNoise,
  GRU,
  LSTM,
  l2,
  Masking,
  maxnorm,
  Sequential,
  TimeDistributed,
} from 'hiddenstate'

const N = 100
const noise = (n, from) =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + from)) * 0.9)
const sequences = array(noise(N * 6 * 3, 1), [N, 6, 3])
const padded = array(
  sequences.data.map((x, i) => (Math.floor(i / 3) % 6 > 2 + (Math.floor(i / 18) % 4) ? 0 : x)),
  [N, 6, 3],
)
const word = (_, i) => (i % 7 > 2 + (i % 5) ? 0 : 1 + ((i * 7919) % 49))
const words = array(Int32Array.from({ length: N * 7 }, word), [N, 7])
const y = array(
  Float32Array.from({ length: N }, (_, i) => (i * 31) % 2),
  [N, 1],
)
const steps = array(noise(N * 6, 7), [N, 6, 1])

const tasks = {
  lstm: () => ({
    layers: [
      new LSTM(8, { inputShape: [6, 3], WRegularizer: l2({ l: 0.01 }) }),
      new Dense(1, { WConstraint: maxnorm({ m: 1 }) }),
    ],
    x: sequences,
    y,
    clipnorm: 1,
    fit: { sampleWeight: noise(N, 3).map((v) => (v > 0.5 ? 0 : 1 + v)) },
  }),
  gru: () => ({
    layers: [
      new GRU(8, { inputShape: [6, 3], dropoutW: 0.3, dropoutU: 0.2 }),
      new Dropout(0.3),
      new Dense(1),
    ],
    x: sequences,
    y,
  }),
  // Gradients of each LSTM are a sum of their own, and most rows of the embedding are never used.
  embedding: () => ({
    layers: [
      new Embedding(5000, 16, { maskZero: true, dropout: 0.2 }),
      new LSTM(128, { returnSequences: true }),
      new LSTM(128),
      new Dense(1),
    ],
    x: words,
    y,
  }),
  masks: () => ({
    layers: [
      new Masking({ maskValue: 0, inputShape: [6, 3] }),
      new GaussianNoise(0.1),
      new GRU(5, { returnSequences: true }),
      new TimeDistributed(new Dense(1)),
    ],
    x: padded,
    y: steps,
  }),
}
export const NAMES = Object.keys(tasks)

/** A compiled model, and what to train it on. */
export function task(name, world) {
  const { layers, clipnorm = 0, fit = {}, x, y } = tasks[name]()
  const model = new Sequential(layers)
  const optimizer = new Adam({ lr: 0.01, clipnorm })
  model.compile({ loss: 'mse', optimizer, metrics: ['mae'], distribute: world })
  return { model, x, y, fit: { batchSize: 28, verbose: 0, ...fit } }
}
