import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  Bidirectional,
  type Callback,
  Dense,
  Embedding,
  GRU,
  Input,
  LambdaCallback,
  type Layer,
  LSTM,
  Masking,
  merge,
  Model,
  NDArray,
  Ragged,
  Sequential,
  setSeed,
  TimeDistributed,
} from '../package.js'

const LENGTHS = [5, 2, 7, 3, 1, 6, 4, 2, 5, 3]

/** One number after the other, the same for each seed. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1103515245 + 12345) % 2 ** 31
    return state / 2 ** 30 - 1
  }
}

/** Sequences `[T_i, D]`. */
function sequences(features: number, seed = 1, lengths = LENGTHS): NDArray[] {
  const next = numbers(seed)
  return lengths.map(
    (steps) =>
      new NDArray(Float32Array.from({ length: steps * features }, next), [steps, features]),
  )
}

const classes = (count: number) => Array.from({ length: count }, (_, i) => [i % 2, 1 - (i % 2)])

function made(...layers: Layer[]): Sequential {
  setSeed(3)
  const model = new Sequential(layers)
  model.compile({ loss: 'mse', optimizer: 'adam' })
  return model
}
const tagger = () =>
  made(
    new LSTM(4, { inputShape: [null, 3], returnSequences: true }),
    new TimeDistributed(new Dense(2)),
  )
const classifier = () =>
  made(new GRU(4, { inputShape: [null, 3], name: 'read' }), new Dense(2, { name: 'tell' }))

const bits = (model: Sequential | Model) => model.getWeights().map((each) => Array.from(each.data))

const near = (got: NDArray, wanted: NDArray) => {
  expect(got.shape).toEqual(wanted.shape)
  for (const [i, value] of wanted.data.entries()) expect(got.data[i]).toBeCloseTo(value, 5)
}

describe('Ragged', () => {
  it('holds samples one after the other', () => {
    const ragged = Ragged.from([
      [
        [1, 2],
        [3, 4],
      ],
      [[5, 6]],
    ])
    expect(ragged.length).toBe(2)
    expect(Array.from(ragged.lengths)).toEqual([2, 1])
    expect(ragged.stepShape).toEqual([2])
    expect(ragged.at(-1).toArray()).toEqual([[5, 6]])
    expect(ragged.padded(undefined, { value: 9 }).toArray()).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [9, 9],
      ],
    ])
    expect(ragged.pick([1, 0, 1]).toArray()).toEqual([
      [[5, 6]],
      [
        [1, 2],
        [3, 4],
      ],
      [[5, 6]],
    ])
    expect(ragged.slice(1).toArray()).toEqual([[[5, 6]]])
  })

  it('refuses samples without steps and steps of different shapes', () => {
    expect(() => Ragged.from([[[1, 2]], [[1, 2, 3]]])).toThrow(/samples\[1\].*\[T, 2\].*\[1, 3\]/)
    expect(() => Ragged.from([[[1]], new NDArray(new Float32Array(0), [0, 1])])).toThrow(
      /samples\[1\].*1 or more/,
    )
    expect(() => Ragged.from([])).toThrow(/one array or more/)
    expect(() => new Ragged(new Float32Array(3), [2, 2])).toThrow(/4 numbers/)
    expect(() => Ragged.from([[1]]).at(1)).toThrow(/index/)
  })
})

