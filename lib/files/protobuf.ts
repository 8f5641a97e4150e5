/** Parts of protocol buffers that all who write them need, on the wire format of @bufbuild. */
import { type BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

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
