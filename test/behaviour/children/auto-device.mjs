/**
 * What the device 'auto' chooses for a few models, as JSON: `info().choice`, what `summary()` says,
 * how it trains. The argument names the models.
 */
import {
  ctc,
  Dense,
  device,
  info,
  Input,
  LSTM,
  merge,
  Model,
  Sequential,
  setDevice,
  TimeDistributedDense,
} from 'hiddenstate'

const options = { optimizer: 'sgd', loss: 'mse', device: 'auto' }
const summaryOf = (model) => {
  let text = ''
  model.summary({ print: (all) => (text = all) })
  return text.split('\n').at(-1)
}
const told = (model) => ({ ...info().choice, summary: summaryOf(model) })

/** Little to launch, much to do. */
const large = () =>
  new Sequential([new Dense(1024, { inputDim: 1024 }), new Dense(1024), new Dense(1)])
/** Much to do where there are many rows. */
const steps = () =>
  new Sequential([
    new TimeDistributedDense(128, { inputShape: [200, 64] }),
    new TimeDistributedDense(128),
  ])
const small = () => new Sequential([new LSTM(8, { inputShape: [null, 3] }), new Dense(1)])
const noise = (rows, n) =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: n }, (_, j) => Math.sin(7 * i + j) / 20))

const models = {
  large() {
    const model = large()
    model.compile(options)
    return told(model)
  },
  small() {
    const model = small()
    model.compile(options)
    return told(model)
  },
  ctc() {
    const model = new Sequential([
      new LSTM(3, { returnSequences: true, inputShape: [null, 2] }),
      new Dense(3, { activation: 'softmax' }),
    ])
    model.compile({ ...options, loss: ctc() })
    return told(model)
  },
  merged() {
    const x = Input({ shape: [3] })
    const many = Array.from({ length: 33 }, () => new Dense(2).call(x))
    const model = new Model({ input: x, output: merge(many, { mode: 'sum', name: 'many' }) })
    model.compile(options)
    return told(model)
  },
  /** The choice of a process; a model that is never compiled; then a device that is named. */
  async settings() {
    setDevice('auto')
    const set = device()
    const model = small()
    const none = summaryOf(model)
    const [before] = [info().choice]
    await model.predict([[[1, 2, 3]]], { batchSize: 1 })
    const predicted = told(model)
    model.compile({ optimizer: 'sgd', loss: 'mse', device: 'cpu' })
    return { set, none, before, predicted, named: summaryOf(model) }
  },
  /** Batches of another size than was counted on, once training begins. */
  async settles() {
    const [model, twin] = [steps(), steps()]
    twin.setWeights(model.getWeights())
    model.compile(options)
    const first = told(model)
    twin.compile({ ...options, device: 'cpu' })
    const [x, y] = [[noise(200, 64)], [noise(200, 128)]]
    const losses = []
    for (let step = 0; step < 2; step++)
      losses.push([await model.trainOnBatch(x, y), await twin.trainOnBatch(x, y)])
    const settled = told(model)
    const many = (data) => Array.from({ length: 32 }, () => data[0])
    await model.fit(many(x), many(y), { nbEpoch: 1, verbose: 0 })
    return { first, settled, losses, stays: summaryOf(model) === settled.summary }
  },
  async fits() {
    const [model, twin] = [large(), large()]
    twin.setWeights(model.getWeights())
    model.compile(options)
    const first = told(model)
    twin.compile({ ...options, device: 'cpu' })
    const data = [noise(32, 1024), noise(32, 1)]
    const rest = { nbEpoch: 2, verbose: 0, shuffle: false }
    const [{ history }, { history: other }] = [
      await model.fit(...data, rest),
      await twin.fit(...data, rest),
    ]
    return { first, stays: summaryOf(model) === first.summary, losses: [history.loss, other.loss] }
  },
}

console.log(JSON.stringify(await models[process.argv[2]]()))
