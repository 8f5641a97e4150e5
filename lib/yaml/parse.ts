/** YAML as Keras 1.2.2 wrote it, to plain data. Tags that name Python objects are read as data or refused, never run. */
import type { CollectionTag, Document, ScalarTag } from 'yaml'
import { FormatError, fail } from '../errors.js'
import { requireDependency } from '../package-root.js'

const PYTHON = 'tag:yaml.org,2002:python/'
/** More text than any model's configuration; a lid on what the parser is given. */
const MAX_LENGTH = 64 * 2 ** 20
const MAX_DEPTH = 100

type Tag = ScalarTag | CollectionTag
type Yaml = typeof import('yaml')

/** Loaded when first used, and synchronously, since `modelFromYaml` is. */
function load(): Yaml {
  return requireDependency('yaml') as Yaml
}

function refuse(what: string, expected: string, actual: string): never {
  return fail(FormatError, 'ERR_FILE_FORMAT', { where: 'YAML', what, expected, actual })
}

/** Python's names for types that YAML has anyway. */
function plainScalar(name: string, resolve: (text: string) => unknown): ScalarTag {
  return { tag: PYTHON + name, default: false, resolve }
}

function integer(text: string): number {
  if (!/^[-+]?\d+L?$/.test(text)) refuse('!!python/int', 'an integer', text.slice(0, 40))
  return Number.parseInt(text, 10)
}

function truth(text: string): boolean {
  if (!/^(?:true|false)$/i.test(text)) refuse('!!python/bool', 'True or False', text.slice(0, 40))
  return text.toLowerCase() === 'true'
}

type Reader = (view: DataView, little: boolean) => number

/** numpy's type codes with their sizes. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['i1', (v) => v.getInt8(0)],
  ['i2', (v, little) => v.getInt16(0, little)],
  ['i4', (v, little) => v.getInt32(0, little)],
  ['i8', (v, little) => Number(v.getBigInt64(0, little))],
  ['u1', (v) => v.getUint8(0)],
  ['u2', (v, little) => v.getUint16(0, little)],
  ['u4', (v, little) => v.getUint32(0, little)],
  ['u8', (v, little) => Number(v.getBigUint64(0, little))],
  ['f4', (v, little) => v.getFloat32(0, little)],
  ['f8', (v, little) => v.getFloat64(0, little)],
  ['b1', (v) => v.getUint8(0)],
])

/** `[dtype, bytes]`, the arguments of numpy.core.multiarray.scalar, as the number they stand for. */
function numpyScalar(parts: unknown): number {
  const [dtype, bytes] = Array.isArray(parts) ? parts : []
  const { args, state } = (dtype ?? {}) as { args?: unknown; state?: unknown }
  const code = Array.isArray(args) ? args[0] : undefined
  const read = READERS.get(String(code))
  const size = Number(String(code).slice(1))
  if (!read || !(bytes instanceof Uint8Array) || bytes.length !== size) {
    return refuse(
      'numpy scalar',
      `one of ${[...READERS.keys()].join(', ')} with as many bytes`,
      String(code).slice(0, 40),
    )
  }
  const order = Array.isArray(state) ? state[1] : '<'
  return read(new DataView(bytes.buffer, bytes.byteOffset, size), order !== '>')
}

function tags(): Tag[] {
  const collection =
    (kind: 'seq' | 'map') =>
    (name: string): CollectionTag => ({ tag: PYTHON + name, default: false, collection: kind, resolve: (node) => node })
  const [sequence, mapping] = [collection('seq'), collection('map')]
  return [
    sequence('tuple'),
    sequence('list'),
    mapping('dict'),
    plainScalar('str', (text) => text),
    plainScalar('unicode', (text) => text),
    plainScalar('int', integer),
    plainScalar('long', integer),
    plainScalar('bool', truth),
    plainScalar('none', () => null),
    plainScalar('float', (text) => Number(text)),
    mapping('object/apply:numpy.dtype'),
    sequence('object/apply:numpy.core.multiarray.scalar'),
    sequence('object/apply:numpy._core.multiarray.scalar'),
  ]
}

/** Replaces the nodes that stand for numpy scalars by their numbers. */
function resolveScalars(yaml: Yaml, document: Document): void {
  yaml.visit(document, {
    Seq(_, node) {
      if (!/^tag:yaml\.org,2002:python\/object\/apply:numpy\._?core\.multiarray\.scalar$/.test(node.tag ?? '')) return
      return document.createNode(numpyScalar(node.toJS(document)))
    },
  })
}

/** An alias of what contains it would have no end. */
function checkDepth(value: unknown, left: number): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  if (left === 0) refuse('text', `at most ${MAX_DEPTH} levels deep`, 'more')
  for (const item of Object.values(value)) checkDepth(item, left - 1)
}

/**
 * Plain data of one YAML document.
 *
 * @throws FormatError ERR_FILE_FORMAT for text that is no YAML, and for tags of Python objects other than numpy scalars
 */
export function parseYaml(text: string): unknown {
  if (typeof text !== 'string') refuse('text', 'a string', typeof text)
  if (text.length > MAX_LENGTH) refuse('text', `at most ${MAX_LENGTH} characters`, `${text.length}`)
  const yaml = load()
  try {
    const document = yaml.parseDocument(text, { version: '1.1', customTags: tags() })
    const [problem] = [...document.errors, ...document.warnings]
    if (problem) refuse('text', 'YAML of plain data', problem.message.split('\n')[0] as string)
    resolveScalars(yaml, document)
    const data = document.toJS({ maxAliasCount: 1000 })
    checkDepth(data, MAX_DEPTH)
    return data
  } catch (error) {
    if (error instanceof FormatError) throw error
    return refuse('text', 'YAML of plain data', error instanceof Error ? error.message : String(error))
  }
}
