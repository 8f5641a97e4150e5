/**
 * Files of safetensors: the length of a JSON header (8 bytes), the header, then the numbers of all
 * tensors. https://github.com/huggingface/safetensors, README.
 */
import { fail, FormatError } from '../../errors.js'
import { formatError } from '../../hdf5/file.js'
import type { ResolvedLimits } from '../../limits.js'
import { describe, sizeOf } from '../../ndarray.js'
import { isObject } from '../keras2/rule.js'
import { jsonObject } from '../training.js'
import { isStored, NUMBERS, type Tensor } from './tensor.js'

/** The length of the header: no model needs more; the library has the same lid. */
const MAX_HEADER = 100_000_000

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
  if (!isStored(dtype)) return wrong('dtype', `one of ${Object.keys(NUMBERS).join(', ')}`, dtype)
  const [size, read] = NUMBERS[dtype]
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
