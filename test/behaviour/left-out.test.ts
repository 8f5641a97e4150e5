/**
 * What masks and weights of 0 leave out of the loss; batches of which nothing is left; masks that
 * Keras loses or misaligns.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expectAllSameBits, filled, type Plain, uniform } from '../arrays.js'
import {
  Dense,
  Embedding,
  Flatten,
  GRU,
  Bidirectional,
  type Layer,
  LSTM,
  Masking,
  Sequential,
  setSeed,
  TimeDistributed,
} from '../package.js'

const quiet = { verbose: 0 } as const
const warnings: (Error & { code?: string })[] = []
const listen = (w: Error): void => void warnings.push(w)
beforeEach(() => {
  warnings.length = 0
  process.on('warning', listen)
})
afterEach(async () => {
  await new Promise(setImmediate) // warnings come a tick late: not into the next test
  process.off('warning', listen)
})
/** The messages of one code, told so far. */
const told = async (code: string): Promise<string[]> => {
  await new Promise(setImmediate)
  return warnings.filter((w) => w.code === code).map((w) => w.message)
}

const [N, T, D] = [8, 4, 3]

function tagger(loss: 'cosine_proximity' | 'mse', metrics: 'mse'[] = []): Sequential {
  setSeed(3)
  const model = new Sequential([
    new Masking({ inputShape: [T, D] }),
    new LSTM(5, { returnSequences: true }),
    new TimeDistributed(new Dense(2)),
  ])
  model.compile({ loss, optimizer: 'adam', metrics, sampleWeightMode: 'temporal' })
  return model
}

/** Sequences whose last step is padded; the targets there are `padding`. */
function padded(padding: number, masked = N): { x: Plain; y: Plain } {
  const [x, y] = [uniform(1, [N, T, D]), uniform(2, [N, T, 2])]
  for (let n = 0; n < masked; n++) {
    x.data.fill(0, (n * T + T - 1) * D, (n + 1) * T * D)
    y.data.fill(padding, (n * T + T - 1) * 2, (n + 1) * T * 2)
  }
  return { x, y }
}

describe('steps that are masked or weigh nothing', () => {
  it.each([0, 1e20, Number.NaN, Number.NEGATIVE_INFINITY])(
    'may have targets of %s: training goes as with others',
    async (padding) => {
      const weights = []
      for (const value of [0.5, padding]) {
        const model = tagger('cosine_proximity')
        const { x, y } = padded(value)
        const history = await model.fit(x, y, {
          ...quiet,
          nbEpoch: 3,
          batchSize: 4,
          onNaN: 'throw',
        })
        expect(history.history.loss?.every(Number.isFinite)).toBe(true)
        weights.push(model.getWeights())
        model.dispose()
      }
      expectAllSameBits(weights[1]!, weights[0]!)
    },
  )

  it('by sampleWeight, steps and whole samples, and by classWeight', async () => {
    const weights = []
    for (const value of [0.5, Number.NaN]) {
      const { x, y } = padded(value)
      const each = filled(1, N, T)
      for (let n = 0; n < N; n++) each.data[n * T + T - 1] = 0
      const model = tagger('mse', ['mse'])
      await model.fit(uniform(4, x.shape), y, {
        ...quiet,
        nbEpoch: 2,
        sampleWeight: each,
        onNaN: 'throw',
      })
      const logs = (await model.evaluate(x, y, { ...quiet, sampleWeight: each })) as number[]
      expect(logs.every(Number.isFinite)).toBe(true)
      weights.push(model.getWeights())

      const whole = new Sequential([
        new Dense(2, { inputDim: D, weights: [filled(0.1, D, 2), filled(0, 2)] }),
      ])
      whole.compile({ loss: 'mse', optimizer: 'sgd' })
      await whole.trainOnBatch(
        [
          [1, 2, 3],
          [3, 4, 5],
        ],
        [
          [1, 0],
          [value, 0],
        ],
        { sampleWeight: [1, 0] },
      )
      weights.push(whole.getWeights())
      const low = Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value // NaN is no class
      await whole.trainOnBatch(
        [
          [1, 2, 3],
          [3, 4, 5],
        ],
        [
          [1, 0],
          [low, 9],
        ],
        { classWeight: { 0: 1, 1: 0 } },
      )
      weights.push(whole.getWeights())
    }
    for (let i = 0; i < 3; i++) expectAllSameBits(weights[3 + i]!, weights[i]!)
    expect(await told('HIDDENSTATE_NAN')).toEqual([])
  })

  it('a metric that they make NaN is taken over the others', async () => {
    const model = tagger('mse', ['mse'])
    const { x, y } = padded(Number.NaN)
    const [loss, metric] = (await model.testOnBatch(x, y)) as number[]
    expect(metric).toBeCloseTo(loss!, 6) // the same steps, all of weight 1
    const { y: finite } = padded(5)
    // as in Keras: of all steps
    expect(((await model.testOnBatch(x, finite)) as number[])[1]).toBeGreaterThan(2 * metric!)
    model.dispose()
  })
})

