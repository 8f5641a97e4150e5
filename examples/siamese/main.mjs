/**
 * Two series, one net: a GRU reads both with the same weights, and the distance of what it makes of
 * them says whether they swing alike. Trained by the contrastive loss of Hadsell, Chopra and LeCun
 * (2006), written as a function; tried on periods that it has never seen.
 *
 *   npm start siamese [-- --epochs 15 --pairs 4000 --tests 2000 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import { Dense, GRU, Input, merge, Model, Sequential } from 'hiddenstate'
import {
  add,
  lessEqual,
  equal,
  maximum,
  mean,
  mul,
  sqrt,
  square,
  sub,
  sum,
} from 'hiddenstate/backend'
import { readOptions } from '../keras/options.mjs'
import { mulberry32 } from '../sine/waves.mjs'

const {
  epochs,
  pairs: count,
  tests,
  seed,
} = readOptions(
  { epochs: 15, pairs: 4000, tests: 2000, seed: 1 },
  { epochs: 1, pairs: 64, tests: 64 },
)
const random = mulberry32(seed)
const T = 40

/** A sine of this period with noise and any phase, T numbers. */
function series(period) {
  const phase = random() * 2 * Math.PI
  return Array.from(
    { length: T },
    (_, t) => Math.sin((2 * Math.PI * t) / period + phase) + 0.2 * (random() - 0.5),
  )
}

/** `{ x: [a, b], y }`: pairs of series, half of them of one period, and whether they are. */
function pairs(count, periods) {
  const draw = () => periods[Math.floor(random() * periods.length)]
  const list = Array.from({ length: count }, (_, i) => {
    const first = draw()
    let second = first
    while (i % 2 === 1 && second === first) second = draw()
    return [series(first), series(second)]
  })
  const side = (k) => ({
    data: Float32Array.from(list.flatMap((pair) => pair[k])),
    shape: [count, T, 1],
  })
  const y = { data: Float32Array.from(list, (_, i) => 1 - (i % 2)), shape: [count, 1] }
  return { x: [side(0), side(1)], y }
}

const encoder = new Sequential([new GRU(32, { inputShape: [T, 1] }), new Dense(8)])
const [left, right] = [Input({ shape: [T, 1] }), Input({ shape: [T, 1] })]
const distance = merge([encoder.call(left), encoder.call(right)], {
  mode: ([a, b]) => sqrt(add(sum(square(sub(a, b)), -1, true), 1e-7)),
})
const model = new Model({ input: [left, right], output: distance })

/** d² for what is alike, max(1 - d, 0)² for what is not. */
const contrastive = (alike, d) =>
  mean(add(mul(alike, square(d)), mul(sub(1, alike), square(maximum(sub(1, d), 0)))), -1)
/** How often a distance below one half says alike. */
const accuracy = (alike, d) => mean(equal(alike, lessEqual(d, 0.5)), -1)
model.compile({ loss: contrastive, metrics: [accuracy], optimizer: 'rmsprop' })

const train = pairs(count, [5, 7, 9, 12, 16, 20, 26])
await model.fit(train.x, train.y, {
  batchSize: 64,
  nbEpoch: epochs,
  verbose: 2,
})
const percent = (share) => `${(100 * share).toFixed(1)} %`
for (const [what, periods] of [
  ['the same periods', [5, 7, 9, 12, 16, 20, 26]],
  ['periods never seen', [6, 8, 10.5, 14, 18, 23]],
]) {
  const test = pairs(tests, periods)
  const [, right] = await model.evaluate(test.x, test.y, { verbose: 0 })
  console.log(`New pairs of ${what}: ${percent(right)} right`)
}
