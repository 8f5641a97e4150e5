/**
 * NumPy's files: `.npy` (one array) and `.npz` (a zip of them). Layout: numpy/lib/format.py. A
 * header says type, order and shape; objects (`|O`), which are pickles, are refused.
 */
import { readFile } from 'node:fs/promises'
import { checkedPath, fileError, writeFileAtomic, type WriteOptions } from './atomic.js'
import { entries, unzipped } from './zip.js'
import { ConfigError, fail, FormatError } from '../errors.js'
import { type Limits, type ResolvedLimits, resolveLimits } from '../limits.js'
import {
  allocate,
  describe,
  type DType,
  NDArray,
  shapeText,
  sizeOf,
  type TensorLike,
  type TypedArray,
} from '../ndarray.js'
import { resolveOptions } from '../options.js'

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] // \x93NUMPY
const MAX_HEADER = 2 ** 16
/**
 * Bytes of an archive that are unpacked at a time: a large array takes a thread of its own
 * meanwhile, and small ones keep this thread busy.
 */
const ROUND_BYTES = 2 ** 23

const bad = (where: string, what: string, expected: string, actual: string): never =>
  fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual })

/** What the header says. */
export interface NpyHeader {
  /** `'<f4'` */
  descr: string
  isFortran: boolean
  shape: readonly number[]
  /** Where the elements begin. */
  offset: number
}

/** @throws FormatError ERR_FILE_FORMAT */
export function npyHeader(bytes: Uint8Array, where: string): NpyHeader {
  if (bytes.length < 12 || !MAGIC.every((byte, i) => bytes[i] === byte))
    bad(
      where,
      'file',
      'a .npy file',
      bytes.length === 0 ? 'an empty one' : 'one without its signature',
    )
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [major, start] = [bytes[6]!, bytes[6] === 1 ? 10 : 12]
  if (major < 1 || major > 3) bad(where, 'version', '1, 2 or 3', String(major))
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > MAX_HEADER || start + length > bytes.length)
    bad(where, 'header', `at most ${Math.min(MAX_HEADER, bytes.length - start)} bytes`, `${length}`)
  const text = new TextDecoder().decode(bytes.subarray(start, start + length))
  const descr = /'descr'\s*:\s*'([^']{1,20})'/.exec(text)?.[1]
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1]
  const extents = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1]
  if (descr === undefined || order === undefined || extents === undefined)
    return bad(
      where,
      'header',
      "{'descr': …, 'fortran_order': …, 'shape': (…)} of one plain type",
      `'${text.trim().slice(0, 60)}'`,
    )
  const shape = extents
    .split(',')
    .filter((n) => n.trim() !== '')
    .map((n) => Number(n.replace('L', '')))
  if (shape.length > 32 || !shape.every(Number.isSafeInteger))
    bad(where, 'shape', 'up to 32 extents', `(${extents.slice(0, 60)})`)
  return { descr, isFortran: order === 'True', shape, offset: start + length }
}

type Read = (view: DataView, at: number, little: boolean) => number

const half: Read = (view, at, little) => {
  const bits = view.getUint16(at, little)
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 0) return sign * fraction * 2 ** -24
  return exponent === 31
    ? fraction
      ? Number.NaN
      : sign * Infinity
    : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
/** Types that files hold as memory does, but perhaps in the other byte order. */
const PLAIN = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u1: Uint8Array } as const

/**
 * NumPy's type → ours, bytes of an element, how to read one. Wide integers become int32 where all
 * fit, else float64.
 */
