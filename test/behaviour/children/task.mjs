// A small model and data to train it with, the same in every child.
import { Dense, LSTM, Sequential, setSeed } from 'hiddenstate'

export function data(n, T, D, seed = 1) {
  let a = seed
  const next = () => (a = (a * 16807) % 2147483647) / 2147483647 - 0.5
  const x = Float32Array.from({ length: n * T * D }, next)
  const y = Float32Array.from({ length: n }, (_, i) => (x[i * T * D] > 0 ? 1 : 0))
  return { x: { data: x, shape: [n, T, D] }, y: { data: y, shape: [n, 1] } }
}

export function model(units = 24, D = 4) {
  setSeed(7)
  const m = new Sequential([new LSTM(units, { inputShape: [null, D] }), new Dense(1, { activation: 'sigmoid' })])
  m.compile({ optimizer: 'adam', loss: 'binary_crossentropy' })
  return m
}

/** A fit that takes far longer than any test: to be interrupted. */
export function longFit(m = model(64, 8), more = {}) {
  const { x, y } = data(2000, 40, 8)
  return m.fit(x, y, { nbEpoch: 100000, batchSize: 32, verbose: 0, ...more })
}

export const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
