/** A small model and data, for tests of how the package behaves rather than what it computes. */
import { type Plain, uniform } from '../arrays.js'
import { Dense, LSTM, Sequential, setSeed } from '../package.js'

export const T = 5
export const D = 3

export function small(units = 6): Sequential {
  setSeed(9)
  const layers = [new LSTM(units, { inputShape: [T, D] }), new Dense(2, { activation: 'softmax' })]
  return new Sequential(layers)
}

export function compiled(units = 6): Sequential {
  const model = small(units)
  model.compile({ optimizer: 'sgd', loss: 'categorical_crossentropy', metrics: ['accuracy'] })
  return model
}

export function data(n = 20): { x: Plain; y: Plain } {
  const x = uniform(1, [n, T, D])
  const y = new Float32Array(n * 2)
  for (let i = 0; i < n; i++) y[2 * i + ((x.data[i * T * D] as number) > 0 ? 1 : 0)] = 1
  return { x, y: { data: y, shape: [n, 2] } }
}

/**
 * A model and data with which one epoch takes tens of milliseconds at least:
 * there is time to interfere.
 */
export function slow(): { model: Sequential; x: Plain; y: Plain } {
  setSeed(9)
  const model = new Sequential([
    new LSTM(96, { inputShape: [40, 16] }),
    new Dense(2, { activation: 'softmax' }),
  ])
  model.compile({ optimizer: 'sgd', loss: 'categorical_crossentropy' })
  const y = new Float32Array(2 * 320)
  for (let i = 0; i < 320; i++) y[2 * i + (i % 2)] = 1
  return { model, x: uniform(2, [320, 40, 16]), y: { data: y, shape: [320, 2] } }
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms))
