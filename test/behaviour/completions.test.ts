/**
 * The last step of a run, telling JavaScript: whatever fails there, the promise settles and the
 * plan is idle again.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { nativeError } from '../../lib/errors.js'
import { lowerModel } from '../../lib/engine/lowering.js'
import { loadNative, type NativePlan } from '../../lib/native.js'
import { Dense, Sequential } from '../package.js'

const native = loadNative()
afterAll(() => native.setErrorClasses(nativeError))

function plan(): { plan: NativePlan; data: ReturnType<NativePlan['load']> } {
  const model = new Sequential([new Dense(2, { inputDim: 3 })])
  const made = native.compile(lowerModel(model, null).spec)
  return { plan: made, data: made.load({ x: [{ data: new Float32Array(12), shape: [4, 3] }] }) }
}

describe('a data set that has been disposed of', () => {
  it('serves the run that was asked for before, and none after', async () => {
    const { plan: one, data } = plan()
    const running = one.run({ mode: 'predict', data, batchSize: 2 })
    data.dispose()
    data.dispose()
    expect((await running).samples).toBe(4)
    expect(data.samples).toBe(4)
    await expect(one.run({ mode: 'predict', data, batchSize: 2 })).rejects.toMatchObject({
      code: 'ERR_DISPOSED',
    })
  })
})

describe('a run whose error cannot be made', () => {
  it('rejects with the text that native code has for it, and leaves the plan idle', async () => {
    native.setErrorClasses(() => {
      throw new RangeError('no such class')
    })
    const { plan: one, data } = plan()
    const order = Int32Array.of(0, 99) // found out on the engine thread
    const running = one.run({ mode: 'predict', data, order, batchSize: 2 })
    await expect(running).rejects.toThrow('run: an index of order must be from 0')
    expect(one.names()).toContainEqual(expect.stringMatching(/^dense_\d+\/W$/))
    expect((await one.run({ mode: 'predict', data, batchSize: 2 })).samples).toBe(4)
  })

  it('rejects, and does not throw, for arguments that are wrong', async () => {
    const { plan: one } = plan()
    const running = one.run({ mode: 'predict', data: {} as never, batchSize: 2 })
    await expect(running).rejects.toThrow('run: data must be the result of plan.load')
  })
})
