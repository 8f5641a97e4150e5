/**
 * min-char-rnn (Karpathy 2015) with `scan`: a plain recurrent net reads a text 25 characters at a
 * time, its state carried from one piece to the next, learns by Adagrad, and writes now and then.
 *
 *   npm start theano/min_char_rnn [-- FILE --passes 150 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import fs from 'node:fs'
import * as K from 'hiddenstate/backend'
import { readOptions } from '../keras/options.mjs'
import { mulberry32 } from '../sine/waves.mjs'
import { alphabetOf, draw } from '../text-generation/characters.mjs'

const { passes, seed, path } = readOptions({ passes: 150, seed: 1 }, { passes: 1 })
const random = mulberry32(seed)
const carroll = new URL('../text-generation/carroll.txt', import.meta.url)
const text = fs.readFileSync(path ?? carroll, 'utf8')
const [T, H] = [25, 100]
if (text.length <= T)
  throw new Error(`The text must hold more than ${T} characters, got ${text.length}.`)
const { characters, number } = alphabetOf(text)
const V = characters.length
const indices = Float32Array.from(text, (character) => number.get(character))

const [Wxh, Whh, bh] = [K.weights([V, H], 'Wxh'), K.weights([H, H], 'Whh'), K.zeros([H], 'bh')]
const [Why, by] = [K.weights([H, V], 'Why'), K.zeros([V], 'by')]
const params = [Wxh, Whh, bh, Why, by]
const state = K.zeros([H], 'state') // h [H], from piece to piece

const [inputs, targets] = [K.placeholder(['T'], 'inputs'), K.placeholder(['T'], 'targets')]
// A row of Wxh is the product of a one-hot vector with it.
const [h] = K.scan((x, h) => [K.tanh(K.add(x, h.dot(Whh), bh))], {
  sequences: K.gather(Wxh, inputs),
  outputsInfo: [state],
})
const logP = K.logSoftmax(K.add(h.dot(Why), by)) // [T, V]
const cost = K.neg(K.sum(K.pick(logP, targets)))
const gradients = K.grad(cost, params)
const updates = params.flatMap((w, i) => {
  const g = K.clip(gradients[i], -5, 5)
  const memory = K.zeros(w.shape, `m_${w.name}`)
  const m = K.add(memory, K.square(g))
  return [
    [memory, m],
    [w, K.sub(w, K.div(K.mul(0.1, g), K.sqrt(K.add(m, 1e-8))))],
  ]
})
const train = K.fn([inputs, targets], cost, {
  updates: [...updates, [state, K.last(h)]],
  name: 'train',
})
const next = K.fn([inputs], K.exp(K.last(logP)), { updates: [[state, K.last(h)]], name: 'next' })

let smooth = Math.log(V) * T
for (let pass = 1; pass <= passes; pass++) {
  state.setValue(new Float32Array(H))
  for (let at = 0; at + T < text.length; at += T) {
    const loss = train.sync(indices.subarray(at, at + T), indices.subarray(at + 1, at + T + 1))
    smooth = 0.999 * smooth + 0.001 * loss.data[0]
  }
  if (pass % Math.ceil(passes / 5) > 0) continue
  console.log(`pass ${pass}: ${(smooth / T).toFixed(3)} nats a character`)
  console.log(`  ${write(120)}`)
}

/** Characters drawn one after another, as the text begins: with its first one, from no state. */
function write(length) {
  state.setValue(new Float32Array(H))
  let [last] = indices
  const written = Array.from({ length }, () => {
    last = draw(next.sync([last]).data, 1, random)
    return characters[last]
  })
  return JSON.stringify(written.join(''))
}
