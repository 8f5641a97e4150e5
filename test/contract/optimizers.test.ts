/**
 * What every optimizer keeps: its configuration goes round, unknown options are refused, a step
 * moves the weights.
 */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, uniform } from '../arrays.js'
import * as main from '../package.js'
import { ConfigError, Dense, GRU, Sequential, setSeed } from '../package.js'

type Class = new (options?: object) => main.Optimizer
const OPTIMIZERS = (Object.values(main) as unknown[]).filter(
  (e): e is Class => typeof e === 'function' && e.prototype instanceof main.Optimizer,
)

function model(optimizer: main.Optimizer): Sequential {
  setSeed(4)
  const m = new Sequential([new GRU(3, { inputShape: [4, 2] }), new Dense(1)])
  m.compile({ optimizer, loss: 'mse' })
  return m
}
const [x, y] = [uniform(1, [6, 4, 2]), uniform(2, [6, 1])]

describe.each(OPTIMIZERS.map((C) => [C.name, C] as const))('%s', (_, Optimizer) => {
  it('learns', async () => {
    const m = model(new Optimizer())
    const first = Number(await m.trainOnBatch(x, y))
    for (let i = 0; i < 30; i++) await m.trainOnBatch(x, y)
    expect(Number(await m.testOnBatch(x, y))).toBeLessThan(first)
    m.dispose()
  })

  it('its configuration has the keys of Keras and changes with its properties', () => {
    const optimizer = new Optimizer({ clipnorm: 1 })
    const config = optimizer.getConfig() as Record<string, number>
    expect(Object.keys(config).every((key) => key === key.toLowerCase())).toBe(true)
    expect(config.clipnorm).toBe(1)
    expect(new Optimizer().getConfig()).not.toHaveProperty('clipnorm')
    ;(optimizer as unknown as { lr: number }).lr = 0.125
    expect((optimizer.getConfig() as Record<string, number>).lr).toBe(0.125)
  })

  it('refuses what it does not know', () => {
    expect(() => new Optimizer({ learningRate: 1 })).toThrow(/lr/)
    expect(() => new Optimizer({ foo: 1 })).toThrow(ConfigError)
  })

  it('two models do not share its state', async () => {
    const [a, b] = [model(new Optimizer()), model(new Optimizer())]
    for (let i = 0; i < 3; i++) await a.trainOnBatch(x, y)
    for (let i = 0; i < 3; i++) await b.trainOnBatch(x, y)
    expectAllSameBits(b.getWeights(), a.getWeights())
  })
})
