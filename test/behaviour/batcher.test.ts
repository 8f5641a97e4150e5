/** `Batcher`: calls of many users in one batch, each with the bits that it has alone. */
import path from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { expectSameBits, random, uniform } from '../arrays.js'
import { jsonOf, ROOT } from '../child.js'
import {
  backend,
  Batcher,
  BatchNormalization,
  Bidirectional,
  CRF,
  Dense,
  Embedding,
  type GatheredBatch,
  GRU,
  Input,
  Lambda,
  LambdaCallback,
  LSTM,
  Masking,
  merge,
  Model,
  type ModelSession,
  Sequential,
  setSeed,
  StateError,
  TimeDistributed,
} from '../package.js'

const inputShape = [null, 3] as const

/** Two layers with states and an output of each step. */
function walker(dtype: 'float32' | 'float64' = 'float32'): Sequential {
  setSeed(4)
  return new Sequential([
    new LSTM(17, { inputShape, returnSequences: true, dtype }),
    new GRU(9),
    new Dense(5, { activation: 'softmax' }),
  ])
}

/** A batcher that writes down how many rows its batches have. */
function watched(model: Model, options: ConstructorParameters<typeof Batcher>[1] = {}) {
  const batches: number[] = []
  const onBatch = ({ rows }: GatheredBatch) => batches.push(rows)
  return { batcher: new Batcher(model, { ...options, onBatch }), batches }
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error) => error.code ?? error,
  )

describe('predictions in one batch', () => {
  it.each(['float32', 'float64'] as const)('have the bits that each has alone: %s', async (d) => {
    const model = walker(d)
    const { batcher, batches } = watched(model)
    const samples = Array.from({ length: 40 }, (_, i) => uniform(i, [1 + (i % 3), 7, 3]))
    const all = await Promise.all(samples.map((x) => batcher.predict(x)))
    for (const [i, y] of all.entries()) {
      expect(y.shape).toEqual([1 + (i % 3), 5])
      expectSameBits(y, await model.predict(samples[i]!))
    }
    expect(batches).toEqual([64, 15])
  })

  it('hold calls of one shape; the first that waits is in the next batch', async () => {
    const model = walker()
    const { batcher, batches } = watched(model, { maxBatch: 4 })
    const lengths = [2, 3, 2, 2, 3, 2, 2, 5]
    const samples = lengths.map((T, i) => uniform(i, [1, T, 3]))
    const order: number[] = []
    const all = await Promise.all(
      samples.map((x, i) =>
        batcher.predict(x).then((y) => {
          order.push(i)
          return y
        }),
      ),
    )
    for (const [i, y] of all.entries()) expectSameBits(y, await model.predict(samples[i]!))
    expect(batches).toEqual([4, 2, 1, 1])
    expect(order).toEqual([0, 2, 3, 5, 1, 4, 6, 7])
  })

  it('may have several inputs and outputs, masks, words, a CRF, both directions', async () => {
    setSeed(2)
    const [a, b] = [Input({ shape: [null, 3], name: 'a' }), Input({ shape: [2], name: 'b' })]
    const read = new Bidirectional(new GRU(6)).call(new Masking().call(a))
    const both = merge([read, b], { mode: 'concat' })
    const two = new Model({ input: [a, b], output: [new Dense(2).call(both), read] })
    const of = new Batcher(two)
    const given = Array.from({ length: 6 }, (_, i) => {
      const x = uniform(i, [1, 5, 3])
      x.data.fill(0, 3 * (i % 5))
      return { a: x, b: uniform(i + 50, [1, 2]) }
    })
    for (const [i, y] of (await Promise.all(given.map((x) => of.predict(x)))).entries()) {
      const alone = await two.predict(given[i]!)
      for (const [k, each] of y.entries()) expectSameBits(each, alone[k]!)
    }
    const tagger = new Sequential([
      new Embedding(20, 4, { maskZero: true }),
      new Bidirectional(new LSTM(6, { returnSequences: true })),
      new TimeDistributed(new Dense(4)),
      new CRF(3),
    ])
    const tags = new Batcher(tagger)
    const words = [
      [1, 2, 3, 0],
      [4, 5, 19, 7],
      [8, 0, 0, 0],
    ].map((row) => [row])
    for (const [i, y] of (await Promise.all(words.map((x) => tags.predict(x)))).entries())
      expectSameBits(y, await tagger.predict(words[i]!))
  })

  it('are copied: the caller may reuse the array at once', async () => {
    const model = walker()
    const batcher = new Batcher(model)
    const x = uniform(1, [1, 2, 3])
    const kept = { ...x, data: x.data.slice() }
    const y = batcher.predict(x)
    x.data.fill(9)
    expectSameBits(await y, await model.predict(kept))
  })

  it('refuse what is wrong with one call alone', async () => {
    const model = walker()
    const batcher = new Batcher(model, { maxBatch: 4 })
    const x = uniform(1, [1, 2, 3])
    const [good, shape, many, text] = await Promise.allSettled([
      batcher.predict(x),
      batcher.predict([[1, 2]]),
      batcher.predict(uniform(1, [5, 2, 3])),
      batcher.predict('x' as never),
    ])
    expect(good.status).toBe('fulfilled')
    const reasons = [shape, many, text].map(
      (each) => (each as PromiseRejectedResult).reason.message,
    )
    expect(reasons[0]).toMatch(/x must be \[B, null, 3\], got \[1, 2\]/)
    expect(reasons[1]).toMatch(/samples must be at most 4, as maxBatch says, got 5/)
    expect(reasons[2]).toMatch(/must be an NDArray/)
  })
})

