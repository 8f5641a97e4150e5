/** Reading and writing whole HDF5 files: a tree of groups, attributes and datasets. */
import { constants, open, stat } from 'node:fs/promises'
import { existsError, fileError, type WriteOptions, writeFileAtomic } from '../files/atomic.js'
import { FormatError, HiddenstateError } from '../errors.js'
import { shapeText, sizeOf } from '../ndarray.js'
import { dataMs, type Hdf5Limits, memoryFor, treeMs, withHdf5 } from './client.js'
import { HINTS, otherFormat } from './other-formats.js'
import type { H5Attribute, H5Content, H5Data, H5DatasetInfo, H5Tree } from './protocol.js'

/** The first bytes of every HDF5 file, at 0 or at 512, 1024, 2048, … after a user block. */
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]

/** An error about a file; `where` inside it: 'model_weights/lstm_1/lstm_1_W'. */
export function formatError(
  path: string,
  where: string,
  what: string,
  expected: string,
  actual: string,
  hint = '',
): FormatError {
  const place = where === '' ? path : `${path}: ${where}`
  const message = `${place}: ${what} must be ${expected}, got ${actual}.${hint === '' ? '' : ` ${hint}`}`
  return new FormatError('ERR_FILE_FORMAT', message, {
    expected,
    actual,
    ...(where === '' ? {} : { layer: where }),
  })
}

/** What a dataset must look like before its numbers are read. */
export interface Expected {
  path: string
  shape: readonly number[]
}

/** An open file: its tree is known, data come when asked for. */
export class H5File {
  readonly path: string
  readonly #tree: H5Tree
  readonly #load: (paths: string[], bytes: number) => Promise<H5Data[]>

  constructor(
    path: string,
    tree: H5Tree,
    load: (paths: string[], bytes: number) => Promise<H5Data[]>,
  ) {
    this.path = path
    this.#tree = tree
    this.#load = load
  }

  hasGroup(group: string): boolean {
    return this.#tree.groups.has(group)
  }

  attribute(group: string, name: string): H5Attribute | undefined {
    return this.#tree.groups.get(group)?.get(name)
  }

  dataset(path: string): H5DatasetInfo | undefined {
    return this.#tree.datasets.get(path)
  }

  /**
   * The same file with slashes where names have backslashes: Keras 2 wrote the paths of Windows as
   * names.
   */
  withSlashes(): H5File {
    const names = [...this.#tree.groups.keys(), ...this.#tree.datasets.keys()]
    if (!names.some((name) => name.includes('\\'))) return this
    const slashed = (name: string) => name.replaceAll('\\', '/')
    const own = new Map(names.map((name) => [slashed(name), name]))
    const renamed = <V>(all: ReadonlyMap<string, V>) =>
      new Map(Array.from(all, ([name, value]) => [slashed(name), value]))
    const groups = renamed(this.#tree.groups)
    for (const name of own.keys())
      for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1))
        if (!groups.has(name.slice(0, at))) groups.set(name.slice(0, at), new Map())
    return new H5File(
      this.path,
      { groups, datasets: renamed(this.#tree.datasets) },
      (paths, bytes) =>
        this.#load(
          paths.map((path) => own.get(path)!),
          bytes,
        ),
    )
  }

  /** Names of the groups and datasets right below a group. */
  children(group: string): string[] {
    const prefix = group === '' ? '' : `${group}/`
    const all = [...this.#tree.groups.keys(), ...this.#tree.datasets.keys()]
    return all
      .filter((p) => p !== '' && p.startsWith(prefix) && !p.slice(prefix.length).includes('/'))
      .map((p) => p.slice(prefix.length))
  }

  /** A list of strings; h5py writes an empty one as an array of no numbers. */
  strings(group: string, name: string): string[] {
    const value = this.attribute(group, name)
    if (Array.isArray(value)) return value
    if (value !== undefined && typeof value !== 'string' && value.length === 0) return []
    const actual =
      value === undefined ? 'nothing' : typeof value === 'string' ? 'one string' : 'numbers'
    throw formatError(this.path, group, `attribute ${name}`, 'a list of strings', actual)
  }

  /**
   * The numbers of datasets whose shapes are known beforehand.
   *
   * @throws FormatError ERR_FILE_FORMAT when one is missing, holds no numbers or has another shape;
   *   nothing is read then
   */
  async read(expected: readonly Expected[]): Promise<H5Data[]> {
    let bytes = 0
    for (const { path, shape } of expected) {
      const info = this.dataset(path)
      if (!info)
        throw formatError(
          this.path,
          path,
          'dataset',
          `there, of shape ${shapeText(shape)}`,
          'nothing',
        )
      if (!info.numeric)
        throw formatError(this.path, path, 'dataset', 'numbers stored in this file', info.dtype)
      const same = info.shape.length === shape.length && info.shape.every((n, i) => n === shape[i])
      if (!same)
        throw formatError(this.path, path, 'shape', shapeText(shape), shapeText(info.shape))
      bytes += sizeOf(shape) * 8
    }
    const data = await this.#load(
      expected.map((e) => e.path),
      bytes,
    )
    for (const [i, { path, shape }] of expected.entries()) {
      if (data[i]?.data.length !== sizeOf(shape)) {
        throw formatError(
          this.path,
          path,
          'dataset',
          `${sizeOf(shape)} numbers`,
          `${data[i]?.data.length}`,
        )
      }
    }
    return data
  }
}

/**
 * A whole file.
 *
 * @throws FormatError ERR_FILE_SYSTEM
 */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return readWhole(path).catch((error) => {
    throw fileError(path, 'readable', error)
  })
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  // a pipe without a writer would keep the call, and the end of the process, waiting; Windows has
  // no such flag
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const info = await handle.stat()
    if (!info.isFile()) throw new Error('something that is no regular file')
    const bytes = new Uint8Array(info.size)
    let at = 0
    while (at < bytes.length) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, 2 ** 26), at)
      if (bytesRead === 0) throw new Error(`${at} of ${bytes.length} bytes`)
      at += bytesRead
    }
    return bytes
  } finally {
    await handle.close()
  }
}

