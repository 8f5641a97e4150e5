/**
 * The objective: how well a recurrent net with these parameters adds. Of twenty numbers two are
 * marked, and their sum is asked for (the adding problem of Hochreiter and Schmidhuber 1997).
 */
import { Adam, Dense, GRU, LSTM, Sequential, setSeed } from 'hiddenstate'
import { asha, choice, int, logUniform, TrialReporter } from 'hiddenstate/tune'

export const space = {
  lr: logUniform(1e-4, 1e-1),
  units: int(4, 32, { log: true }),
  batchSize: choice([16, 32, 64]),
  cell: choice(['lstm', 'gru']),
  // the LSTM's bias of the forget gate at the start; a GRU has none
  forgetBias: choice(['zero', 'one'], { when: { cell: 'lstm' } }),
}
export const options = { trials: 24, pruner: asha({ minStep: 4, reductionFactor: 2 }), seed: 1 }

const T = 20
const EPOCHS = Number(process.env.TUNING_EPOCHS ?? 16)

/** x [n, T, 2]: a number and its mark; y [n, 1]. Numbers of a stream of their own (mulberry32). */
function sums(n, seed) {
  let a = seed
  const random = () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const x = { data: new Float32Array(n * T * 2), shape: [n, T, 2] }
  const y = { data: new Float32Array(n), shape: [n, 1] }
  for (let i = 0; i < n; i++) {
    for (let t = 0; t < T; t++) x.data[(i * T + t) * 2] = random()
    for (const half of [0, 1]) {
      const at = (i * T + half * (T / 2) + Math.floor((random() * T) / 2)) * 2
      x.data[at + 1] = 1
      y.data[i] += x.data[at]
    }
  }
  return { x, y }
}

const train = sums(600, 1)
const valid = sums(300, 2)

/** The mean squared error on new sums; always saying 1 has 0.167. */
export default async function objective({ lr, units, batchSize, cell, forgetBias }, trial) {
  setSeed(trial.seed)
  const inputShape = [T, 2]
  const model = new Sequential([
    cell === 'lstm'
      ? new LSTM(units, { inputShape, forgetBiasInit: forgetBias })
      : new GRU(units, { inputShape }),
    new Dense(1),
  ])
  model.compile({ loss: 'mse', optimizer: new Adam({ lr, clipnorm: 1 }) })
  const history = await model.fit(train.x, train.y, {
    ...{ batchSize, nbEpoch: EPOCHS, validationData: [valid.x, valid.y], verbose: 0 },
    callbacks: [new TrialReporter(trial)], // val_loss, after every epoch
    signal: trial.signal,
  })
  return history.history.val_loss.at(-1)
}
