/**
 * Hashes of the weights after a few training steps, of outputs and of logs, for many
 * configurations: a change of the structure alone must not change a bit of them.
 *
 *   node scripts/bits.mjs --package DIR --record FILE
 *     what the built checkout DIR (default: this one) computes
 *   node scripts/bits.mjs --package DIR --compare FILE
 *     the same, compared; exit status 1 where anything differs
 *
 * Every instruction set of this processor, one thread and two, float32 and float64. Weights are set
 * by this script, so that initial values do not count. A record is good for comparisons on
 * processors with the same instruction sets.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { capture, root } from './process.mjs'

const { values: options } = parseArgs({
  options: {
    package: { type: 'string', default: root },
    record: { type: 'string' },
    compare: { type: 'string' },
    isa: { type: 'string' }, // set by this script for its children
  },
})

/** Numbers from -1 to 1 that depend on `seed` and the place alone. */
function numbers(seed, n, scale = 1) {
  let state = (seed * 2654435761 + 12345) >>> 0
  return Float64Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state / 2 ** 31 - 1) * scale
  })
}
const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1)
const array = (seed, shape, scale) => ({
  data: Float32Array.from(numbers(seed, sizeOf(shape), scale)),
  shape,
})
const integers = (seed, shape, below) => ({
  data: Float32Array.from(numbers(seed, sizeOf(shape)), (v) => Math.floor(((v + 1) / 2) * below)),
  shape,
})
/** [N, K], a one in each row. */
function oneHot(seed, rows, K) {
  const data = new Float32Array(rows * K)
  integers(seed, [rows], K).data.forEach((k, row) => {
    data[row * K + k] = 1
  })
  return { data, shape: [rows, K] }
}
/** The sequences with steps of zeros at the end of every other sample. */
function padded(x) {
  const [N, T, D] = x.shape
  for (let n = 0; n < N; n += 2) x.data.fill(0, (n * T + T - 2 - (n % 3)) * D, (n + 1) * T * D)
  return x
}

