/**
 * Who may use a model when: fits that wait for a source or a callback, callbacks that use their
 * model, calls from outside.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, uniform } from '../arrays.js'
import { Dense, type HiddenstateError, LambdaCallback, LSTM, Sequential } from '../package.js'
import { compiled, data, slow, sleep } from './models.js'

const quiet = { verbose: 0 } as const
const { x, y } = data(8)
const folder = mkdtempSync(join(tmpdir(), 'turns-'))
afterAll(() => rmSync(folder, { recursive: true }))

const failure = async (call: () => unknown): Promise<HiddenstateError | undefined> => {
  try {
    await call()
  } catch (error) {
    return error as HiddenstateError
  }
  return undefined
}

/** A promise and what settles it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

describe('a fit that is aborted while its source is silent', () => {
  it.each(['fitGenerator', 'validationData', 'evaluateGenerator'] as const)(
    '%s leaves the model free',
    async (kind) => {
      const model = compiled()
      const { opened, open } = gate()
      async function* silent() {
        await opened
        for (;;) yield [x, y]
      }
      const controller = new AbortController()
      const { signal } = controller
      const fit = { ...quiet, samplesPerEpoch: 8, nbEpoch: 1, signal }
      const running = {
        fitGenerator: () => model.fitGenerator(silent() as never, fit),
        validationData: () =>
          model.fitGenerator([[x, y]] as never, {
            ...fit,
            validationData: silent() as never,
            nbValSamples: 8,
          }),
        evaluateGenerator: () =>
          model.evaluateGenerator(silent() as never, { valSamples: 8, signal }),
      }[kind]()
      setTimeout(() => controller.abort('enough'), 100)
      await expect(running).rejects.toBe('enough')
      open() // the source answers, too late
      await sleep(20)
      await Promise.all([model.predict(x), model.predict(x)])
      expect((await model.fit(x, y, { ...quiet, nbEpoch: 1 })).epoch).toEqual([0])
    },
  )
})

describe('a call that works on the model', () => {
  it('keeps compile out, also between its chunks and while it waits for its source', async () => {
    const { model, x, y } = slow()
    const running = model.evaluate(x, y, { ...quiet, batchSize: 1 })
    const again = () => model.compile({ optimizer: 'sgd', loss: 'mse' })
    expect(await failure(again)).toMatchObject({
      code: 'ERR_BUSY',
      message:
        'model.compile: the model must be idle, got one that another call works on. Await the call under way.',
    })
    await running
    const { opened, open } = gate()
    async function* later() {
      await opened
      yield [x, y]
    }
    const waiting = model.evaluateGenerator(later() as never, { valSamples: 320 })
    await sleep(5)
    expect((await failure(again))?.code).toBe('ERR_BUSY')
    open()
    await waiting
    again()
    model.dispose()
  })

  it('is named in the words of the caller when weights are asked for during a batch', async () => {
    const { model, x, y } = slow()
    const controller = new AbortController()
    const running = model.fit(x, y, { ...quiet, nbEpoch: 1000, signal: controller.signal })
    await sleep(50)
    const errors = await Promise.all([
      failure(() => model.getWeights()),
      failure(() => model.setWeights([])),
      failure(() => (model.layers[0] as LSTM).getWeights()),
    ])
    const fitted = 'the model must be idle, got one that is being fitted. Await the call under way.'
    expect(errors.map((e) => e?.message)).toEqual([
      `model.getWeights: ${fitted}`,
      `model.setWeights: ${fitted}`,
      expect.stringMatching(/^lstm_\d+\/W: the model must be idle, got one that is being fitted/),
    ])
    controller.abort()
    await expect(running).rejects.toThrow()
    model.dispose()
  })
})

describe('a callback that is awaited', () => {
  it('does not let others change the weights of the model or of a layer', async () => {
    const model = compiled()
    const start = model.getWeights()
    const layer = model.layers[1] as Dense
    const { opened, open } = gate()
    const wait = new LambdaCallback({ onEpochEnd: () => opened })
    const running = model.fit(x, y, { ...quiet, nbEpoch: 1, callbacks: [wait] })
    await sleep(50)
    expect((await failure(() => model.setWeights(start)))?.code).toBe('ERR_BUSY')
    expect((await failure(() => layer.setWeights(start.slice(-2))))?.code).toBe('ERR_BUSY')
    expect((await failure(() => model.predictOnBatchSync(x)))?.code).toBe('ERR_BUSY')
    open()
    await running
  })

  it('reads and writes weights at any time, whatever is asked from outside', async () => {
    const { model, x, y } = slow()
    const start = model.getWeights()
    const { opened, open } = gate()
    const restore = new LambdaCallback({
      onEpochEnd: async () => {
        open()
        await sleep(20) // the predict below would run now
        expect(model.getWeights()).toHaveLength(start.length)
        model.setWeights(start)
        await model.predict(x)
        ;(model.layers[0] as LSTM).setWeights(start.slice(0, 12))
        model.predictOnBatchSync(x)
        await model.saveWeights(join(folder, 'w.h5'))
        await model.loadWeights(join(folder, 'w.h5'))
        expectAllSameBits(model.getWeights(), start)
      },
    })
    const running = model.fit(x, y, { ...quiet, nbEpoch: 1, callbacks: [restore] })
    await opened
    const outside = await model.predict(x)
    expectSameBits(outside, await model.predict(x))
    await running
    expectAllSameBits(model.getWeights(), start)
    model.dispose()
  })

  it('may ask several things at once, or not wait for the answer', async () => {
    const model = compiled()
    let late: Promise<unknown> = Promise.resolve()
    const ask = new LambdaCallback({
      onEpochEnd: async () => {
        await Promise.all([model.predict(x), model.evaluate(x, y, quiet), model.predict(x)])
        late = Promise.all([model.predict(x, { batchSize: 1 }), model.predict(x)])
      },
    })
    expect((await model.fit(x, y, { ...quiet, nbEpoch: 3, callbacks: [ask] })).epoch).toEqual([
      0, 1, 2,
    ])
    await late
    // all turns are back
    expect(await failure(() => model.compile({ optimizer: 'sgd', loss: 'mse' }))).toBeUndefined()
  })

  it('may fit another model, whose callback asks the first', async () => {
    const [model, other] = [compiled(), compiled()]
    const inner = new LambdaCallback({ onEpochEnd: async () => void (await model.predict(x)) })
    const outer = new LambdaCallback({
      onEpochEnd: async () =>
        void (await other.fit(x, y, { ...quiet, nbEpoch: 1, callbacks: [inner] })),
    })
    expect((await model.fit(x, y, { ...quiet, nbEpoch: 1, callbacks: [outer] })).epoch).toEqual([0])
  })

  it('and never ends does not outlive an abort', async () => {
    const model = compiled()
    const controller = new AbortController()
    const hang = new LambdaCallback({ onEpochEnd: () => new Promise(() => {}) })
    const running = model.fit(x, y, { ...quiet, callbacks: [hang], signal: controller.signal })
    setTimeout(() => controller.abort('enough'), 20)
    await expect(running).rejects.toBe('enough')
    expect((await model.fit(x, y, { ...quiet, nbEpoch: 1 })).epoch).toEqual([0])
  })

  it('does not keep a predict that waits for it from being aborted', async () => {
    const model = compiled()
    const { opened, open } = gate()
    const running = model.fit(x, y, {
      ...quiet,
      nbEpoch: 1,
      callbacks: [new LambdaCallback({ onEpochEnd: () => opened })],
    })
    await sleep(20)
    await expect(model.predict(x, { signal: AbortSignal.timeout(20) })).rejects.toThrow(/timeout/)
    const answer = model.predict(x)
    open()
    await Promise.all([running, answer])
  })

  it('has no privilege once its promise is settled', async () => {
    const model = compiled()
    const start = model.getWeights()
    let later: Promise<HiddenstateError | undefined> | undefined
    const { opened, open } = gate()
    const callbacks = [
      new LambdaCallback({
        onTrainBegin: () => {
          later ??= sleep(20).then(() => failure(() => model.setWeights(start)))
        },
      }),
      new LambdaCallback({ onEpochEnd: () => opened }),
    ]
    const running = model.fit(x, y, { ...quiet, nbEpoch: 1, callbacks })
    await sleep(40)
    expect((await later)?.code).toBe('ERR_BUSY')
    open()
    await running
  })
})

it('loadWeights does not write into a fit that began while it read', async () => {
  const path = join(folder, 'weights.h5')
  const model = compiled()
  await model.saveWeights(path)
  const controller = new AbortController()
  const loading = failure(() => model.loadWeights(path))
  const running = model.fit(x, y, { ...quiet, nbEpoch: 1e6, signal: controller.signal })
  expect((await loading)?.code).toBe('ERR_BUSY')
  controller.abort()
  await expect(running).rejects.toThrow()
})

it('compile, add and pop keep the states of stateful layers, as Keras does', async () => {
  const model = new Sequential([new LSTM(3, { batchInputShape: [2, null, 3], stateful: true })])
  const control = new Sequential([new LSTM(3, { batchInputShape: [2, null, 3], stateful: true })])
  control.setWeights(model.getWeights())
  const steps = uniform(5, [2, 4, 3])
  await control.predict(steps)
  const second = await control.predict(steps)
  await model.predict(steps)
  model.compile({ optimizer: 'sgd', loss: 'mse' })
  expectSameBits(await model.predict(steps), second)

  model.resetStates()
  await model.predict(steps)
  model.add(new Dense(2))
  await model.predict(steps) // the states go on: this is the second
  model.resetStates()
  await model.predict(steps)
  model.pop()
  expectSameBits(await model.predict(steps), second)
})

it('errors of the engine have the stack of the caller', async () => {
  const model = new Sequential([new LSTM(3, { batchInputShape: [null, null, 3] }), new Dense(2)])
  model.compile({ optimizer: 'sgd', loss: 'mse' })
  const own = model.runner.plan().load({ x: [{ data: new Float32Array(9), shape: [1, 3, 3] }] })
  const error = await failure(async function asker() {
    await model.runner.run('fit', { mode: 'train', data: own, batchSize: 1 }) // no targets
  })
  expect(error?.code).toMatch(/^ERR_/)
  expect(error?.stack).toMatch(/asker.*turns\.test\.ts/)
})
