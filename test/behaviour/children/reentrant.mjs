// Arguments whose getters call back into the plan. argv: the addon, the case. Prints the code of
// the error, or "done".
import { createRequire } from 'node:module'

const [, , addon, what] = process.argv
const native = createRequire(import.meta.url)(addon)
const params = [
  { path: 'd/W', dims: [2, 1] },
  { path: 'd/b', dims: [1] },
]
const uses = params.map(({ path }) => ({ name: path.slice(2), param: path }))
const options = { units: 1, bias: true }
const plan = native.compile({
  device: 'cpu',
  floatx: 'float32',
  inputs: [{ name: 'input', dims: [2] }],
  params,
  ops: [{ op: 'dense', layer: 'd', className: 'Dense', inputs: ['input'], outputs: ['d'], options, params: uses }],
  predictions: [{ value: 'd', mask: null, loss: 'mean_squared_error', weight: 1, metrics: [], temporal: false }],
  optimizer: { name: 'sgd', lr: 0.1 },
  seed: 1,
})
const x = { data: new Float32Array(8), shape: [4, 2] }
const y = { data: new Float32Array(4), shape: [4, 1] }
const data = plan.load({ x: [x], y: [y] })
const weights = new Float32Array(2)
let running
const dispose = (value) => {
  plan.dispose()
  return value
}
const start = (value) => {
  running = plan.run({ mode: 'train', data, batchSize: 1 })
  return value
}
const request = (then) => ({
  get mode() {
    return then('predict')
  },
  data,
  batchSize: 4,
})
const array = (then) => ({
  get data() {
    return then(weights)
  },
  shape: [2, 1],
})
const x4 = (then) => ({
  get x() {
    return then([x])
  },
  y: [y],
})
const cases = {
  'predict, dispose': () => plan.predict(x4(dispose)),
  'predict, run': () => plan.predict(x4(start)),
  'run, dispose': () => plan.run(request(dispose)),
  'write, dispose': () => plan.write('d/W', array(dispose)),
  'write, run': () => plan.write('d/W', array(start)),
  'load, dispose': () => plan.load(x4(dispose)),
}
let code = 'done'
try {
  await cases[what]()
} catch (error) {
  code = error.code
}
await running
console.log(JSON.stringify(code))
