/**
 * Rows of an HDF5 dataset that stay in the file until they are asked for.
 * Keras 1.2.2 `keras.utils.io_utils.HDF5Matrix`.
 */
import { stat } from 'node:fs/promises'
import { checkedPath, fileError } from '../files/atomic.js'
import {
  ConfigError,
  fail,
  FormatError,
  HiddenstateError,
  ShapeError,
  StateError,
} from '../errors.js'
import { RowFile } from './client.js'
import {
  describe,
  NDArray,
  shapeText,
  sizeOf,
  type TensorLike,
  type TypedArray,
} from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { RowSource } from '../training/row-source.js'

/** Options of {@link HDF5Matrix}. */
export interface HDF5MatrixOptions {
  /** First row. Default 0. */
  start?: number
  /** Row after the last one. Default `null`: all. */
  end?: number | null
  /**
   * Makes of the rows of a batch what the model gets, with as many rows:
   * `(rows) => rows` by default.
   */
  normalizer?: ((rows: NDArray) => TensorLike) | null
}

const defaults = {
  start: 0,
  end: null as number | null,
  normalizer: null as HDF5MatrixOptions['normalizer'],
}

/** Files that are open, by path: matrices of one file share it. */
const openFiles = new Map<
  string,
  { file: RowFile; tree: ReturnType<RowFile['open']>; users: number }
>()

/**
 * A dataset of an HDF5 file, read batch by batch:
 * for training from a file that is larger than memory.
 *
 * `fit`, `evaluate` and `predict` take it as x or y (with `shuffle: 'batch'` or `false`, as in
 * Keras); memory then holds a batch or two, never the file. {@link HDF5Matrix.rows} gives any rows,
 * for a generator of one's own.
 * @example
 * import { Dense, Sequential } from 'hiddenstate'
 * import { HDF5Matrix } from 'hiddenstate/utils'
 * const train = async (path) => {
 *   const x = await HDF5Matrix.open(path, 'features', { end: 100000 })
 *   const y = await HDF5Matrix.open(path, 'labels', { end: 100000 })
 *   const model = new Sequential([new Dense(1, { inputDim: x.shape[1] })])
 *   model.compile({ loss: 'mse', optimizer: 'sgd' })
 *   await model.fit(x, y, { batchSize: 64, shuffle: 'batch' })
 *   await Promise.all([x.close(), y.close()])
 * }
 * @see keras.utils.io_utils.HDF5Matrix. Unlike there, it is opened by `await HDF5Matrix.open(…)`,
 *   since reading is asynchronous.
 */
export class HDF5Matrix implements RowSource {
  /** Of the rows from `start` to `end`, before the normalizer. */
  readonly shape: readonly number[]
  readonly #start: number
  readonly #file: RowFile
  readonly #key: string
  readonly #normalizer: HDF5MatrixOptions['normalizer']
  #isClosed = false

  private constructor(
    readonly path: string,
    readonly dataset: string,
    file: RowFile,
    shape: readonly number[],
    start: number,
    normalizer: HDF5MatrixOptions['normalizer'],
  ) {
    this.#key = path
    this.#file = file
    this.shape = Object.freeze([...shape])
    this.#start = start
    this.#normalizer = normalizer
  }

