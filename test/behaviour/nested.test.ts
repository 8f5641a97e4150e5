/** Models as layers of models, layers that are frozen, and models that share layers. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, uniform } from '../arrays.js'
import {
  Bidirectional,
  Dense,
  Dropout,
  Flatten,
  GRU,
  LambdaCallback,
  type Layer,
  LSTM,
  loadModel,
  Masking,
  Merge,
  modelFromJson,
  modelFromYaml,
  Sequential,
  setSeed,
  TimeDistributed,
} from '../package.js'
import { sleep } from './models.js'

const [T, D] = [4, 3]
const x = uniform(1, [8, T, D])
const y = uniform(2, [8, 2], 0, 1)

const encoder = (): Sequential =>
  new Sequential([
    new LSTM(5, { inputShape: [T, D], WRegularizer: 'l2' }),
    new Dense(4, { activation: 'tanh' }),
  ])
const decoder = (): Sequential => new Sequential([new Dense(6, { inputDim: 4 }), new Dropout(0.2)])

function nested(first: Layer[] = [], seed = 5): Sequential {
  setSeed(seed)
  const model = new Sequential([...first, encoder(), decoder(), new Dense(2)])
  model.compile({ optimizer: 'adam', loss: 'mse' })
  return model
}

/** The same layers in a row. */
function plain(seed = 5): Sequential {
  setSeed(seed)
  const model = new Sequential(
    [...encoder().layers, ...decoder().layers].map((layer) => layer.clone()),
  )
  model.add(new Dense(2))
  model.compile({ optimizer: 'adam', loss: 'mse' })
  return model
}

