/** Losses and metrics that are functions: each is the named one that it copies, also in files. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { device } from '../../lib/backend.js'
import * as K from '../../lib/functions/index.js'
import {
  type CompileOptions,
  Dense,
  FormatError,
  Input,
  info,
  LSTM,
  type LossFunction,
  loadModel,
  Masking,
  type MetricFunction,
  Model,
  Sequential,
  setFloatx,
  setSeed,
  setThreads,
} from '../../lib/index.js'
import { readH5 } from '../../lib/hdf5/file.js'
import { objectiveNames } from '../../lib/objectives.js'
import { type Plain, uniform } from '../arrays.js'

const { abs, dropout, mean, mul, objective, placeholder, scan, shared, square, sub, sum } = K

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-losses-'))
beforeAll(() => setFloatx('float64'))
afterAll(() => {
  setFloatx('float32')
  fs.rmSync(folder, { recursive: true })
})

const mse: LossFunction = (y, p) => mean(square(sub(y, p)), -1)
const [N, T, D, C] = [12, 4, 3, 3]
const masked = uniform(1, [N, T, D])
for (let b = 0; b < N; b++) masked.data.fill(0, (b * T + (b % T) + 1) * D, (b + 1) * T * D)
const classes = (rows: number): Plain => {
  const data = new Float32Array(rows * C)
  for (let r = 0; r < rows; r++) data[r * C + ((r * 7) % C)] = 1
  return { data, shape: [rows, C] }
}

function sequences(): Sequential {
  setSeed(1)
  return new Sequential([
    new Masking({ inputShape: [T, D] }),
    new LSTM(C, { returnSequences: true, activation: 'sigmoid' }),
  ])
}

function vectors(): Sequential {
  setSeed(1)
  return new Sequential([
    new LSTM(4, { inputShape: [T, D], name: 'read' }),
    new Dense(C, { activation: 'softmax', name: 'kind' }),
  ])
}

const steps = { data: uniform(3, [N, T], 0, 2).data, shape: [N, T] }
const cases: [string, () => Sequential, Plain, object, Partial<CompileOptions>?][] = [
  ['a mask', sequences, uniform(2, [N, T, C], 0.1, 0.9), {}],
  [
    'weights of steps',
    sequences,
    uniform(2, [N, T, C], 0.1, 0.9),
    { sampleWeight: steps },
    {
      sampleWeightMode: 'temporal',
    },
  ],
  [
    'weights of samples',
    vectors,
    classes(N),
    {
      sampleWeight: Float32Array.from({ length: N }, (_, i) => i % 3),
    },
  ],
  ['weights of classes', vectors, classes(N), { classWeight: { 0: 1, 1: 3, 2: 0.5 } }],
]
/** Those whose targets have the shape of the output. */
const names = objectiveNames.filter((name) => name !== 'sparse_categorical_crossentropy')

/** A fit of each: its losses and weights. */
async function trained(
  make: () => Sequential,
  y: Plain,
  loss: CompileOptions['loss'],
  options: object,
  compile: object,
) {
  const model = make()
  const metrics = ['mae', (a: K.Expr, b: K.Expr) => mean(abs(sub(a, b)), -1)] as never
  model.compile({ optimizer: 'sgd', loss, metrics, ...compile })
  const fit = { nbEpoch: 2, batchSize: 5, verbose: 0, shuffle: false, ...options } as const
  const { history } = await model.fit(masked, y, fit)
  const weights = model.getWeights().flatMap(({ data }) => Array.from(data))
  return { history, weights }
}

/** The largest difference; of numbers above 1, relative to them. */
const gap = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!) / Math.max(1, Math.abs(x))))

describe.each(cases)('with %s', (_, make, y, options, compile = {}) => {
  it.each(names)('%s as a function is the named loss', async (name) => {
    const named = await trained(make, y, name, options, compile)
    const own = await trained(make, y, objective(name), options, compile)
    expect(gap(named.weights, own.weights)).toBeLessThan(1e-12)
    expect(gap(named.history.loss!, own.history.loss!)).toBeLessThan(1e-12)
    expect(gap(own.history.mean_absolute_error!, own.history.metric!)).toBeLessThan(1e-12)
  })
})

