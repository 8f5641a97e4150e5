/**
 * Initial values are made when they are needed: what is random does not show it, and the event loop
 * goes on meanwhile.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { loadNative } from '../../lib/native.js'
import { random, RandomStream } from '../../lib/random.js'
import { expectAllSameBits, expectSameBits } from '../arrays.js'
import {
  Bidirectional,
  Dense,
  Embedding,
  LSTM,
  type Layer,
  loadModel,
  Merge,
  orthogonal,
  Sequential,
  setSeed,
} from '../package.js'

const folder = mkdtempSync(join(tmpdir(), 'initial-values-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => {
  vi.restoreAllMocks()
})

const native = loadNative()
const x = [
  [
    [1, 2],
    [3, 4],
  ],
]
const makeLayers = (): Layer[] => [
  new Bidirectional(new LSTM(9, { returnSequences: true }), { inputShape: [2, 2] }),
  new LSTM(5, { consumeLess: 'gpu', init: 'he_normal' }),
  new Dense(7, { init: 'normal' }), // 5 * 7: Box-Muller draws one more
  new Dense(3, { init: orthogonal({ scale: 0.5 }) }),
]
const makeModel = () => {
  setSeed(4)
  return new Sequential(makeLayers())
}

/** What a step takes here: longer than a slice, so that a pause follows each. */
const STEP_MS = 10

/** Watches the steps in which orthogonal rows are made. */
function watchSteps() {
  let [count, together, isPaused] = [0, 0, true]
  let third = () => {}
  const steps = {
    /** So far. */
    count: () => count,
    /** The most between two turns of the event loop. */
    together: () => most,
    /** Resolves at the third. */
    some: new Promise<void>((resolve) => {
      third = resolve
    }),
  }
  let most = 0
  const begin = native.orthonormalization
  vi.spyOn(native, 'orthonormalization').mockImplementation((n, m) => {
    const step = begin(n, m)
    return (q) => {
      together = isPaused ? 1 : together + 1
      most = Math.max(most, together)
      isPaused = false
      setImmediate(() => {
        isPaused = true
      })
      if (++count === 3) third()
      for (const start = performance.now(); performance.now() - start < STEP_MS; );
      return step(q)
    }
  })
  return steps
}

describe('a stream of random numbers', () => {
  it.each([0, 1, 2, 3, 1000, 123_457])('skips %i words as if they were drawn', (n) => {
    const [drawn, skipped] = [new RandomStream(3), new RandomStream(3)]
    for (let i = 0; i < n; i++) drawn.next()
    skipped.skip(n)
    expect(skipped.state).toEqual(drawn.state)
  })

  it('skips more than anybody draws, in two parts as in one', () => {
    const [whole, parts] = [new RandomStream(3), new RandomStream(3)]
    whole.skip(2 ** 45 + 12)
    for (const words of [2 ** 45 - 1, 13]) parts.skip(words)
    expect(parts.state).toEqual(whole.state)
  })
})

