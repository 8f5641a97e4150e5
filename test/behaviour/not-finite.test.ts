/** Numbers that are not finite: reported, recorded, and kept out of the weights. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expectAllSameBits } from '../arrays.js'
import { Dense, Sequential } from '../package.js'
import { compiled, D, data, T } from './models.js'

const quiet = { verbose: 0 } as const

describe('a batch with NaN in it', () => {
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

  const spoiled = (n = 12, sample = 5) => {
    const { x, y } = data(n)
    x.data[sample * T * D] = Number.NaN
    return { x, y }
  }

  it('trainOnBatch and testOnBatch return NaN; the weights stay', async () => {
    const { x, y } = spoiled()
    const model = compiled()
    const start = model.getWeights()
    expect(((await model.testOnBatch(x, y)) as number[])[0]).toBeNaN()
    expect(((await model.trainOnBatch(x, y)) as number[])[0]).toBeNaN()
    expectAllSameBits(model.getWeights(), start)
    model.dispose()
  })

  it('fit records NaN, trains on the other batches, and warns once, saying where', async () => {
    const { x, y } = spoiled()
    const model = compiled()
    const start = model.getWeights()
    const history = await model.fit(x, y, { ...quiet, batchSize: 4, nbEpoch: 2, shuffle: false })
    expect(history.history.loss?.every(Number.isNaN)).toBe(true)
    const weights = model.getWeights()
    expect(weights.every((w) => w.data.every(Number.isFinite))).toBe(true)
    expect(weights.some((w, i) => w.data.some((v, j) => v !== start[i]?.data[j]))).toBe(true)
    await new Promise(setImmediate)
    const ours = warnings.filter((w) => w.code === 'HIDDENSTATE_NAN')
    expect(ours).toHaveLength(1)
    expect(ours[0]?.message).toMatch(/epoch 0/i)
    expect(ours[0]?.message).toMatch(/batch 1/i)
    expect(ours[0]?.message).toContain(model.layers[0]?.name)
    model.dispose()
  })

  it('a layer whose name begins with input is not taken for the data', async () => {
    const model = new Sequential([
      new Dense(1, { inputDim: 1, name: 'input_a', weights: [[[Number.NaN]], [0]] }),
    ])
    model.compile({ loss: 'mse', optimizer: 'sgd' })
    await expect(model.fit([1], [1], { ...quiet, onNaN: 'throw' })).rejects.toMatchObject({
      layer: 'input_a (Dense)',
    })
  })

  it("onNaN: 'throw' rejects instead", async () => {
    const { x, y } = spoiled()
    const model = compiled()
    await expect(
      model.fit(x, y, { ...quiet, batchSize: 4, shuffle: false, onNaN: 'throw' }),
    ).rejects.toMatchObject({
      code: 'ERR_NAN',
    })
    expect(model.getWeights().every((w) => w.data.every(Number.isFinite))).toBe(true)
    model.dispose()
  })

  it('weights that are not finite are found in the layer that has them', async () => {
    const { x, y } = data(8)
    const model = compiled()
    const weights = model.getWeights()
    weights.at(-1)?.data.fill(Number.POSITIVE_INFINITY)
    model.setWeights(weights)
    await model.fit(x, y, { ...quiet, nbEpoch: 1 })
    await new Promise(setImmediate)
    expect(warnings.find((w) => w.code === 'HIDDENSTATE_NAN')?.message).toContain(
      model.layers[1]?.name,
    )
    model.dispose()
  })
})
