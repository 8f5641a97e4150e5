/** Trains on the device of the first argument; prints the names of the files mapped then. */
import { readFileSync } from 'node:fs'
import { Dense, LSTM, Sequential } from 'hiddenstate'

const [device] = process.argv.slice(2)
const model = new Sequential([new LSTM(3, { inputShape: [4, 2] }), new Dense(1)])
model.compile({ optimizer: 'sgd', loss: 'mse', ...(device ? { device } : {}) })
const x = [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((t) => [i, t]))
await model.fit(x, [[0], [1], [0], [1]], { nbEpoch: 1, verbose: 0 })
await model.predict(x)
const mapped = readFileSync('/proc/self/maps', 'utf8').match(/\S+$/gm)
console.log(JSON.stringify([...new Set(mapped.filter((name) => name.startsWith('/')))]))