describe('initial values', () => {
  it('keep their bits: a change here changes every seeded run', () => {
    setSeed(1)
    const inits = ['uniform', 'glorot_uniform', 'normal', 'lecun_uniform'] as const
    const model = new Sequential(
      inits.map((init) => new Dense(2, { inputDim: 2, bias: false, init })),
    )
    expect(model.getWeights().map(({ data }) => Array.from(data))).toMatchInlineSnapshot(`
      [
        [
          -0.04084304720163345,
          0.03881927952170372,
          -0.006572982296347618,
          0.024677978828549385,
        ],
        [
          -0.9058951139450073,
          1.0767897367477417,
          1.102479338645935,
          0.3659103512763977,
        ],
        [
          -0.033780187368392944,
          0.004749969579279423,
          -0.02903200127184391,
          -0.031066613271832466,
        ],
        [
          -0.37272974848747253,
          0.5583325028419495,
          0.3110864758491516,
          0.8518509268760681,
        ],
      ]
    `)
  })

  it('do not depend on when they are made', async () => {
    const later = makeModel()
    const after = random()
    const [last, ...rest] = [...later.layers].reverse()
    const backwards = [last!.getWeights(), ...rest.map((layer) => layer.getWeights())]
      .reverse()
      .flat()

    setSeed(4)
    const atOnce = new Sequential()
    for (const layer of makeLayers()) {
      atOnce.add(layer)
      layer.getWeights()
    }
    expect(random()).toBe(after)
    expectAllSameBits(backwards, atOnce.getWeights())
    const asked = makeModel()
    expectSameBits(await asked.predict(x), asked.predictOnBatchSync(x))
    expectAllSameBits(asked.getWeights(), backwards)
    expectSameBits(makeModel().predictOnBatchSync(x), await later.predict(x))
  })

  it('are not made by building, nor where all of them are replaced', () => {
    const making = vi.spyOn(native, 'orthonormalization')
    const model = new Sequential([new LSTM(1024, { inputShape: [2, 2] })])
    expect(making).not.toHaveBeenCalled()
    const small = new Sequential([new LSTM(4, { inputShape: [2, 2] })])
    const given = small.getWeights().map((w) => ({ data: w.data.map((_, i) => i), shape: w.shape }))
    expect(making).toHaveBeenCalledTimes(4)
    const other = new Sequential([new LSTM(4, { inputShape: [2, 2] })])
    other.setWeights(given)
    expect(making).toHaveBeenCalledTimes(4)
    expect(other.getWeights().map((w) => Array.from(w.data))).toEqual(
      given.map((w) => Array.from(w.data)),
    )
    expect(model.countParams()).toBe(4 * (2 + 1024 + 1) * 1024)
  })

  it('a function of one’s own is called at once', () => {
    const init = vi.fn(
      (shape: readonly number[]) => new Float64Array(shape.reduce((a, b) => a * b, 1)),
    )
    const model = new Sequential([new Dense(2, { inputDim: 2, init })])
    expect(init).toHaveBeenCalledTimes(1)
    model.getWeights()
    expect(init).toHaveBeenCalledTimes(1)
  })

  it('a precision that comes later has all its bits', () => {
    const make = (readsBefore: boolean) => {
      setSeed(9)
      const model = new Sequential([new Dense(4, { inputDim: 3 })])
      if (readsBefore) expect(model.getWeights()[0]!.data).toBeInstanceOf(Float32Array)
      model.add(new Dense(2, { dtype: 'float64' }))
      return model.getWeights()
    }
    expectAllSameBits(make(true), make(false))
    expect(make(true)[0]!.data).toBeInstanceOf(Float64Array)
  })

  it('go into files, and wait in models inside, in branches and after dispose', async () => {
    const file = join(folder, 'model.h5')
    await makeModel().save(file)
    expectAllSameBits((await loadModel(file)).getWeights(), makeModel().getWeights())

    const inner = makeModel()
    const outer = new Sequential([inner, new Dense(2)])
    expectSameBits(await inner.predict(x), makeModel().predictOnBatchSync(x))
    await outer.predict(x)
    inner.dispose()
    expectAllSameBits(outer.getWeights().slice(0, -2), makeModel().getWeights())

    setSeed(5)
    const words = () => new Sequential([new Embedding(5, 3, { inputLength: 2 })])
    const merged = new Sequential([new Merge([words(), words()], { mode: 'sum' })])
    merged.dispose()
    setSeed(5)
    expectAllSameBits(
      merged.layers[0]!.getWeights(),
      [words(), words()].flatMap((each) => each.getWeights()),
    )
  })
})

describe('weights of more numbers than go into a plan at once', () => {
  const [rows, width] = [20_000, 64]
  const make = () => {
    setSeed(10)
    const model = new Sequential([
      new Embedding(rows, width, { inputLength: 1 }),
      new LSTM(2),
      new Dense(1),
    ])
    model.compile({ optimizer: 'adam', loss: 'mse' })
    return model
  }
  const words = Array.from({ length: 20 }, (_, i) => [i * 1000 + 999])
  const y = words.map(([word]) => word! / rows)

  it('are all where they belong', async () => {
    const [moved, written] = [make(), make()]
    written.predictOnBatchSync([[0]])
    written.setWeights(moved.getWeights())
    expectSameBits(await moved.predict(words), written.predictOnBatchSync(words))
    expectAllSameBits(moved.getWeights(), written.getWeights())
  })

  it('go on training after a save and a load as without', async () => {
    const file = join(folder, 'large.h5')
    const model = make()
    await model.trainOnBatch(words, y)
    await model.save(file)
    const loaded = await loadModel(file)
    expectAllSameBits(loaded.getWeights(), model.getWeights())
    for (const each of [model, loaded])
      for (let i = 0; i < 2; i++) await each.trainOnBatch(words, y)
    expectAllSameBits(loaded.getWeights(), model.getWeights())
  })

  it('move on when the model is compiled anew, and come back when it is disposed of', async () => {
    const model = make()
    const prediction = await model.predict(words)
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const later = model.predict(words)
    expectSameBits(await later, prediction)
    const weights = model.getWeights()
    model.dispose()
    expectAllSameBits(
      model.layers.flatMap((layer) => layer.getWeights()),
      weights,
    )
  })
})

