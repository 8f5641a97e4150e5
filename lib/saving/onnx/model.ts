/** An ONNX file as plain data: nodes, constants, inputs and outputs of its graph. */
import { fail, FormatError } from '../../errors.js'
import { exceeds, type ResolvedLimits } from '../../limits.js'
import type { Floats } from '../../native.js'
import { describe, sizeOf } from '../../ndarray.js'
import { Message } from './proto.js'

/** Numbers that the file holds. */
export interface Constant {
  readonly kind: 'constant'
  readonly shape: readonly number[]
  /** In C order: [...shape]. */
  read(): Floats
  /** How often its numbers are put in another order when they are read. Default 0. */
  readonly moves?: number
}

/** An attribute of a node; a text, a number or some, or a tensor. */
export type Attribute = string | number | readonly number[] | readonly string[] | Constant

export interface Node {
  /** How errors call it: "node 'cell' (LSTM)". */
  readonly where: string
  readonly name: string
  readonly op: string
  /** '' for one that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, Attribute>
}

/** What a layer that is made of it is called. */
export const nameOf = ({ name, op }: Node): string => name || op

/** An input or output of the graph. */
export interface Port {
  readonly name: string
  readonly type: number
  /** A letter for an extent that is not known. */
  readonly shape: readonly (number | string)[]
}

export interface OnnxGraph {
  readonly path: string
  readonly opset: number
  readonly nodes: readonly Node[]
  readonly constants: ReadonlyMap<string, Constant>
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
}

/** Types of elements (TensorProto.DataType) that are read here. */
export const TYPES: Readonly<Record<number, string>> = {
  1: 'FLOAT',
  2: 'UINT8',
  6: 'INT32',
  7: 'INT64',
  9: 'BOOL',
  11: 'DOUBLE',
}
const OTHER_TYPES: Readonly<Record<number, string>> = { 10: 'FLOAT16 (half)', 16: 'BFLOAT16' }

export function checkType(where: string, type: number): void {
  if (!Object.hasOwn(TYPES, type))
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what: 'type',
      expected: `one of ${Object.values(TYPES).join(', ')}`,
      actual: OTHER_TYPES[type] ?? `type ${type}`,
    })
}

const BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 1, 6: 4, 7: 8, 9: 1, 11: 8 }

/** Numbers of `raw_data`, little-endian as all our platforms are. */
function raw(type: number, bytes: Uint8Array): Floats {
  const { buffer } = bytes.slice()
  if (type === 1) return new Float32Array(buffer)
  if (type === 11) return new Float64Array(buffer)
  if (type === 7) return Float64Array.from(new BigInt64Array(buffer), Number)
  return Float64Array.from(type === 6 ? new Int32Array(buffer) : new Uint8Array(buffer))
}

/** Numbers of a field of the type's own. */
const listed = (type: number, tensor: Message): Floats =>
  type === 1
    ? tensor.floats(4)
    : type === 11
      ? tensor.floats(10, 8)
      : Float64Array.from(tensor.integers(type === 7 ? 7 : 5))

/** The numbers of a TensorProto. @throws FormatError for types, places and sizes that do not fit */
function constantOf(where: string, tensor: Message): Constant {
  const wrong = (what: string, expected: string, actual: string): never =>
    fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual })
  const shape = tensor.integers(1)
  const type = tensor.integer(2)
  if (tensor.integer(14) !== 0 || tensor.has(13))
    return wrong('data', 'in the file', 'external data, in a file beside it')
  checkType(where, type)
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0))
    wrong('dims', 'extents', describe(shape))
  const size = sizeOf(shape)
  const bytes = tensor.all(9).at(-1)
  if (bytes) {
    const expected = size * (BYTES[type] as number)
    if (bytes.length !== expected)
      wrong(`data of shape [${shape}]`, `${expected} bytes`, `${bytes.length}`)
    return { kind: 'constant', shape, read: () => raw(type, bytes) }
  }
  const numbers = listed(type, tensor)
  if (numbers.length !== size)
    wrong(`data of shape [${shape}]`, `${size} numbers`, `${numbers.length}`)
  return { kind: 'constant', shape, read: () => numbers }
}

