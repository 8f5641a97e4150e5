/**
 * What goes between this package and the worker that holds the HDF5 library. Plain data only.
 *
 * A file is a flat tree: paths without a leading slash ('model_weights/lstm_1'), '' is the root.
 * Maps, never objects, since the names come from files.
 */
import type { Floats } from '../native.js'

/** One string, many strings (fixed-length byte strings on disk), or numbers. */
export type H5Attribute = string | string[] | Floats

export interface H5DatasetInfo {
  shape: number[]
  /** 'float32', 'int64', …, or words that say what it is when it holds no numbers. */
  dtype: string
  /** Whether {@link H5Data} can be made of it. */
  numeric: boolean
}

/** What a file holds, without the data. */
export interface H5Tree {
  groups: Map<string, Map<string, H5Attribute>>
  datasets: Map<string, H5DatasetInfo>
}

export interface H5Data {
  shape: readonly number[]
  data: Floats // [...shape]
}

/** A file to be written: parents before children. */
export interface H5Content {
  groups: Map<string, Map<string, H5Attribute>>
  datasets: Map<string, H5Data>
}

export type H5Request =
  | { kind: 'open'; bytes: Uint8Array; memory: number }
  /**
   * The file stays on the disk: the library sees this one file of the machine,
   * for reading, and no other.
   */
  | { kind: 'openPath'; path: string; memory: number }
  /** Rows `from` to `to` of the first axis. */
  | { kind: 'rows'; path: string; from: number; to: number }
  | { kind: 'read'; paths: string[] }
  | { kind: 'close' }
  | { kind: 'write'; content: H5Content; memory: number }

export type H5Reply =
  /** First of all, unasked: requests may come. */
  | { kind: 'ready' }
  | { kind: 'tree'; tree: H5Tree }
  | { kind: 'data'; data: H5Data[] }
  | { kind: 'closed' }
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'error'; message: string }