it('a number for each sample counts for all its rows', async () => {
  const perSample: LossFunction = (y, p) => mean(square(sub(y, p)), [-1, -2])
  const make = () => {
    setSeed(1)
    return new Sequential([new LSTM(C, { returnSequences: true, inputShape: [T, D] })])
  }
  const y = uniform(2, [N, T, C])
  const [named, own] = [
    await trained(make, y, 'mse', {}, {}),
    await trained(make, y, perSample, {}, {}),
  ]
  expect(gap(named.weights, own.weights)).toBeLessThan(1e-12)
})

function twoOutputs(): Model {
  setSeed(2)
  const x = Input({ shape: [D] })
  const kind = new Dense(C, { activation: 'softmax', name: 'kind' }).call(x)
  const amount = new Dense(1, { name: 'amount' }).call(x)
  return new Model({ input: x, output: [kind, amount] })
}
const rows = uniform(4, [N, D])
const targets = [classes(N), uniform(5, [N, 1])]

it('of several outputs each has its own, and its metrics', async () => {
  const sizes = new Set<string>()
  const width = (_y: K.Expr, p: K.Expr) => {
    sizes.add(String(p.shape.at(-1)))
    return mean(p)
  }
  const results: number[][] = []
  for (const loss of [
    { kind: 'categorical_crossentropy', amount: 'mse' } as const,
    { kind: objective('categorical_crossentropy'), amount: mse },
    ['categorical_crossentropy', mse] as const,
  ]) {
    const model = twoOutputs()
    model.compile({ optimizer: 'sgd', loss, lossWeights: [1, 0.5], metrics: [width] })
    expect(model.metricsNames).toEqual([
      ...['loss', 'kind_loss', 'amount_loss'],
      ...['kind_width', 'amount_width'],
    ])
    await model.trainOnBatch(rows, targets)
    results.push([...model.getWeights().flatMap(({ data }) => Array.from(data))])
  }
  expect([...sizes]).toEqual([`${C}`, '1'])
  for (const other of results.slice(1)) expect(gap(results[0]!, other)).toBeLessThan(1e-12)
})

it('metrics are called by the names of their functions, each by its own', () => {
  const model = vectors()
  const peak = (_y: K.Expr, p: K.Expr) => K.max(p)
  const loss = (_y: K.Expr, _p: K.Expr) => 1
  model.compile({
    optimizer: 'sgd',
    loss: mse,
    metrics: [peak, (_y, p) => mean(p), (_y, p) => sum(p), loss, 'acc', peak],
  })
  expect(model.metricsNames).toEqual('loss peak metric metric_1 loss_1 acc peak_1'.split(' '))
})

it('targets of a sparse loss have one number a row for metrics, too', async () => {
  const model = vectors()
  const hits = (y: K.Expr, p: K.Expr) => {
    expect([String(y), String(p)]).toEqual(['yTrue [B, 1]', `yPred [B, ${C}]`])
    return K.equal(K.reshape(y, ['B']), K.argmax(p, -1))
  }
  model.compile({
    optimizer: 'sgd',
    loss: 'sparse_categorical_crossentropy',
    metrics: ['acc', hits],
  })
  const y = { data: Int32Array.from({ length: N }, (_, i) => i % C), shape: [N, 1] }
  const [, accuracy, own] = await model.testOnBatch(masked, y)
  expect(own).toBe(accuracy)
  expect(accuracy).toBeGreaterThan(0)
})

