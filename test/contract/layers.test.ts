/**
 * What every layer keeps: weights and configuration go round,
 * shapes are what they said, options are checked.
 */
import { describe, expect, it } from 'vitest'
import { expectAllSameBits, expectSameBits, uniform } from '../arrays.js'
import { ConfigError, HiddenstateError, Sequential } from '../package.js'
import { dataFor, LAYERS, modelFor, SAMPLES } from './samples.js'

it('every layer has a sample', () => {
  const sampled = new Set(SAMPLES.map((s) => s.className))
  expect(LAYERS.map((l) => l.className).filter((name) => !sampled.has(name))).toEqual([])
  expect(LAYERS.length).toBeGreaterThanOrEqual(16)
})

describe.each(SAMPLES.map((s) => [s.title, s] as const))('%s', (_, s) => {
  it('weights go round, and wrong ones change nothing', () => {
    const [a, b] = [modelFor(s), modelFor(s)]
    const weights = a.getWeights().map((w, i) => uniform(i + 1, [...w.shape]))
    a.setWeights(weights)
    expectAllSameBits(a.getWeights(), weights)
    b.setWeights(a.getWeights())
    expectAllSameBits(b.getWeights(), weights)
    expect(a.countParams()).toBe(weights.reduce((sum, w) => sum + w.data.length, 0))
    const first = weights[0]
    if (first) {
      expect(() => a.setWeights(weights.slice(1))).toThrow(HiddenstateError)
      const wrong = [
        { data: new Float32Array(first.data.length + 1), shape: [first.data.length + 1] },
      ]
      expect(() => a.setWeights([...weights.slice(0, -1), ...wrong])).toThrow(HiddenstateError)
      expectAllSameBits(a.getWeights(), weights, 'after refused weights')
    }
    a.dispose()
    b.dispose()
  })

  it('the configuration makes the same layer', async () => {
    const a = modelFor(s)
    const config = a.getConfig()
    for (const key of Object.keys(config.at(-1)?.config ?? {}))
      expect(key).not.toMatch(/[a-z][A-Z]/)
    const b = Sequential.fromConfig(JSON.parse(JSON.stringify(config)))
    expect(b.getConfig()).toEqual(config)
    b.setWeights(a.getWeights())
    expectSameBits(await b.predict(dataFor(s)), await a.predict(dataFor(s)))
    a.dispose()
    b.dispose()
  })

  it('outputShape is the shape that comes out', async () => {
    const model = modelFor(s)
    for (const batch of [1, 3, 5]) {
      const y = await model.predict(dataFor(s, batch))
      const extra = s.title === 'Merge cos' ? 1 : 0 // Keras leaves an axis out there
      expect([null, ...y.shape.slice(1 + extra)]).toEqual([...(model.outputShape ?? [])])
      expect(y.shape[0]).toBe(batch)
      expect(y.data.every(Number.isFinite)).toBe(true)
    }
    model.dispose()
  })

  it('as first layer it needs to know its input', () => {
    // inputDim is an Embedding's vocabulary, a Merge has its branches: they always know
    if (s.vocabulary || s.inputs || s.knowsInput) return
    expect(() => new Sequential([s.make()])).toThrow(ConfigError)
  })

  it('refuses an unknown option and names the nearest', () => {
    expect(() => s.make({ nam: 'x' })).toThrow(/nam.*name/)
    try {
      s.make({ tranable: false })
      expect.fail('nothing was thrown')
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
      expect((error as ConfigError).code).toBe('ERR_OPTION')
      expect((error as ConfigError).message).toContain('trainable')
    }
  })

  it('takes its name, and trainable: false freezes it', async () => {
    const model = modelFor(s, { name: 'mine', trainable: false })
    expect(model.layers.at(-1)?.name).toBe('mine')
    const arrays = model.layers.flatMap((layer) => layer.kerasArrays())
    // running statistics go on, as in Keras
    const learned = () => model.getWeights().filter((_, i) => arrays[i]?.variable.trainable)
    const before = learned()
    model.compile({ optimizer: 'sgd', loss: 'mse' })
    const y = await model.predict(dataFor(s))
    await model.trainOnBatch(dataFor(s), {
      data: new Float32Array(y.data.length),
      shape: [...y.shape],
    })
    expectAllSameBits(learned(), before)
    model.dispose()
  })
})
