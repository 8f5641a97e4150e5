import { fail, FormatError } from '../errors.js'
import { NDArray } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { Pickled } from '../files/pickle.js'
import { contents, type DatasetOptions, find, sourceDefaults } from './source.js'

type Images = [[xTrain: NDArray, yTrain: NDArray], [xTest: NDArray, yTest: NDArray]]

const FILE = {
  name: 'mnist.npz',
  hash: '731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1',
}

/**
 * Images as arrays, from a `.npz` with x_train, y_train, x_test, y_test, or from Keras 1's pickle
 * of two pairs.
 */
function arrays(path: string, found: Map<string, Pickled>): NDArray[] {
  const pickled = found.get('')
  const list =
    pickled === undefined
      ? ['x_train', 'y_train', 'x_test', 'y_test'].map((key) => found.get(key))
      : [pickled].flat(2)
  const isGood = list.length === 4 && list.every((array) => array instanceof NDArray)
  if (!isGood) {
    const expected = 'the arrays x_train, y_train, x_test, y_test'
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: path,
      what: 'content',
      expected,
      actual: [...found.keys()].join(', ') || 'others',
    })
  }
  return list as NDArray[]
}

/**
 * 70,000 images of digits.
 * @see keras.datasets.mnist
 */
export const mnist = {
  /**
   * Images [N, 28, 28] of 0 to 255, and digits [N].
   *
   * @param options.path default `'mnist.npz'`
   * @returns `[[xTrain, yTrain], [xTest, yTest]]`, uint8 as the file has them
   * @throws FormatError `ERR_FILE_FORMAT`, ConfigError `ERR_OPTION`; as a rejection
   * @example
   * import { mnist } from 'hiddenstate/datasets'
   * const train = async () => {
   *   const [[xTrain, yTrain], [xTest, yTest]] = await mnist.loadData()
   * }
   * @see keras.datasets.mnist.load_data
   */
  async loadData(options?: DatasetOptions): Promise<Images> {
    const where = 'mnist.loadData'
    const given = resolveOptions(where, sourceDefaults, options)
    const path = await find(where, FILE, given)
    const found = arrays(path, await contents(path, where, given))
    const [xTrain, yTrain, xTest, yTest] = found as [NDArray, NDArray, NDArray, NDArray]
    return [
      [xTrain, yTrain],
      [xTest, yTest],
    ]
  },
}