  /**
   * Opens a dataset; its rows stay in the file.
   *
   * @param path of the file
   * @param dataset path inside the file: `'features'`, `'train/x'`
   * @throws FormatError `ERR_FILE_SYSTEM` for a file that is not there, `ERR_FILE_FORMAT` for a
   *   dataset that is not there or holds no numbers; ConfigError `ERR_OPTION`; ShapeError
   *   `ERR_SHAPE` for rows that it does not have
   */
  static async open(
    path: string,
    dataset: string,
    options?: HDF5MatrixOptions,
  ): Promise<HDF5Matrix> {
    const where = 'HDF5Matrix'
    const { start, end, normalizer } = resolveOptions(where, defaults, options)
    checkedPath(where, path)
    const inside = checkedPath(where, dataset).replace(/^\/+|\/+$/g, '')
    for (const [what, value] of [['start', start], ['end', end ?? 0]] as const) // biome-ignore format: pairs
      if (!Number.isSafeInteger(value) || value < 0)
        fail(ConfigError, 'ERR_OPTION', {
          where,
          what,
          expected: 'an integer >= 0',
          actual: describe(value),
        })
    if (normalizer !== null && typeof normalizer !== 'function')
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'normalizer',
        expected: 'a function',
        actual: describe(normalizer),
      })
    const info = await stat(path).catch((error) => {
      throw fileError(path, 'readable', error)
    })
    if (!info.isFile())
      throw fileError(path, 'readable', new Error('something that is no regular file'))
    const { file, tree } = share(path, info.size)
    try {
      const found = (await tree.catch((cause) => damaged(path, cause))).datasets.get(inside)
      const at = `${path}: ${inside}`
      if (!found?.numeric || found.shape.length === 0) {
        const actual = found ? `${found.dtype} ${shapeText(found.shape)}` : 'nothing'
        return fail(FormatError, 'ERR_FILE_FORMAT', {
          where: at,
          what: 'dataset',
          expected: 'rows of numbers',
          actual,
        })
      }
      const rows = found.shape[0]!
      const last = end ?? rows
      if (last > rows || start >= last) {
        const expected = `within the ${rows} there are`
        return fail(ShapeError, 'ERR_SHAPE', {
          where: at,
          what: 'rows',
          expected,
          actual: `${start} to ${last}`,
        })
      }
      return new HDF5Matrix(
        path,
        inside,
        file,
        [last - start, ...found.shape.slice(1)],
        start,
        normalizer,
      )
    } catch (error) {
      await release(path)
      throw error
    }
  }

  /** Number of rows. */
  get length(): number {
    return this.shape[0]!
  }

  /**
   * Rows `from` to `to` (exclusive), through the normalizer.
   *
   * @returns [to - from, …]
   * @throws ShapeError `ERR_SHAPE` for rows that it does not have, or a normalizer that changes
   *   their number; FormatError `ERR_FILE_FORMAT` for a damaged file;
   *   StateError `ERR_DISPOSED` after `close`
   */
  async rows(from: number, to: number): Promise<NDArray> {
    const where = `${this.path}: ${this.dataset}`
    if (this.#isClosed)
      fail(StateError, 'ERR_DISPOSED', {
        where,
        what: 'file',
        expected: 'open',
        actual: 'one that was closed',
      })
    const isGood =
      Number.isSafeInteger(from) &&
      Number.isSafeInteger(to) &&
      from >= 0 &&
      from < to &&
      to <= this.length
    if (!isGood) {
      const expected = `within the ${this.length} there are`
      fail(ShapeError, 'ERR_SHAPE', { where, what: 'rows', expected, actual: `${from} to ${to}` })
    }
    const bytes = (to - from) * sizeOf(this.shape.slice(1)) * 8
    const read = this.#file.rows(this.dataset, this.#start + from, this.#start + to, bytes)
    const { data, shape } = await read.catch((cause) => damaged(where, cause))
    const plain = new NDArray(data as TypedArray, shape)
    const rows = this.#normalizer ? NDArray.from(this.#normalizer(plain)) : plain
    if (rows.shape[0] !== to - from) {
      const expected = `${to - from}, as before`
      fail(ShapeError, 'ERR_SHAPE', {
        where,
        what: 'rows of the normalizer',
        expected,
        actual: shapeText(rows.shape),
      })
    }
    return rows
  }

  /** Lets go of the file. Twice does no harm. A process does not wait for files that are open. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await release(this.#key)
  }
}

function share(path: string, size: number): { file: RowFile; tree: ReturnType<RowFile['open']> } {
  let open = openFiles.get(path)
  if (!open) {
    const file = new RowFile()
    open = { file, tree: file.open(path, size), users: 0 }
    openFiles.set(path, open)
  }
  open.users++
  return open
}

async function release(path: string): Promise<void> {
  const open = openFiles.get(path)
  if (!open || --open.users > 0) return
  openFiles.delete(path)
  await open.file.close()
}

function damaged(where: string, cause: unknown): never {
  if (cause instanceof HiddenstateError) throw cause
  const actual = cause instanceof Error ? cause.message : String(cause)
  throw new FormatError(
    'ERR_FILE_FORMAT',
    `${where}: file must be an HDF5 file that is whole, got: ${actual}.`,
    {
      expected: 'an HDF5 file that is whole',
      actual,
      cause,
    },
  )
}
