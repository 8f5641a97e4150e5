/**
 * The workloads, and the numbers every competitor starts from. Letters: B batch, T time steps, D
 * features, H units, L layers, V words of the embedding below (0: none), K outputs (0: the states
 * themselves).
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const shapes = {
  W1: { note: 'sine', cell: 'gru', B: 32, T: 50, D: 1, H: 32, K: 1, loss: 'mse' },
  W2: {
    note: 'sentiment',
    cell: 'lstm',
    B: 32,
    T: 80,
    D: 128,
    H: 128,
    V: 20000,
    K: 1,
    loss: 'bce',
  },
  W3: { note: 'characters, one-hot', cell: 'lstm', B: 64, T: 40, D: 64, H: 512, K: 64, loss: 'ce' },
  W4: { note: 'two layers', cell: 'lstm', B: 64, T: 100, D: 64, H: 256, L: 2, K: 1, loss: 'mse' },
  W5: { note: 'large', cell: 'lstm', B: 64, T: 50, D: 1024, H: 1024, K: 1, loss: 'mse' },
  W6: {
    note: 'one stateful step a call',
    cell: 'lstm',
    B: 1,
    T: 1,
    D: 64,
    H: 256,
    K: 0,
    loss: 'none',
    stateful: 1,
  },
  W7: { note: 'long', cell: 'gru', B: 8, T: 1000, D: 32, H: 128, K: 1, loss: 'mse' },
  W8: { note: 'batch of one', cell: 'lstm', B: 1, T: 100, D: 32, H: 128, K: 1, loss: 'mse' },
  ...symbolic(),
}

/**
 * A cell written with `defineCell` beside the built-in one, in training: `bar` is how many times as
 * long its step may take.
 */
function symbolic() {
  const sizes = [
    { B: 32, H: 32, bar: 2 },
    { B: 32, H: 128, bar: 1.25 },
    { B: 64, H: 256, bar: 1.25 },
  ]
  const rest = { T: 30, D: 32, K: 1, loss: 'mse', written: 1 }
  return Object.fromEntries(
    ['lstm', 'gru'].flatMap((cell) =>
      sizes.map((size) => [
        `symbolic-${cell}-${size.H}`,
        { note: `batch of ${size.B}`, cell, ...size, ...rest },
      ]),
    ),
  )
}

/**
 * Gates of each cell. `gru` applies reset before the recurrent product, as Keras 1 does; `lbr_gru`
 * after it, as cuDNN and PyTorch do.
 */
const gates = { lstm: 4, gru: 3, lbr_gru: 3, rnn: 1 }

export const workloadNames = Object.keys(shapes)
export const cellNames = Object.keys(gates)

/** A workload with one of the cells; default: its own. */
export function workload(name, cell = shapes[name].cell) {
  return { L: 1, V: 0, stateful: 0, written: 0, ...shapes[name], name, cell, G: gates[cell] }
}

/** What can be asked of a workload. */
export const modesOf = ({ K, written }) =>
  written ? ['train'] : K > 0 ? ['train', 'infer'] : ['infer']

/**
 * Floating-point operations of one step's matrix products; the input gradient of the first layer
 * counts only above an embedding.
 */
export function flops({ B, T, D, H, L, V, K, G }, mode) {
  let forward = 2 * B * H * K
  for (let l = 0; l < L; l++) forward += 2 * B * T * G * H * ((l === 0 ? D : H) + H)
  return mode === 'infer' ? forward : 3 * forward - (V > 0 ? 0 : 2 * B * T * G * H * D)
}

/**
 * 32 random bits a call (Marsaglia 2003, xorshift32), as a number in [0, 1):
 * the same on every machine.
 */
function generator(state) {
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

const around = (random, n, s) => Float32Array.from({ length: n }, () => s * (2 * random() - 1))

function oneHot(random, rows, classes) {
  const hot = new Float32Array(rows * classes)
  for (let r = 0; r < rows; r++) hot[r * classes + Math.floor(random() * classes)] = 1
  return hot
}

/** One batch: `x` [B, T, D], or word numbers [B, T]; `y` [B, K], absent when K is 0. */
export function batchOf({ B, T, D, V, K, loss }) {
  const random = generator(0x2545f491)
  const word = () => Math.floor(random() * V)
  const bit = () => Number(random() < 0.5)
  const x =
    V > 0
      ? { data: Int32Array.from({ length: B * T }, word), shape: [B, T] }
      : {
          data: loss === 'ce' ? oneHot(random, B * T, D) : around(random, B * T * D, 1),
          shape: [B, T, D],
        }
  if (K === 0) return { x }
  const targets = {
    ce: () => oneHot(random, B, K),
    bce: () => Float32Array.from({ length: B * K }, bit),
    mse: () => around(random, B * K, 1),
  }
  return { x, y: { data: targets[loss](), shape: [B, K] } }
}

/**
 * Batch and weights, one file a tensor, little-endian, C order, in the folder `folder/data`, whose
 * name `data` is returned:
 *   x [B, T, D] float32, or int32 [B, T] words · y [B, K] · embedding [V, D] · dense_W [H, K] ·
 *   dense_b [K]
 *   W0 [D, G·H] · U0 [H, G·H] · b0 [G·H], and those of further layers; c0 [G·H], the recurrent bias
 *   of lbr_gru
 * Gates in the order i f g o (lstm) and z r g (gru); g is the candidate.
 */
export function writeTensors(folder, w) {
  const { name, cell, D, H, L, V, K, G } = w
  const data = `${name}-${cell}`
  if (fs.existsSync(path.join(folder, data))) return data
  if (os.endianness() !== 'LE')
    throw new Error('bench: the drivers read little-endian files; this machine is not.')
  fs.mkdirSync(path.join(folder, data))
  const write = (tensor, array) => fs.writeFileSync(path.join(folder, data, `${tensor}.bin`), array)
  const random = generator(0x1b873593)
  const s = 1 / Math.sqrt(H)
  const weights = (tensor, n, scale = s) => write(tensor, around(random, n, scale))
  const { x, y } = batchOf(w)
  write('x', x.data)
  if (y) write('y', y.data)
  if (V > 0) weights('embedding', V * D, 0.5)
  for (let l = 0; l < L; l++) {
    weights(`W${l}`, (l === 0 ? D : H) * G * H)
    weights(`U${l}`, H * G * H)
    weights(`b${l}`, G * H)
    if (cell === 'lbr_gru') weights(`c${l}`, G * H)
  }
  if (K === 0) return data
  weights('dense_W', H * K)
  weights('dense_b', K)
  return data
}
