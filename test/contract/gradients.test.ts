/**
 * Gradients of every layer against central differences, in double precision and through the public
 * API: SGD with lr 1 moves a weight by its gradient. A Dense in front shows the gradient that the
 * layer hands back.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Plain, random, sizeOf, uniform } from '../arrays.js'
import {
  Dense,
  Masking,
  Sequential,
  SGD,
  setFloatx,
  SimpleRNN,
  TimeDistributed,
} from '../package.js'
import { dataFor, SAMPLES, type Sample } from './samples.js'

/** Step of the central difference: error about STEP^2 + 1e-16 / STEP, both near 1e-11. */
const STEP = 1e-5
const BOUND = 1e-6
const PER_ARRAY = 6

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

/**
 * Functions with a kink: the difference across it is not a gradient. Inputs are kept away from it,
 * or stay so by luck of the seed.
 */
function network(s: Sample): Sequential {
  const model = new Sequential()
  if (s.vocabulary || s.inputs) model.add(s.make({ inputShape: s.inputShape }))
  else {
    const inputShape = [...s.inputShape]
    if (s.masked) model.add(new Masking({ inputShape }))
    const width = inputShape.at(-1) as number
    if (s.masked) model.add(new TimeDistributed(new Dense(width)))
    else model.add(new Dense(width, { inputShape }))
    model.add(s.make())
  }
  return model
}

async function maxError(model: Sequential, x: Plain | Plain[]): Promise<number> {
  const out = await model.predict(x)
  const target = uniform(11, [...out.shape], 0.1, 0.9)
  model.compile({ optimizer: new SGD({ lr: 1 }), loss: 'mse' })
  const start = model.getWeights().map((w, i) => uniform(20 + i, [...w.shape], -0.7, 0.7))
  model.setWeights(start)
  await model.trainOnBatch(x, target)
  const after = model.getWeights()
  const arrays = model.layers.flatMap((layer) => layer.kerasArrays())
  const next = random(3)
  let worst = 0
  // from here on a step only tells the loss, of the training phase
  if (model.optimizer) Object.assign(model.optimizer, { lr: 0 })
  for (const [i, w] of start.entries()) {
    if (!arrays[i]?.variable.trainable) continue // running statistics
    for (let k = 0; k < Math.min(PER_ARRAY, w.data.length); k++) {
      const at = Math.floor(next() * sizeOf(w.shape))
      const analytic = (w.data[at] as number) - (after[i]?.data[at] as number)
      const losses: number[] = []
      for (const sign of [1, -1]) {
        const moved = start.map((v) => ({ data: Float64Array.from(v.data), shape: v.shape }))
        ;(moved[i] as Plain).data[at] = (w.data[at] as number) + sign * STEP
        model.setWeights(moved)
        losses.push(Number(await model.trainOnBatch(x, target)))
      }
      const numeric = ((losses[0] as number) - (losses[1] as number)) / (2 * STEP)
      worst = Math.max(worst, Math.abs(analytic - numeric) / Math.max(1e-3, Math.abs(numeric)))
    }
  }
  model.dispose()
  return worst
}

describe('gradients', () => {
  it.each(SAMPLES.map((s) => [s.title, s] as const))('%s', async (_, s) => {
    expect(await maxError(network(s), dataFor(s))).toBeLessThan(BOUND)
  })

  it('the checker sees a wrong gradient', async () => {
    // clipvalue is not in the loss, so with it the step is not the gradient.
    const model = new Sequential([new SimpleRNN(3, { inputShape: [4, 3] })])
    const compile = model.compile.bind(model)
    model.compile = (() =>
      compile({ optimizer: new SGD({ lr: 1, clipvalue: 1e-3 }), loss: 'mse' })) as never
    expect(await maxError(model, uniform(1, [2, 4, 3]))).toBeGreaterThan(BOUND)
  })
})
