/** ONNX messages as they are written here, by the numbers of their fields. onnx/onnx.proto3. */
import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import { message, newWriter, text, WireType } from '../../files/protobuf.js'
import type { Floats } from '../../native.js'

/** Version of the operators, and of the format that goes with them. */
export const OPSET = 17
const IR_VERSION = 8

export type AttributeValue = number | string | readonly number[] | readonly string[]

/** One operation. */
export interface NodeText {
  readonly op: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Whole numbers become integers, others floats; `floats` are never integers. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>
  readonly floats?: Readonly<Record<string, number | readonly number[]>>
}

/** Numbers with a name: float32, or int64 for extents. */
export interface TensorText {
  readonly name: string
  readonly shape: readonly number[]
  readonly numbers: Floats | readonly number[]
}

/** An input or output. @see onnx TypeProto: 1 FLOAT, 6 INT32 */
export interface PortText {
  readonly name: string
  readonly type: 1 | 6
  readonly shape: readonly (number | string)[]
}

const integer = (writer: BinaryWriter, field: number, value: number): void => {
  writer.tag(field, WireType.Varint).int64(value)
}
const float = (writer: BinaryWriter, field: number, value: number): void => {
  writer.tag(field, WireType.Bit32).float(value)
}

/** AttributeProto: 1 name, 2 f, 3 i, 4 s, 7 floats, 8 ints, 9 strings, 20 type. */
function attribute(
  writer: BinaryWriter,
  name: string,
  value: AttributeValue,
  isFloat: boolean,
): void {
  text(writer, 1, name)
  const list = [value].flat() as (number | string)[]
  const isList = Array.isArray(value)
  const isText = typeof list[0] === 'string'
  const field = (isText ? 4 : isFloat ? 2 : 3) + (isList ? 5 : 0)
  for (const each of list) {
    if (isText) text(writer, field, each as string)
    else if (isFloat) float(writer, field, each as number)
    else integer(writer, field, each as number)
  }
  integer(writer, 20, (isText ? 3 : isFloat ? 1 : 2) + (isList ? 5 : 0))
}

function node(
  writer: BinaryWriter,
  { op, name, inputs, outputs, attributes, floats }: NodeText,
): void {
  for (const each of inputs) text(writer, 1, each)
  for (const each of outputs) text(writer, 2, each)
  text(writer, 3, name)
  text(writer, 4, op)
  for (const [key, value] of Object.entries(attributes ?? {}))
    message(writer, 5, (inside) => attribute(inside, key, value, false))
  for (const [key, value] of Object.entries(floats ?? {}))
    message(writer, 5, (inside) => attribute(inside, key, value, true))
}

/** TensorProto: 1 dims, 2 data_type (1 FLOAT, 7 INT64), 8 name, 9 raw_data. */
function tensor(writer: BinaryWriter, { name, shape, numbers }: TensorText): void {
  for (const extent of shape) integer(writer, 1, extent)
  const isWhole = Array.isArray(numbers)
  integer(writer, 2, isWhole ? 7 : 1)
  text(writer, 8, name)
  const data = isWhole ? BigInt64Array.from(numbers, BigInt) : Float32Array.from(numbers)
  writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(data.buffer))
}

/** ValueInfoProto: 1 name, 2 type; TypeProto.Tensor: 1 elem_type, 2 shape (1 size, 2 letter). */
function port(writer: BinaryWriter, { name, type, shape }: PortText): void {
  text(writer, 1, name)
  message(writer, 2, (of) =>
    message(of, 1, (inside) => {
      integer(inside, 1, type)
      message(inside, 2, (dims) => {
        for (const extent of shape)
          message(dims, 1, (dim) =>
            typeof extent === 'number' ? integer(dim, 1, extent) : text(dim, 2, extent),
          )
      })
    }),
  )
}

/** What is written. */
export interface GraphText {
  readonly name: string
  readonly nodes: readonly NodeText[]
  readonly tensors: readonly TensorText[]
  readonly inputs: readonly PortText[]
  readonly outputs: readonly PortText[]
}

/** ModelProto: 1 ir_version, 2 producer_name, 7 graph, 8 opset_import. */
export function onnxBytes(graph: GraphText): Uint8Array {
  const writer = newWriter()
  integer(writer, 1, IR_VERSION)
  text(writer, 2, 'hiddenstate')
  message(writer, 7, (inside) => {
    for (const each of graph.nodes) message(inside, 1, (w) => node(w, each))
    text(inside, 2, graph.name)
    for (const each of graph.tensors) message(inside, 5, (w) => tensor(w, each))
    for (const each of graph.inputs) message(inside, 11, (w) => port(w, each))
    for (const each of graph.outputs) message(inside, 12, (w) => port(w, each))
  })
  message(writer, 8, (opset) => {
    text(opset, 1, '')
    integer(opset, 2, OPSET)
  })
  return writer.finish()
}