describe('while initial values are made', () => {
  const H = 8
  const STEPS = 4 * (1 + H) // of each gate: one to begin with, then a row each
  const make = () => {
    setSeed(6)
    return new Sequential([new LSTM(H, { inputShape: [2, 2] }), new Dense(1)])
  }
  const compiled = () => {
    const model = make()
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    return model
  }

  it.each<[string, (model: Sequential) => Promise<unknown>]>([
    ['predict', (model) => model.predict(x)],
    ['evaluate', (model) => model.evaluate(x, [[1]], { verbose: 0 })],
    ['fit', (model) => model.fit(x, [[1]], { verbose: 0, nbEpoch: 1 })],
    [
      'fit with a checkpoint at its beginning',
      (model) =>
        model.fit(x, [[1]], {
          verbose: 0,
          nbEpoch: 1,
          checkpoint: { dir: join(folder, 'checkpoints') },
        }),
    ],
    ['trainOnBatch', (model) => model.trainOnBatch(x, [[1]])],
    ['saveWeights', (model) => model.saveWeights(join(folder, 'weights.h5'))],
    ['save', (model) => model.save(join(folder, 'whole.h5'))],
  ])('the event loop goes on: %s', async (_, call) => {
    const steps = watchSteps()
    await call(compiled())
    expect(steps.count()).toBe(STEPS)
    expect(steps.together()).toBe(1)
  })

  it('the model is busy as in a batch, and others wait', async () => {
    const model = make()
    const steps = watchSteps()
    const first = model.predict(x)
    const second = model.predict(x)
    await steps.some
    for (const call of [
      () => model.getWeights(),
      () => model.setWeights([]),
      () => model.predictOnBatchSync(x),
      () => model.layers[0]!.setWeights(make().layers[0]!.getWeights()),
    ])
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }))
    const expected = make().predictOnBatchSync(x)
    expectSameBits(await first, expected)
    expectSameBits(await second, expected)
  })

  it('a signal ends it, and the next call goes on', async () => {
    const model = make()
    const steps = watchSteps()
    const control = new AbortController()
    const asked = model.predict(x, { signal: control.signal })
    await steps.some
    control.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    expect(steps.count()).toBeLessThan(STEPS)
    const prediction = await model.predict(x)
    expect(steps.count()).toBe(STEPS)
    expectSameBits(prediction, make().predictOnBatchSync(x))
  })

  it('dispose ends it', async () => {
    const model = make()
    const steps = watchSteps()
    const asked = model.predict(x)
    await steps.some
    model.dispose()
    await expect(asked).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(steps.count()).toBeLessThan(STEPS)
    expectAllSameBits(
      model.layers.flatMap((layer) => layer.getWeights()),
      make().getWeights(),
    )
  })
})

describe('models that share layers', () => {
  const layers = () => {
    setSeed(7)
    return [new LSTM(8, { inputShape: [2, 2] }), new Dense(3), new Dense(1)] as const
  }
  const expected = () => {
    const [lstm, hidden, out] = layers()
    return new Sequential([lstm, hidden, out]).predictOnBatchSync(x)
  }

  it('a layer in two places has one value, which is made once', async () => {
    const model = () => {
      setSeed(8)
      const lstm = new LSTM(2, { inputShape: [2, 2], returnSequences: true })
      return new Sequential([lstm, lstm, new Dense(1)])
    }
    const making = vi.spyOn(native, 'orthonormalization')
    const one = model()
    const prediction = await one.predict(x)
    expect(making).toHaveBeenCalledTimes(4)
    expectSameBits(prediction, model().predictOnBatchSync(x))
    expectAllSameBits(one.getWeights(), model().getWeights())
  })

  it('one asks while the other makes the values', async () => {
    const [lstm, hidden, out] = layers()
    const [short, long] = [new Sequential([lstm, hidden]), new Sequential([lstm, hidden, out])]
    const steps = watchSteps()
    const [first, second] = [short.predict(x), long.predict(x)]
    await steps.some
    expectSameBits(await second, expected())
    expect((await first).shape).toEqual([1, 3])
    expectSameBits(await short.predict(x), await first)
    expectSameBits(long.predictOnBatchSync(x), expected())
  })

  it('one that cannot wait is told so while the other makes the values', async () => {
    const [lstm, hidden, out] = layers()
    const [short, long] = [new Sequential([lstm, hidden]), new Sequential([lstm, hidden, out])]
    const steps = watchSteps()
    const first = short.predict(x)
    await steps.some
    expect(() => long.predictOnBatchSync(x)).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }))
    expect((await first).shape).toEqual([1, 3])
    expectSameBits(await long.predict(x), expected())
  })

  it('values that are made when no plan has them come into the next one', async () => {
    const [lstm, hidden, out] = layers()
    const [short, long] = [new Sequential([lstm, hidden]), new Sequential([lstm, hidden, out])]
    for (const model of [long, short]) {
      const steps = watchSteps()
      const control = new AbortController()
      const asked = model.predict(x, { signal: control.signal })
      await steps.some
      control.abort(new Error('enough'))
      await expect(asked).rejects.toThrow('enough')
      vi.restoreAllMocks()
    }
    short.dispose() // which had them, not made yet
    await long.saveWeights(join(folder, 'shared.h5'))
    expectSameBits(await long.predict(x), expected())
  })

  it('one is disposed of while it makes the values of both', async () => {
    const [lstm, hidden, out] = layers()
    const [short, long] = [new Sequential([lstm, hidden]), new Sequential([lstm, hidden, out])]
    const steps = watchSteps()
    const first = short.predict(x)
    await steps.some
    short.dispose()
    await expect(first).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expectSameBits(await long.predict(x), expected())
  })
})
