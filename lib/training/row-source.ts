/** Data that are read row by row when they are needed, in place of arrays in memory. */
import { ConfigError, fail, ShapeError } from '../errors.js'
import { isArrayObject, NDArray, type TensorLike } from '../ndarray.js'
import { isRecord } from '../per-name.js'
import type { Arrays } from './data.js'

/** Rows that are fetched when they are needed; `HDF5Matrix` of hiddenstate/utils is one. */
export interface RowSource {
  /** Of all rows: `[N, …]`. */
  readonly shape: readonly number[]
  /** Rows `from` to `to` (exclusive). */
  rows(from: number, to: number): Promise<TensorLike>
}

type Column = TensorLike | RowSource

/**
 * Arrays in memory, or rows that are fetched when they are needed: one, or one for each input (or
 * output) of the model, in a list or by their names.
 */
export type Rows = Column | readonly Column[] | Readonly<Record<string, Column>>

export const isRowSource = (value: unknown): value is RowSource =>
  typeof value === 'object' &&
  value !== null &&
  'rows' in value &&
  typeof value.rows === 'function' &&
  'shape' in value

const isColumn = (value: unknown): value is Column => isArrayObject(value) || isRowSource(value)

/** The columns of a list or a record; null for what is one. */
function columnsOf(value: Rows): Record<string, Column> | null {
  if (Array.isArray(value))
    return value.length > 0 && value.every(isColumn) ? Object.fromEntries(value.entries()) : null
  return isRecord(value) && !isColumn(value) ? (value as Record<string, Column>) : null
}

/** Whether some of it is to be fetched batch by batch. */
export const areFetched = (value: Rows): boolean =>
  isRowSource(value) || Object.values(columnsOf(value) ?? {}).some(isRowSource)

/** Some rows of one or several columns, fetched. */
interface Table {
  count: number
  take(from: number, to: number): Promise<Arrays>
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
  const take: Table['take'] = async (from, to) => {
    const taken = await Promise.all(parts.map((part) => part.take(from, to)))
    if (Array.isArray(value)) return taken
    return Object.fromEntries(names.map((name, i) => [name, taken[i]!]))
  }
  return { count, take }
}

/** Rows of an array in memory or of a source. */
function rowsOf(value: Column, where: string): { count: number; take: RowSource['rows'] } {
  if (isRowSource(value))
    return { count: value.shape[0] ?? 0, take: (from, to) => value.rows(from, to) }
  const isTyped = isArrayObject(value) || ArrayBuffer.isView(value)
  const array = NDArray.from(value as TensorLike, undefined, isTyped ? undefined : 'float64')
  if (array.shape.length === 0)
    fail(ConfigError, 'ERR_OPTION', { where, what: 'data', expected: 'rows', actual: 'one number' })
  return { count: array.shape[0]!, take: async (from, to) => array.slice(from, to) }
}
