/**
 * Parts of protocol buffers that all who read or write them need, on the wire format of @bufbuild,
 * which is loaded when it is first needed.
 */
import type { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { requireDependency } from '../package-root.js'

/** How the value of a field lies: `WireType` of @bufbuild. */
export const WireType = { Varint: 0, Bit64: 1, LengthDelimited: 2, Bit32: 5 } as const

type Wire = typeof import('@bufbuild/protobuf/wire')
const wire = (): Wire => requireDependency('@bufbuild/protobuf/wire') as Wire

export const newWriter = (): BinaryWriter => new (wire().BinaryWriter)()
export const newReader = (bytes: Uint8Array): BinaryReader => new (wire().BinaryReader)(bytes)

/** Writes the fields of a message. */
export type Write = (writer: BinaryWriter) => unknown

/** A field that is a message. */
export function message(writer: BinaryWriter, field: number, write: Write): void {
  writer.tag(field, WireType.LengthDelimited).fork()
  write(writer)
  writer.join()
}

/** A field that is a string. */
export function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value)
}
