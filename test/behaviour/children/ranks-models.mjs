/** Models and data for tests of ranks: each of what a distributed training must add up. */
import {
  ActivityRegularization,
  Adam,
  array,
  CRF,
  Dense,
  Dropout,
  Embedding,
  GaussianNoise,
  GRU,
  Input,
  Lambda,
  LSTM,
  l2,
  Masking,
  maxnorm,
  Model,
  Sequential,
  TimeDistributed,
} from 'hiddenstate'
import * as K from 'hiddenstate/backend'

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
// Two outputs, one with a mask and one with weights: each loss has a factor of its own.
tasks.outputs = () => {
  const input = Input({ shape: [6, 3] })
  const states = new ActivityRegularization({ l2: 0.01 }).call(
    new GRU(5, { returnSequences: true }).call(new Masking({ maskValue: 0 }).call(input)),
  )
  const model = new Model({
    input,
    output: [
      new TimeDistributed(new Dense(1)).call(states),
      new Dense(1, { activation: 'sigmoid' }).call(new LSTM(4).call(states)),
    ],
  })
  const metrics = ['mae', 'precision', 'recall', 'fmeasure', 'matthews_correlation']
  return {
    model,
    x: padded,
    y: [steps, y],
    compile: { loss: ['mse', 'binary_crossentropy'], lossWeights: [0.5, 1], metrics },
    fit: { sampleWeight: [null, noise(N, 3).map((v) => (v > 0.5 ? 0 : 1 + v))] },
  }
}
tasks['activity beside weights'] = () => ({
  layers: [
    new LSTM(8, { inputShape: [6, 3] }),
    new Dense(4, { activityRegularizer: 'l1' }),
    new Dense(1),
  ],
  x: sequences,
  y,
  fit: { sampleWeight: noise(N, 4).map((v) => (v > 0.2 ? 0 : 1 + v)) },
})
tasks.functions = () => ({
  layers: [
    new LSTM(6, { inputShape: [6, 3], zoneout: 0, returnSequences: true, activation: K.softsign }),
    new Lambda((h) => K.concat(K.l2Normalize(h), K.mul(h, K.mean(h, 1, true)))),
    new GRU(4),
    new Lambda((h) => K.sub(h, K.mean(h, -1, true))),
    new Dense(1),
  ],
  x: sequences,
  y,
  compile: {
    loss: (t, p) => K.mean(K.sqrt(K.add(K.square(K.sub(p, t)), 1)), -1),
    metrics: [(t, p) => K.mean(K.abs(K.sub(t, p)))],
  },
})
tasks.ctc = () => ({
  layers: [
    new Masking({ maskValue: 0, inputShape: [6, 3] }),
    new GRU(5, { returnSequences: true }),
    new TimeDistributed(new Dense(4, { activation: 'softmax' })),
  ],
  x: sequences,
  y: array(
    Int32Array.from({ length: N * 2 }, (_, i) => (i % 2 === 1 && i % 3 === 0 ? -1 : (i * 31) % 3)),
    [N, 2],
  ),
  compile: { loss: 'ctc', metrics: ['label_error_rate'] },
  fit: { sampleWeight: noise(N, 5).map((v) => (v > 0.5 ? 0 : 1 + v)) },
})
tasks.crf = () => ({
  layers: [
    new Masking({ maskValue: 0, inputShape: [6, 3] }),
    new LSTM(4, { returnSequences: true }),
    new CRF(3),
  ],
  x: padded,
  y: array(
    Int32Array.from({ length: N * 6 }, (_, i) => (i * 31) % 3),
    [N, 6, 1],
  ),
  compile: { loss: 'sparse_crf', metrics: [] },
})
export const NAMES = Object.keys(tasks)

/** A compiled model, and what to train it on. */
export function task(name, world) {
  const own = tasks[name]()
  const { layers, clipnorm = 0, fit = {}, x, y, compile } = own
  const model = own.model ?? new Sequential(layers)
  const optimizer = new Adam({ lr: 0.01, clipnorm })
  model.compile({ loss: 'mse', optimizer, metrics: ['mae'], distribute: world, ...compile })
  return { model, x, y, fit: { batchSize: 28, verbose: 0, ...fit } }
}
