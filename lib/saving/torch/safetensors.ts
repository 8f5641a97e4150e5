/**
 * Files of safetensors: the length of a JSON header (8 bytes), the header, then the numbers of all
 * tensors. https://github.com/huggingface/safetensors, README.
 */
import { fail, FormatError } from '../../errors.js'
import { fromBfloat16, fromFloat16 } from '../../files/half.js'
import { formatError } from '../../hdf5/file.js'
import type { ResolvedLimits } from '../../limits.js'
import type { Floats } from '../../native.js'
import { describe, sizeOf } from '../../ndarray.js'
import { isObject } from '../keras2/rule.js'
import { jsonObject } from '../training.js'
import type { Tensor } from './tensor.js'

/** The length of the header: no model needs more; the library has the same lid. */
const MAX_HEADER = 100_000_000

const float32 = (whole: ArrayLike<number | bigint>): Floats => Float32Array.from(whole, Number)

/** Bytes of a number, and what reads them. Numbers are little-endian, as all our platforms are. */
const TYPES: Readonly<
  Record<string, readonly [bytes: number, read: (own: ArrayBuffer) => Floats]>
> = {
  F64: [8, (own) => new Float64Array(own)],
  F32: [4, (own) => new Float32Array(own)],
  F16: [2, (own) => fromFloat16(new Uint16Array(own))],
  BF16: [2, (own) => fromBfloat16(new Uint16Array(own))],
  I64: [8, (own) => float32(new BigInt64Array(own))],
  I32: [4, (own) => float32(new Int32Array(own))],
  I16: [2, (own) => float32(new Int16Array(own))],
  I8: [1, (own) => float32(new Int8Array(own))],
  U8: [1, (own) => float32(new Uint8Array(own))],
  BOOL: [1, (own) => float32(new Uint8Array(own))],
}

/**
 * The tensors of a file, in the order of its header; numbers are read when they are asked for.
 *
 * @throws FormatError ERR_FILE_FORMAT for a damaged one, ERR_LIMIT
 */
export function readSafetensors(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Map<string, Tensor> {
  const room = bytes.length - 8
  const length =
    room < 0 ? -1 : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  if (!(length >= 2 && length <= Math.min(room, MAX_HEADER)))
    throw formatError(path, '', 'length of the header', `2 to ${Math.max(room, 2)}`, `${length}`)
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length))
  const { __metadata__: _metadata, ...header } = jsonObject(path, 'header', text, limits)
  const data = bytes.subarray(8 + length)
  return new Map(
    Object.entries(header).map(([name, value]) => [name, tensorOf(path, name, value, data)]),
  )
}

function tensorOf(path: string, name: string, value: unknown, data: Uint8Array): Tensor {
  const wrong = (what: string, expected: string, actual: unknown): never =>
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: `${path}: ${name.slice(0, 200)}`,
      what,
      expected,
      actual: Array.isArray(actual) ? JSON.stringify(actual).slice(0, 80) : describe(actual),
    })
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : {}
  if (typeof dtype !== 'string' || !Object.hasOwn(TYPES, dtype))
    return wrong('dtype', `one of ${Object.keys(TYPES).join(', ')}`, dtype)
  const [size, read] = TYPES[dtype]!
  const isExtent = (d: unknown) => Number.isSafeInteger(d) && (d as number) >= 0
  if (!Array.isArray(shape) || !shape.every(isExtent)) return wrong('shape', 'extents', shape)
  const [from, to] = Array.isArray(offsets) ? (offsets as unknown[]) : []
  const bytes = sizeOf(shape) * size
  const fits = isExtent(from) && isExtent(to) && (to as number) <= data.length
  if (!fits || (to as number) - (from as number) !== bytes)
    return wrong('data_offsets', `${bytes} bytes within ${data.length}`, offsets)
  return {
    shape: shape as number[],
    dtype,
    read: () => read(data.slice(from as number, to as number).buffer as ArrayBuffer),
  }
}