describe('a model whose samples meet', () => {
  it.each([
    ['states', () => new LSTM(2, { batchInputShape: [2, 3, 1], stateful: true }), /states go from/],
    [
      'a norm',
      () => new BatchNormalization({ mode: 2, inputShape: [3] }),
      /looks at a batch as a whole/,
    ],
    [
      'an expression',
      () => new Lambda((x) => x.sub(backend.mean(x, 0)), { inputShape: [3] }),
      /samples may meet in 'mean'/,
    ],
  ])('is refused: %s', (_, layer, why) => {
    expect(() => new Batcher(new Sequential([layer()]))).toThrow(why)
  })

  it('is none with running statistics', async () => {
    const model = new Sequential([new BatchNormalization({ inputShape: [3] })])
    const batcher = new Batcher(model)
    const [a, b] = await Promise.all([batcher.predict([[1, 2, 3]]), batcher.predict([[4, 5, 6]])])
    expectSameBits(a, await model.predict([[1, 2, 3]]))
    expectSameBits(b, await model.predict([[4, 5, 6]]))
  })
})

describe('steps of sessions', () => {
  /** Sessions, one-by-one twins in a model of the same weights, and inputs of each one's own. */
  function users(model: Sequential, count: number) {
    const next = random(7)
    const alone = walker()
    return Array.from({ length: count }, (_, i) => ({
      session: model.session() as ModelSession,
      twin: alone.session() as ModelSession,
      draw: () => [i + next(), next() - 0.5, -i * next()].map((v) => v / count),
    }))
  }

  it('interleaved at random have the bits of steps one by one', async () => {
    const model = walker()
    const { batcher, batches } = watched(model)
    const [all, next] = [users(model, 100), random(3)]
    const pending: Promise<void>[] = []
    const wanted: { data: ArrayLike<number> }[] = []
    for (let n = 0; n < 10_000; n++) {
      const { session, twin, draw } = all[Math.floor(next() * all.length)]!
      const x = draw()
      wanted.push(twin.stepSync(x))
      pending.push(
        batcher.step(session, x).then((y) => {
          if (!y.data.every((v: number, k: number) => Object.is(v, wanted[n]!.data[k])))
            throw new Error(`step ${n} differs`)
        }),
      )
      // now and then the engine gets to work, in between any two calls
      if (next() < 0.02) await setImmediate()
      if (pending.length > 900) await Promise.all(pending.splice(0))
    }
    await Promise.all(pending)
    const states = (session: ModelSession) => Object.values(session.save())
    for (const { session, twin } of all) expect(states(session)).toEqual(states(twin))
    expect(batches.reduce((a, b) => a + b)).toBe(10_000)
    expect(batches.length).toBeLessThan(3000)
  })

  it('of a session run in the order of the calls, several at once among them', async () => {
    const model = walker()
    const batcher = new Batcher(model)
    const [session, twin] = [model.session(), model.session()]
    const x = uniform(1, [6, 3])
    const row = (i: number) => Array.from(x.data.subarray(3 * i, 3 * i + 3))
    const [a, b, c] = await Promise.all([
      batcher.step(session, row(0)),
      batcher.steps(session, [row(1), row(2), row(3), row(4)]),
      batcher.step(session, row(5)),
    ])
    expectSameBits(a, twin.stepSync(row(0)))
    expectSameBits(b, await twin.predict([row(1), row(2), row(3), row(4)]))
    expectSameBits(c, twin.stepSync(row(5)))
  })

  it('make the session busy for others, until they are done or given up', async () => {
    const model = walker()
    const batcher = new Batcher(model)
    const session = model.session()
    const abort = new AbortController()
    const step = batcher.step(session, [1, 2, 3], { signal: abort.signal })
    expect(() => session.stepSync([1, 2, 3])).toThrow(/whose step is under way/)
    expect(() => session.save()).toThrow(StateError)
    expect(await codeOf(session.step([1, 2, 3]))).toBe('ERR_BUSY')
    expect(await codeOf(new Batcher(model).step(session, [1, 2, 3]))).toBe('ERR_BUSY')
    abort.abort('enough')
    expect(await codeOf(step)).toBe('enough')
    expectSameBits(session.stepSync([1, 2, 3]), model.session().stepSync([1, 2, 3]))
    const direct = session.step([1, 2, 3])
    expect(await codeOf(batcher.step(session, [1, 2, 3]))).toBe('ERR_BUSY')
    await direct
  })

  it('of a session that is disposed of meanwhile fail alone', async () => {
    const model = walker()
    const batcher = new Batcher(model)
    const [a, b] = [model.session(), model.session()]
    const steps = [batcher.step(a, [1, 2, 3]), batcher.step(b, [1, 2, 3])]
    a.dispose()
    expect(await codeOf(steps[0]!)).toBe('ERR_DISPOSED')
    expectSameBits(await steps[1]!, model.session().stepSync([1, 2, 3]))
  })

  it('may attend to fixed inputs, each to its own', async () => {
    setSeed(3)
    const source = Input({ shape: [null, 2], name: 'source' })
    const target = Input({ shape: [null, 3], name: 'target' })
    const code = new GRU(4).call(source)
    const each = new GRU(5, { returnSequences: true }).call(target)
    const model = new Model({
      input: [source, target],
      output: merge([new GRU(5).call(each), code], { mode: 'concat' }),
    })
    const { batcher, batches } = watched(model)
    const fixed = [3, 3, 5, 3].map((T, i) => ({ source: uniform(i, [T, 2]) }))
    const sessions = fixed.map((of) => model.session({ fixed: of }))
    for (let t = 0; t < 3; t++) {
      const ys = await Promise.all(sessions.map((session) => batcher.step(session, [t, 1, 2])))
      for (const [i, y] of ys.entries()) {
        const twin = model.session({ fixed: fixed[i]! })
        for (let s = 0; s < t; s++) twin.stepSync([s, 1, 2])
        expectSameBits(y, twin.stepSync([t, 1, 2]))
      }
    }
    expect(batches).toEqual([3, 1, 3, 1, 3, 1])
  })

  it('are of sessions of the model', async () => {
    const batcher = new Batcher(walker())
    await expect(batcher.step(walker().session(), [1, 2, 3])).rejects.toThrow(/of another model/)
    await expect(batcher.step({} as never, [1, 2, 3])).rejects.toThrow(/session must be/)
  })
})

