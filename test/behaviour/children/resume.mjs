/**
 * Trains a small model from the start, or from the newest checkpoint of `<folder>/checkpoints`, and
 * writes what came of it to `<folder>/result.json`. Prints `fit` when the training begins. A case
 * (JSON, first argument; the folder is the second):
 *
 *   optimizer, shuffle, dropout, stateful, validation, callbacks    what is trained, and how
 *   source
 *     'arrays', 'generator', 'resumable' (with state() and restore()), 'rows' (of a file)
 *   checkpoint   options of `checkpoint` beside `dir`; null: neither checkpoints nor resume
 *   threads, nbEpoch
 *   slow         milliseconds that a callback waits after each batch; it has prints `batch`
 *   slowValidation
 *     milliseconds that each batch of a validation takes, of fitGenerator; each prints `validates`
 *   waits        whether it waits for a line on stdin before the training
 */
import fs from 'node:fs'
import path from 'node:path'
import * as hs from 'hiddenstate'
import { HDF5Matrix } from 'hiddenstate/utils'

const [N, T, D, B] = [20, 4, 3, 4]
const [given, folder] = process.argv.slice(2)
const c = JSON.parse(given)

/** Numbers between -1 and 1 that depend on seed and place alone. */
function numbers(seed, shape) {
  const data = new Float32Array(shape.reduce((a, b) => a * b))
  for (let i = 0; i < data.length; i++) data[i] = Math.sin(seed * 100 + i * i * 0.7 + i)
  return new hs.NDArray(data, shape)
}

const [x, y] = [numbers(1, [N, T, D]), numbers(2, [N, 2])]

const OPTIMIZERS = {
  SGD: () => new hs.SGD({ decay: 0.01 }),
  momentum: () => new hs.SGD({ momentum: 0.9, nesterov: true, clipnorm: 0.1 }),
  RMSprop: () => new hs.RMSprop({ decay: 0.01 }),
  Adagrad: () => new hs.Adagrad({ decay: 0.01 }),
  Adadelta: () => new hs.Adadelta({ decay: 0.01 }),
  Adam: () => new hs.Adam({ decay: 0.01 }),
  Adamax: () => new hs.Adamax({ decay: 0.01 }),
  Nadam: () => new hs.Nadam(),
}

function* endless(from = 0, count = (at) => at) {
  for (let at = from; ; ) {
    const batch = [numbers(at, [B, T, D]), numbers(at + 1000, [B, 2])]
    count(++at)
    yield batch
  }
}

