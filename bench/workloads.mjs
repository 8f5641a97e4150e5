/**
 * The eight workloads, built through the public API. Letters: B batch, T time steps, D features, H units, L layers, V words of
 * the embedding below (0: none), K outputs.
 */
import { Dense, Embedding, GRU, LSTM, Sequential } from 'hiddenstate'
import { mulberry32 } from '../examples/sine/waves.mjs'

export const workloads = {
  W1: { note: 'sine', cell: 'gru', B: 32, T: 50, D: 1, H: 32, L: 1, V: 0, K: 1, loss: 'mse' },
  W2: {
    note: 'sentiment',
    cell: 'lstm',
    B: 32,
    T: 80,
    D: 128,
    H: 128,
    L: 1,
    V: 20000,
    K: 1,
    loss: 'binary_crossentropy',
  },
  W3: {
    note: 'character model, one-hot input',
    cell: 'lstm',
    B: 64,
    T: 40,
    D: 64,
    H: 512,
    L: 1,
    V: 0,
    K: 64,
    loss: 'categorical_crossentropy',
  },
  W4: { note: 'stacked', cell: 'lstm', B: 64, T: 100, D: 64, H: 256, L: 2, V: 0, K: 1, loss: 'mse' },
  W5: { note: 'large', cell: 'lstm', B: 64, T: 50, D: 1024, H: 1024, L: 1, V: 0, K: 1, loss: 'mse' },
  W6: {
    note: 'streaming: one stateful step a call',
    cell: 'lstm',
    B: 1,
    T: 1,
    D: 64,
    H: 256,
    L: 1,
    V: 0,
    K: 0,
    loss: null,
  },
  W7: { note: 'long', cell: 'gru', B: 8, T: 1000, D: 32, H: 128, L: 1, V: 0, K: 1, loss: 'mse' },
  W8: { note: 'tiny batch', cell: 'lstm', B: 1, T: 100, D: 32, H: 128, L: 1, V: 0, K: 1, loss: 'mse' },
}

/** Floating-point operations of one step's matrix products; the input gradient of the first layer counts only above an embedding. */
export function flops({ cell, B, T, D, H, L, V, K }, mode) {
  const G = cell === 'lstm' ? 4 : 3
  let forward = 2 * B * H * K
  for (let l = 0; l < L; l++) forward += 2 * B * T * G * H * ((l === 0 ? D : H) + H)
  return mode === 'infer' ? forward : 3 * forward - (V > 0 ? 0 : 2 * B * T * G * H * D)
}

/** A compiled model. Gates use the logistic sigmoid, as the libraries this is compared with. */
export function buildModel(w) {
  const Cell = w.cell === 'lstm' ? LSTM : GRU
  const model = new Sequential()
  if (w.V > 0) model.add(new Embedding(w.V, w.D, { inputLength: w.T }))
  for (let l = 0; l < w.L; l++) {
    const first = l === 0 && w.V === 0
    model.add(
      new Cell(w.H, {
        returnSequences: l < w.L - 1,
        innerActivation: 'sigmoid',
        ...(first && w.loss === null ? { stateful: true, batchInputShape: [w.B, w.T, w.D] } : {}),
        ...(first && w.loss !== null ? { inputShape: [w.T, w.D] } : {}),
      }),
    )
  }
  const activations = { categorical_crossentropy: 'softmax', binary_crossentropy: 'sigmoid', mse: 'linear' }
  if (w.loss !== null) {
    model.add(new Dense(w.K, { activation: activations[w.loss] }))
    model.compile({ optimizer: 'adam', loss: w.loss })
  }
  return model
}

/** One batch, `x` [B, T, D] (or word numbers [B, T]) and `y` [B, K]. */
export function makeBatch(name, { B, T, D, V, K, loss }) {
  const random = mulberry32(7)
  const normal = () => 0.5 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const oneHot = (rows, classes) => {
    const data = new Float32Array(rows * classes)
    for (let r = 0; r < rows; r++) data[r * classes + Math.floor(random() * classes)] = 1
    return data
  }
  const fill = (n, f) => Float32Array.from({ length: n }, f)
  const x =
    V > 0
      ? { data: Int32Array.from({ length: B * T }, () => Math.floor(random() * V)), shape: [B, T] }
      : { data: name === 'W3' ? oneHot(B * T, D) : fill(B * T * D, normal), shape: [B, T, D] }
  if (loss === null) return { x }
  const targets = {
    categorical_crossentropy: () => oneHot(B, K),
    binary_crossentropy: () => fill(B * K, () => Number(random() < 0.5)),
    mse: () => fill(B * K, normal),
  }
  return { x, y: { data: targets[loss](), shape: [B, K] } }
}
