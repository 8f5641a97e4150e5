/** The runner of a model when a new plan cannot be made. */
import { expect, it } from 'vitest'
import { lowerModel } from '../../lib/engine/lowering.js'
import type { WeightHolder } from '../../lib/engine/owner.js'
import { Runner } from '../../lib/engine/runner.js'
import { Dense, Sequential } from '../../lib/index.js'

it('trains the weights of the old plan where a new one has failed', async () => {
  const layer = new Dense(1, { inputDim: 1, bias: false, weights: [[[2]]] })
  const model = new Sequential([layer])
  model.compile({ loss: 'mse', optimizer: 'sgd' })
  const [old, other] = [1, 2].map(() => lowerModel(model, model.compiled!.training()).spec)
  let spec = old!
  let fails = false
  const holder: WeightHolder = {
    get variables() {
      return layer.variables
    },
    attach(plan, scope, names) {
      layer.attach(plan, scope, names)
      const failed = fails
      fails = false
      if (failed) throw new RangeError('Array buffer allocation failed')
    },
    detach: (plan) => layer.detach(plan),
    isIn: (plan) => layer.isIn(plan),
  }
  const runner = new Runner({
    layers: () => [holder],
    spec: () => spec,
    names: () => new Map(),
    hyper: () => null,
  })
  const train = async () => {
    const data = runner.load({
      x: [{ data: Float32Array.of(1), shape: [1, 1] }],
      y: [{ data: Float32Array.of(0), shape: [1, 1] }],
    })
    const request = { mode: 'train', data: data.set, batchSize: 1, maxBatches: 1 } as const
    await runner.run('trainOnBatch', request)
    return layer.getWeights()[0]!.data[0]!
  }
  // w - 0.01 · 2w
  expect(await train()).toBeCloseTo(1.96, 6)
  spec = other!
  fails = true
  await expect(train()).rejects.toThrow('allocation failed')
  spec = old!
  expect(await train()).toBeCloseTo(1.9208, 6)
  runner.dispose()
  expect(layer.getWeights()[0]!.data[0]).toBeCloseTo(1.9208, 6)
})