const TYPES: Readonly<Record<string, [dtype: DType | 'integer', size: number, read: Read]>> = {
  f2: ['float32', 2, half],
  f4: ['float32', 4, (view, at, little) => view.getFloat32(at, little)],
  f8: ['float64', 8, (view, at, little) => view.getFloat64(at, little)],
  i1: ['int32', 1, (view, at) => view.getInt8(at)],
  i2: ['int32', 2, (view, at, little) => view.getInt16(at, little)],
  i4: ['int32', 4, (view, at, little) => view.getInt32(at, little)],
  i8: ['integer', 8, (view, at, little) => Number(view.getBigInt64(at, little))],
  u1: ['uint8', 1, (view, at) => view.getUint8(at)],
  u2: ['int32', 2, (view, at, little) => view.getUint16(at, little)],
  u4: ['integer', 4, (view, at, little) => view.getUint32(at, little)],
  u8: ['integer', 8, (view, at, little) => Number(view.getBigUint64(at, little))],
  b1: ['bool', 1, (view, at) => Number(view.getUint8(at) !== 0)],
}

/**
 * Elements of NumPy's type `descr` (`'<f4'`) in `bytes`, as an array.
 *
 * @param isOurs whether the array may keep the memory of `bytes`
 * @throws FormatError ERR_FILE_FORMAT for another number of bytes, a type that holds no numbers, an
 *   integer beyond 2^53
 */
export function numpyArray(
  bytes: Uint8Array,
  { descr, isFortran, shape }: Pick<NpyHeader, 'descr' | 'isFortran' | 'shape'>,
  where: string,
  isOurs = false,
): NDArray {
  const type = Object.hasOwn(TYPES, descr.replace(/^[<>|=]/, ''))
    ? TYPES[descr.replace(/^[<>|=]/, '')]
    : undefined
  if (!type) return bad(where, 'type', `one of ${Object.keys(TYPES).join(', ')}`, `'${descr}'`)
  const [kind, size, read] = type
  const count = sizeOf(shape)
  if (bytes.length !== count * size)
    bad(where, `data of shape ${shapeText(shape)}`, `${count * size} bytes`, `${bytes.length}`)
  const isLittle = !descr.startsWith('>')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const Plain =
    isLittle === isLittleEndian
      ? PLAIN[descr.replace(/^[<>|=]/, '') as keyof typeof PLAIN]
      : undefined
  let data: TypedArray
  if (Plain) {
    const keeps = isOurs && bytes.byteOffset % size === 0
    data = keeps
      ? new Plain(bytes.buffer as ArrayBuffer, bytes.byteOffset, count)
      : new Plain(new Uint8Array(bytes).buffer)
  } else if (kind === 'integer') {
    const wide = new Float64Array(count)
    let fits = true
    for (let i = 0; i < count; i++) {
      const value = (wide[i] = read(view, i * size, isLittle))
      if (!Number.isSafeInteger(value)) bad(where, `element ${i}`, 'within ±2^53', `${value}`)
      fits &&= value === (value | 0)
    }
    data = fits ? Int32Array.from(wide) : wide
  } else {
    data = allocate(kind, count)
    for (let i = 0; i < count; i++) data[i] = read(view, i * size, isLittle)
  }
  const array = new NDArray(data, shape, kind === 'bool' ? 'bool' : undefined)
  if (!isFortran || shape.length < 2) return array
  // the last axis is the slowest in the file: strides grow from the first axis on
  const stride = shape.map((_, axis) => sizeOf(shape.slice(0, axis)))
  return NDArray.from({ data, shape, stride, offset: 0 }, undefined, array.dtype)
}

/**
 * An array from the bytes of a `.npy` file.
 *
 * Wide integers become int32 where all fit and float64 else, float16 becomes float32; Fortran order
 * and other byte orders are brought to ours.
 *
 * @param where how errors call it
 * @throws FormatError ERR_FILE_FORMAT for anything else; objects (pickles) are never read
 * @example
 * import { formatNpy, parseNpy } from 'hiddenstate/utils'
 * console.log(parseNpy(formatNpy([[1, 2], [3, 4]])).toArray()) // [ [ 1, 2 ], [ 3, 4 ] ]
 * @see numpy.load
 */
