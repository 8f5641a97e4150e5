/** LSTM and GRU as a user writes them: a weight for each gate, in the order of native gates. */

const gates = { lstm: ['i', 'f', 'g', 'o'], gru: ['z', 'r', 'g'] }

const weightsOf = (names) =>
  Object.fromEntries([
    ...names.map((q) => [`W${q}`, ['D', 'H']]),
    ...names.map((q) => [`U${q}`, ['H', 'H']]),
    ...names.map((q) => [`b${q}`, ['H']]),
  ])

/** Classes of layers by the cell's name, made by the package `hs` and its `hiddenstate/backend`. */
export const writtenCells = (hs, { add, mul, sigmoid, sub, tanh }) => ({
  lstm: hs.defineCell('WrittenLSTM', {
    weights: weightsOf(gates.lstm),
    states: { h: {}, c: {} },
    step({ x, h, c, ...w }) {
      const i = sigmoid(add(x.dot(w.Wi), h.dot(w.Ui), w.bi))
      const f = sigmoid(add(x.dot(w.Wf), h.dot(w.Uf), w.bf))
      const g = tanh(add(x.dot(w.Wg), h.dot(w.Ug), w.bg))
      const o = sigmoid(add(x.dot(w.Wo), h.dot(w.Uo), w.bo))
      const next = add(mul(f, c), mul(i, g))
      return { h: mul(o, tanh(next)), c: next }
    },
  }),
  gru: hs.defineCell('WrittenGRU', {
    weights: weightsOf(gates.gru),
    states: { h: {} },
    step({ x, h, ...w }) {
      const z = sigmoid(add(x.dot(w.Wz), h.dot(w.Uz), w.bz))
      const r = sigmoid(add(x.dot(w.Wr), h.dot(w.Ur), w.br))
      const g = tanh(add(x.dot(w.Wg), r.mul(h).dot(w.Ug), w.bg))
      return { h: add(mul(z, h), mul(sub(1, z), g)) }
    },
  }),
})

/** The arrays of its gates, of one that has them side by side: [rows, G·H]; others as they are. */
export function gatesOf({ cell, H }, name, data) {
  if (!/^[WUb]\d/.test(name)) return [data]
  const G = gates[cell].length
  return gates[cell].map((_, q) =>
    Float32Array.from({ length: data.length / G }, (_, i) => {
      const row = Math.floor(i / H)
      return data[row * G * H + q * H + (i % H)]
    }),
  )
}