describe('a batch of which nothing is left', () => {
  const half = () => {
    const { x, y } = padded(0.5, 0)
    x.data.fill(0, 4 * T * D)
    return { x, y }
  }

  it('is told with its cause, changes nothing and has no part in the mean of the epoch', async () => {
    const { x, y } = half()
    const [first, all] = [tagger('mse', ['mse']), tagger('mse', ['mse'])]
    const x4 = { data: x.data.slice(0, 4 * T * D), shape: [4, T, D] }
    const y4 = { data: y.data.slice(0, 4 * T * 2), shape: [4, T, 2] }
    const one = await first.fit(x4, y4, { ...quiet, nbEpoch: 1, batchSize: 4, shuffle: false })
    const options = {
      ...quiet,
      nbEpoch: 1,
      batchSize: 4,
      shuffle: false,
      validationData: [x, y] as const,
    }
    const { history } = await all.fit(x, y, options)
    expect(history.loss).toEqual(one.history.loss)
    expect(history.val_loss?.every(Number.isFinite)).toBe(true)
    expectAllSameBits(all.getWeights(), first.getWeights())
    const messages = await told('HIDDENSTATE_NAN')
    expect(messages).toHaveLength(2)
    expect(messages[0]).toMatch(
      /^fit: .*epoch 0, batch 1.*the mask of the output is 0 at every step/,
    )
    expect(messages[1]).toMatch(
      /^fit: validation: the loss .*batch 1.*the mask of the output is 0 at every step/,
    )
  })

  it('also by weights, with batches from an iterable, and in evaluate', async () => {
    const { x, y } = padded(0.5, 0)
    const sampleWeight = filled(1, N, T)
    sampleWeight.data.fill(0, 4 * T)
    const rows = (a: Plain, from: number): Plain => {
      const row = a.data.length / N
      return { data: a.data.slice(from * row, (from + 4) * row), shape: [4, ...a.shape.slice(1)] }
    }
    const batches = [0, 4].map(
      (from) => [rows(x, from), rows(y, from), rows(sampleWeight, from)] as const,
    )
    const model = tagger('mse')
    const { history } = await model.fitGenerator(batches, {
      ...quiet,
      samplesPerEpoch: N,
      nbEpoch: 1,
    })
    expect(history.loss?.every(Number.isFinite)).toBe(true)
    expect(await model.evaluate(x, y, { ...quiet, batchSize: 4, sampleWeight })).toBe(
      await model.evaluate(...(batches[0]!.slice(0, 2) as [Plain, Plain]), {
        ...quiet,
        sampleWeight: rows(sampleWeight, 0),
      }),
    )
    expect(
      await model.evaluate(rows(x, 4), rows(y, 4), {
        ...quiet,
        sampleWeight: rows(sampleWeight, 4),
      }),
    ).toBeNaN()
    const messages = await told('HIDDENSTATE_NAN')
    expect(messages[0]).toMatch(/^fitGenerator: .*batch 1.*all sample weights are 0/)
    expect(messages[1]).toMatch(/^evaluate: /)
  })

  it('trainOnBatch and testOnBatch return NaN for it, as Keras does', async () => {
    const { y } = padded(0.5)
    const model = tagger('mse')
    expect(await model.trainOnBatch(filled(0, N, T, D), y)).toBeNaN()
    expect(await model.testOnBatch(filled(0, N, T, D), y)).toBeNaN()
    const message = 'the mask of the output is 0 at every step'
    await expect(model.fit(filled(0, N, T, D), y, { ...quiet, onNaN: 'throw' })).rejects.toThrow(
      message,
    )
  })
})

