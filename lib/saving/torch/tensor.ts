/** Arrays of a file, by name. */
import { fromBfloat16, fromFloat16 } from '../../files/half.js'
import type { Floats } from '../../native.js'

const float32 = (whole: ArrayLike<number>): Floats => new Float32Array(whole)

/**
 * Types of numbers, as safetensors calls them: bytes of one, and what reads them. Numbers are
 * little-endian, as all our platforms are.
 */
export const NUMBERS = {
  F64: [8, (own) => new Float64Array(own)],
  F32: [4, (own) => new Float32Array(own)],
  F16: [2, (own) => fromFloat16(new Uint16Array(own))],
  BF16: [2, (own) => fromBfloat16(new Uint16Array(own))],
  I64: [8, (own) => Float32Array.from(new BigInt64Array(own), Number)],
  I32: [4, (own) => float32(new Int32Array(own))],
  I16: [2, (own) => float32(new Int16Array(own))],
  I8: [1, (own) => float32(new Int8Array(own))],
  U8: [1, (own) => float32(new Uint8Array(own))],
  BOOL: [1, (own) => float32(new Uint8Array(own))],
} as const satisfies Record<string, readonly [bytes: number, read: (own: ArrayBuffer) => Floats]>

export type Stored = keyof typeof NUMBERS

export const isStored = (type: unknown): type is Stored =>
  typeof type === 'string' && Object.hasOwn(NUMBERS, type)

/** An array of a file. */
export interface Tensor {
  readonly shape: readonly number[]
  /** As the file calls it: 'F32'. */
  readonly dtype: string
  /** Its numbers in C order: [...shape]. */
  read(): Floats
}

export type Tensors = ReadonlyMap<string, Tensor>