function checkSignature(path: string, bytes: Uint8Array): void {
  for (let at = 0; at + 8 <= bytes.length; at = at === 0 ? 512 : at * 2) {
    if (SIGNATURE.every((byte, i) => bytes[at + i] === byte)) return
  }
  const format = otherFormat(bytes)
  const actual = format ?? (bytes.length === 0 ? 'an empty one' : 'one without the HDF5 signature')
  throw formatError(path, '', 'file', 'an HDF5 file', actual, format ? HINTS[format] : undefined)
}

/** Errors of the library as errors about this file. */
function about(path: string, what: string, expected: string, error: unknown): never {
  if (error instanceof HiddenstateError) throw error
  const actual = error instanceof Error ? error.message : String(error)
  throw new FormatError(
    'ERR_FILE_FORMAT',
    `${path}: ${what} must be ${expected}, got: ${actual}.`,
    {
      expected,
      actual,
      cause: error,
    },
  )
}

/**
 * Opens a file while `use` runs.
 *
 * @throws FormatError ERR_FILE_SYSTEM when the file cannot be read, ERR_FILE_FORMAT when it is not
 *   HDF5 or damaged
 */
export async function readH5<T>(
  path: string,
  use: (file: H5File) => Promise<T>,
  limits?: Hdf5Limits,
): Promise<T> {
  return readH5Bytes(path, await readBytes(path), use, limits)
}

/**
 * {@link readH5} of bytes in memory, which are moved to the library.
 *
 * @param path what errors call it
 */
export async function readH5Bytes<T>(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  use: (file: H5File) => Promise<T>,
  limits?: Hdf5Limits,
): Promise<T> {
  checkSignature(path, bytes)
  const size = bytes.length
  return withHdf5(
    'read',
    async (send) => {
      const tell = (error: unknown) => about(path, 'file', 'an HDF5 file that is whole', error)
      const request = { kind: 'open', bytes, memory: memoryFor(size) } as const
      const { tree } = await send('tree', request, treeMs(size), [bytes.buffer]).catch(tell)
      const load = async (paths: string[], count: number) =>
        (await send('data', { kind: 'read', paths }, dataMs(count)).catch(tell)).data
      try {
        return await use(new H5File(path, tree, load))
      } finally {
        // a library that has failed is gone already
        await send('closed', { kind: 'close' }, 0).catch(() => {})
      }
    },
    limits,
  )
}

/** A file under construction: groups appear with all that lead to them. */
export class H5Builder implements H5Content {
  readonly groups: H5Content['groups'] = new Map([['', new Map()]])
  readonly datasets: H5Content['datasets'] = new Map()

  group(path: string): Map<string, H5Attribute> {
    const parts = path.split('/').filter((part) => part !== '')
    for (let n = 1; n <= parts.length; n++) {
      const at = parts.slice(0, n).join('/')
      if (!this.groups.has(at)) this.groups.set(at, new Map())
    }
    return this.groups.get(parts.join('/')) as Map<string, H5Attribute>
  }

  dataset(path: string, data: H5Data): void {
    this.group(path.slice(0, Math.max(0, path.lastIndexOf('/'))))
    this.datasets.set(path, data)
  }
}

/**
 * Writes a file in one go, or not at all. The arrays of `content` are moved to the worker:
 * they are empty afterwards.
 *
 * @throws ConfigError ERR_OPTION for an existing file with `overwrite: false`; FormatError
 *   ERR_FILE_SYSTEM when it cannot be written, ERR_FILE_FORMAT when HDF5 cannot hold it
 */
export async function writeH5(
  path: string,
  content: H5Content,
  options: WriteOptions = {},
): Promise<void> {
  if (options.overwrite === false && (await exists(path))) throw existsError(path)
  await writeFileAtomic(path, await h5Bytes(path, content), options)
}

/**
 * The bytes of a file. The arrays of `content` are moved to the worker: they are empty afterwards.
 *
 * @param path what errors call it
 * @throws FormatError ERR_FILE_FORMAT when HDF5 cannot hold it
 */
export async function h5Bytes(path: string, content: H5Content): Promise<Uint8Array> {
  const { groups, datasets } = content
  const buffers = new Set<ArrayBuffer>()
  let size = 0
  for (const { data } of datasets.values()) {
    buffers.add(data.buffer as ArrayBuffer)
    size += data.byteLength
  }
  const request = { kind: 'write', content: { groups, datasets }, memory: memoryFor(size) } as const
  const { bytes } = await withHdf5('write', (send) =>
    send('bytes', request, dataMs(size), [...buffers]),
  ).catch((error) => about(path, 'content', 'what HDF5 can hold', error))
  return bytes
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