describe('predict on sequences of different lengths', () => {
  const models: Record<string, () => Sequential> = {
    'without a mask of its own': tagger,
    'behind Masking': () =>
      made(
        new Masking({ maskValue: -5, inputShape: [null, 3] }),
        new LSTM(4, { returnSequences: true }),
      ),
    'through both directions': () =>
      made(new Bidirectional(new GRU(3, { returnSequences: true }), { inputShape: [null, 3] })),
    'with one output a sequence': classifier,
  }
  it.each(Object.keys(models))('gives what each gives alone: %s', async (name) => {
    const model = models[name]!()
    const x = sequences(3)
    const y = (await model.predict(x, { batchSize: 4 })) as unknown as Ragged | NDArray
    for (const [i, sample] of x.entries()) {
      const alone = await model.predict(new NDArray(sample.data, [1, ...sample.shape]))
      const got = y instanceof Ragged ? y.at(i) : y.slice(i, i + 1)
      near(got, y instanceof Ragged ? new NDArray(alone.data, alone.shape.slice(1)) : alone)
    }
    expect(y instanceof Ragged).toBe(name !== 'with one output a sequence')
  })

  it('takes words, nested lists and typed arrays', async () => {
    const model = made(
      new Embedding(9, 3, { maskZero: true }),
      new LSTM(4, { returnSequences: true }),
    )
    const lists = [[1, 2, 3], [4], [5, 6]]
    const y = (await model.predict(lists)) as unknown as Ragged
    const typed = lists.map((list) => Int32Array.from(list))
    expect(Array.from(y.lengths)).toEqual([3, 1, 2])
    expect((await model.predict(typed)).toArray()).toEqual(y.toArray())
    expect((await model.predict(Ragged.from(lists))).toArray()).toEqual(y.toArray())
    expect((await model.predictOnBatch(lists)).toArray()).toEqual(y.toArray())
    expect(model.predictOnBatchSync(lists).toArray()).toEqual(y.toArray())
    const source = [Ragged.from([[1, 2, 3], [4]]), Ragged.from([[5, 6]])]
    const best = await model.predictClasses(Ragged.from(lists))
    expect(best.at(0).get(1)).toBe(
      y
        .at(0)
        .slice(1, 2)
        .data.indexOf(Math.max(...y.at(0).slice(1, 2).data)),
    )
    expect((await model.predictGenerator(source, { valSamples: 3 })).toArray()).toEqual(y.toArray())
  })

  it('takes several inputs, of which some are sequences', async () => {
    const a = Input({ shape: [null, 3], name: 'a' })
    const b = Input({ shape: [2], name: 'b' })
    const model = new Model({
      input: [a, b],
      output: merge([new LSTM(2).call(a), b], { mode: 'concat' }),
    })
    const x = sequences(3)
    const flat = new NDArray(Float32Array.from({ length: 20 }, numbers(2)), [10, 2])
    const y = await model.predict([Ragged.from(x), flat], { batchSize: 3 })
    expect((await model.predict({ a: x, b: flat } as never, { batchSize: 3 })).data).toEqual(y.data)
    for (const [i, sample] of x.entries()) {
      const alone = await model.predict([
        new NDArray(sample.data, [1, ...sample.shape]),
        flat.slice(i, i + 1),
      ])
      near(y.slice(i, i + 1), alone)
    }
  })
})

describe('fit on sequences of different lengths', () => {
  it('trains as on padded batches with a mask', async () => {
    const x = sequences(3)
    const y = sequences(2, 7)
    const padded = made(
      new Masking({ maskValue: -5, inputShape: [null, 3] }),
      new LSTM(4, { returnSequences: true }),
      new TimeDistributed(new Dense(2)),
    )
    const model = tagger()
    model.setWeights(padded.getWeights())
    const { history } = await model.fit(x, y, {
      batchSize: 4,
      nbEpoch: 2,
      shuffle: false,
      verbose: 0,
    })
    for (let epoch = 0; epoch < 2; epoch++) {
      let sum = 0
      for (const [from, to] of [
        [0, 4],
        [4, 8],
        [8, 10],
      ] as const) {
        const rows = [Ragged.from(x.slice(from, to)), Ragged.from(y.slice(from, to))] as const
        const loss = await padded.trainOnBatch(
          rows[0].padded(undefined, { value: -5 }),
          rows[1].padded(),
        )
        sum += loss * (to - from)
      }
      expect(history.loss![epoch]).toBeCloseTo(sum / 10, 5)
    }
    for (const [i, weights] of padded.getWeights().entries()) near(model.getWeights()[i]!, weights)
  })

  it('goes on with the optimizer where it got arrays of one length before', async () => {
    const dense = new NDArray(Float32Array.from({ length: 4 * 5 * 3 }, numbers(5)), [4, 5, 3])
    const models = [classifier(), classifier()] as const
    const x = sequences(3)
    await models[1].predict(x) // masked from the beginning
    for (const model of models) {
      await model.fit(dense, classes(4), { nbEpoch: 3, shuffle: false, verbose: 0 })
      await model.fit(x, classes(10), { nbEpoch: 2, shuffle: false, verbose: 0 })
      expect(model.optimizer.iterations).toBe(5)
    }
    const wanted = models[1].getWeights()
    for (const [i, weights] of models[0].getWeights().entries()) near(weights, wanted[i]!)
  })

  it('copies at once, and trains the same for the same seed', async () => {
    const run = async (spoil: boolean) => {
      const model = classifier()
      const x = Ragged.from(sequences(3))
      const y = NDArray.from(classes(10))
      setSeed(8)
      const running = model.fit(x, y, { batchSize: 3, nbEpoch: 3, verbose: 0 })
      if (spoil) for (const { data } of [x, y]) data.fill(99)
      await running
      return bits(model)
    }
    expect(await run(true)).toEqual(await run(false))
  })

  it('validates, by data and by split, and weighs steps and classes', async () => {
    const x = sequences(3)
    const y = sequences(2, 7)
    const model = tagger()
    const { history } = await model.fit(x, y, {
      nbEpoch: 1,
      verbose: 0,
      validationData: [x, y],
    })
    expect(history.val_loss![0]).toBeCloseTo(await model.evaluate(x, y, { verbose: 0 }), 6)
    const split = await model.fit(x, y, { nbEpoch: 1, verbose: 0, validationSplit: 0.3 })
    const last = await model.evaluate(x.slice(7), y.slice(7), { verbose: 0 })
    expect(split.history.val_loss![0]).toBeCloseTo(last, 6)
    model.compile({ loss: 'mse', optimizer: 'sgd', sampleWeightMode: 'temporal' })
    const ones = LENGTHS.map((steps) => new Float32Array(steps).fill(1))
    const loss = await model.evaluate(x, y, { verbose: 0 })
    expect(await model.evaluate(x, y, { sampleWeight: ones, verbose: 0 })).toBeCloseTo(loss, 6)
    const noFirst = ones.map((each) => each.map((_, t) => (t === 0 ? 0 : 1)))
    expect(await model.evaluate(x, y, { sampleWeight: noFirst, verbose: 0 })).not.toBeCloseTo(
      loss,
      6,
    )
    const sorted = classifier()
    await sorted.fit(x, classes(10), { classWeight: { 0: 0, 1: 0 }, nbEpoch: 2, verbose: 0 })
    expect(bits(sorted)).toEqual(bits(classifier()))
  })

  it('takes batches of sequences from a generator', async () => {
    const x = sequences(3)
    const models = [classifier(), classifier()] as const
    const batches = [
      [x.slice(0, 5), classes(5)],
      [x.slice(5), classes(5)],
    ] as const
    await models[0].fitGenerator(batches as never, { samplesPerEpoch: 10, nbEpoch: 1, verbose: 0 })
    for (const [some, y] of batches) await models[1].trainOnBatch(some, y)
    expect(bits(models[0])).toEqual(bits(models[1]))
  })

  it('goes on from a checkpoint to the same bits', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'hs-ragged-'))
    const x = sequences(3)
    const options = { batchSize: 3, nbEpoch: 4, verbose: 0 as const }
    try {
      const whole = classifier()
      setSeed(5)
      await whole.fit(x, classes(10), options)
      const first = classifier()
      setSeed(5)
      let batches = 0
      const stop: Callback = new LambdaCallback({
        onBatchEnd: () => {
          if (++batches === 6) throw new Error('stopped')
        },
      })
      const checkpoint = { dir, everyBatches: 5 }
      await expect(
        first.fit(x, classes(10), { ...options, checkpoint, callbacks: [stop] }),
      ).rejects.toThrow('stopped')
      const second = classifier()
      setSeed(77)
      const silent = new LambdaCallback({})
      await second.fit(x, classes(10), {
        ...options,
        checkpoint,
        resume: 'auto',
        callbacks: [silent],
      })
      expect(bits(second)).toEqual(bits(whole))
      const others = sequences(3, 2)
      await expect(
        classifier().fit(others, classes(10), {
          ...options,
          checkpoint,
          resume: 'auto',
          callbacks: [silent],
        }),
      ).rejects.toThrow(/data/)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
})