describe('targetDim', () => {
  /** Labels as numbers of classes, [.., 1]. */
  const labels = (...shape: number[]): Plain => ({
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (i * 7) % C),
    shape,
  })
  const crossentropy = objective('sparse_categorical_crossentropy')
  const sparseCases: [string, () => Sequential, Plain, object, object][] = [
    ['samples', vectors, labels(N, 1), { classWeight: { 0: 1, 1: 3, 2: 0.5 } }, {}],
    ['steps with a mask', sequences, labels(N, T, 1), {}, {}],
    [
      'steps with weights',
      sequences,
      labels(N, T, 1),
      { sampleWeight: steps },
      { sampleWeightMode: 'temporal' },
    ],
  ]

  it.each(sparseCases)('labels of %s: as the named loss', async (_, make, y, fit, compile) => {
    const results = []
    for (const loss of [
      { loss: 'sparse_categorical_crossentropy' },
      { loss: crossentropy, targetDim: 1 },
    ] as const) {
      const model = make()
      const hits: MetricFunction = (a, p) =>
        K.equal(K.reshape(a, a.shape.slice(0, -1)), K.argmax(p, -1))
      model.compile({ optimizer: 'sgd', metrics: ['acc', hits], ...loss, ...compile })
      const options = { nbEpoch: 2, batchSize: 5, verbose: 0, shuffle: false, ...fit } as const
      const { history } = await model.fit(masked, y, options)
      results.push({ history, weights: model.getWeights().flatMap(({ data }) => [...data]) })
    }
    const [named, own] = results as [(typeof results)[0], (typeof results)[0]]
    expect(gap(named.weights, own.weights)).toBeLessThan(1e-12)
    expect(gap(named.history.loss!, own.history.loss!)).toBeLessThan(1e-12)
    expect(own.history.acc).toEqual(named.history.acc)
    expect(own.history.hits).toEqual(own.history.acc)
  })

  // Three quantiles of one number.
  const quantiles: LossFunction = (y, p) => {
    const [low, middle, high] = [0.1, 0.5, 0.9].map((q, i) => {
      const below = sub(y, K.slice(p, i, i + 1, -1))
      return mean(K.maximum(mul(q, below), mul(q - 1, below)), -1)
    })
    return K.add(low!, middle!, high!)
  }
  const regression = () => {
    setSeed(2)
    const model = new Sequential([new Dense(3, { inputDim: D, name: 'quantiles' })])
    model.compile({ optimizer: 'adam', loss: quantiles, targetDim: 1 })
    return model
  }
  const amounts = uniform(5, [N, 1])

  it('a file says what targets the loss takes, and training goes on with the same bits', async () => {
    const file = path.join(folder, 'quantiles.h5')
    const model = regression()
    await model.fit(rows, amounts, { nbEpoch: 2, verbose: 0 })
    await model.save(file)
    const again = await loadModel(file)
    for (const each of [model, again])
      await each.fit(rows, amounts, { nbEpoch: 2, verbose: 0, shuffle: false })
    expect(again.getWeights()).toEqual(model.getWeights())
    expect(await again.evaluate(rows, amounts)).toBe(await model.evaluate(rows, amounts))
    await expect(again.trainOnBatch(rows, uniform(5, [N, 3]))).rejects.toThrow(
      /y must be \[B, 1\], got \[12, 3\]/,
    )
  })

  it('a checkpoint goes on with the same bits', async () => {
    const dir = path.join(folder, 'quantiles')
    const whole = regression()
    await whole.fit(rows, amounts, { nbEpoch: 3, verbose: 0 })
    await regression().fit(rows, amounts, { nbEpoch: 2, verbose: 0, checkpoint: { dir } })
    const resumed = regression()
    await resumed.fit(rows, amounts, { nbEpoch: 3, verbose: 0, resume: dir })
    expect(resumed.getWeights()).toEqual(whole.getWeights())
  })

  it('of several outputs each has its own; 2 is a width, too', async () => {
    const model = twoOutputs()
    const spread: LossFunction = (y, p) => mean(square(sub(y, p)), -1)
    const loss = { kind: crossentropy, amount: spread }
    model.compile({ optimizer: 'sgd', loss, targetDim: { kind: 1, amount: 2 }, metrics: [] })
    const [total] = await model.trainOnBatch(rows, [labels(N, 1), uniform(5, [N, 2])])
    expect(total).toBeGreaterThan(0)
    await expect(model.trainOnBatch(rows, targets)).rejects.toThrow(
      /y\[0\] must be \[B, 1\], got \[12, 3\]/,
    )
  })

  it('a label that is no class is refused; so are wrong values, and a named loss', async () => {
    const model = vectors()
    model.compile({ optimizer: 'sgd', loss: crossentropy, targetDim: 1 })
    const y = labels(N, 1)
    y.data[3] = C
    // A card has no way to tell: docs/gpu.md.
    if (device() === 'cpu')
      await expect(model.trainOnBatch(masked, y)).rejects.toThrow(/from 0 to 2, got 3/)
    else expect(await model.trainOnBatch(masked, y)).toBeNaN()
    const compile = (options: object) => () =>
      vectors().compile({ optimizer: 'sgd', loss: mse, ...options } as never)
    for (const wrong of [0, 1.5, -1, '1'])
      expect(compile({ targetDim: wrong })).toThrow(/targetDim must be a positive integer or null/)
    expect(compile({ loss: 'mse', targetDim: 1 })).toThrow(
      /targetDim must be null for a loss with a name, which has targets of its own, got 1/,
    )
  })
})