export function parseNpy(bytes: Uint8Array, where = 'parseNpy'): NDArray {
  if (!(bytes instanceof Uint8Array))
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'bytes',
      expected: 'a Uint8Array',
      actual: describe(bytes),
    })
  return npyArray(bytes, where)
}

/** @param isOurs whether the array may keep the memory of `bytes` */
export function npyArray(bytes: Uint8Array, where: string, isOurs = false): NDArray {
  const header = npyHeader(bytes, where)
  if (header.descr.includes('O'))
    bad(where, 'type', 'numbers (objects are pickles, which are not read)', `'${header.descr}'`)
  return numpyArray(bytes.subarray(header.offset), header, where, isOurs)
}

const DESCR: Readonly<Record<DType, string>> = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  uint8: '|u1',
  bool: '|b1',
}

/**
 * The bytes of a `.npy` file (version 1.0, C order).
 *
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION for what is no array
 * @example
 * import { formatNpy } from 'hiddenstate/utils'
 * console.log(formatNpy([1, 2, 3]).length) // 140
 * @see numpy.save
 */
export function formatNpy(array: TensorLike): Uint8Array {
  const { data, shape, dtype } = NDArray.from(array)
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const dict = `{'descr': '${DESCR[dtype]}', 'fortran_order': False, 'shape': (${extents}), }`
  const padding = 64 - ((10 + dict.length + 1) % 64)
  const header = `${dict}${' '.repeat(padding % 64)}\n`
  const bytes = new Uint8Array(10 + header.length + data.byteLength)
  bytes.set([...MAGIC, 1, 0, header.length & 255, header.length >> 8])
  bytes.set(new TextEncoder().encode(header), 10)
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  bytes.set(isLittleEndian ? raw : swapped(raw, data.BYTES_PER_ELEMENT), 10 + header.length)
  return bytes
}

function swapped(raw: Uint8Array, size: number): Uint8Array {
  const out = raw.slice()
  for (let at = 0; at < out.length; at += size) out.subarray(at, at + size).reverse()
  return out
}

const load = (path: string): Promise<Uint8Array> =>
  readFile(path).catch((error) => {
    throw fileError(path, 'readable', error)
  })

/**
 * The array of a `.npy` file.
 *
 * @throws FormatError ERR_FILE_FORMAT naming the file (as a rejection)
 * @example
 * import { readNpy, writeNpy } from 'hiddenstate/utils'
 * await writeNpy('x.npy', [[1, 2], [3, 4]])
 * console.log((await readNpy('x.npy')).shape) // [ 2, 2 ]
 * @see numpy.load
 */
export async function readNpy(path: string): Promise<NDArray> {
  checkedPath('readNpy', path)
  return npyArray(await load(path), path, true)
}

/**
 * Writes an array to a `.npy` file, in one step.
 *
 * @throws FormatError ERR_FILE_SYSTEM when it cannot be written; ConfigError ERR_OPTION for an
 *   existing file with `overwrite: false`
 * @see numpy.save
 */
export async function writeNpy(
  path: string,
  array: TensorLike,
  options?: WriteOptions,
): Promise<void> {
  const { overwrite } = resolveOptions(
    'writeNpy',
    { overwrite: true as boolean | undefined },
    options,
  )
  checkedPath('writeNpy', path)
  await writeFileAtomic(path, formatNpy(array), { overwrite })
}

/**
 * The names of the arrays in a zip, in groups to be unpacked together.
 *
 * @throws FormatError ERR_LIMIT
 */
