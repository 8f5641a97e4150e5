// Trains and predicts with whatever instruction set and threads the environment asks for.
import { GRU, Dense, info, LSTM, Sequential, setSeed, SimpleRNN } from 'hiddenstate'
import { data, print } from './task.mjs'

const denormal = 1e-310 * 0.5
setSeed(11)
const m = new Sequential([
  new LSTM(17, { inputShape: [null, 5], returnSequences: true }),
  new GRU(9, { returnSequences: true, innerActivation: 'sigmoid' }),
  new SimpleRNN(7),
  new Dense(3, { activation: 'softmax' }),
])
m.compile({ optimizer: 'rmsprop', loss: 'categorical_crossentropy' })
const { x } = data(37, 11, 5)
const y = { data: new Float32Array(37 * 3), shape: [37, 3] }
for (let i = 0; i < 37; i++) y.data[i * 3 + (i % 3)] = 1
const { history } = await m.fit(x, y, { nbEpoch: 3, batchSize: 16, verbose: 0, shuffle: false })
const p = await m.predict(x)
const { isa, isas, threads, threading } = info()
print({
  isa,
  isas,
  threads,
  threading,
  losses: history.loss,
  predictions: [...p.data],
  denormals: [denormal !== 0, Number(process.argv[2] ?? 1e-310) * 0.5 !== 0],
})