/** The cases, `{ name, layers, x, y, compile, fit }`, each made in its turn. */
function* cases(hs) {
  const { Sequential: _, ...L } = hs
  const [N, T, D, H] = [21, 7, 5, 9]
  const sequence = () => array(1, [N, T, D])
  const flat = (K) => array(2, [N, K])
  const cells = { SimpleRNN: {}, GRU: {}, 'GRU resetAfter': { resetAfter: true }, LSTM: {} }
  const ways = {
    plain: {},
    sequences: { returnSequences: true },
    backwards: { goBackwards: true },
    fused: { consumeLess: 'gpu' },
    dropout: { dropoutW: 0.3, dropoutU: 0.2 },
    regularized: { WRegularizer: 'l2', URegularizer: 'l1', bRegularizer: 'l2' },
    truncated: { truncate: 3 },
    checkpoints: { checkpoint: 2 },
    relu: { activation: 'relu', innerActivation: 'sigmoid' },
  }
  const float = ['float32', 'float64']
  for (const [cell, own] of Object.entries(cells)) {
    const Cell = L[cell.split(' ')[0]]
    for (const [way, given] of Object.entries(ways)) {
      const given2 = { ...own, ...given }
      if (cell === 'SimpleRNN') delete given2.innerActivation
      for (const dtype of float) {
        yield {
          name: `${cell} ${way} ${dtype}`,
          layers: () => [
            new Cell(H, { ...given2, inputShape: [T, D], dtype }),
            ...(given.returnSequences ? [new L.GRU(H)] : []),
            new L.Dense(3),
          ],
          x: sequence(),
          y: flat(3),
        }
        yield {
          name: `${cell} ${way} masked ${dtype}`,
          layers: () => [
            new L.Masking({ inputShape: [T, D], dtype }),
            new Cell(H, given2),
            ...(given.returnSequences ? [new L.GRU(H)] : []),
            new L.Dense(3),
          ],
          x: padded(sequence()),
          y: flat(3),
        }
      }
    }
    for (const mergeMode of ['concat', 'sum', 'mul', 'ave'])
      yield {
        name: `${cell} bidirectional ${mergeMode}`,
        layers: () => [
          new L.Bidirectional(new Cell(H, { ...own, returnSequences: mergeMode === 'concat' }), {
            mergeMode,
            inputShape: [T, D],
          }),
          ...(mergeMode === 'concat' ? [new L.Flatten()] : []),
          new L.Dense(3),
        ],
        x: sequence(),
        y: flat(3),
      }
    yield {
      name: `${cell} stateful`,
      layers: () => [
        new Cell(H, { ...own, stateful: true, batchInputShape: [7, T, D] }),
        new L.Dense(3),
      ],
      x: sequence(),
      y: flat(3),
      fit: { shuffle: false },
      batch: 7,
    }
    for (const [B, units, deep] of [
      [33, 65, 31],
      [64, 128, 64],
    ])
      yield {
        name: `${cell} B${B} H${units}`,
        layers: () => [new Cell(units, { ...own, inputShape: [T, deep] }), new L.Dense(3)],
        x: array(4, [2 * B, T, deep]),
        y: array(5, [2 * B, 3]),
        batch: B,
      }
  }

  const head = (...layers) => [...layers, new L.Flatten(), new L.Dense(3)]
  const first = { inputShape: [T, D] }
  const image = { inputShape: [6, 5, 2] }
  const middle = {
    Dense: () => new L.Dense(H, first),
    'Dense activity': () =>
      new L.Dense(H, { ...first, activityRegularizer: 'activity_l2', activation: 'tanh' }),
    TimeDistributedDense: () => new L.TimeDistributedDense(H, first),
    'TimeDistributed LSTM': () => new L.TimeDistributed(new L.LSTM(4), { inputShape: [3, T, D] }),
    Dropout: () => new L.Dropout(0.4, first),
    SpatialDropout1D: () => new L.SpatialDropout1D(0.4, first),
    GaussianNoise: () => new L.GaussianNoise(0.3, first),
    GaussianDropout: () => new L.GaussianDropout(0.3, first),
    'BatchNormalization 0': () => new L.BatchNormalization(first),
    'BatchNormalization 1': () => new L.BatchNormalization({ ...first, mode: 1 }),
    'BatchNormalization 2': () => new L.BatchNormalization({ ...first, mode: 2 }),
    Convolution1D: () =>
      new L.Convolution1D(H, 3, { ...first, activation: 'tanh', borderMode: 'same' }),
    AtrousConvolution1D: () => new L.AtrousConvolution1D(H, 2, { ...first, atrousRate: 2 }),
    LocallyConnected1D: () => new L.LocallyConnected1D(H, 2, first),
    MaxPooling1D: () => new L.MaxPooling1D({ ...first, poolLength: 2 }),
    AveragePooling1D: () => new L.AveragePooling1D({ ...first, poolLength: 2 }),
    UpSampling1D: () => new L.UpSampling1D({ ...first, length: 2 }),
    ZeroPadding1D: () => new L.ZeroPadding1D({ ...first, padding: 2 }),
    Cropping1D: () => new L.Cropping1D({ ...first, cropping: [1, 1] }),
    Permute: () => new L.Permute([2, 1], first),
    PReLU: () => new L.PReLU(first),
    SReLU: () => new L.SReLU(first),
    ELU: () => new L.ELU(first),
    LeakyReLU: () => new L.LeakyReLU(first),
    ThresholdedReLU: () => new L.ThresholdedReLU(first),
    ParametricSoftplus: () => new L.ParametricSoftplus(first),
    Convolution2D: () => new L.Convolution2D(H, 3, 2, { ...image, activation: 'relu' }),
    MaxPooling2D: () => new L.MaxPooling2D(image),
    AveragePooling2D: () => new L.AveragePooling2D(image),
    ConvLSTM2D: () =>
      new L.ConvLSTM2D(3, 2, 2, { inputShape: [3, 6, 5, 2], returnSequences: true }),
  }
  const shapes = { Convolution2D: [6, 5, 2], MaxPooling2D: [6, 5, 2], AveragePooling2D: [6, 5, 2] }
  Object.assign(shapes, { ConvLSTM2D: [3, 6, 5, 2], 'TimeDistributed LSTM': [3, T, D] })
  for (const [name, make] of Object.entries(middle))
    yield {
      name,
      layers: () => head(make()),
      x: array(6, [N, ...(shapes[name] ?? [T, D])]),
      y: flat(3),
      positive: /^Batch/.test(name),
    }
  yield {
    name: 'Highway, MaxoutDense, RepeatVector, Reshape',
    layers: () => [
      new L.Highway({ inputShape: [D], activation: 'tanh' }),
      new L.MaxoutDense(H, { nbFeature: 3 }),
      new L.RepeatVector(4),
      new L.LSTM(6),
      new L.Reshape([2, 3]),
      new L.GRU(4),
      new L.Dense(3),
    ],
    x: array(6, [N, D]),
    y: flat(3),
  }
  for (const mode of ['sum', 'mul', 'ave', 'max', 'concat', 'dot', 'cos'])
    yield {
      name: `Merge ${mode}`,
      layers: () => {
        const branch = () =>
          new hs.Sequential([new L.GRU(H, { inputShape: [T, D] }), new L.Dense(4)])
        return [new L.Merge([branch(), branch()], { mode }), new L.Flatten(), new L.Dense(3)]
      },
      x: [sequence(), array(7, [N, T, D])],
      y: flat(3),
    }

  const words = () => integers(8, [N, T], 23)
  const embedded = (more, rest = {}) => ({
    layers: () => [
      new L.Embedding(23, D, { inputLength: T, ...more }),
      new L.LSTM(H),
      new L.Dense(3),
    ],
    x: words(),
    y: flat(3),
    ...rest,
  })
  yield { name: 'Embedding', ...embedded({}) }
  yield { name: 'Embedding masked, dropout', ...embedded({ maskZero: true, dropout: 0.3 }) }
  yield {
    name: 'Embedding penalty, constraint',
    ...embedded({ WRegularizer: 'l2', WConstraint: 'unitnorm' }),
  }
  for (const optimizer of ['SGD', 'RMSprop', 'Adagrad', 'Adadelta', 'Adam', 'Adamax', 'Nadam'])
    for (const [how, more] of Object.entries({
      plain: {},
      decay: { decay: 0.1 },
      clipnorm: { clipnorm: 0.05 },
      clipvalue: { clipvalue: 0.01 },
      ...(optimizer === 'SGD'
        ? { momentum: { momentum: 0.9 }, nesterov: { momentum: 0.9, nesterov: true } }
        : {}),
    })) {
      if (optimizer === 'Nadam' && how === 'decay') continue
      yield {
        name: `${optimizer} ${how}`,
        ...embedded({}, { compile: { optimizer: () => new hs[optimizer](more) } }),
      }
    }
  for (const constraint of ['maxnorm', 'nonneg', 'unitnorm'])
    yield {
      name: `constraint ${constraint}`,
      layers: () => [
        new L.LSTM(H, first),
        new L.Dense(3, { WConstraint: constraint, bConstraint: 'nonneg' }),
      ],
      x: sequence(),
      y: flat(3),
    }
  const K = 4
  const targets = {
    categorical_crossentropy: oneHot(9, N, K),
    sparse_categorical_crossentropy: integers(9, [N, 1], K),
    binary_crossentropy: oneHot(9, N, K),
    kullback_leibler_divergence: oneHot(9, N, K),
  }
  for (const loss of [
    'mean_squared_error',
    'mean_absolute_error',
    'mean_absolute_percentage_error',
    'mean_squared_logarithmic_error',
    'squared_hinge',
    'hinge',
    'categorical_crossentropy',
    'sparse_categorical_crossentropy',
    'binary_crossentropy',
    'kullback_leibler_divergence',
    'poisson',
    'cosine_proximity',
  ])
    for (const weighted of [false, true])
      yield {
        name: `${loss}${weighted ? ' weighted' : ''}`,
        layers: () => [new L.GRU(H, first), new L.Dense(K, { activation: 'softmax' })],
        x: sequence(),
        y: targets[loss] ?? array(9, [N, K]),
        compile: {
          loss,
          metrics: loss.startsWith('sparse') ? ['accuracy'] : ['accuracy', 'mse', 'mae'],
        },
        ...(weighted
          ? {
              fit: {
                sampleWeight: Float32Array.from(integers(10, [N], 3).data, (v) => v / 2 + 0.25),
              },
            }
          : {}),
      }
  yield {
    name: 'temporal weights, masked sequences',
    layers: () => [
      new L.Masking(first),
      new L.LSTM(H, { returnSequences: true }),
      new L.TimeDistributed(new L.Dense(2)),
    ],
    x: padded(sequence()),
    y: array(11, [N, T, 2]),
    compile: { sampleWeightMode: 'temporal' },
    fit: { sampleWeight: array(12, [N, T], 0.5) },
  }
}

