/**
 * An LSTM with peepholes of whole matrices and learnt first states predicts the symbols of embedded
 * Reber grammar (Hochreiter, Schmidhuber 1997): the last but one is the second one again, some
 * steps later.
 *
 *   npm start theano/lstm_reber [-- --strings 1000 --epochs 60 --tests 1000 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import { Adam, Dense, Masking, PeepholeLSTM, Sequential, TimeDistributed } from 'hiddenstate'
import { padSequences } from 'hiddenstate/preprocessing'
import { readOptions } from '../keras/options.mjs'
import { mulberry32 } from '../sine/waves.mjs'
import { embeddedReber, SYMBOLS } from './reber.mjs'

const {
  strings,
  epochs,
  tests: testCount,
  seed,
} = readOptions(
  { strings: 1000, epochs: 60, tests: 1000, seed: 1 },
  { strings: 50, epochs: 1, tests: 50 },
)
const random = mulberry32(seed)
const K = SYMBOLS.length

const model = new Sequential([
  new Masking({ inputShape: [null, K] }),
  new PeepholeLSTM(16, { peepholes: 'matrix', initialState: 'learned', returnSequences: true }),
  new TimeDistributed(new Dense(K, { activation: 'sigmoid' })),
])
model.compile({ loss: 'binary_crossentropy', optimizer: new Adam({ lr: 0.005 }) })

const train = encode(Array.from({ length: strings }, () => embeddedReber(random)))
await model.fit(train.x, train.y, {
  batchSize: 20,
  nbEpoch: epochs,
  verbose: 2,
})

const tests = Array.from({ length: testCount }, () => embeddedReber(random))
const test = encode(tests)
const p = await model.predict(test.x)
/** Whether the likeliest symbols are just those that the grammar allows, in each step. */
const isRight = (steps, n) =>
  steps.slice(0, -1).every(({ next }, t) => {
    const row = Array.from({ length: K }, (_, k) => ({ k, p: p.get(n, t, k) }))
    const likeliest = row.sort((a, b) => b.p - a.p).slice(0, next.length)
    return likeliest.every(({ k }) => next.includes(SYMBOLS[k]))
  })
const right = tests.filter(isRight).length
console.log(
  `\n${((100 * right) / tests.length).toFixed(1)} % of ${tests.length} new strings predicted in every step`,
)

/** `{ x, y: [N, T, K] }` of strings: each symbol, and those that may follow it. */
function encode(strings) {
  const rows = (of) => {
    const lists = strings.map((steps) => steps.slice(0, -1).map(of))
    return padSequences(lists, { padding: 'post', dtype: 'float32' })
  }
  const among = (symbols) => Array.from(SYMBOLS, (symbol) => Number(symbols.includes(symbol)))
  return { x: rows(({ symbol }) => among([symbol])), y: rows(({ next }) => among(next)) }
}