describe('a model as a layer', () => {
  it('computes and learns what its layers in a row do, bit for bit', async () => {
    const [a, b] = [nested(), plain()]
    b.setWeights(a.getWeights())
    expectSameBits(await a.predict(x), await b.predict(x))
    for (const model of [a, b]) {
      setSeed(2)
      await model.fit(x, y, { nbEpoch: 3, batchSize: 3, verbose: 0 })
    }
    expectAllSameBits(a.getWeights(), b.getWeights())
    expect(a.countParams()).toBe(b.countParams())
  })

  it('may follow another layer, and takes its mask', async () => {
    const layers = () => [
      new LSTM(5, { returnSequences: true, inputShape: [null, 3] }),
      new LSTM(2),
    ]
    setSeed(1)
    const a = new Sequential([new Masking({ inputShape: [T, D] }), new Sequential(layers())])
    const b = new Sequential([new Masking({ inputShape: [T, D] }), ...layers()])
    b.setWeights(a.getWeights())
    const padded = { data: x.data.map((v, i) => (i % (T * D) >= D ? v : 0)), shape: x.shape }
    expectSameBits(await a.predict(padded), await b.predict(padded))
    expect(
      () =>
        new Sequential([
          new Masking({ inputShape: [T, D] }),
          new Sequential([new Flatten({ inputShape: [T, D] })]),
        ]),
    ).toThrow(/without a mask/)
  })

  it('must fit what is before it', () => {
    const add = (...layers: Layer[]) => new Sequential(layers)
    expect(() => add(new Dense(5, { inputDim: 2 }), decoder())).toThrow(
      /sequential_\d+ \(Sequential\): input must be \[B, 4\], got \[B, 5\]/,
    )
    expect(() => add(new Dense(5, { inputDim: 2 }), new Sequential())).toThrow(
      /with layers, got an empty one/,
    )
    expect(() => add(new Sequential())).toThrow(/with layers/)
    const two = new Sequential([new Merge([decoder(), decoder()])])
    expect(() => add(new Dense(4, { inputDim: 2 }), two)).toThrow(/2 tensors/)
    const model = decoder()
    expect(() => model.add(model)).toThrow(/that model itself/)
    const outer = add(decoder())
    expect(() => (outer.layers[0] as Sequential).add(outer)).toThrow(/does not hold/)
    expect(() => (outer.layers[0] as Sequential).pop()).toThrow(/part of another model/)
    expect(() => outer.add(outer.layers[0] as Layer)).toThrow(/input must be/)
  })

  it('is found, shown and kept by name', () => {
    const model = nested()
    const [inner] = model.layers as [Sequential]
    expect(model.getLayer({ name: inner.name })).toBe(inner)
    expect(model.getLayer({ index: 1 })).toBe(inner)
    expect(inner.getLayer({ index: 2 })).toBe(inner.layers[1])
    let text = ''
    model.summary({ print: (t) => void (text = t) })
    expect(text).toMatch(
      new RegExp(`${inner.name} \\(Sequential\\) +\\(None, 4\\) +${inner.countParams()}`),
    )
    expect(inner.getWeights().length).toBe(
      inner.layers.flatMap((layer) => layer.getWeights()).length,
    )
  })

  it('goes into files and comes back', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'nested-'))
    try {
      const model = nested()
      await model.fit(x, y, { nbEpoch: 1, verbose: 0 })
      await model.save(path.join(folder, 'm.h5'))
      const loaded = await loadModel(path.join(folder, 'm.h5'))
      expect((loaded.layers[0] as Sequential).layers).toHaveLength(2)
      expectAllSameBits(loaded.getWeights(), model.getWeights())
      for (const one of [model, loaded]) {
        setSeed(3)
        await one.trainOnBatch(x, y)
      }
      expectAllSameBits(loaded.getWeights(), model.getWeights(), 'after one more step')
      for (const again of [modelFromJson(model.toJson()), modelFromYaml(model.toYaml())]) {
        expect(again.getConfig()).toEqual(model.getConfig())
        again.setWeights(model.getWeights())
        expectSameBits(await again.predict(x), await model.predict(x))
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('is what TimeDistributed applies to each step; Bidirectional wants a recurrent layer', async () => {
    const steps = new Sequential([new TimeDistributed(decoder(), { inputShape: [T, 4] })])
    const one = (steps.layers[0] as TimeDistributed).layer as Sequential
    const many = uniform(3, [2, T, 4])
    const rows = { data: many.data, shape: [2 * T, 4] }
    const y1 = await steps.predict(many)
    expect(y1.shape).toEqual([2, T, 6])
    expectSameBits({ data: (await one.predict(rows)).data, shape: [2, T, 6] }, y1)
    const again = modelFromJson(steps.toJson())
    again.setWeights(steps.getWeights())
    expectSameBits(await again.predict(many), y1)
    expect(() => new Bidirectional(encoder() as never)).toThrow(/a recurrent layer/)
  })

  it('loses its states with resetStates, from either side', async () => {
    const inner = new Sequential([new GRU(2, { stateful: true, batchInputShape: [8, T, D] })])
    const model = new Sequential([inner, new Dense(1)])
    const first = await model.predict(x)
    const second = await model.predict(x)
    expect([...second.data]).not.toEqual([...first.data])
    model.resetStates()
    expectSameBits(await model.predict(x), first)
    inner.resetStates()
    expectSameBits(await model.predict(x), first)
    await expect(model.predict(uniform(1, [3, T, D]))).rejects.toThrow(/8 samples each/)
  })

  it('may have layers called as those of another', async () => {
    const named = () => new Sequential([new Dense(2, { inputDim: 2, name: 'd' })])
    const model = new Sequential([named(), named(), new Dense(1, { name: 'd' })])
    model.compile({ optimizer: 'rmsprop', loss: 'mse' })
    await model.trainOnBatch(uniform(1, [4, 2]), uniform(3, [4, 1]))
    expect(model.getWeights()).toHaveLength(6)
    const twice = new Sequential([
      new Dense(2, { inputDim: 2, name: 'd' }),
      new Dense(2, { name: 'd' }),
    ])
    expect(() => twice.compile({ optimizer: 'sgd', loss: 'mse' })).toThrow(/'d' twice/)
  })

  it('names what is not finite with the model it is in', async () => {
    const inner = new Sequential([new Dense(2, { inputDim: 3, name: 'deep' })])
    const model = new Sequential([new Dense(3, { inputDim: 3 }), inner])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    inner.setWeights([uniform(1, [3, 2], 3e38, 3.1e38), uniform(1, [2])])
    await expect(
      model.fit(uniform(1, [4, 3], 2, 3), uniform(2, [4, 2]), { onNaN: 'throw', verbose: 0 }),
    ).rejects.toThrow(/deep \(Dense\) in sequential_\d+ \(Sequential\)/)
  })
})

describe('trainable = false', () => {
  const frozen: [string, (model: Sequential) => Layer][] = [
    ['a layer', (model) => model.layers[2] as Layer],
    ['a model inside', (model) => model.layers[0] as Layer],
    ['a layer of a model inside', (model) => (model.layers[0] as Sequential).layers[0] as Layer],
  ]
  it.each(frozen)('on %s keeps its weights, and its alone', async (_, which) => {
    const model = nested()
    which(model).trainable = false
    await model.trainOnBatch(x, y) // set after compile: counts from the next
    const before = which(model).getWeights()
    model.compile({ optimizer: 'adam', loss: 'mse' })
    const all = model.getWeights()
    await model.trainOnBatch(x, y)
    expectAllSameBits(which(model).getWeights(), before)
    const moved = model.getWeights().filter((w, i) => w.data.some((v, k) => v !== all[i]?.data[k]))
    expect(moved.length).toBe(all.length - before.length)
  })

  it('takes effect at the next compile', async () => {
    const model = nested()
    const [inner] = model.layers as [Sequential]
    inner.trainable = false
    const before = inner.getWeights()
    await model.trainOnBatch(x, y)
    expect(inner.getWeights()[0]?.data.some((v, k) => v !== before[0]?.data[k])).toBe(true)
  })

  it.each([
    ['TimeDistributed', () => new TimeDistributed(new Dense(3), { inputShape: [T, D] })],
    [
      'Bidirectional',
      () => new Bidirectional(new GRU(2, { returnSequences: true }), { inputShape: [T, D] }),
    ],
    [
      'what TimeDistributed wraps',
      () => new TimeDistributed(new Dense(3, { trainable: false }), { inputShape: [T, D] }),
    ],
  ] as const)('on %s', async (name, make) => {
    const layer = make()
    if (!name.startsWith('what')) layer.trainable = false
    const model = new Sequential([layer, new Flatten(), new Dense(2)])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const before = layer.getWeights()
    await model.trainOnBatch(x, y)
    expectAllSameBits(layer.getWeights(), before)
  })

  it('on a whole model leaves nothing to learn', async () => {
    const model = nested()
    model.trainable = false
    model.compile({ optimizer: 'adam', loss: 'mse' })
    const before = model.getWeights()
    const { history } = await model.fit(x, y, { nbEpoch: 2, verbose: 0 })
    expect(history.loss).toHaveLength(2)
    expectAllSameBits(model.getWeights(), before)
    let text = ''
    model.summary({ print: (t) => void (text = t) })
    expect(text).toContain('Trainable params: 0')
  })

  it('counts apart, and comes last in the group of a file as in Keras', async () => {
    const model = nested()
    const [inner] = model.layers as [Sequential]
    ;(inner.layers[0] as Layer).trainable = false
    let text = ''
    model.summary({ print: (t) => void (text = t) })
    const still = inner.layers[0]?.countParams() as number
    expect(text).toContain(`Non-trainable params: ${still}`)
    expect(text).toContain(`Trainable params: ${model.countParams() - still}`)
    const names = inner.fileArrays().map((a) => a.name.replace(/_\d+_/, '_'))
    expect(names.slice(0, 3)).toEqual(['dense_W', 'dense_b', 'lstm_W_i'])
    expect(inner.kerasArrays()[0]?.name).toMatch(/^lstm/)
    const folder = mkdtempSync(path.join(tmpdir(), 'frozen-'))
    try {
      model.compile({ optimizer: 'adam', loss: 'mse' })
      await model.trainOnBatch(x, y)
      await model.save(path.join(folder, 'm.h5'))
      const loaded = await loadModel(path.join(folder, 'm.h5'))
      expect((loaded.layers[0] as Sequential).layers[0]?.trainable).toBe(false)
      expectAllSameBits(loaded.getWeights(), model.getWeights())
      for (const one of [model, loaded]) {
        setSeed(1)
        await one.trainOnBatch(x, y)
      }
      expectAllSameBits(loaded.getWeights(), model.getWeights(), 'after one more step')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('models that share layers', () => {
  it('share the weights, whoever trains them', async () => {
    const inner = encoder()
    const model = new Sequential([inner, new Dense(2)])
    model.compile({ optimizer: 'adam', loss: 'mse' })
    const before = await inner.predict(x)
    await model.trainOnBatch(x, y)
    const after = await inner.predict(x)
    expect([...after.data]).not.toEqual([...before.data])
    const last = new Sequential([
      new Dense(2, { inputDim: 4, weights: (model.layers[1] as Layer).getWeights() }),
    ])
    expectSameBits(await last.predict(after), await model.predict(x))
    expectAllSameBits(inner.getWeights(), model.getWeights().slice(0, -2))
    inner.setWeights(
      inner.getWeights().map((w) => ({ data: w.data.map(() => 0), shape: [...w.shape] })),
    )
    expect([...(await inner.predict(x)).data].every((v) => v === 0)).toBe(true)
    expect(model.getWeights()[0]?.data.every((v) => v === 0)).toBe(true)
  })

  // As generative adversarial networks are trained in Keras 1: the judge learns alone, then stays
  // still inside the whole.
  it('keep an optimizer each, and what was frozen when each was compiled', async () => {
    setSeed(4)
    const maker = new Sequential([new Dense(3, { inputDim: 2, activation: 'tanh' })])
    const judge = new Sequential([
      new Dense(4, { inputDim: 3, activation: 'tanh' }),
      new Dense(1, { activation: 'sigmoid' }),
    ])
    judge.compile({ optimizer: 'adam', loss: 'binary_crossentropy' })
    judge.trainable = false
    const whole = new Sequential([maker, judge])
    whole.compile({ optimizer: 'adam', loss: 'binary_crossentropy' })
    const noise = uniform(1, [6, 2])
    const ones = { data: new Float32Array(6).fill(1), shape: [6, 1] }
    for (let step = 0; step < 3; step++) {
      const [m, j] = [maker.getWeights(), judge.getWeights()]
      await judge.trainOnBatch(await maker.predict(noise), ones)
      expectAllSameBits(maker.getWeights(), m)
      const learned = judge.getWeights()
      expect(learned[0]?.data.some((v, k) => v !== j[0]?.data[k])).toBe(true)
      await whole.trainOnBatch(noise, ones)
      expectAllSameBits(judge.getWeights(), learned)
      expect(maker.getWeights()[0]?.data.some((v, k) => v !== m[0]?.data[k])).toBe(true)
    }
    expect(judge.optimizerWeights()).toHaveLength(1 + 2 * 4)
    expect(whole.optimizerWeights()).toHaveLength(1 + 2 * 2)
    expect(judge.optimizerWeights()?.[0]?.data[0]).toBe(3)
  })

  it('take turns: predict of a part runs between the batches of a fit, a second fit is ERR_BUSY', async () => {
    setSeed(7)
    const inner = new Sequential([new LSTM(64, { inputShape: [30, 8] })])
    const model = new Sequential([inner, new Dense(1)])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    inner.compile({ optimizer: 'sgd', loss: 'mse' })
    const many = uniform(1, [256, 30, 8])
    const targets = uniform(2, [256, 1])
    const alone = await (async () => {
      const weights = model.getWeights()
      const copy = modelFromJson(model.toJson())
      copy.setWeights(weights)
      copy.compile({ optimizer: 'sgd', loss: 'mse' })
      await copy.fit(many, targets, { nbEpoch: 4, verbose: 0, shuffle: false })
      return copy.getWeights()
    })()
    let done = false
    const busy = expect.objectContaining({ code: 'ERR_BUSY' })
    const fit = model
      .fit(many, targets, { nbEpoch: 4, verbose: 0, shuffle: false })
      .then(() => void (done = true))
    await expect(inner.fit(many, uniform(3, [256, 64]), { verbose: 0 })).rejects.toThrow(busy)
    expect(() => inner.compile({ optimizer: 'sgd', loss: 'mse' })).toThrow(busy)
    expect(() => inner.setWeights(inner.getWeights())).toThrow(busy)
    await sleep(1)
    const some = uniform(1, [2, 30, 8])
    let asked = 0
    while (!done && asked < 20) {
      await inner.predict(some)
      asked++
    }
    await fit
    expect(asked).toBeGreaterThan(0)
    expectAllSameBits(model.getWeights(), alone)
  })

  it('let a callback of a fit use the parts', async () => {
    const inner = encoder()
    const model = new Sequential([inner, new Dense(2)])
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const seen: number[] = []
    const onBatchEnd = async () => {
      const p = await inner.predict(x)
      seen.push(p.data[0] as number)
      if (seen.length === 2)
        inner.setWeights(
          inner.getWeights().map((w) => ({ data: w.data.map(() => 0), shape: [...w.shape] })),
        )
    }
    await model.fit(x, y, {
      batchSize: 4,
      nbEpoch: 2,
      verbose: 0,
      callbacks: [new LambdaCallback({ onBatchEnd })],
    })
    expect(seen).toHaveLength(4)
    expect(Math.abs(seen[2] as number)).toBeLessThan(0.1)
  })

  it('live on when one of them is disposed', async () => {
    const inner = encoder()
    const model = new Sequential([inner, new Dense(2)])
    const p = await model.predict(x)
    const q = await inner.predict(x)
    inner.dispose()
    expectSameBits(await model.predict(x), p)
    await expect(inner.predict(x)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_DISPOSED' }),
    )
    const again = encoder()
    const outer = new Sequential([again, new Dense(2)])
    again.setWeights(model.getWeights().slice(0, -2))
    await outer.predict(x)
    outer.dispose()
    expectSameBits(await again.predict(x), q)
  })

  it('may be taken apart again', async () => {
    const inner = encoder()
    const model = new Sequential([new Dense(D, { inputShape: [T, D] }), inner])
    const q = await inner.predict(x)
    await model.predict(x)
    model.pop()
    expect(model.outputShape).toEqual([null, T, D])
    expectSameBits(await inner.predict(x), q)
    expect((await model.predict(x)).shape).toEqual([8, T, D])
  })

  it('compute in one precision', () => {
    const double = new Sequential([new Dense(2, { inputDim: 2, dtype: 'float64' })])
    expect(() => new Sequential([new Dense(2, { inputDim: 2, dtype: 'float32' }), double])).toThrow(
      /in one precision/,
    )
    const model = new Sequential([double, new Dense(1)])
    expect(model.layers[1]?.floatx).toBe('float64')
    expect(() => model.add(new Dense(1, { dtype: 'float32' }))).toThrow(/in one precision/)
  })
})

it('a model without layers has no shapes, and says so when it is asked', async () => {
  const empty = new Sequential()
  expect([empty.inputShape, empty.outputShape, empty.inputShapes]).toEqual([
    undefined,
    undefined,
    [],
  ])
  await expect(empty.predict(x)).rejects.toThrow(expect.objectContaining({ code: 'ERR_NOT_BUILT' }))
})
