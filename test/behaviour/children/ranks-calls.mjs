/** Every way to train and to test, by ranks: what each model has learned, and what calls gave. */
import { array, Dense, distribute, GRU, LSTM, Masking, Ragged, Sequential, SGD } from 'hiddenstate'

const wave = (n, from) => Float32Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + from)))
const N = 60
const x = array(wave(N * 5 * 2, 1), [N, 5, 2])
const y = array(wave(N, 2), [N, 1])
const weights = wave(N, 3).map((v) => (v > 0.5 ? 0 : 1 + v))

/** Batches of different sizes; the third is smaller than there are shards. */
function* batches() {
  const sizes = [14, 9, 3, 16]
  for (let i = 0, from = 0; ; i++) {
    const size = sizes[i % sizes.length]
    from = from + size > N ? 0 : from
    yield [x.slice(from, from + size), y.slice(from, from + size), weights.slice(from, from + size)]
    from += size
  }
}

/** Rows that are fetched, as those of an HDF5Matrix are. */
const rows = (of) => ({ shape: of.shape, rows: async (from, to) => of.slice(from, to) })

const gru = (world) => {
  const model = new Sequential([new GRU(5, { inputShape: [5, 2], dropoutU: 0.2 }), new Dense(1)])
  model.compile({ loss: 'mse', optimizer: 'adam', metrics: ['mae'], distribute: world })
  return model
}

const silent = { nbEpoch: 2, verbose: 0 }

export const calls = {
  'fitGenerator, evaluateGenerator': async (world) => {
    const model = gru(world)
    const { history } = await model.fitGenerator(batches(), {
      ...silent,
      samplesPerEpoch: 42,
      validationData: batches(),
      nbValSamples: 26,
    })
    const more = await model.fitGenerator(batches(), {
      ...silent,
      samplesPerEpoch: 42,
      validationData: [x, y],
    })
    const scores = await model.evaluateGenerator(batches(), { valSamples: 42 })
    return { model, values: [history, more.history, scores] }
  },

  'trainOnBatch, testOnBatch': async (world) => {
    const model = gru(world)
    const values = []
    const source = batches()
    for (let i = 0; i < 6; i++) {
      const [bx, by, sampleWeight] = source.next().value
      values.push(await model.trainOnBatch(bx, by, { sampleWeight }))
      if (i === 2) model.optimizer.lr = 0.01
      // Rank 0's weights are everybody's, whenever they have been set.
      if (i === 3 && (!world || world.isMain)) model.setWeights(model.getWeights().reverse().reverse())
      if (i === 4) values.push(await model.testOnBatch(bx, by))
    }
    return { model, values }
  },

  'rows that stay in a file': async (world) => {
    const model = gru(world)
    const { history } = await model.fit(rows(x), rows(y), {
      ...silent,
      batchSize: 14,
      shuffle: 'batch',
      validationSplit: 0.2,
    })
    const scores = await model.evaluate(rows(x), rows(y), { batchSize: 20, verbose: 0 })
    return { model, values: [history, scores] }
  },

  'sequences of different lengths': async (world) => {
    const lengths = Array.from({ length: N }, (_, i) => 1 + ((i * 7) % 5))
    const lists = lengths.map((length, i) => x.slice(i, i + 1).reshape([5, 2]).slice(0, length))
    const model = new Sequential([
      new Masking({ maskValue: 0, inputShape: [null, 2] }),
      new LSTM(4),
      new Dense(1),
    ])
    const optimizer = new SGD({ lr: 0.1, momentum: 0.9 })
    model.compile({ loss: 'mse', optimizer, distribute: world })
    const data = Ragged.from(lists)
    const { history } = await model.fit(data, y, { ...silent, batchSize: 14, validationSplit: 0.2 })
    return { model, values: [history, await model.evaluate(data, y, { verbose: 0 })] }
  },

  // Two samples a shard, so that a rank's own are those that it would compute of the whole batch.
  'rows of each rank': async (world) => {
    const own = world && (await distribute({ virtualShards: world.virtualShards, data: 'sharded' }))
    const model = gru(own)
    const at = (rank) => 2 * Math.floor((rank * 8) / (world?.size ?? 1))
    function* ours() {
      for (let from = 0; ; from = (from + 16) % 40) {
        const [first, end] = world ? [at(world.rank), at(world.rank + 1)] : [0, 16]
        yield [x, y, weights].map((of) => of.slice(from + first, from + end))
      }
    }
    const { history } = await model.fitGenerator(ours(), {
      ...silent,
      samplesPerEpoch: 48,
      validationData: ours(),
      nbValSamples: 16,
    })
    const [bx, by, sampleWeight] = ours().next().value
    const loss = await model.trainOnBatch(bx, by, { sampleWeight })
    const scores = await model.evaluateGenerator(ours(), { valSamples: 32 })
    return { model, values: [history, loss, scores, await model.testOnBatch(bx, by)] }
  },
}
