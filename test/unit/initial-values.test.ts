/**
 * What parameters begin with: initializations, functions of one's own, given weights;
 * no native code.
 */
import { describe, expect, it, vi } from 'vitest'
import { layerFromConfig } from '../../lib/saving/config.js'
import { ShapeError } from '../../lib/errors.js'
import { Bidirectional, Embedding, GRU, LSTM, SimpleRNN } from '../../lib/layers/index.js'
import type { Layer } from '../../lib/layers/base/layer.js'
import type { NDArray } from '../../lib/ndarray.js'
import { setSeed, uniform } from '../../lib/random.js'

describe('initial values', () => {
  const H = 6
  const weights = (layer: Layer): Map<string, NDArray> => {
    layer.build([null, 5, 4])
    return new Map(
      layer
        .kerasArrays()
        .map((a, i) => [a.name.slice(layer.name.length + 1), layer.getWeights()[i] as NDArray]),
    )
  }
  const range = (w: NDArray): number => Math.max(...Array.from(w.data, Math.abs))

  it('biases: 1 for the forget gate, 0 elsewhere, in every mode', () => {
    const cpu = weights(new LSTM(H))
    expect(['b_i', 'b_c', 'b_f', 'b_o'].map((n) => [...(cpu.get(n)?.data ?? [])])).toEqual(
      [0, 0, 1, 0].map((v) => Array(H).fill(v)),
    )
    const gpu = weights(new LSTM(H, { consumeLess: 'gpu' }))
    expect([...(gpu.get('b')?.data ?? [])]).toEqual([0, 1, 0, 0].flatMap((v) => Array(H).fill(v)))
  })

  it.each(['cpu', 'mem', 'gpu'] as const)(
    'U of each gate is orthogonal with gain 1.1 (%s)',
    (consumeLess) => {
      const layer = new GRU(H, { consumeLess })
      layer.build([null, 5, 4])
      const U = layer.variables[1]?.read() ?? new Float32Array()
      for (let gate = 0; gate < 3; gate++) {
        for (let i = 0; i < H; i++) {
          for (let j = 0; j < H; j++) {
            let dot = 0
            for (let k = 0; k < H; k++)
              dot += (U[i * 3 * H + gate * H + k] ?? 0) * (U[j * 3 * H + gate * H + k] ?? 0)
            expect(dot).toBeCloseTo(i === j ? 1.21 : 0, 5)
          }
        }
      }
    },
  )

  it('W is within the bounds of its own shape', () => {
    const perGate = Math.sqrt(6 / (4 + 40))
    const fused = Math.sqrt(6 / (4 + 160))
    const cpu = weights(new LSTM(40))
    for (const name of ['W_i', 'W_c', 'W_f', 'W_o']) {
      const widest = range(cpu.get(name) as NDArray)
      expect(widest).toBeLessThanOrEqual(perGate)
      expect(widest).toBeGreaterThan(fused)
    }
    expect(
      range(weights(new LSTM(40, { consumeLess: 'gpu' })).get('W') as NDArray),
    ).toBeLessThanOrEqual(fused)
  })

  it('a function of the shape', () => {
    const shapes: number[][] = []
    const init = (shape: readonly number[]) => {
      shapes.push([...shape])
      return new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5)
    }
    const layer = new SimpleRNN(3, { init, innerInit: init })
    layer.build([null, 5, 4])
    expect(shapes).toEqual([
      [4, 3],
      [3, 3],
    ])
  })

  it('a function: a configuration says the default, and a warning tells once', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const init = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1))
    const layer = new SimpleRNN(3, { init, innerInit: init, inputDim: 2 })
    const config = layer.getConfig()
    expect([config.init, config.inner_init]).toEqual(['glorot_uniform', 'orthogonal'])
    expect(layerFromConfig({ class_name: 'SimpleRNN', config }).getConfig()).toEqual(config)
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('the function init given as init'), { code: 'HIDDENSTATE_CONFIG' }],
    ])
    warn.mockRestore()
  })

  it('weights that are given draw nothing', () => {
    const init = (): never => {
      throw new Error('called')
    }
    const draw = (build: () => void): number[] => {
      setSeed(3)
      build()
      return [...uniform(2, 0, 1)]
    }
    const untouched = draw(() => {})
    expect(
      draw(() => new SimpleRNN(1, { weights: [[[1], [2]], [[3]], [4]] }).build([null, 5, 2])),
    ).toEqual(untouched)
    expect(
      draw(() => new Embedding(3, 1, { weights: [[[1], [2], [3]]] }).build([null, 5])),
    ).toEqual(untouched)
    new SimpleRNN(1, { init, innerInit: init, weights: [[[1], [2]], [[3]], [4]] }).build([
      null,
      5,
      2,
    ])
    // and only for the layer that has them
    expect(draw(() => new SimpleRNN(1).build([null, 5, 2]))).not.toEqual(untouched)
    expect(() => new SimpleRNN(1, { weights: [[1]] }).build([null, 5, 2])).toThrow(ShapeError)
    expect(() => new SimpleRNN(1, { init }).build([null, 5, 2])).toThrow('called')
  })

  it('given weights', () => {
    const given = [[[1], [2]], [[3]], [4]]
    const layer = new SimpleRNN(1, { weights: given })
    layer.build([null, 5, 2])
    expect(layer.getWeights().map((w) => w.toArray())).toEqual(given)
    expect(layer.getConfig()).not.toHaveProperty('weights')
    const both = new Bidirectional(new SimpleRNN(1), {
      weights: [...given, [[5], [6]], [[7]], [8]],
    })
    both.build([null, 5, 2])
    expect(both.getWeights().map((w) => w.toArray())).toEqual([...given, [[5], [6]], [[7]], [8]])
  })
})