describe('errors name the function and the shapes', () => {
  const refused = (loss: unknown, message: RegExp) =>
    expect(() => vectors().compile({ optimizer: 'sgd', loss: loss as never })).toThrow(message)

  it('of a value that is no number a row', () => {
    refused(
      (y: K.Expr, p: K.Expr) => sub(y, p),
      /^loss: what the function gives must be \[B\], one number for each sample, got \[B, 3\]\. Take the mean/,
    )
    refused((y: K.Expr, p: K.Expr) => mean(sub(y, p)), /got \[\]/)
    const model = sequences()
    expect(() => model.compile({ optimizer: 'sgd', loss: (y, p) => sub(y, p) })).toThrow(
      /\[B, 4\], one number for each row of the last axis, or \[B\], one for each sample, got \[B, 4, 3\]/,
    )
  })
  it('of an expression whose shapes do not fit', () => {
    refused((y: K.Expr, p: K.Expr) => y.dot(p), /^loss: dot\(yTrue \[B, 3\], yPred \[B, 3\]\)/)
    expect(() =>
      vectors().compile({
        optimizer: 'sgd',
        loss: 'mse',
        metrics: [
          function odd(y, p) {
            return K.concat(y, mean(p))
          },
        ],
      }),
    ).toThrow(/^metric odd: concat/)
  })
  it('of what is no expression, and of what a loss does not have', () => {
    refused(() => 'x', /^loss: what the function gives must be an expression, got the string 'x'/)
    const w = shared([1, 2, 3], 'w')
    refused((y: K.Expr, p: K.Expr) => mean(sub(y, p).mul(w), -1), /one that reads w \[3\]/)
    const other = placeholder(['B', C], 'other')
    refused((y: K.Expr) => mean(sub(y, other), -1), /one that reads other/)
    refused((y: K.Expr, p: K.Expr) => mean(sub(y, dropout(p, 0.5)), -1), /without loops, dropout/)
    const looped = (y: K.Expr, p: K.Expr) =>
      scan((t) => [t], { sequences: mean(sub(y, p), -1), outputsInfo: [null] })[0]
    refused(looped, /without loops/)
    refused(7, /loss must be one of/)
  })
  it('of several outputs', () => {
    expect(() =>
      twoOutputs().compile({
        optimizer: 'sgd',
        loss: { kind: (y, p) => sub(y, p), amount: 'mse' },
      }),
    ).toThrow(/^loss of kind: /)
  })
})

it('is called by compile alone', async () => {
  let calls = 0
  const counted: LossFunction = (y, p) => {
    calls++
    return mse(y, p)
  }
  const model = vectors()
  model.compile({ optimizer: 'sgd', loss: counted })
  expect(calls).toBe(1)
  await model.fit(masked, classes(N), { nbEpoch: 2, verbose: 0 })
  await model.save(path.join(folder, 'calls.h5'))
  expect(calls).toBe(1)
})

