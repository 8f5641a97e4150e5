/**
 * The tasks: exactly the set-ups that real Keras 1.2.2 was run with, and one of our own (polarity).
 * A task makes its data, trains one seed, and names its measures and which way is better; the first
 * decides, the others are looked at by the same rule. `curves`: what the drawing shows. `needs`:
 * the option with the path of its data.
 */
import {
  Activation,
  Adam,
  Bidirectional,
  Dense,
  Dropout,
  EarlyStopping,
  Embedding,
  GlobalMaxPooling1D,
  GRU,
  LambdaCallback,
  LSTM,
  Masking,
  RepeatVector,
  RMSprop,
  Sequential,
  SimpleRNN,
  TimeDistributed,
} from 'hiddenstate'
import { decode } from '../../examples/keras/additions.mjs'
import * as data from './data.mjs'

const cells = { LSTM, GRU, SimpleRNN }
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length

export const tasks = {
  sentiment: {
    layers: ['LSTM'],
    seeds: 5,
    measures: { val_acc_last: 'higher', val_loss_best: 'lower' },
    curves: ['loss', 'val_acc'],
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
        final: {
          val_acc_last: history.val_acc.at(-1),
          val_loss_best: Math.min(...history.val_loss),
        },
      }
    },
  },

  sine: {
    layers: ['GRU'],
    seeds: 5,
    measures: { test_mse_ep20: 'lower', test_mse_ep10: 'lower' },
    curves: ['loss', 'test_mse'],
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
      return {
        model,
        curve,
        final: { test_mse_ep20: curve.test_mse[19], test_mse_ep10: curve.test_mse[9] },
      }
    },
  },

  vowels: {
    layers: ['LSTM', 'GRU', 'SimpleRNN'],
    seeds: 5,
    measures: {
      test_acc_ep20: 'higher',
      test_acc_mean_ep31_40: 'higher',
      train_loss_ep20: 'lower',
    },
    curves: ['loss', 'val_acc'],
    needs: 'vowels',
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
    curves: ['loss', 'valid_nll'],
    needs: 'jsb',
    data: ({ jsb }) => data.jsb(jsb),
    async train(layer, { train, valid, test }) {
      const model = new Sequential([
        new Masking({ maskValue: -1, inputShape: [null, 88] }),
        new cells[layer](200, { returnSequences: true }),
        new Dropout(0.3),
        new TimeDistributed(new Dense(88, { activation: 'sigmoid' })),
      ])
      model.compile({
        optimizer: new Adam({ lr: layer === 'SimpleRNN' ? 0.003 : 0.01 }),
        loss: 'binary_crossentropy',
      })
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

  addition: {
    layers: ['LSTM'],
    seeds: 5,
    measures: {
      val_acc_last: 'higher',
      val_exact_last: 'higher',
      'epochs_to_val_acc_0.90': 'lower',
      'epochs_to_val_acc_0.95': 'lower',
      'epochs_to_train_acc_0.99': 'lower',
    },
    curves: ['loss', 'val_acc'],
    data: () => data.addition(),
    async train(layer, { train, test }) {
      const model = new Sequential([
        new cells[layer](128, { inputShape: [5, 12] }),
        new RepeatVector(3),
        new cells[layer](128, { returnSequences: true }),
        new TimeDistributed(new Dense(12)),
        new Activation('softmax'),
      ])
      model.compile({ optimizer: 'adam', loss: 'categorical_crossentropy', metrics: ['accuracy'] })
      const curve = { loss: [], acc: [], val_loss: [], val_acc: [], val_exact: [] }
      const onEpochEnd = async (_, logs) => {
        for (const key of ['loss', 'acc', 'val_loss', 'val_acc']) curve[key].push(logs[key])
        const written = decode(await model.predict(test.x, { batchSize: 250 }))
        curve.val_exact.push(mean(written.map((text, i) => Number(text === test.answers[i]))))
        if (curve.loss.length >= 8 && Math.min(...curve.val_acc.slice(-3)) >= 0.995)
          model.stopTraining = true
      }
      await model.fit(train.x, train.y, {
        batchSize: 128,
        nbEpoch: 100,
        verbose: 0,
        validationData: [test.x, test.y],
        callbacks: [new LambdaCallback({ onEpochEnd })],
      })
      // The epoch that first reaches a share; beyond the last where none does.
      const reaches = (values, share) =>
        values.findIndex((v) => v >= share) + 1 || values.length + 1
      return {
        model,
        curve,
        final: {
          val_acc_last: curve.val_acc.at(-1),
          val_exact_last: curve.val_exact.at(-1),
          'epochs_to_val_acc_0.90': reaches(curve.val_acc, 0.9),
          'epochs_to_val_acc_0.95': reaches(curve.val_acc, 0.95),
          'epochs_to_train_acc_0.99': reaches(curve.acc, 0.99),
        },
      }
    },
  },

  chars: {
    layers: ['LSTM'],
    seeds: 3,
    measures: {
      val_nats_ep3: 'lower',
      val_nats_ep2: 'lower',
      val_nats_ep1: 'lower',
      train_loss_ep3: 'lower',
      train_loss_ep2: 'lower',
      train_loss_ep1: 'lower',
    },
    curves: ['loss', 'val_nats'],
    needs: 'nietzsche',
    data: ({ nietzsche }) => data.chars(nietzsche),
    async train(layer, { train, test }) {
      const K = train.y.shape[1]
      const model = new Sequential([
        new cells[layer](128, { inputShape: [40, K] }),
        new Dense(K),
        new Activation('softmax'),
      ])
      model.compile({ optimizer: new RMSprop({ lr: 0.01 }), loss: 'categorical_crossentropy' })
      const { history } = await model.fit(train.x, train.y, {
        batchSize: 128,
        nbEpoch: 3,
        verbose: 0,
        validationData: [test.x, test.y],
      })
      const curve = { loss: history.loss, val_nats: history.val_loss }
      const final = {}
      for (const e of [1, 2, 3]) {
        final[`train_loss_ep${e}`] = curve.loss[e - 1]
        final[`val_nats_ep${e}`] = curve.val_nats[e - 1]
      }
      return { model, curve, final }
    },
  },

  sunspots: {
    layers: ['LSTM', 'LSTM on differences'],
    seeds: 5,
    measures: { test_rmse: 'lower', valid_rmse: 'lower', test_rmse_ep10: 'lower' },
    curves: ['loss', 'test_rmse'],
    needs: 'sunspots',
    data: ({ sunspots }) => data.sunspots(sunspots),
    async train(layer, parts) {
      const { train, valid, test } = parts[layer]
      const model = new Sequential([new LSTM(32, { inputShape: [36, 1] }), new Dense(1)])
      model.compile({ optimizer: 'adam', loss: 'mse' })
      const curve = { loss: [], valid_rmse: [], test_rmse: [] }
      const best = () => curve.valid_rmse.indexOf(Math.min(...curve.valid_rmse))
      const rmse = async (part) => part.rmse((await model.predict(part.x, { batchSize: 564 })).data)
      const onEpochEnd = async (_, logs) => {
        curve.loss.push(logs.loss)
        curve.valid_rmse.push(await rmse(valid))
        curve.test_rmse.push(await rmse(test))
        if (curve.loss.length - 1 - best() >= 10) model.stopTraining = true
      }
      await model.fit(train.x, train.y, {
        batchSize: 32,
        nbEpoch: 60,
        verbose: 0,
        callbacks: [new LambdaCallback({ onEpochEnd })],
      })
      const final = {
        test_rmse: curve.test_rmse[best()],
        valid_rmse: curve.valid_rmse[best()],
        test_rmse_ep10: curve.test_rmse[9],
        best_epoch: best() + 1,
      }
      return { model, curve, final }
    },
  },

  polarity: {
    layers: ['Bidirectional LSTM'],
    seeds: 10,
    measures: { test_acc: 'higher' },
    curves: ['loss', 'val_acc'],
    needs: 'rt-polarity',
    data: (paths) => data.polarity(paths['rt-polarity']),
    /**
     * Keras was not run on these: naive Bayes on the same folds is what the result is held against.
     */
    against: {
      name: 'naive Bayes',
      runs: ({ folds }) => ({ test_acc: folds.map(({ bayes }) => bayes) }),
    },
    /** The seed is the fold that is held out. */
    async train(_, { folds }, seed) {
      const { words, xTrain, yTrain, xTest, yTest, valid } = folds[seed]
      const model = new Sequential([
        new Embedding(words + 1, 128, { inputLength: 50, dropout: 0.5 }),
        new Bidirectional(new LSTM(64, { returnSequences: true, dropoutW: 0.5, dropoutU: 0.2 })),
        new GlobalMaxPooling1D(),
        new Dropout(0.5),
        new Dense(1, { activation: 'sigmoid' }),
      ])
      model.compile({ optimizer: 'adam', loss: 'binary_crossentropy', metrics: ['accuracy'] })
      const { history } = await model.fit(xTrain, yTrain, {
        batchSize: 32,
        nbEpoch: 12,
        verbose: 0,
        validationData: [valid.x, valid.y],
        callbacks: [
          new EarlyStopping({ monitor: 'val_loss', patience: 2, restoreBestWeights: true }),
        ],
      })
      const [, accuracy] = await model.evaluate(xTest, yTest, { verbose: 0 })
      return {
        model,
        curve: history,
        final: { test_acc: accuracy, val_acc: Math.max(...history.val_acc) },
      }
    },
  },
}

/**
 * Negative log-likelihood a frame: summed over the 88 keys,
 * averaged over all real frames of the part.
 */
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