describe('calls that wait', () => {
  const x = uniform(1, [1, 2, 3])

  it('are refused when there are too many', async () => {
    const batcher = new Batcher(walker(), { maxQueue: 3 })
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(batcher.predict(x))))
    expect(codes).toEqual(['none', 'none', 'none', 'ERR_QUEUE_FULL', 'ERR_QUEUE_FULL'])
    expect(await codeOf(batcher.predict(x))).toBe('none')
  })

  it('can be given up, and are not computed then', async () => {
    const { batcher, batches } = watched(walker(), { maxDelayMs: 200 })
    const abort = new AbortController()
    const calls = [
      batcher.predict(x, { signal: abort.signal }),
      batcher.predict(x, { timeoutMs: 20 }),
      batcher.predict(x),
    ].map(codeOf)
    expect(batcher.waiting).toBe(3)
    abort.abort('enough')
    expect(await Promise.all(calls.slice(0, 2))).toEqual(['enough', 'ERR_TIMEOUT'])
    expect(batcher.waiting).toBe(1)
    expect(batches).toEqual([])
    expect(await calls[2]).toBe('none')
    expect(batches).toEqual([1])
    expect(await codeOf(batcher.predict(x, { signal: AbortSignal.abort('no') }))).toBe('no')
  })

  it('run together when as many as a batch holds are there, or the first has waited', async () => {
    const { batcher, batches } = watched(walker(), { maxBatch: 3, maxDelayMs: 5000 })
    const began = performance.now()
    const first = batcher.predict(x)
    await setTimeout(10)
    await Promise.all([first, batcher.predict(x), batcher.predict(x)])
    expect(performance.now() - began).toBeLessThan(2500)
    expect(batches).toEqual([3])
  })

  it('end with the batcher, and with the model', async () => {
    const model = walker()
    const batcher = new Batcher(model)
    const call = codeOf(batcher.predict(x))
    batcher.dispose()
    expect(await call).toBe('ERR_DISPOSED')
    expect(await codeOf(batcher.predict(x))).toBe('ERR_DISPOSED')
    const other = new Batcher(model)
    const late = codeOf(other.predict(x))
    model.dispose()
    expect(await late).toBe('ERR_DISPOSED')
    expect(() => new Batcher(model)).toThrow(/disposed/)
  })

  it('run between the batches of a fit, but not in its callbacks', async () => {
    const model = walker()
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const batcher = new Batcher(model)
    let inside = ''
    const onBatchEnd = async () => {
      inside ||= await codeOf(batcher.predict(x))
    }
    let isFitting = true
    const fit = model
      .fit(uniform(1, [64, 2, 3]), uniform(2, [64, 5]), {
        ...{ batchSize: 1, nbEpoch: 2, verbose: 0 },
        callbacks: [new LambdaCallback({ onBatchEnd })],
      })
      .finally(() => (isFitting = false))
    await setTimeout(5)
    expect((await batcher.predict(x)).shape).toEqual([1, 5])
    expect(isFitting).toBe(true)
    await fit
    expect(inside).toBe('ERR_BUSY')
  })

  it('have options that are checked', async () => {
    const model = walker()
    expect(() => new Batcher(model, { maxBatch: 0 })).toThrow(/maxBatch must be an integer >= 1/)
    expect(() => new Batcher(model, { maxQueues: 1 } as never)).toThrow(/Did you mean `maxQueue`/)
    expect(() => new Batcher(model, { onBatch: 1 as never })).toThrow(/onBatch must be a function/)
    expect(() => new Batcher({} as never)).toThrow(/model must be a Sequential or Model/)
    await expect(new Batcher(model).predict(x, { timeoutMs: 0 })).rejects.toThrow(/timeoutMs/)
  })
})

it('ten thousand sessions over an LSTM of 256 units take less than 100 MB', async () => {
  const script = path.join(ROOT, 'scripts/many-sessions.mjs')
  const args = ['--steps', '0', '--sessions', '10000']
  type Weighed = { memory: { sessions: number; usedMB: number; rssMB: number } }
  const { memory } = await jsonOf<Weighed>(script, { node: ['--expose-gc'], args })
  expect(memory.sessions).toBe(10_000)
  expect(memory.usedMB).toBeGreaterThan(20) // 2·256 floats each: it has measured them
  expect(memory.usedMB).toBeLessThan(60)
  expect(memory.rssMB).toBeLessThan(100)
})
