/**
 * The messages of an ONNX file as far as they are read here: protocol buffers by field numbers,
 * https://github.com/onnx/onnx, onnx/onnx.proto3. Numbers of tensors stay bytes until asked for.
 */
import type { BinaryReader } from '@bufbuild/protobuf/wire'
import { newReader, WireType } from '../../files/protobuf.js'

/** A field: of wire type varint, fixed 32 and 64 bits (a float, a double), or bytes. */
type Field = bigint | number | Uint8Array

/** Fields of a message by their numbers, each in the order of the file. */
export class Message {
  readonly #fields = new Map<number, Field[]>()

  /** @throws Error for bytes that are no message */
  constructor(bytes: Uint8Array) {
    const reader = newReader(bytes)
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag()
      const value = fieldOf(reader, type, number)
      const known = this.#fields.get(number)
      if (known) known.push(value)
      else this.#fields.set(number, [value])
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field)
  }

  /** The bytes of a field that may come several times. */
  all(field: number): Uint8Array[] {
    return (this.#fields.get(field) ?? []).map(bytesOf)
  }

  messages(field: number): Message[] {
    return this.all(field).map((bytes) => new Message(bytes))
  }

  /** The last of a field that comes once; an empty message where it is not there. */
  message(field: number): Message {
    return new Message(this.all(field).at(-1) ?? new Uint8Array())
  }

  texts(field: number): string[] {
    return this.all(field).map((bytes) => new TextDecoder().decode(bytes))
  }

  text(field: number): string {
    return this.texts(field).at(-1) ?? ''
  }

  /** Integers of a field, packed or not. @throws Error beyond ±2^53 */
  integers(field: number): number[] {
    return (this.#fields.get(field) ?? []).flatMap((value) => {
      if (!(value instanceof Uint8Array)) return [integerOf(value)]
      const reader = newReader(value)
      const out: number[] = []
      while (reader.pos < reader.len) out.push(integerOf(BigInt(reader.int64())))
      return out
    })
  }

  /** The last of {@link integers}; `absent` where there is none. */
  integer(field: number, absent = 0): number {
    return this.integers(field).at(-1) ?? absent
  }

  /** Numbers of a field of floats (4 bytes) or doubles (8), packed or not. */
  floats(field: number, bytes: 4 | 8 = 4): Float32Array | Float64Array {
    const parts = this.#fields.get(field) ?? []
    const own = (packed: Uint8Array) => {
      if (packed.length % bytes !== 0) throw new Error(`${packed.length} bytes of numbers`)
      const { buffer } = packed.slice()
      return bytes === 4 ? new Float32Array(buffer) : new Float64Array(buffer)
    }
    if (parts.length === 1 && parts[0] instanceof Uint8Array) return own(parts[0])
    const numbers = parts.flatMap((part) => (part instanceof Uint8Array ? [...own(part)] : [part]))
    return bytes === 4 ? Float32Array.from(numbers, Number) : Float64Array.from(numbers, Number)
  }
}

function fieldOf(reader: BinaryReader, type: number, number: number): Field {
  if (type === WireType.Varint) return BigInt(reader.int64())
  if (type === WireType.Bit32) return reader.float()
  if (type === WireType.Bit64) return reader.double()
  if (type === WireType.LengthDelimited) return reader.bytes()
  throw new Error(`field ${number} of wire type ${type}`)
}

function bytesOf(value: Field): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new Error('a number instead of bytes')
}

function integerOf(value: bigint | number): number {
  const number = Number(value)
  // beyond, they are the "end" of slices
  if (Number.isInteger(number)) return number
  throw new Error('a number that is no integer')
}
