// Trains from an HDF5 file (argv: path) and tells the most memory that is resident after a batch,
// and the file's size, in bytes. The system's own maximum would not do: a new process begins with
// that of the one which started it.
import { statSync } from 'node:fs'
import { Dense, LambdaCallback, Sequential, setSeed } from 'hiddenstate'
import { HDF5Matrix } from 'hiddenstate/utils'

const [file] = process.argv.slice(2)
const [x, y] = [await HDF5Matrix.open(file, 'x'), await HDF5Matrix.open(file, 'y')]
setSeed(1)
const model = new Sequential([new Dense(1, { inputDim: x.shape[1] })])
model.compile({ loss: 'mse', optimizer: 'adam' })
let most = 0
const onBatchEnd = () => {
  most = Math.max(most, process.memoryUsage().rss)
}
const options = { batchSize: 1024, nbEpoch: 2, shuffle: 'batch', verbose: 0 }
const { history } = await model.fit(x, y, { ...options, callbacks: [new LambdaCallback({ onBatchEnd })] })
await Promise.all([x.close(), y.close()])
console.log(JSON.stringify({ most, size: statSync(file).size, loss: history.loss }))
