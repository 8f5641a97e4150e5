/** Data that are read row by row when they are needed, in place of arrays in memory. */
import { ConfigError, fail } from '../errors.js'
import { isArrayObject, NDArray, type TensorLike } from '../ndarray.js'

/** Rows that are fetched when they are needed; `HDF5Matrix` of hiddenstate/utils is one. */
export interface RowSource {
  /** Of all rows: `[N, …]`. */
  readonly shape: readonly number[]
  /** Rows `from` to `to` (exclusive). */
  rows(from: number, to: number): Promise<TensorLike>
}

/** Arrays in memory, or rows that are fetched when they are needed. */
export type Rows = TensorLike | readonly TensorLike[] | RowSource

export const isRowSource = (value: unknown): value is RowSource =>
  typeof value === 'object' &&
  value !== null &&
  'rows' in value &&
  typeof value.rows === 'function' &&
  'shape' in value

/** Rows of an array in memory or of a source. */
export function rowsOf(
  value: TensorLike | RowSource,
  where: string,
): { count: number; take: RowSource['rows'] } {
  if (isRowSource(value))
    return { count: value.shape[0] ?? 0, take: (from, to) => value.rows(from, to) }
  const isTyped = isArrayObject(value) || ArrayBuffer.isView(value)
  const array = NDArray.from(value as TensorLike, undefined, isTyped ? undefined : 'float64')
  if (array.shape.length === 0)
    fail(ConfigError, 'ERR_OPTION', { where, what: 'data', expected: 'rows', actual: 'one number' })
  return { count: array.shape[0]!, take: async (from, to) => array.slice(from, to) }
}
