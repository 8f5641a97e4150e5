/**
 * A rank of a job in which rank 1 does something else, call after call: says what error each call
 * is, and in the end trains with the others once more.
 */
import { array, Dense, distribute, SGD, Sequential, setSeed } from 'hiddenstate'

const world = await distribute()
const odd = world.rank === 1
setSeed(1)
const model = ({ units = 2, lr = 0.01, distribute = world } = {}) => {
  const made = new Sequential([new Dense(units, { inputDim: 2 }), new Dense(1)])
  made.compile({ loss: 'mse', optimizer: new SGD({ lr }), distribute })
  return made
}
const data = (n, factor = 1) => {
  const x = Array.from({ length: n }, (_, i) => [i % 3, factor * (i % 5)])
  return [x, x.map(([a, b]) => a - b)]
}
const [x, y] = data(16)
const fit = { batchSize: 4, nbEpoch: 3, verbose: 0 }
const epochs = { samplesPerEpoch: 12, nbEpoch: 2, verbose: 0 }
function* batches(change = (i) => data(4)) {
  for (let i = 0; ; i++) yield change(i)
}
/** A model that has trained on a batch already: ranks need not compare it again. */
const begun = async (options) => {
  const made = model(options)
  await made.trainOnBatch(x, y)
  return made
}
const ownBatch = (i) => data(4, i === 4 && odd ? 2 : 1)

const differences = {
  model: () => model({ units: odd ? 3 : 2 }).fit(x, y, fit),
  rate: () => model({ lr: odd ? 0.02 : 0.01 }).fit(x, y, fit),
  data: () => model().fit(...data(odd ? 17 : 16), fit),
  calls: () => (odd ? model().evaluate(x, y, { verbose: 0 }) : model().fit(x, y, fit)),
  epochs: () => model().fitGenerator(batches(), { ...epochs, nbEpoch: odd ? 3 : 2 }),
  batches: () => model().fitGenerator(batches(ownBatch), epochs),
  sizes: () => model().fitGenerator(batches((i) => data(i === 1 && odd ? 5 : 4)), epochs),
  'a generator that throws': () =>
    model().fitGenerator(
      batches((i) => {
        if (i === 2 && odd) throw new TypeError('no such row')
        return data(4)
      }),
      epochs,
    ),
  'a generator that ends': () =>
    model().fitGenerator(odd ? [data(4), data(4)].values() : batches(), epochs),
  'validation data': () =>
    model().fitGenerator(batches(), { ...epochs, validationData: data(6, odd ? 2 : 1) }),
  'batches of a test': () => model().evaluateGenerator(batches(ownBatch), { valSamples: 20 }),
  weights: async () => {
    const made = await begun()
    if (odd) made.setWeights(made.getWeights()) // as they are
    await made.testOnBatch(x, y)
    if (odd) made.setWeights(made.getWeights().map(({ data, shape }) => array(data.fill(1), shape)))
    return made.testOnBatch(x, y)
  },
  'rows that make no batch': async () => {
    const own = new Sequential([new Dense(1, { inputShape: [null, 2] })])
    own.compile({ loss: 'mse', optimizer: 'sgd', distribute: await distribute({ data: 'sharded' }) })
    const steps = odd ? 3 : 2
    const ones = (...shape) => array(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape)
    await own.trainOnBatch(ones(world.rank + 1, 2, 2), ones(world.rank + 1, 2, 1))
    return own.trainOnBatch(ones(4, steps, 2), ones(4, steps, 1))
  },
  'arrays of its own': async () => {
    const own = model({ distribute: await distribute({ data: 'sharded' }) })
    return own.fit(x, y, fit)
  },
  'one batch': async () => (await begun()).trainOnBatch(...data(4, odd ? 2 : 1)),
  'one rate': async () => {
    const made = await begun()
    if (odd) made.optimizer.lr = 0.3
    return made.trainOnBatch(x, y)
  },
}
const say = (value) => console.log(JSON.stringify({ rank: world.rank, ...value }))
for (const [name, call] of Object.entries(differences)) {
  const error = await call().then(
    () => ({ code: 'none' }),
    (reason) => reason,
  )
  say({ name, error: `${error.code ?? error.name} ${error.message}`.slice(0, 200) })
}
const { history } = await model().fit(x, y, fit)
say({ loss: history.loss })