/** The hashes by name, computed in this process. */
async function computeAll() {
  const hs = await import(
    pathToFileURL(path.join(path.resolve(options.package), 'dist/index.js')).href
  )
  const result = {}
  for (const threads of [1, 2]) {
    hs.setThreads(threads)
    for (const one of cases(hs)) {
      hs.setSeed(7)
      const model = new hs.Sequential(one.layers())
      const { optimizer = () => 'rmsprop', ...more } = one.compile ?? {}
      model.compile({ loss: 'mse', ...more, optimizer: optimizer() })
      model.setWeights(
        model.getWeights().map(({ shape }, i) => {
          const { data } = array(100 + i, shape, 0.4)
          // a running variance is not negative
          return { data: one.positive ? data.map(Math.abs) : data, shape }
        }),
      )
      const hash = createHash('sha256')
      const add = (values) =>
        hash.update(Buffer.from(values.buffer, values.byteOffset, values.byteLength))
      const batchSize = one.batch ?? 8
      const history = await model.fit(one.x, one.y, {
        batchSize,
        nbEpoch: 3,
        verbose: 0,
        ...one.fit,
      })
      for (const log of Object.values(history.history)) add(Float64Array.from(log))
      for (const weight of model.getWeights()) add(weight.data)
      add((await model.predict(one.x, { batchSize })).data)
      result[`${one.name} ×${threads}`] = hash.digest('hex').slice(0, 16)
      model.dispose()
    }
  }
  return result
}