it('gives the same bits on any number of threads', async () => {
  setFloatx('float32')
  const before = info().threads
  const bits: string[] = []
  try {
    for (const threads of [1, 2, 4]) {
      setThreads(threads)
      setSeed(3)
      const model = new Sequential([new Dense(300, { inputDim: 200 }), new Dense(200)])
      model.compile({ optimizer: 'adam', loss: mse, metrics: [(y, p) => sum(sub(y, p), -1)] })
      const [x, y] = [uniform(6, [64, 200]), uniform(7, [64, 200])]
      const { history } = await model.fit(x, y, { nbEpoch: 2, verbose: 0 })
      const sums = model.getWeights().map(({ data }) => Array.from(data).reduce((a, b) => a + b, 0))
      bits.push(JSON.stringify([history, sums]))
    }
  } finally {
    setThreads(before)
    setFloatx('float64')
  }
  expect(new Set(bits).size).toBe(1)
})

describe('in files', () => {
  const file = path.join(folder, 'model.h5')
  const bias = (y: K.Expr, p: K.Expr) => mean(sub(p, y))
  async function saved(): Promise<Model> {
    const model = twoOutputs()
    model.compile({
      optimizer: 'adam',
      loss: [objective('categorical_crossentropy'), mse],
      metrics: { kind: ['acc', bias], amount: bias },
    })
    await model.trainOnBatch(rows, targets)
    await model.save(file)
    return model
  }

  it('a model trains on with the same bits, without the functions', async () => {
    const model = await saved()
    const again = await loadModel(file)
    expect(again.metricsNames).toEqual(model.metricsNames)
    await again.save(path.join(folder, 'again.h5'))
    const third = await loadModel(path.join(folder, 'again.h5'))
    const scores = []
    for (const each of [model, again, third]) scores.push(await each.trainOnBatch(rows, targets))
    expect(scores[1]).toEqual(scores[0])
    expect(scores[2]).toEqual(scores[0])
    expect(again.getWeights()).toEqual(model.getWeights())
  })

  it('Keras finds the names of the functions', async () => {
    await saved()
    const text = await readH5(file, async (h5) => h5.attribute('', 'training_config'))
    expect(JSON.parse(text as string)).toMatchObject({
      loss: ['likelihood', 'mse'],
      metrics: { kind: ['acc', 'bias'], amount: ['bias'] },
      metric_expressions: { kind: [null, { outputs: [3] }], amount: [{ outputs: [3] }] },
    })
  })

  it.each([
    ['nodes', (data: { nodes: unknown }) => ({ ...data, nodes: 7 })],
    ['an op', (d: { nodes: object[] }) => ({ ...d, nodes: [{ op: 'system' }, ...d.nodes] })],
    ['an output', (d: object) => ({ ...d, outputs: [1e9] })],
    ['a shape', (d: { nodes: object[] }) => ({ ...d, outputs: [0] })],
  ])('%s that is damaged is a FormatError', async (_, damage) => {
    const model = await saved()
    const { loss } = model.compiled as unknown as { loss: { source: unknown }[] }
    const before = loss[1]!.source
    Object.assign(loss[1]!, { source: damage(before as never) })
    await model.save(file)
    await expect(loadModel(file)).rejects.toThrow(FormatError)
    await expect(loadModel(file)).rejects.toThrow(/training_config: /)
    expect((await loadModel(file, { compile: false })).countParams()).toBe(16)
  })
})

it('a checkpoint goes on with the same bits', async () => {
  const dir = path.join(folder, 'checkpoints')
  const fit = { nbEpoch: 3, batchSize: 4, verbose: 0 } as const
  const make = () => {
    const model = vectors()
    model.compile({ optimizer: 'adam', loss: mse, metrics: [(y, p) => mean(sub(y, p))] })
    return model
  }
  const whole = make()
  await whole.fit(masked, classes(N), fit)
  const part = make()
  const epochs = { ...fit, nbEpoch: 2, checkpoint: { dir } }
  await part.fit(masked, classes(N), epochs)
  const other = vectors()
  other.compile({ optimizer: 'adam', loss: (y, p) => mean(abs(sub(y, p)), -1) })
  await expect(other.fit(masked, classes(N), { ...fit, resume: dir })).rejects.toThrow(
    /compile of a training.*"loss":\{"name":"mse"/,
  )
  const resumed = make()
  await resumed.fit(masked, classes(N), { ...fit, resume: dir })
  expect(resumed.getWeights()).toEqual(whole.getWeights())
})
