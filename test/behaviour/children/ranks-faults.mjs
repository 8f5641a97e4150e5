/** A rank of a job in which rank 1 does something else, which the argument says. */
const [what] = process.argv.slice(2)
const rank = Number(process.env.OMPI_COMM_WORLD_RANK ?? process.env.PMI_RANK)
if (what === 'isa' && rank === 1) process.env.HIDDENSTATE_ISA = 'scalar'
const hs = await import('hiddenstate')
const { Dense, distribute, LambdaCallback, Sequential, setSeed } = hs
const world = await distribute()
const odd = world.rank === 1
setSeed(1)
const say = (value) => console.log(JSON.stringify({ rank: world.rank, ...value }))

const model = new Sequential([
  new Dense(2, { inputDim: 2, activation: 'tanh' }),
  new Dense(1),
])
model.compile({ loss: 'mse', optimizer: new hs.SGD({ lr: 0.1 }), distribute: world })
const x = Array.from({ length: 16 }, (_, i) => [i % 3, i % 5])
const y = x.map(([a, b]) => a - b)
const stop = new AbortController()
const onEpochEnd = (epoch) => {
  if (epoch === 0) say({ fits: process.pid })
  if (epoch !== 3 || !odd) return
  if (what === 'throws') throw new TypeError('no such column')
  if (what === 'aborts') stop.abort(new Error('the user has had enough'))
  if (what === 'exits') process.exit(3)
  if (what === 'stops') process.kill(process.pid, 'SIGSTOP')
  if (what === 'is killed') process.kill(process.pid, 'SIGKILL')
}
const options = {
  batchSize: 4,
  nbEpoch: what === 'catches' ? 5 : 2000,
  verbose: 0,
  callbacks: [new LambdaCallback({ onEpochEnd })],
  signal: stop.signal,
}
if (what === 'leaves' && odd) process.exit(0)
if (what === 'aborts') {
  const reason = await model.fit(x, y, options).catch((error) => error)
  say({ code: reason.code, message: reason.message })
  // all go on together, from the weights of rank 0
  const { history } = await model.fit(x, y, { ...options, nbEpoch: 2, signal: null })
  say({ loss: history.loss, weights: model.getWeights().map((w) => w.toArray()) })
} else {
  await model.fit(x, y, options)
}
