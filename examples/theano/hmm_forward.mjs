/**
 * A hidden Markov model learnt by gradient: the forward algorithm is a `scan` of sums in log space,
 * and the gradient of the log-likelihood is that of any other cost.
 *
 *   npm start theano/hmm_forward [-- --steps 300 --length 2000 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import { setFloatx } from 'hiddenstate'
import * as K from 'hiddenstate/backend'
import { readOptions } from '../keras/options.mjs'
import { mulberry32 } from '../sine/waves.mjs'

const {
  steps,
  length: T,
  seed,
} = readOptions({ steps: 300, length: 2000, seed: 1 }, { steps: 10, length: 50 })
setFloatx('float64')
const random = mulberry32(seed)

// Two coins behind a curtain, which are exchanged now and then: only heads and tails are seen.
const truth = {
  start: [0.5, 0.5],
  transition: [
    [0.95, 0.05],
    [0.1, 0.9],
  ],
  emission: [
    [0.5, 0.5],
    [0.1, 0.9],
  ],
}
const draw = (p) => (random() < p[0] ? 0 : 1)
let coin = draw(truth.start)
const seen = Array.from({ length: T }, () => {
  const side = draw(truth.emission[coin])
  coin = draw(truth.transition[coin])
  return side
})

/** log P(observations): of start [S], transition [S, S] and emission [S, O] in logarithms. */
function logLikelihood(observations, { start, transition, emission }) {
  const columns = emission.T // [O, S]: a row for what is seen
  const first = start.add(K.gather(columns, K.at(observations, 0)))
  const [alpha] = K.scan(
    // alpha [S]: log P(what was seen so far, and the state now)
    (side, alpha) => [
      K.logSumExp(K.add(K.expandDims(alpha, 1), transition), 0).add(K.gather(columns, side)),
    ],
    { sequences: K.slice(observations, 1), outputsInfo: [first] },
  )
  return K.logSumExp(K.last(alpha))
}

const sides = K.placeholder(['T'], 'sides')
const [start, transition, emission] = [
  K.weights([2], 'start', 'uniform'),
  K.weights([2, 2], 'transition', 'uniform'),
  K.weights([2, 2], 'emission', 'uniform'),
]
const params = [start, transition, emission]
const model = {
  start: K.logSoftmax(start),
  transition: K.logSoftmax(transition),
  emission: K.logSoftmax(emission),
}
const cost = K.neg(K.div(logLikelihood(sides, model), T))

const { error } = await K.checkGradient(cost, params, [sides], [seen.slice(0, 50)])
console.log(`Gradient against central differences: ${error.toExponential(1)}`)

const gradients = K.grad(cost, params)
const updates = params.flatMap((w, i) => {
  const velocity = K.zeros(w.shape, `v_${w.name}`)
  const v = K.sub(K.mul(0.9, velocity), K.mul(1, gradients[i]))
  return [
    [w, K.add(w, v)],
    [velocity, v],
  ]
})
const climb = K.fn([sides], cost, { updates, name: 'climb' })
for (let i = 1; i <= steps; i++) {
  const value = (await climb(seen)).data[0]
  if (i % Math.ceil(steps / 6) === 0)
    console.log(`step ${i}: log-likelihood ${(-value * T).toFixed(2)}`)
}

const logs = (p) => K.log(K.shared(p))
const ofTruth = logLikelihood(sides, {
  start: logs(truth.start),
  transition: logs(truth.transition),
  emission: logs(truth.emission),
})
const [known] = [await K.fn([sides], ofTruth)(seen)]
console.log(`With the coins' own numbers: ${known.data[0].toFixed(2)}`)
const [learntTransition, learntEmission] = await K.fn(
  [],
  [K.exp(model.transition), K.exp(model.emission)],
)()
const row = ({ data }, i) => Array.from(data.slice(2 * i, 2 * i + 2), (p) => p.toFixed(2)).join(' ')
for (const i of [0, 1])
  console.log(
    `coin ${i}: next ${row(learntTransition, i)}; heads and tails ${row(learntEmission, i)}`,
  )
