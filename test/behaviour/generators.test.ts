/** fitGenerator and its kin: the same as the arrays, batch by batch. */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, type Plain, take } from '../arrays.js'
import { HiddenstateError } from '../package.js'
import { compiled, data, sleep } from './models.js'

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
    const fit = await a.fit(x, y, { ...quiet, batchSize: BATCH, nbEpoch: 3, shuffle: false, validationData: [x, y] })
    const generated = await b.fitGenerator(source() as never, {
      ...quiet,
      samplesPerEpoch: 24,
      nbEpoch: 3,
      validationData: [x, y] as never,
    })
    expectAllSameBits(b.getWeights(), a.getWeights())
    expect(generated.epoch).toEqual([0, 1, 2])
    for (const [key, values] of Object.entries(fit.history)) {
      for (const [i, v] of values.entries()) expect(generated.history[key]?.[i], key).toBeCloseTo(v, 6)
    }
  })

  it('validation data may come from a source too', async () => {
    const model = compiled()
    const options = { ...quiet, samplesPerEpoch: 24, nbEpoch: 1, validationData: endless() as never, nbValSamples: 24 }
    const history = await model.fitGenerator(endless() as never, options)
    const [loss] = (await model.evaluate(x, y, quiet)) as number[]
    expect(history.history.val_loss?.[0]).toBeCloseTo(loss as number, 5)
  })

  it('evaluateGenerator and predictGenerator equal evaluate and predict', async () => {
    const model = compiled()
    const expected = (await model.evaluate(x, y, { ...quiet, batchSize: BATCH })) as number[]
    const got = (await model.evaluateGenerator(endless() as never, { valSamples: 24 })) as number[]
    for (const [i, v] of expected.entries()) expect(got[i]).toBeCloseTo(v, 6)
    expectSameBits(await model.predictGenerator(endless() as never, { valSamples: 24 }), await model.predict(x))
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
    await compiled().fitGenerator(counted() as never, { ...quiet, samplesPerEpoch: 16, nbEpoch: 2, maxQSize: 2 })
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
    await expect(model.fitGenerator(failing() as never, { ...quiet, samplesPerEpoch: 24, nbEpoch: 1 })).rejects.toThrow(
      RangeError,
    )
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
      for (const [i, [bx, by]] of [...Array(3).keys()].map((k) => [k, [part(x, k), part(y, k)]] as const))
        yield [bx, by, part(w, i)]
    }
    await a.fit(x, y, { ...quiet, batchSize: BATCH, nbEpoch: 1, shuffle: false, sampleWeight: w })
    await b.fitGenerator(weighted() as never, { ...quiet, samplesPerEpoch: 24, nbEpoch: 1 })
    expectAllSameBits(b.getWeights(), a.getWeights())
  })
})