if (options.isa) {
  process.stdout.write(JSON.stringify(await computeAll()))
} else {
  const { info } = await import(
    pathToFileURL(path.join(path.resolve(options.package), 'dist/index.js')).href
  )
  const all = {}
  for (const isa of info().isas) {
    const child = capture(
      process.execPath,
      [import.meta.filename, '--package', options.package, '--isa', isa],
      {
        env: { ...process.env, HIDDENSTATE_ISA: isa },
      },
    )
    if (child.status !== 0) {
      console.error(child.output)
      process.exit(1)
    }
    for (const [name, hash] of Object.entries(JSON.parse(child.stdout)))
      all[`${isa}: ${name}`] = hash
  }
  console.log(`${Object.keys(all).length} configurations`)
  if (options.record) fs.writeFileSync(options.record, `${JSON.stringify(all, null, 1)}\n`)
  if (options.compare) {
    const before = JSON.parse(fs.readFileSync(options.compare, 'utf8'))
    const names = new Set([...Object.keys(before), ...Object.keys(all)])
    const differ = [...names].filter((name) => before[name] !== all[name])
    for (const name of differ)
      console.log(`${name}: ${before[name] ?? 'absent'} before, ${all[name] ?? 'absent'} now`)
    console.log(`${names.size - differ.length} equal, ${differ.length} differ`)
    process.exit(differ.length === 0 ? 0 : 1)
  }
}
