/** fitGenerator and its kin: the same as the arrays, batch by batch. */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, type Plain, take } from '../arrays.js'
import { array, HiddenstateError, LambdaCallback, type Sequential } from '../package.js'
import { compiled, data, sleep, small } from './models.js'

const quiet = { verbose: 0 } as const
const { x, y } = data(24)
const BATCH = 8
type Batch = [Plain, Plain]

const part = (a: Plain, i: number): Plain =>
  take(
    a,
    Array.from({ length: BATCH }, (_, k) => i * BATCH + k),
  )
function* endless(): Generator<Batch> {
  for (let i = 0; ; i = (i + 1) % 3) yield [part(x, i), part(y, i)]
}
async function* later(): AsyncGenerator<Batch> {
  for (const batch of endless()) {
    await sleep(1)
    yield batch
  }
}

describe('generators', () => {
  it.each([
    ['an iterable', endless],
    ['an async iterable', later],
  ] as const)('fitGenerator over %s equals fit', async (_, source) => {
    const [a, b] = [compiled(), compiled()]
    const fit = await a.fit(x, y, {
      ...quiet,
      batchSize: BATCH,
      nbEpoch: 3,
      shuffle: false,
      validationData: [x, y],
    })
    const generated = await b.fitGenerator(source() as never, {
      ...quiet,
      samplesPerEpoch: 24,
      nbEpoch: 3,
      validationData: [x, y] as never,
    })
    expectAllSameBits(b.getWeights(), a.getWeights())
    expect(generated.epoch).toEqual([0, 1, 2])
    for (const [key, values] of Object.entries(fit.history)) {
      for (const [i, v] of values.entries())
        expect(generated.history[key]?.[i], key).toBeCloseTo(v, 6)
    }
  })

  it('reads a batch while the one before it is computed', async () => {
    const order: string[] = []
    function* watched(): Generator<Batch> {
      for (let i = 0; ; i++) {
        const batch = part(x, i % 3)
        yield [
          {
            shape: batch.shape,
            get data() {
              if (!order.includes(`read ${i}`)) order.push(`read ${i}`)
              return batch.data
            },
          } as Plain,
          part(y, i % 3),
        ]
      }
    }
    await compiled().fitGenerator(watched() as never, {
      ...quiet,
      samplesPerEpoch: 24,
      nbEpoch: 1,
      callbacks: [new LambdaCallback({ onBatchEnd: (batch) => void order.push(`end ${batch}`) })],
    })
    expect(order).toEqual(['read 0', 'read 1', 'end 0', 'read 2', 'end 1', 'end 2'])
  })

  it('validation data may come from a source too', async () => {
    const model = compiled()
    const options = {
      ...quiet,
      samplesPerEpoch: 24,
      nbEpoch: 1,
      validationData: endless() as never,
      nbValSamples: 24,
    }
    const history = await model.fitGenerator(endless() as never, options)
    const [loss] = (await model.evaluate(x, y, quiet)) as number[]
    expect(history.history.val_loss?.[0]).toBeCloseTo(loss as number, 5)
  })

  it('evaluateGenerator and predictGenerator equal evaluate and predict', async () => {
    const model = compiled()
    const expected = (await model.evaluate(x, y, { ...quiet, batchSize: BATCH })) as number[]
    const got = (await model.evaluateGenerator(endless() as never, { valSamples: 24 })) as number[]
    for (const [i, v] of expected.entries()) expect(got[i]).toBeCloseTo(v, 6)
    expectSameBits(
      await model.predictGenerator(endless() as never, { valSamples: 24 }),
      await model.predict(x),
    )
  })

  it('takes no more batches than it needs, and closes the source', async () => {
    let taken = 0
    let closed = false
    function* counted(): Generator<Batch> {
      try {
        for (const batch of endless()) {
          taken++
          yield batch
        }
      } finally {
        closed = true
      }
    }
    await compiled().fitGenerator(counted() as never, {
      ...quiet,
      samplesPerEpoch: 16,
      nbEpoch: 2,
      maxQSize: 2,
    })
    expect(taken).toBeGreaterThanOrEqual(4)
    expect(taken).toBeLessThanOrEqual(4 + 2)
    expect(closed).toBe(true)
  })

  it('an error of the source comes out as it is; the model stays usable', async () => {
    const model = compiled()
    function* failing(): Generator<Batch> {
      yield [part(x, 0), part(y, 0)]
      throw new RangeError('no more')
    }
    await expect(
      model.fitGenerator(failing() as never, { ...quiet, samplesPerEpoch: 24, nbEpoch: 1 }),
    ).rejects.toThrow(RangeError)
    expect((await model.fit(x, y, { ...quiet, nbEpoch: 1 })).epoch).toEqual([0])
  })

  it.each([
    [
      'a source that ends early',
      function* () {
        yield [part(x, 0), part(y, 0)]
      },
    ], // prettier-ignore
    [
      'a batch that is no pair',
      function* () {
        for (;;) yield part(x, 0)
      },
    ], // prettier-ignore
    [
      'a batch of the wrong shape',
      function* () {
        for (;;) yield [part(y, 0), part(y, 0)]
      },
    ], // prettier-ignore
  ] as const)('%s is a typed error', async (_, source) => {
    const model = compiled()
    const run = model.fitGenerator(source() as never, { ...quiet, samplesPerEpoch: 24, nbEpoch: 1 })
    await expect(run).rejects.toBeInstanceOf(HiddenstateError)
  })

  it('sample weights are the third of a batch', async () => {
    const [a, b] = [compiled(), compiled()]
    const w = { data: Float32Array.from({ length: 24 }, (_, i) => 0.5 + (i % 3)), shape: [24] }
    function* weighted() {
      for (const [i, [bx, by]] of [...Array(3).keys()].map(
        (k) => [k, [part(x, k), part(y, k)]] as const,
      ))
        yield [bx, by, part(w, i)]
    }
    await a.fit(x, y, { ...quiet, batchSize: BATCH, nbEpoch: 1, shuffle: false, sampleWeight: w })
    await b.fitGenerator(weighted() as never, { ...quiet, samplesPerEpoch: 24, nbEpoch: 1 })
    expectAllSameBits(b.getWeights(), a.getWeights())
  })

  it('a list of batches is a source, of nested numbers too, whether it has two or more; [x, y] is none', async () => {
    const rows = (a: Plain): number[][] => array(a).toArray() as number[][]
    const head = (a: Plain, n: number): Plain => take(a, [...Array(n).keys()])
    const run = async (
      validationData: unknown,
      nbValSamples: number,
    ): Promise<number | undefined> => {
      const options = { ...quiet, samplesPerEpoch: 24, nbEpoch: 1, nbValSamples, validationData }
      return (await compiled().fitGenerator(endless() as never, options as never)).history
        .val_loss?.[0]
    }
    for (const n of [2, 3]) {
      const batches = [...Array(n).keys()].map((i) => [part(x, i), part(y, i)] as const)
      const pair = [head(x, n * BATCH), head(y, n * BATCH)] as const
      const expected = (await run(pair, n * BATCH)) as number
      expect(expected).toBeGreaterThan(0)
      for (const same of [batches, batches.map((batch) => batch.map(rows)), pair.map(rows)])
        expect(await run(same, n * BATCH)).toBeCloseTo(expected, 6)
    }
  })

  const closable = (): { source: never; isOpen: () => boolean } => {
    let open = true
    const source = {
      [Symbol.iterator]: () => source,
      next: () => ({ value: [part(x, 0), part(y, 0)], done: false }),
      return: () => {
        open = false
        return { value: undefined, done: true }
      },
    }
    return { source: source as never, isOpen: () => open }
  }
  const calls = {
    evaluateGenerator: (model, source, signal) =>
      model.evaluateGenerator(source, { valSamples: 1e6, signal }),
    predictGenerator: (model, source, signal) =>
      model.predictGenerator(source, { valSamples: 1e6, signal }),
    fitGenerator: (model, source, signal) =>
      model.fitGenerator(source, { ...quiet, samplesPerEpoch: 1e6, nbEpoch: 1, signal }),
  } satisfies Record<
    string,
    (model: Sequential, source: never, signal: AbortSignal) => Promise<unknown>
  >

  it.each(Object.entries(calls))(
    '%s closes its source when it is aborted, before, waiting or under way',
    async (_, call) => {
      const model = compiled()
      const stop = async (abort: 'before' | 'waiting' | 'later'): Promise<void> => {
        const { source, isOpen } = closable()
        const control = new AbortController()
        if (abort === 'before') control.abort()
        const running = call(model, source, control.signal)
        if (abort === 'later') await sleep(5)
        control.abort()
        await expect(running, abort).rejects.toMatchObject({ name: 'AbortError' })
        expect(isOpen(), abort).toBe(false)
      }
      for (const abort of ['before', 'waiting', 'later'] as const) await stop(abort)
    },
  )

  it('closes the training source when the validation data are refused', async () => {
    const { source, isOpen } = closable()
    const run = compiled().fitGenerator(source, {
      ...quiet,
      samplesPerEpoch: 8,
      nbEpoch: 1,
      validationData: 3 as never,
    })
    await expect(run).rejects.toBeInstanceOf(HiddenstateError)
    expect(isOpen()).toBe(false)
  })

  it('errors name the call that the user made', async () => {
    const all: Record<string, (model: Sequential) => Promise<unknown>> = {
      fit: (model) => model.fit(x, y, { ...quiet, nbEpoch: 1000 }),
      evaluate: (model) => model.evaluate(x, y, { ...quiet, batchSize: 1 }),
      predict: (model) => model.predict(x, { batchSize: 1 }),
      predictClasses: (model) => model.predictClasses(x, { batchSize: 1 }),
      predictProba: (model) => model.predictProba(x, { batchSize: 1 }),
      predictOnBatch: (model) => model.predictOnBatch(x),
      trainOnBatch: (model) => model.trainOnBatch(x, y),
      testOnBatch: (model) => model.testOnBatch(x, y),
      ...Object.fromEntries(
        Object.entries(calls).map(([name, call]) => [
          name,
          (model: Sequential) => call(model, later() as never, new AbortController().signal),
        ]),
      ),
    }
    for (const [name, call] of Object.entries(all)) {
      const model = compiled()
      const running = call(model)
      model.dispose()
      await expect(running, name).rejects.toThrow(`model.${name}: model must be in use`)
    }
    const wrong = [[part(x, 0)]] as never
    await expect(compiled().evaluateGenerator(wrong, { valSamples: 8 })).rejects.toThrow(
      /^evaluateGenerator: batch/,
    )
    const triple = compiled().fit(x, y, { ...quiet, validationData: [x] as never })
    await expect(triple).rejects.toThrow(/^fit: validationData/)
  })

  it('the list of layers is not to be changed from outside; add and pop replace it', () => {
    const model = small()
    const { layers } = model
    expect(() => (layers as unknown[]).push(layers[0])).toThrow(
      /model\.add\(layer\) and model\.pop\(\) change the layers/,
    )
    expect(() => (layers as unknown[]).splice(0, 1)).toThrow(
      /model\.add\(layer\) and model\.pop\(\) change the layers/,
    )
    model.pop()
    expect([layers.length, model.layers.length]).toEqual([2, 1])
    expect(model.layers[0]).toBe(layers[0])
  })
})
