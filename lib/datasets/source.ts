/** Where data sets come from, and what their files hold. */
import { kMaxLength } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { gunzip } from 'node:zlib'
import { promisify } from 'node:util'
import { fileError } from '../files/atomic.js'
import { locate } from '../files/download.js'
import { fail, FormatError } from '../errors.js'
import {
  exceeds,
  inflatedBytes,
  type Limits,
  type ResolvedLimits,
  resolveLimits,
} from '../limits.js'
import { NDArray } from '../ndarray.js'
import { npyArray, npyHeader, unzipNpy } from '../files/npy.js'
import { NUMPY } from '../files/numpy-pickle.js'
import { type Pickled, unpickle } from '../files/pickle.js'

/** Options of every data set. */
export interface DatasetOptions {
  /**
   * A file of this machine, an address, or a name in the cache. Default: Keras' name, fetched from
   * where Keras keeps it.
   */
  path?: string
  /**
   * MD5 or SHA-256 that the file must have. Default: that of Keras' file; none for a path or an
   * address of your own.
   */
  fileHash?: string | null
  /** Default `~/.keras`. */
  cacheDir?: string
  /** 1: a progress bar on a terminal while it is fetched. Default 1. */
  verbose?: 0 | 1 | boolean
  /** Stops a download; the next call goes on from what has come. */
  signal?: AbortSignal | null
  /** What the file may unpack to at most (`limits.inflatedBytes`). Default: see {@link Limits}. */
  limits?: Limits | undefined
}

export const sourceDefaults: Record<string, unknown> = {
  path: undefined,
  fileHash: undefined,
  cacheDir: undefined,
  verbose: 1,
  signal: null,
  limits: {},
}

const KERAS = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets'

/** A file as Keras has it: its name, and its MD5 or SHA-256. */
export interface KerasFile {
  name: string
  hash: string
}

/** The local path of a data set. */
export function find(
  where: string,
  file: KerasFile,
  options: Readonly<Record<string, unknown>>,
): Promise<string> {
  const {
    path = file.name,
    fileHash,
    cacheDir,
    verbose,
    signal,
  } = options as unknown as DatasetOptions
  return locate(where, path, `${KERAS}/${file.name}`, {
    fileHash,
    originHash: file.hash,
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(verbose === undefined ? {} : { verbose }),
    ...(signal ? { signal } : {}),
  })
}

/**
 * What a gzip file holds.
 *
 * @throws FormatError ERR_FILE_FORMAT; ERR_LIMIT as soon as it is more than `limits` allow
 */
async function unzipped(
  bytes: Uint8Array,
  path: string,
  limits: ResolvedLimits,
): Promise<Uint8Array> {
  const limit = inflatedBytes(bytes.length, limits)
  try {
    return await promisify(gunzip)(bytes, {
      maxOutputLength: Math.max(1, Math.min(limit, kMaxLength)),
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      exceeds(path, 'inflatedBytes', limit, 'more')
    throw fileError(path, 'readable', error)
  }
}

/**
 * Contents by name: the arrays of a `.npz`; `''` for what a pickle or JSON file holds. Pickles are
 * read as data only.
 *
 * @param where the call, for errors about its options
 * @param options of the data set: its `limits`
 */
export async function contents(
  path: string,
  where: string,
  options: Readonly<Record<string, unknown>>,
): Promise<Map<string, Pickled>> {
  const limits = resolveLimits(where, options.limits)
  const bytes = await readFile(path).catch((error) => {
    throw fileError(path, 'readable', error)
  })
  if (/\.npz$/i.test(path)) {
    const files = await unzipNpy(path, bytes, limits)
    return new Map(Array.from(files, ([name, file]) => [name, arrayOf(file, `${path}: ${name}`)]))
  }
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
  const content = isGzip ? await unzipped(bytes, path, limits) : bytes
  if (/\.json(\.gz)?$/i.test(path)) return new Map([['', jsonOf(content, path)]])
  return new Map([['', unpickle(content, path, NUMPY)]])
}

/** Numbers, or (in Keras' `.npz` files of texts) a list that lies there as a pickle. */
function arrayOf(bytes: Uint8Array, where: string): Pickled {
  const header = npyHeader(bytes, where)
  return header.descr.includes('O')
    ? unpickle(bytes.subarray(header.offset), where, NUMPY)
    : npyArray(bytes, where, true)
}

function jsonOf(bytes: Uint8Array, path: string): Pickled {
  try {
    return toPickled(JSON.parse(new TextDecoder().decode(bytes)))
  } catch (cause) {
    const actual = (cause as Error).message
    throw new FormatError('ERR_FILE_FORMAT', `${path}: file must be JSON, got: ${actual}.`, {
      expected: 'JSON',
      actual,
      cause,
    })
  }
}

/** Objects become maps, as dictionaries of pickles do. */
function toPickled(value: unknown): Pickled {
  if (Array.isArray(value)) return value.map(toPickled)
  if (typeof value !== 'object' || value === null) return value as Pickled
  return new Map(Object.entries(value).map(([key, item]) => [key, toPickled(item)]))
}

const bad = (where: string, what: string, expected: string): never =>
  fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual: 'another thing' })

/** A list of integers. */
export function integers(where: string, value: Pickled | undefined): number[] {
  const list: ArrayLike<unknown> =
    value instanceof NDArray
      ? value.data
      : Array.isArray(value)
        ? value
        : bad(where, 'labels', 'a list of integers')
  return Array.from(list, (v) =>
    Number.isSafeInteger(v) ? (v as number) : bad(where, 'labels', 'integers'),
  )
}

/** A list of lists of integers. */
export function sequences(where: string, value: Pickled | undefined): number[][] {
  if (value instanceof NDArray && value.shape.length === 2) return value.toArray()
  if (!Array.isArray(value)) return bad(where, 'texts', 'a list of lists of word indices')
  return value.map((item, i) => integers(`${where}[${i}]`, item))
}
