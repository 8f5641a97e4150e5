/**
 * setFloatx('mixed_bfloat16'): bfloat16 operands in products, float32 everywhere else. What
 * products do is tested in native/test/mixed_test.cc.
 */
import { mkdtempSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  Adam,
  Dense,
  floatx,
  GRU,
  info,
  loadModel,
  LSTM,
  Sequential,
  setFloatx,
  setSeed,
  setThreads,
} from '../package.js'

const [N, T, D] = [48, 9, 5]
const x = Float32Array.from({ length: N * T * D }, (_, i) => Math.sin(i * 12.9898) * 1.3)
// [N, 1]: the sign of one number
const y = Float32Array.from({ length: N }, (_, n) => (x[(n * T + 2) * D]! > 0 ? 1 : 0))
const data = { data: x, shape: [N, T, D] }
const { threads } = info()
const labels = { data: y, shape: [N, 1] }

afterEach(() => {
  setFloatx('float32')
  setThreads(threads)
})

function build(precision: 'float32' | 'mixed_bfloat16'): Sequential {
  setFloatx(precision)
  setSeed(4)
  const layers = [
    new LSTM(24, { inputShape: [T, D], returnSequences: true }),
    new GRU(17),
    new Dense(1, { activation: 'sigmoid' }),
  ]
  const model = new Sequential(layers)
  model.compile({ optimizer: new Adam({ lr: 0.01 }), loss: 'binary_crossentropy' })
  return model
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0)

describe('mixed_bfloat16', () => {
  it('predicts nearly, not exactly, what float32 does', async () => {
    const [exact, mixed] = [build('float32'), build('mixed_bfloat16')]
    expect(floatx()).toBe('mixed_bfloat16')
    const apart = largest((await exact.predict(data)).data, (await mixed.predict(data)).data)
    expect(apart).toBeGreaterThan(1e-6)
    expect(apart).toBeLessThan(1e-2)
  })

  it('learns as float32 does, with float32 master weights', async () => {
    const losses: number[] = []
    for (const precision of ['float32', 'mixed_bfloat16'] as const) {
      const model = build(precision)
      const { history } = await model.fit(data, labels, { nbEpoch: 40, batchSize: 16, verbose: 0 })
      losses.push(history.loss!.at(-1)!)
      for (const weight of model.getWeights()) expect(weight.data).toBeInstanceOf(Float32Array)
      // Steps far below a bfloat16's last bit arrive: weights are not rounded.
      expect(
        model
          .getWeights()[0]!
          .data.some((v) => new Uint32Array(Float32Array.of(v).buffer)[0]! & 0xffff),
      ).toBe(true)
    }
    expect(losses[0]).toBeLessThan(0.2)
    expect(Math.abs(losses[1]! - losses[0]!)).toBeLessThan(0.05)
  })

  it('gives the same bits for any number of threads', async () => {
    const runs: Float32Array[] = []
    for (const n of [1, 2, 3]) {
      setThreads(n)
      const model = build('mixed_bfloat16')
      await model.fit(data, labels, { nbEpoch: 2, batchSize: 16, verbose: 0 })
      runs.push(Float32Array.from(model.getWeights().flatMap((w) => Array.from(w.data))))
    }
    expect(runs[1]).toEqual(runs[0])
    expect(runs[2]).toEqual(runs[0])
  })

  it('writes float32 files, and goes on from them with the same bits', async () => {
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'hs-mixed-')), 'model.h5')
    const model = build('mixed_bfloat16')
    await model.fit(data, labels, { nbEpoch: 1, batchSize: 16, verbose: 0, shuffle: false })
    expect(model.toJson()).toContain('"batch_input_shape"')
    expect(model.toJson()).not.toContain('bfloat16')
    await model.save(file)
    const again = await loadModel(file) // in the floatx in use
    setFloatx('float32')
    const exact = await loadModel(file)
    const step = async (m: Sequential) => [
      await m.trainOnBatch(data, labels),
      ...(await m.predict(data)).data,
    ]
    const wanted = await step(model)
    expect(await step(again)).toEqual(wanted)
    expect(await step(exact)).not.toEqual(wanted)
  })

  it('is a precision of the whole model, which a layer may overrule', async () => {
    setFloatx('mixed_bfloat16')
    setSeed(1)
    const overruled = new Sequential([
      new LSTM(8, { inputShape: [T, D], dtype: 'float32' }),
      new Dense(1),
    ])
    setFloatx('float32')
    setSeed(1)
    const plain = new Sequential([new LSTM(8, { inputShape: [T, D] }), new Dense(1)])
    expect((await overruled.predict(data)).data).toEqual((await plain.predict(data)).data)
    expect(() => setFloatx('mixed_bfloat' as 'mixed_bfloat16')).toThrow(
      /Did you mean 'mixed_bfloat16'/,
    )
    expect(['scalar', 'sse', 'avx2', 'avx512', 'avx512bf16', 'neon']).toContain(info().isa)
  })
})