describe('numbers in the data that are not finite are named', () => {
  const spoil = (a: Plain, at: number, value = Number.NaN): Plain => {
    const data = Float64Array.from(a.data)
    data[at] = value
    return { data, shape: a.shape }
  }
  const x = uniform(1, [N, T, D])
  const y = uniform(2, [N, T, 2])
  const weights = filled(1, N, T)

  it.each([
    [
      'x',
      { x: spoil(x, (6 * T + 3) * D + 2) },
      /x, the input of masking_\d+ \(Masking\): sample 6, step 3, column 2 is NaN/,
    ],
    ['x', { x: spoil(x, D + 1, 1e300) }, /sample 0, step 1, column 1 is Infinity/],
    ['y', { y: spoil(y, (5 * T + 1) * 2 + 1) }, /; y: sample 5, step 1, column 1 is NaN/],
    [
      'weights',
      { sampleWeight: spoil(weights, 7 * T + 2, -1 / 0) },
      /; sampleWeight: sample 7, step 2 is -Infinity/,
    ],
  ] as const)('in %s, whatever the shuffle', async (_, given, message) => {
    const all = { x, y, sampleWeight: weights, ...given } as Record<
      'x' | 'y' | 'sampleWeight',
      Plain
    >
    const model = tagger('mse')
    const options = { ...quiet, nbEpoch: 1, batchSize: 3, sampleWeight: all.sampleWeight }
    const error = await model.fit(all.x, all.y, { ...options, onNaN: 'throw' }).catch((e) => e)
    expect(error).toMatchObject({ code: 'ERR_NAN', message: expect.stringMatching(message) })
    model.dispose()
  })

  it('by evaluate and validations, too', async () => {
    const model = tagger('mse')
    const bad = spoil(y, (5 * T + 1) * 2 + 1)
    await model.evaluate(x, bad, quiet)
    const place = 'y: sample 5, step 1, column 1 is NaN'
    expect(await told('HIDDENSTATE_NAN')).toEqual([
      expect.stringMatching(`^evaluate: the loss .*batch 0 .*${place}`),
    ])
    const other = tagger('mse')
    await other.fit(x, y, { ...quiet, nbEpoch: 1, validationData: [x, bad] })
    expect((await told('HIDDENSTATE_NAN'))[1]).toMatch(
      new RegExp(`^fit: validation: the loss .*${place}`),
    )
  })

  it('with one input of several, and by their place in a batch from an iterable', async () => {
    const model = new Sequential([new Dense(1, { inputDim: 2 })])
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    const batches = [
      [
        [
          [1, 2],
          [3, 4],
        ],
        [1, 2],
      ],
      [
        [
          [1, 2],
          [3, Number.NaN],
        ],
        [1, 2],
      ],
    ] as const
    const fitting = model.fitGenerator(batches as never, {
      ...quiet,
      samplesPerEpoch: 4,
      nbEpoch: 1,
      onNaN: 'throw',
    })
    await expect(fitting).rejects.toThrow(
      /epoch 0, batch 1 .*: sample 1 of that batch, column 1 is NaN/,
    )
  })
})

describe('masks that end or lie the other way round, as in Keras', () => {
  const run = async (layers: Layer[], x: Plain) => {
    const model = new Sequential(layers)
    await model.predict(x)
    for (let i = 0; i < 2; i++) {
      model.compile({ loss: 'mse', optimizer: 'sgd' }) // looks at all layers again
      await model.predict(x)
    }
    return told('HIDDENSTATE_MASK')
  }
  const words: Plain = {
    data: Int32Array.from([1, 2, 0, 3, 0, 0, 1, 0, 0, 2, 2, 0]),
    shape: [2, 2, 3],
  }

  it('a mask made inside TimeDistributed is told once, with the way that works', async () => {
    const layers = () => [
      new TimeDistributed(new Embedding(5, 2, { maskZero: true, inputLength: 3 }), {
        inputShape: [2, 3],
      }),
    ]
    const messages = await run([...layers(), new TimeDistributed(new Flatten())], words)
    expect(messages).toEqual([
      expect.stringMatching(
        /^timedistributed_\d+ \(TimeDistributed\): .* embedding_\d+ \(Embedding\) that ends there/,
      ),
    ])
    const masking = new TimeDistributed(new Masking(), { inputShape: [2, 3, 2] })
    expect(await run([masking], uniform(1, [2, 2, 3, 2]))).toHaveLength(2)
  })

  it('the nested model that the message names uses the mask', async () => {
    const encoder = new Sequential([
      new Embedding(5, 2, { maskZero: true, inputLength: 3 }),
      new GRU(2),
    ])
    const model = new Sequential([new TimeDistributed(encoder, { inputShape: [2, 3] })])
    const all = await model.predict(words)
    const [first] = [
      await model.predict({ data: Int32Array.from([1, 2, 0, 3, 0, 0]), shape: [1, 2, 3] }),
    ]
    expect([...first.data]).toEqual([...all.data.slice(0, 4)])
    const short = new Sequential([new Embedding(5, 2), new GRU(2)])
    short.setWeights(encoder.getWeights())
    // without the padding
    const alone = await short.predict({ data: Int32Array.from([1, 2]), shape: [1, 2] })
    expect([...alone.data]).toEqual([...all.data.slice(0, 2)])
    expect(await told('HIDDENSTATE_MASK')).toEqual([])
  })

  it('goBackwards with returnSequences and a mask is told once, to whoever reads both', async () => {
    const back = () => [
      new Masking({ inputShape: [T, D] }),
      new LSTM(2, { goBackwards: true, returnSequences: true }),
    ]
    const x = uniform(1, [2, T, D])
    expect(await run([...back(), new GRU(2)], x)).toEqual([
      expect.stringMatching(/^gru_\d+ \(GRU\): steps and mask must have the same order/),
    ])
    expect(await run(back(), x)).toEqual([
      expect.anything(),
      expect.stringMatching(/^loss: steps and mask/),
    ])
  })

  it('not where nothing goes wrong', async () => {
    const x = uniform(1, [2, T, D])
    const masking = () => new Masking({ inputShape: [T, D] })
    await run([masking(), new Bidirectional(new LSTM(2, { returnSequences: true })), new GRU(2)], x)
    await run([masking(), new LSTM(2, { goBackwards: true })], x)
    await run(
      [new LSTM(2, { goBackwards: true, returnSequences: true, inputShape: [T, D] }), new GRU(2)],
      x,
    )
    expect(await told('HIDDENSTATE_MASK')).toEqual([])
  })
})
