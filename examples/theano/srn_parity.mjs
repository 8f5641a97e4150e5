/**
 * The parity of a string of bits, learnt bit by bit by a plain recurrent net with a learnt first
 * state: the Theano program of the same name, with `scan`, `grad` and `fn`.
 *
 *   npm start theano/srn_parity [-- --bits 8 --rate 0.001 --epochs 5 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import * as K from 'hiddenstate/backend'
import { readOptions } from '../keras/options.mjs'

const { add, fn, grad, log, mean, mul, neg, pick, placeholder, relu, scan, softmax, sub } = K
const {
  bits,
  epochs,
  rate: givenRate,
} = readOptions({ bits: 8, rate: 0, epochs: 5, seed: 1 }, { bits: 4, epochs: 1 })
const rate = givenRate || (bits > 8 ? 3e-4 : 1e-3)

const M = 20
const [Wx, Wh, bh] = [K.weights([1, M], 'Wx'), K.weights([M, M], 'Wh'), K.zeros([M], 'bh')]
const [h0, Wo, bo] = [K.zeros([M], 'h0'), K.weights([M, 2], 'Wo'), K.zeros([2], 'bo')]
const params = [Wx, Wh, bh, h0, Wo, bo]

const [X, Y] = [placeholder(['T', 1], 'X'), placeholder(['T'], 'Y')]
const [, y] = scan(
  (x, h) => {
    const next = relu(add(x.dot(Wx), h.dot(Wh), bh))
    return [next, softmax(add(next.dot(Wo), bo))]
  },
  { sequences: X, outputsInfo: [h0, null] },
)
const cost = neg(mean(log(pick(y, Y))))
const gradients = grad(cost, params)
const updates = params.flatMap((w, i) => {
  const velocity = K.zeros(w.getValue().shape, `v_${w.name}`)
  const v = sub(mul(0.99, velocity), mul(rate, gradients[i]))
  return [
    [w, add(w, v)],
    [velocity, v],
  ]
})
const train = fn([X, Y], [cost, y], { updates, name: 'train' })

/** `{ x: [T, 1], y: [T] }`: bits, and whether those so far have an odd number of ones. */
const strings = Array.from({ length: 2 ** bits }, (_, number) => {
  const x = Array.from({ length: bits }, (_, j) => [(number >> j) & 1])
  let odd = 0
  return { x, y: x.map(([bit]) => (odd ^= bit)) }
})

for (let epoch = 1; epoch <= epochs; epoch++) {
  let [right, total] = [0, 0]
  for (const { x, y } of shuffled(strings)) {
    const [loss, p] = train.sync(x, y)
    total += loss.data[0]
    const [even, odd] = p.data.slice(-2)
    right += odd > even === (y.at(-1) === 1) ? 1 : 0
  }
  const share = ((100 * right) / strings.length).toFixed(1)
  console.log(`epoch ${epoch}: loss ${(total / strings.length).toFixed(4)}, right ${share} %`)
  if (right === strings.length) break
}

/** A copy in an order drawn by the seed. */
function shuffled(list) {
  const keys = K.weights([list.length], 'order', 'uniform').getValue().data
  return list
    .map((entry, i) => ({ entry, key: keys[i] }))
    .sort((a, b) => a.key - b.key)
    .map(({ entry }) => entry)
}
