/**
 * TensorFlow.js: `node tfjs.mjs THREADS DIR wasm|cpu`, the packages resolved from DIR. Its layers
 * take our weights as they are.
 */
import { createRequire } from 'node:module'
import path from 'node:path'
import { serve, Unsupported } from './serve.mjs'

const [, dir, backend] = process.argv.slice(2)
// It greets and warns on standard output, which is for answers here.
console.log = console.info = console.warn = () => {}
const require = createRequire(path.join(dir, 'package.json'))
const tf = require('@tensorflow/tfjs')
if (backend === 'wasm') {
  const main = require.resolve('@tensorflow/tfjs-backend-wasm')
  const wasm = require(main)
  wasm.setWasmPaths(
    `${main.slice(0, main.lastIndexOf('tfjs-backend-wasm'))}tfjs-backend-wasm/dist/`,
  )
}
await tf.setBackend(backend)
await tf.ready()

const losses = {
  mse: { loss: 'meanSquaredError', activation: 'linear' },
  bce: { loss: 'binaryCrossentropy', activation: 'sigmoid' },
  ce: { loss: 'categoricalCrossentropy', activation: 'softmax' },
}
const layers = {
  lstm: (options) => tf.layers.lstm({ recurrentActivation: 'sigmoid', ...options }),
  gru: (options) =>
    tf.layers.gru({ recurrentActivation: 'sigmoid', resetAfter: false, ...options }),
  rnn: (options) => tf.layers.simpleRNN(options),
}

await serve(
  tf.version.tfjs,
  ({ cell, mode, B, T, D, H, L, V, K, G, loss, stateful }, { floats, words }) => {
    if (!layers[cell])
      throw new Unsupported('TensorFlow.js has only the GRU that resets before the product')
    const model = tf.sequential()
    const zeros = { kernelInitializer: 'zeros', recurrentInitializer: 'zeros' }
    if (V > 0) model.add(tf.layers.embedding({ inputDim: V, outputDim: D, inputLength: T }))
    for (let l = 0; l < L; l++) {
      const first =
        l === 0 && V === 0
          ? stateful
            ? { batchInputShape: [B, T, D] }
            : { inputShape: [T, D] }
          : {}
      model.add(
        layers[cell]({
          units: H,
          returnSequences: l < L - 1,
          stateful: Boolean(stateful),
          ...zeros,
          ...first,
        }),
      )
    }
    if (K > 0) {
      model.add(tf.layers.dense({ units: K, activation: losses[loss].activation }))
      model.compile({ optimizer: tf.train.adam(1e-3, 0.9, 0.999, 1e-8), loss: losses[loss].loss })
    }
    const weights = [
      ...(V > 0 ? [['embedding', [V, D]]] : []),
      ...Array.from({ length: L }, (_, l) => [
        [`W${l}`, [l === 0 ? D : H, G * H]],
        [`U${l}`, [H, G * H]],
        [`b${l}`, [G * H]],
      ]).flat(),
      ...(K > 0
        ? [
            ['dense_W', [H, K]],
            ['dense_b', [K]],
          ]
        : []),
    ]
    model.setWeights(weights.map(([name, shape]) => tf.tensor(floats(name), shape)))
    const x = V > 0 ? tf.tensor(words('x'), [B, T], 'int32') : tf.tensor(floats('x'), [B, T, D])
    if (mode === 'train') {
      const y = tf.tensor(floats('y'), [B, K])
      return { step: () => model.trainOnBatch(x, y) }
    }
    let last
    const step = () => {
      const y = model.predict(x, { batchSize: B })
      last = y.dataSync()
      y.dispose()
    }
    return { step, outputs: () => last }
  },
)