describe('bad sequences', () => {
  const x = sequences(3)
  it('are refused with the sample, and change nothing', async () => {
    const model = tagger()
    const before = bits(model)
    const y = sequences(2, 7)
    const train = (x: unknown, y: unknown) => model.fit(x as never, y as never, { verbose: 0 })
    await expect(train(x, sequences(2, 7, [5, 2, 7, 4, 1, 6, 4, 2, 5, 3]))).rejects.toThrow(
      /y\[3\].*3, as its input has.*4/s,
    )
    await expect(train(x.slice(1), y)).rejects.toThrow(/9/)
    await expect(train(sequences(4), y)).rejects.toThrow(/\[B, null, 3\]/)
    await expect(train(x, sequences(3))).rejects.toThrow(/y\[0\]/)
    expect(bits(model)).toEqual(before)
  })

  it('are refused where padding cannot be masked', async () => {
    const words = made(new Embedding(9, 3), new LSTM(2))
    await expect(words.predict([[1, 2], [3]])).rejects.toThrow(/maskZero: true/)
    const dense = made(new Dense(2, { inputShape: [null, 3] }))
    await expect(dense.predict(x)).rejects.toThrow(/sequences of several lengths/)
    const one = new NDArray(new Float32Array(6), [1, 2, 3])
    expect((await dense.predict(one)).shape).toEqual([1, 2, 2]) // as before
    dense.compile({ loss: 'mse', optimizer: 'sgd' })
    await expect(dense.predict(x)).rejects.toThrow(/sequences of several lengths/)
    const fixed = made(new LSTM(2, { inputShape: [4, 3] }))
    await expect(fixed.predict(Ragged.from(x))).rejects.toThrow(/x\[6\].*at most 4.*5/s)
    const short = sequences(3, 1, [4, 2])
    await expect(fixed.predict(short)).rejects.toMatchObject({ code: 'ERR_SHAPE' })
    expect((await fixed.predict(Ragged.from(short))).shape).toEqual([2, 2])
    expect((await fixed.predict(sequences(3, 1, [4, 4]))).shape).toEqual([2, 2])
  })
})