class Resumable {
  #at = 0;
  [Symbol.iterator]() {
    return endless(this.#at, (at) => (this.#at = at))
  }
  state = () => ({ at: this.#at })
  restore = ({ at }) => {
    this.#at = at
  }
}

function modelOf() {
  hs.setSeed(3)
  const first = c.stateful ? { batchInputShape: [B, T, D], stateful: true } : { inputShape: [T, D] }
  const model = new hs.Sequential([
    new hs.LSTM(5, { ...first, ...(c.dropout ? { dropoutW: 0.3 } : {}), name: 'lstm', returnSequences: true }),
    new hs.GRU(4, { name: 'gru', ...(c.stateful ? { stateful: true } : {}) }),
    ...(c.dropout ? [new hs.Dropout(0.4, { name: 'dropout' })] : []),
    new hs.Dense(2, { name: 'dense' }),
  ])
  model.compile({ loss: 'mse', optimizer: OPTIMIZERS[c.optimizer ?? 'Adam'](), metrics: ['mae'] })
  return model
}

/** Tells of each batch, and is slow, so that a signal meets the training. */
class Slow extends hs.Callback {
  async onBatchEnd() {
    process.stdout.write('batch\n')
    await new Promise((resolve) => setTimeout(resolve, c.slow))
  }
}

const logs = path.join(folder, 'logs')
fs.mkdirSync(logs, { recursive: true })
const callbacks = [
  ...(c.callbacks
    ? [
        new hs.EarlyStopping({ monitor: 'loss', patience: 2, minDelta: 0.001, restoreBestWeights: true }),
        new hs.ReduceLROnPlateau({ monitor: 'loss', patience: 1, factor: 0.5, epsilon: 0.01 }),
        new hs.ModelCheckpoint(path.join(logs, 'best.h5'), { monitor: 'loss', saveBestOnly: true }),
        new hs.CSVLogger(path.join(logs, 'log.csv'), { append: true }),
        new hs.TensorBoard({ logDir: path.join(logs, 'events'), histogramFreq: 1 }),
      ]
    : []),
  ...(c.slow ? [new Slow()] : []),
]

/**
 * Scalars and histograms of all event files of a folder, without the time of day:
 * the graph may be there twice.
 */
function events(dir) {
  if (!fs.existsSync(dir)) return []
  const found = []
  for (const name of fs.readdirSync(dir).sort()) {
    const bytes = fs.readFileSync(path.join(dir, name))
    for (let at = 0; at < bytes.length; ) {
      const length = Number(bytes.readBigUInt64LE(at))
      const event = bytes.subarray(at + 12, at + 12 + length)
      if (/loss|lstm_W/.test(event.toString('latin1'))) found.push(event.subarray(9).toString('hex'))
      at += 12 + length + 4
    }
  }
  return found
}

const arrays = (list) => list.map((a) => Buffer.from(a.data.buffer, a.data.byteOffset, a.data.byteLength).toString('hex'))

/** x and y in a file of HDF5: what a model of this package saves holds any two arrays. */
async function rows() {
  const file = path.join(folder, 'rows.h5')
  const [wide, narrow] = [new hs.Dense(T * D, { inputDim: N, name: 'x' }), new hs.Dense(2, { name: 'y' })]
  const holder = new hs.Sequential([wide, new hs.Dense(N), narrow])
  wide.setWeights([new hs.NDArray(x.data, [N, T * D]), wide.getWeights()[1]])
  narrow.setWeights([y, narrow.getWeights()[1]])
  if (!fs.existsSync(file)) await holder.saveWeights(file)
  const normalizer = (part) => new hs.NDArray(part.data, [part.shape[0], T, D])
  return [await HDF5Matrix.open(file, 'x/x_W', { normalizer }), await HDF5Matrix.open(file, 'y/y_W')]
}

hs.setThreads(c.threads ?? 1)
const model = modelOf()
const checkpoints = path.join(folder, 'checkpoints')
const common = {
  nbEpoch: c.nbEpoch ?? 6,
  verbose: 0,
  callbacks,
  ...(c.checkpoint ? { checkpoint: { dir: checkpoints, ...c.checkpoint }, resume: 'auto' } : {}),
}
/** Batches that come slowly. */
async function* slowly() {
  for (const batch of endless()) {
    process.stdout.write('validates\n')
    await new Promise((resolve) => setTimeout(resolve, c.slowValidation))
    yield batch
  }
}
const validation = c.slowValidation
  ? { validationData: slowly(), nbValSamples: N }
  : c.validation
    ? { validationData: [x, y] }
    : {}
process.stdout.write('fit\n')
if (c.waits) await new Promise((resolve) => process.stdin.once('data', resolve))
process.stdin.destroy()

const begun = performance.now()
let history
if (c.source === 'generator' || c.source === 'resumable') {
  const source = c.source === 'generator' ? endless() : new Resumable()
  history = await model.fitGenerator(source, { samplesPerEpoch: N, ...common, ...validation })
} else {
  const data = c.source === 'rows' ? await rows() : [x, y]
  history = await model.fit(...data, { batchSize: B, shuffle: c.shuffle ?? true, ...common, ...validation })
}
const milliseconds = performance.now() - begun

const result = {
  weights: arrays(model.getWeights()),
  optimizer: arrays(model.optimizerWeights() ?? []),
  iterations: model.optimizer.iterations,
  hyper: { ...model.optimizer },
  history: history.history,
  epoch: history.epoch,
  callbacks: callbacks.map((one) => (one instanceof hs.TensorBoard ? null : (one.getState() ?? null))),
  csv: c.callbacks ? fs.readFileSync(path.join(logs, 'log.csv'), 'utf8') : '',
  best: c.callbacks ? arrays((await hs.loadModel(path.join(logs, 'best.h5'))).getWeights()) : [],
  events: events(path.join(logs, 'events')),
}
fs.writeFileSync(path.join(folder, 'result.json'), JSON.stringify(result))
process.stdout.write(`${JSON.stringify({ milliseconds })}\n`)
