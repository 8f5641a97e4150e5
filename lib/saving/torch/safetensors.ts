/**
 * Files of safetensors: the length of a JSON header (8 bytes), the header, then the numbers of all
 * tensors. https://github.com/huggingface/safetensors, README.
 */
import { fail, FormatError } from '../../errors.js'
import { joined } from '../../files/joined.js'
import { formatError } from '../../hdf5/file.js'
import type { ResolvedLimits } from '../../limits.js'
import { describe, sizeOf } from '../../ndarray.js'
import { isObject } from '../keras2/rule.js'
import { jsonObject } from '../training.js'
import { isStored, NUMBERS, type Stored, type Tensor } from './tensor.js'

/** The length of the header: no model needs more; the library has the same lid. */
const MAX_HEADER = 100_000_000

/** The metadata of a file that has a whole model (saving/compact). */
export const MODEL_KEY = 'hiddenstate_model'

/** What a file holds. */
export interface Safetensors {
  /** What it says beside the tensors; null: nothing. */
  readonly metadata: Readonly<Record<string, unknown>> | null
  /** In the order of its header; numbers are read when they are asked for. */
  readonly tensors: ReadonlyMap<string, Tensor>
}

/** @throws FormatError ERR_FILE_FORMAT for a damaged file, ERR_LIMIT */
export function readSafetensors(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Safetensors {
  const room = bytes.length - 8
  const length =
    room < 0 ? -1 : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  if (!(length >= 2 && length <= Math.min(room, MAX_HEADER)))
    throw formatError(path, '', 'length of the header', `2 to ${Math.max(room, 2)}`, `${length}`)
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length))
  const { __metadata__: metadata, ...header } = jsonObject(path, 'header', text, limits)
  const data = bytes.subarray(8 + length)
  return {
    metadata: isObject(metadata) ? metadata : null,
    tensors: new Map(
      Object.entries(header).map(([name, value]) => [name, tensorOf(path, name, value, data)]),
    ),
  }
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

/** A tensor to be written. */
export interface StoredTensor {
  readonly dtype: Stored
  readonly shape: readonly number[]
  /** Its numbers in C order, little-endian, as all our platforms are. */
  readonly bytes: Uint8Array
}

/** Numbers as they lie in memory. */
export const rawBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** The bytes of a file. */
export function safetensorsOf(
  metadata: Readonly<Record<string, string>>,
  tensors: ReadonlyMap<string, StoredTensor>,
): Uint8Array {
  // the widest numbers first, so that each tensor lies at a multiple of its numbers' size
  const width = ({ dtype }: StoredTensor): number => NUMBERS[dtype][0]
  const sorted = [...tensors].sort(([, a], [, b]) => width(b) - width(a))
  let at = 0
  const header: Record<string, unknown> = { __metadata__: metadata }
  for (const [name, { dtype, shape, bytes }] of sorted)
    header[name] = { dtype, shape, data_offsets: [at, (at += bytes.length)] }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20) // 0x20: a space
  padded.set(text)
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  return joined(Uint8Array, [length, padded, ...sorted.map(([, { bytes }]) => bytes)])
}
