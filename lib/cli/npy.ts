/** NumPy's own files: `.npy` (one array) read and written, `.npz` (a ZIP of them) written. numpy/lib/format.py, version 1.0. */
import { zipSync } from 'fflate'
import { formatError } from '../hdf5/file.js'
import { NDArray, sizeOf, type TypedArray } from '../ndarray.js'

const MAGIC = '\x93NUMPY'
/** Beyond this a header is no header. */
const MAX_HEADER = 1 << 16

/** How NumPy writes the types that an NDArray may hold. */
const DESCR = { float32: '<f4', float64: '<f8', int32: '<i4', uint8: '|u1', bool: '|b1' } as const

type Reader = (bytes: DataView, count: number) => TypedArray
const each =
  <A extends TypedArray>(
    Storage: new (n: number) => A,
    size: number,
    get: (v: DataView, at: number) => number,
  ): Reader =>
  (view, count) => {
    const data = new Storage(count)
    for (let i = 0; i < count; i++) data[i] = get(view, i * size)
    return data
  }
/** Element sizes and readers of what is understood; 64-bit integers become float64 where int32 cannot hold them. */
const TYPES: Record<string, { size: number; read: Reader }> = {
  '<f4': { size: 4, read: each(Float32Array, 4, (v, at) => v.getFloat32(at, true)) },
  '<f8': { size: 8, read: each(Float64Array, 8, (v, at) => v.getFloat64(at, true)) },
  '<i4': { size: 4, read: each(Int32Array, 4, (v, at) => v.getInt32(at, true)) },
  '<i8': { size: 8, read: each(Float64Array, 8, (v, at) => Number(v.getBigInt64(at, true))) },
  '<i2': { size: 2, read: each(Int32Array, 2, (v, at) => v.getInt16(at, true)) },
  '|i1': { size: 1, read: each(Int32Array, 1, (v, at) => v.getInt8(at)) },
  '|u1': { size: 1, read: each(Uint8Array, 1, (v, at) => v.getUint8(at)) },
  '|b1': { size: 1, read: each(Uint8Array, 1, (v, at) => v.getUint8(at)) },
}

/**
 * The array in a `.npy` file.
 *
 * @param file how messages call it
 * @throws FormatError ERR_FILE_FORMAT for anything but a whole array of numbers in C order
 */
export function parseNpy(bytes: Uint8Array, file: string): NDArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('latin1')
  if (bytes.length < 10 || text(0, 6) !== MAGIC)
    throw formatError(file, '', 'content', 'an array saved by numpy.save', `${bytes.length} bytes of something else`)
  const wide = bytes[6]! > 1
  const start = wide ? 12 : 10
  const length = bytes.length < start ? MAX_HEADER : wide ? view.getUint32(8, true) : view.getUint16(8, true)
  if (length >= MAX_HEADER || start + length > bytes.length)
    throw formatError(file, '', 'header', 'whole', `${bytes.length} bytes of file`)
  const header = text(start, start + length)
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1]
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1]
  const extents = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1]
  const type = descr === undefined ? undefined : TYPES[descr]
  if (type === undefined)
    throw formatError(file, '', 'type of the elements', `one of ${Object.keys(TYPES).join(', ')}`, descr ?? 'none')
  if (fortran === undefined || extents === undefined)
    throw formatError(file, '', 'header', "with 'fortran_order' and 'shape'", header.trim())
  const shape = extents
    .split(',')
    .map((n) => n.trim())
    .filter(Boolean)
    .map(Number)
  if (fortran === 'True' && shape.length > 1)
    throw formatError(file, '', 'order', 'C', 'Fortran', 'numpy.ascontiguousarray makes such an array.')
  const count = sizeOf(shape)
  const held = bytes.length - start - length
  if (!Number.isSafeInteger(count) || count * type.size !== held)
    throw formatError(file, '', 'data', `${count * type.size} bytes, as its shape (${extents.trim()}) says`, `${held}`)
  const data = type.read(new DataView(bytes.buffer, bytes.byteOffset + start + length, held), count)
  return new NDArray(data, shape, descr === '|b1' ? 'bool' : undefined)
}

/** An array as a `.npy` file. */
export function npyBytes(array: NDArray): Uint8Array {
  const shape = `(${array.shape.join(', ')}${array.shape.length === 1 ? ',' : ''})`
  const header = `{'descr': '${DESCR[array.dtype]}', 'fortran_order': False, 'shape': ${shape}, }`
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n` // data begin at a multiple of 64
  const { data } = array
  const size = data.BYTES_PER_ELEMENT
  const out = new Uint8Array(10 + padded.length + data.length * size)
  const view = new DataView(out.buffer)
  out.set(Buffer.from(MAGIC, 'latin1'))
  out[6] = 1
  view.setUint16(8, padded.length, true)
  out.set(Buffer.from(padded, 'latin1'), 10)
  const start = 10 + padded.length
  for (let i = 0; i < data.length; i++) {
    const [value, at] = [data[i]!, start + i * size]
    if (array.dtype === 'float32') view.setFloat32(at, value, true)
    else if (array.dtype === 'float64') view.setFloat64(at, value, true)
    else if (array.dtype === 'int32') view.setInt32(at, value, true)
    else view.setUint8(at, value)
  }
  return out
}

/** Named arrays as a `.npz` file, not compressed, as numpy.savez makes it. */
export function npzBytes(arrays: Iterable<readonly [name: string, array: NDArray]>): Uint8Array {
  const files: Record<string, Uint8Array> = {}
  for (const [name, array] of arrays) files[`${name}.npy`] = npyBytes(array)
  return zipSync(files, { level: 0 })
}
