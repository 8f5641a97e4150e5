/** Several things at once: busy models, cancelled fits, disposed models, a free event loop. */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits } from '../arrays.js'
import { type HiddenstateError, LambdaCallback } from '../package.js'
import { compiled, data, slow, sleep } from './models.js'

const quiet = { verbose: 0 } as const

const code = async (call: () => unknown): Promise<string | undefined> => {
  try {
    await call()
  } catch (error) {
    return (error as HiddenstateError).code
  }
  return undefined
}

describe('a fit under way', () => {
  it('makes the model busy for whatever would change it, and only for that', async () => {
    const { model, x, y } = slow()
    const controller = new AbortController()
    const running = model.fit(x, y, { ...quiet, nbEpoch: 1000, signal: controller.signal })
    const weights = model
      .getWeights()
      .map((w) => ({ data: new Float32Array(w.data.length), shape: [...w.shape] }))
    expect(await code(() => model.fit(x, y, quiet))).toBe('ERR_BUSY')
    expect(await code(() => model.setWeights(weights))).toBe('ERR_BUSY')
    expect(await code(() => model.compile({ optimizer: 'sgd', loss: 'mse' }))).toBe('ERR_BUSY')
    expect(await code(() => model.predictOnBatchSync(x))).toBe('ERR_BUSY')
    expect(await code(() => model.trainOnBatch(x, y))).toBe('ERR_BUSY')
    controller.abort()
    await expect(running).rejects.toThrow()
    expect((await model.fit(x, y, { ...quiet, nbEpoch: 1 })).epoch).toEqual([0])
    model.dispose()
  })

  it('answers predict between two batches, with the weights of that moment', async () => {
    const { model, x, y } = slow()
    const before = await model.predict(x)
    const controller = new AbortController()
    const running = model.fit(x, y, { ...quiet, nbEpoch: 1000, signal: controller.signal })
    await sleep(100)
    const during = await model.predict(x)
    expect(during.data.every(Number.isFinite)).toBe(true)
    // it has learned something by now
    expect(during.data.some((v, i) => v !== before.data[i])).toBe(true)
    controller.abort()
    await expect(running).rejects.toThrow()
    model.dispose()
  })

  it('of two models both progress', async () => {
    const [a, b] = [slow(), slow()]
    const order: string[] = []
    const note = (tag: string) => new LambdaCallback({ onBatchEnd: () => void order.push(tag) })
    const options = { ...quiet, nbEpoch: 2, batchSize: 32, shuffle: false }
    await Promise.all([
      a.model.fit(a.x, a.y, { ...options, callbacks: [note('a')] }),
      b.model.fit(b.x, b.y, { ...options, callbacks: [note('b')] }),
    ])
    expect(order).toHaveLength(40)
    // Fair turns: neither gets more than a few batches ahead.
    let [ahead, worst] = [0, 0]
    for (const tag of order) {
      ahead += tag === 'a' ? 1 : -1
      worst = Math.max(worst, Math.abs(ahead))
    }
    expect(worst).toBeLessThan(10)
    expectAllSameBits(a.model.getWeights(), b.model.getWeights()) // same seed, same data
    a.model.dispose()
    b.model.dispose()
  })

  it('leaves the event loop free', async () => {
    const { model, x, y } = slow()
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const start = performance.now()
    await model.fit(x, y, { ...quiet, nbEpoch: 4 })
    const lasted = performance.now() - start
    clearInterval(timer)
    // A blocked loop would see none. The machine may be busy:
    // one in ten of those that were due is enough.
    expect(ticks).toBeGreaterThan(lasted / 5 / 10)
    model.dispose()
  })
})

describe('cancelling', () => {
  it('rejects with the reason of the signal at the next batch', async () => {
    const { model, x, y } = slow()
    const controller = new AbortController()
    const reason = new Error('enough')
    const running = model.fit(x, y, { ...quiet, nbEpoch: 100000, signal: controller.signal })
    setTimeout(() => controller.abort(reason), 50)
    await expect(running).rejects.toBe(reason)
    const p = await model.predict(x)
    expect(p.data.every(Number.isFinite)).toBe(true)
    expect((await model.fit(x, y, { ...quiet, nbEpoch: 1 })).epoch).toEqual([0])
    model.dispose()
  })

  it('a signal that is aborted already stops before the first batch', async () => {
    const { x, y } = data()
    const model = compiled()
    const start = model.getWeights()
    await expect(model.fit(x, y, { ...quiet, signal: AbortSignal.abort('no') })).rejects.toBe('no')
    expectAllSameBits(model.getWeights(), start)
  })

  it('works for evaluate and predict too', async () => {
    const { model, x, y } = slow()
    for (const call of [
      (signal: AbortSignal) => model.evaluate(x, y, { ...quiet, signal } as never),
      (signal: AbortSignal) => model.predict(x, { signal } as never),
    ]) {
      await expect(call(AbortSignal.abort('no'))).rejects.toBe('no')
    }
    model.dispose()
  })
})

describe('dispose', () => {
  it('frees the model; later calls say so; twice is fine', async () => {
    const { x, y } = data()
    const model = compiled()
    await model.trainOnBatch(x, y)
    model.dispose()
    model.dispose()
    expect(await code(() => model.predict(x))).toBe('ERR_DISPOSED')
    expect(await code(() => model.fit(x, y, quiet))).toBe('ERR_DISPOSED')
    expect(await code(() => model.getWeights())).toBe('ERR_DISPOSED')
  })

  it('during a fit stops the fit', async () => {
    const { model, x, y } = slow()
    const running = code(() => model.fit(x, y, { ...quiet, nbEpoch: 100000 }))
    await sleep(50)
    model.dispose()
    expect(await running).toBe('ERR_DISPOSED')
  })
})

describe('what is passed in', () => {
  it('may be changed by the caller at once', async () => {
    const { x, y } = data(64)
    const fitted = async (spoil: boolean) => {
      const model = compiled()
      const [xs, ys] = [x, y].map((a) => ({ data: Float32Array.from(a.data), shape: a.shape }))
      if (!xs || !ys) throw new Error('unreachable')
      const running = model.fit(xs, ys, { ...quiet, nbEpoch: 3, shuffle: false })
      if (spoil) for (const a of [xs, ys]) a.data.fill(Number.NaN)
      await running
      return model.predict(x)
    }
    expectSameBits(await fitted(true), await fitted(false))
  })
})