async function rounds(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Promise<Set<string>[]> {
  const groups: Set<string>[] = []
  let room = 0
  const isWanted = (name: string) => name.endsWith('.npy')
  for (const { name, originalSize } of await entries(path, bytes, isWanted, limits)) {
    if (room <= 0) {
      groups.push(new Set())
      room = ROUND_BYTES
    }
    groups.at(-1)!.add(name)
    room -= originalSize
  }
  return groups
}

/**
 * The files of a zip whose names end in `.npy`, without that ending.
 *
 * @throws FormatError ERR_FILE_FORMAT; ERR_LIMIT, before anything is unpacked, when they are larger
 *   in all than `limits` allow
 */
export async function unzipNpy(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Promise<Map<string, Uint8Array>> {
  const arrays = new Map<string, Uint8Array>()
  try {
    for (const names of await rounds(path, bytes, limits)) {
      const files = await unzipped(bytes, ({ name }) => names.has(name))
      // in the order of the zip
      for (const name of names) arrays.set(name.replace(/\.npy$/, ''), files[name]!)
    }
  } catch (error) {
    if (error instanceof FormatError) throw error
    const { message } = error as Error
    throw new FormatError(
      'ERR_FILE_FORMAT',
      `${path}: file must be a .npz file that is whole, got: ${message}.`,
      {
        expected: 'a .npz file',
        actual: message,
        cause: error,
      },
    )
  }
  return arrays
}

/** Options of {@link readNpz}. */
export interface ReadNpzOptions {
  /** What the file may unpack to at most (`limits.inflatedBytes`). Default: see {@link Limits}. */
  limits?: Limits | undefined
}

/**
 * The arrays of a `.npz` file, by name.
 *
 * @param options `limits.inflatedBytes`: what the file may unpack to in all
 * @throws FormatError ERR_FILE_FORMAT naming file and array, ERR_LIMIT before a file is unpacked
 *   that would take more memory than the limits allow (as a rejection); ConfigError ERR_OPTION
 * @example
 * import { readNpz, writeNpz } from 'hiddenstate/utils'
 * await writeNpz('data.npz', { x: [[1, 2]], y: [1] })
 * const arrays = await readNpz('data.npz')
 * console.log([...arrays.keys()], arrays.get('x').shape) // [ 'x', 'y' ] [ 1, 2 ]
 * @see numpy.load
 */
export async function readNpz(
  path: string,
  options?: ReadNpzOptions,
): Promise<Map<string, NDArray>> {
  const { limits } = resolveOptions('readNpz', { limits: {} as Limits | undefined }, options)
  checkedPath('readNpz', path)
  const files = await unzipNpy(path, await load(path), resolveLimits('readNpz', limits))
  return new Map(
    Array.from(files, ([name, bytes]) => [name, npyArray(bytes, `${path}: ${name}`, true)]),
  )
}

/** Options of {@link writeNpz}. */
export interface WriteNpzOptions extends WriteOptions {
  /** Deflates the arrays, as `numpy.savez_compressed` does. Default `false`, as `numpy.savez`. */
  compressed?: boolean
}

/**
 * Writes named arrays to a `.npz` file, in one step.
 *
 * @throws FormatError ERR_FILE_SYSTEM when it cannot be written; ConfigError ERR_OPTION
 * @see numpy.savez, numpy.savez_compressed
 */
export async function writeNpz(
  path: string,
  arrays: Readonly<Record<string, TensorLike>> | ReadonlyMap<string, TensorLike>,
  options?: WriteNpzOptions,
): Promise<void> {
  const defaults = { overwrite: true as boolean | undefined, compressed: false }
  const { overwrite, compressed } = resolveOptions('writeNpz', defaults, options)
  checkedPath('writeNpz', path)
  const entries = arrays instanceof Map ? [...arrays] : Object.entries(arrays)
  const files = Object.fromEntries(
    entries.map(([name, array]) => [`${name}.npy`, formatNpy(array)]),
  )
  const { zip } = await import('fflate')
  const bytes = await new Promise<Uint8Array>((resolve, reject) =>
    zip(files, { level: compressed ? 6 : 0 }, (error, data) =>
      error ? reject(error) : resolve(data),
    ),
  )
  await writeFileAtomic(path, bytes, { overwrite })
}
