/**
 * The four tasks: exactly the set-ups that real Keras 1.2.2 was run with. A task makes its data, trains one seed, and names
 * its measures; `better` says which way is better. The first measure decides, the others are looked at by the same rule.
 */
import {
  Adam,
  Dense,
  Dropout,
  Embedding,
  GRU,
  LambdaCallback,
  LSTM,
  Masking,
  Sequential,
  SimpleRNN,
  TimeDistributed,
} from 'hiddenstate'
import * as data from './data.mjs'

const cells = { LSTM, GRU, SimpleRNN }
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length

export const tasks = {
  sentiment: {
    layers: ['LSTM'],
    seeds: 5,
    measures: { val_acc_last: 'higher', val_loss_best: 'lower' },
    data: () => data.sentiment(),
    async train(_, { words, train, test }) {
      const model = new Sequential([
        new Embedding(words + 1, 64, { inputLength: 40 }),
        new LSTM(64, { dropoutW: 0.2, dropoutU: 0.2 }),
        new Dense(1, { activation: 'sigmoid' }),
      ])
      model.compile({ optimizer: 'adam', loss: 'binary_crossentropy', metrics: ['accuracy'] })
      const { history } = await model.fit(train.x, train.y, {
        batchSize: 32,
        nbEpoch: 8,
        verbose: 0,
        validationData: [test.x, test.y],
      })
      return {
        model,
        curve: history,
        final: { val_acc_last: history.val_acc.at(-1), val_loss_best: Math.min(...history.val_loss) },
      }
    },
  },

  sine: {
    layers: ['GRU'],
    seeds: 5,
    measures: { test_mse_ep20: 'lower', test_mse_ep10: 'lower' },
    data: () => data.sine(),
    async train(layer, { train, test }) {
      const model = new Sequential([new cells[layer](32, { inputShape: [50, 1] }), new Dense(1)])
      model.compile({ optimizer: 'adam', loss: 'mse' })
      const curve = { loss: [], test_mse: [] }
      const onEpochEnd = async (_, logs) => {
        curve.loss.push(logs.loss)
        curve.test_mse.push(await model.evaluate(test.x, test.y, { batchSize: 250, verbose: 0 }))
      }
      await model.fit(train.x, train.y, {
        batchSize: 32,
        nbEpoch: 20,
        verbose: 0,
        callbacks: [new LambdaCallback({ onEpochEnd })],
      })
      return { model, curve, final: { test_mse_ep20: curve.test_mse[19], test_mse_ep10: curve.test_mse[9] } }
    },
  },

  vowels: {
    layers: ['LSTM', 'GRU', 'SimpleRNN'],
    seeds: 5,
    measures: { test_acc_ep20: 'higher', test_acc_mean_ep31_40: 'higher', train_loss_ep20: 'lower' },
    data: ({ vowels }) => data.vowels(vowels),
    async train(layer, { train, test }) {
      const model = new Sequential([
        new Masking({ maskValue: 0, inputShape: [29, 12] }),
        new cells[layer](100),
        new Dense(9, { activation: 'softmax' }),
      ])
      model.compile({ optimizer: 'adam', loss: 'categorical_crossentropy', metrics: ['accuracy'] })
      const { history } = await model.fit(train.x, train.y, {
        batchSize: 27,
        nbEpoch: 40,
        verbose: 0,
        validationData: [test.x, test.y],
      })
      return {
        model,
        curve: history,
        final: {
          test_acc_ep20: history.val_acc[19],
          test_acc_mean_ep31_40: mean(history.val_acc.slice(30)),
          train_loss_ep20: history.loss[19],
        },
      }
    },
  },

  jsb: {
    layers: ['LSTM', 'GRU', 'SimpleRNN'],
    seeds: 3,
    measures: { test_nll: 'lower', valid_nll_ep20: 'lower' },
    data: ({ jsb }) => data.jsb(jsb),
    async train(layer, { train, valid, test }) {
      const model = new Sequential([
        new Masking({ maskValue: -1, inputShape: [null, 88] }),
        new cells[layer](200, { returnSequences: true }),
        new Dropout(0.3),
        new TimeDistributed(new Dense(88, { activation: 'sigmoid' })),
      ])
      model.compile({ optimizer: new Adam({ lr: layer === 'SimpleRNN' ? 0.003 : 0.01 }), loss: 'binary_crossentropy' })
      const curve = { loss: [], valid_nll: [], test_nll: [] }
      const best = () => curve.valid_nll.indexOf(Math.min(...curve.valid_nll))
      const onEpochEnd = async (_, logs) => {
        curve.loss.push(logs.loss)
        curve.valid_nll.push(await nll(model, valid))
        curve.test_nll.push(await nll(model, test))
        if (curve.loss.length - 1 - best() >= 8) model.stopTraining = true
      }
      await model.fit(train.x, train.y, {
        batchSize: 8,
        nbEpoch: 60,
        verbose: 0,
        callbacks: [new LambdaCallback({ onEpochEnd })],
      })
      const final = { test_nll: curve.test_nll[best()], best_epoch: best() + 1 }
      if (curve.valid_nll.length >= 20) final.valid_nll_ep20 = curve.valid_nll[19]
      return { model, curve, final }
    },
  },
}

/** Negative log-likelihood a frame: summed over the 88 keys, averaged over all real frames of the part. */
async function nll(model, { x, y, lengths }) {
  const p = (await model.predict(x, { batchSize: 77 })).data // [N, T, 88]
  const [, T, K] = x.shape
  let total = 0
  for (const [n, length] of lengths.entries())
    for (let i = n * T * K; i < (n * T + length) * K; i++) {
      const q = Math.min(Math.max(p[i], 1e-7), 1 - 1e-7)
      total -= y.data[i] === 1 ? Math.log(q) : Math.log(1 - q)
    }
  return total / lengths.reduce((a, b) => a + b, 0)
}