/** The value of an AttributeProto: of the kind that its type says, else of the one it has. */
function attributeOf(where: string, message: Message): Attribute {
  if (message.has(6) || message.has(11))
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what: `attribute ${message.text(1)}`,
      expected: 'a value',
      actual: 'a graph (loops and conditions are not read)',
    })
  if (message.has(5)) return constantOf(where, message.message(5))
  const type = message.integer(20)
  if (type === 1 || (type === 0 && message.has(2))) return message.floats(2)[0] ?? 0
  if (type === 2 || (type === 0 && message.has(3))) return message.integer(3)
  if (type === 3 || (type === 0 && message.has(4))) return message.text(4)
  if (type === 6 || (type === 0 && message.has(7))) return [...message.floats(7)]
  if (type === 8 || (type === 0 && message.has(9))) return message.texts(9)
  return message.integers(8)
}

function nodeOf(path: string, message: Message, i: number): Node {
  const [name, op, domain] = [message.text(3), message.text(4), message.text(7)]
  const called = `${path}: node ${name === '' ? i : `'${name.slice(0, 80)}'`} (${op.slice(0, 40)})`
  if (domain !== '' && domain !== 'ai.onnx')
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: called,
      what: 'domain',
      expected: "that of ONNX ('')",
      actual: `'${domain.slice(0, 80)}'`,
    })
  return {
    where: called,
    name,
    op,
    inputs: message.texts(1),
    outputs: message.texts(2),
    attributes: new Map(
      message.messages(5).map((each) => [each.text(1), attributeOf(called, each)]),
    ),
  }
}

function portOf(path: string, message: Message): Port {
  const name = message.text(1)
  const tensor = message.message(2).message(1)
  const shape = tensor
    .message(2)
    .messages(1)
    .map((dim, i) => (dim.has(1) ? dim.integer(1) : dim.text(2) || `${name}:${i}`))
  const type = tensor.integer(1)
  checkType(`${path}: ${name.slice(0, 80)}`, type)
  return { name, type, shape }
}

/** @throws what proto.ts throws for bytes that are no message */
function graphOf(path: string, bytes: Uint8Array, limits: ResolvedLimits): OnnxGraph {
  const model = new Message(bytes)
  const opset = model
    .messages(8)
    .filter((each) => ['', 'ai.onnx'].includes(each.text(1)))
    .at(-1)
  const graph = model.message(7)
  const count = [1, 5, 11, 12].reduce((sum, field) => sum + graph.all(field).length, 0)
  if (count > limits.values) exceeds(path, 'values', limits.values, count)
  const tensors = graph.messages(5).map((tensor) => {
    const name = tensor.text(8)
    return [name, constantOf(`${path}: ${name.slice(0, 80)}`, tensor)] as const
  })
  const constants = new Map(tensors)
  const isNew = ({ name }: Port) => !constants.has(name)
  const ports = graph.messages(11).filter((port) => !constants.has(port.text(1)))
  return {
    path,
    opset: opset?.integer(2) ?? 0,
    nodes: graph.messages(1).map((node, i) => nodeOf(path, node, i)),
    constants,
    inputs: ports.map((port) => portOf(path, port)).filter(isNew),
    outputs: graph.messages(12).map((port) => portOf(path, port)),
  }
}

/**
 * The graph of an ONNX file.
 *
 * @throws FormatError ERR_FILE_FORMAT for a damaged file, types and attributes that are not read,
 *   weights in files beside it; ERR_LIMIT for more nodes than `limits.values`
 */
export function readGraph(path: string, bytes: Uint8Array, limits: ResolvedLimits): OnnxGraph {
  const damaged = (actual: string, cause?: unknown): FormatError =>
    new FormatError(
      'ERR_FILE_FORMAT',
      `${path}: file must be an ONNX model that is whole, got ${actual}.`,
      { expected: 'an ONNX model', actual, cause },
    )
  try {
    const graph = graphOf(path, bytes, limits)
    if (graph.outputs.length === 0) throw damaged('one without a graph that has outputs')
    return graph
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw damaged(`a damaged one (${(error as Error).message.slice(0, 100)})`, error)
  }
}
