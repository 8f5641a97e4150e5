/** Data that are read row by row when they are needed, in place of arrays in memory. */
import { ConfigError, fail, ShapeError } from '../errors.js'
import {
  allocate,
  isArrayObject,
  NDArray,
  sizeOf,
  type TensorLike,
  type TypedArray,
} from '../ndarray.js'
import { isRecord } from '../per-name.js'
import { Ragged } from '../ragged.js'
import type { Arrays, Samples } from './data.js'

/** Rows that are fetched when they are needed; `HDF5Matrix` of hiddenstate/utils is one. */
export interface RowSource {
  /** Of all rows: `[N, …]`. */
  readonly shape: readonly number[]
  /** Rows `from` to `to` (exclusive). */
  rows(from: number, to: number): Promise<TensorLike>
}

type Column = TensorLike | RowSource | Ragged

/**
 * Arrays in memory, sequences of different lengths, or rows that are fetched when they are needed:
 * one, or one for each input (or output) of the model, in a list or by their names.
 */
export type Rows = Column | readonly Column[] | Readonly<Record<string, Column>>

export const isRowSource = (value: unknown): value is RowSource =>
  typeof value === 'object' &&
  value !== null &&
  'rows' in value &&
  typeof value.rows === 'function' &&
  'shape' in value

const isColumn = (value: unknown): value is Column =>
  isArrayObject(value) || isRowSource(value) || value instanceof Ragged

/** The columns of a list or a record; null for what is one. */
function columnsOf(value: Rows): Record<string, Column> | null {
  if (Array.isArray(value))
    return value.length > 0 && value.some(isColumn) && value.every(isColumnOrList)
      ? Object.fromEntries(value.entries())
      : null
  return isRecord(value) && !isColumn(value) ? (value as Record<string, Column>) : null
}

const isColumnOrList = (value: unknown): boolean => isColumn(value) || Array.isArray(value)

/** Whether it goes batch by batch: fetched, or padded. */
export function goesByBatch(value: Rows): boolean {
  const does = (column: unknown) => isRowSource(column) || column instanceof Ragged
  return does(value) || Object.values(columnsOf(value) ?? {}).some(does)
}

/** Some rows of one or several columns. */
interface Table {
  count: number
  take(from: number, to: number): Promise<Arrays>
  /** Any rows, copied; null where some column is not in memory. */
  pick: ((rows: Int32Array) => Arrays) | null
  /** Steps of each row of the first column of sequences, if there is one. */
  lengths: Int32Array | null
  /** All numbers, for a hash. */
  arrays(): { data: TypedArray; shape: readonly number[] }[]
}

/**
 * Rows of all columns.
 *
 * @throws ShapeError ERR_SHAPE for columns of different lengths
 */
export function tableOf(value: Rows, where: string): Table {
  const columns = columnsOf(value)
  if (!columns) return rowsOf(value as Column, where)
  const names = Object.keys(columns)
  const parts = names.map((name) => rowsOf(columns[name]!, `${where}[${name}]`))
  const { count } = parts[0]!
  const other = parts.findIndex((part) => part.count !== count)
  if (other > 0) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: `${where}[${names[other]}]`,
      what: 'rows',
      expected: `${count}, as ${where}[${names[0]}] has`,
      actual: `${parts[other]!.count}`,
    })
  }
  const together = (taken: readonly Arrays[]): Arrays =>
    Array.isArray(value)
      ? (taken as Arrays)
      : Object.fromEntries(names.map((name, i) => [name, taken[i] as Samples]))
  return {
    count,
    take: async (from, to) => together(await Promise.all(parts.map((part) => part.take(from, to)))),
    pick: parts.every(({ pick }) => pick)
      ? (rows) => together(parts.map(({ pick }) => pick!(rows)))
      : null,
    lengths: parts.find(({ lengths }) => lengths)?.lengths ?? null,
    arrays: () => parts.flatMap((part) => part.arrays()),
  }
}

/** Rows of an array in memory, of sequences or of a source. */
function rowsOf(value: Column, where: string): Table {
  if (isRowSource(value))
    return {
      count: value.shape[0] ?? 0,
      take: (from, to) => value.rows(from, to) as Promise<Arrays>,
      pick: null,
      lengths: null,
      arrays: () => [],
    }
  if (value instanceof Ragged) {
    const { length: count, lengths, data } = value
    return {
      count,
      take: async (from, to) => value.slice(from, to),
      pick: (rows) => value.pick(rows),
      lengths,
      arrays: () => [
        { data, shape: [data.length] },
        { data: lengths, shape: [count] },
      ],
    }
  }
  const isTyped = isArrayObject(value) || ArrayBuffer.isView(value)
  const array = NDArray.from(value as TensorLike, undefined, isTyped ? undefined : 'float64')
  if (array.shape.length === 0)
    fail(ConfigError, 'ERR_OPTION', { where, what: 'data', expected: 'rows', actual: 'one number' })
  return {
    count: array.shape[0]!,
    take: async (from, to) => array.slice(from, to),
    pick: (rows) => pickRows(array, rows),
    lengths: null,
    arrays: () => [array],
  }
}

function pickRows(array: NDArray, rows: Int32Array): NDArray {
  const shape = [rows.length, ...array.shape.slice(1)]
  const row = sizeOf(shape.slice(1))
  const data = allocate(array.dtype, rows.length * row)
  for (const [i, from] of rows.entries())
    data.set(array.data.subarray(from * row, (from + 1) * row), i * row)
  return new NDArray(data, shape, array.dtype)
}
