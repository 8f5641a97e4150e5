/**
 * YAML as Keras 1.2.2 wrote it, to plain data. Tags that name Python objects are read as data or
 * refused, never run.
 */
import type { CollectionTag, Document, ScalarTag, Tags } from 'yaml'
import { FormatError, fail } from '../errors.js'
import { checkDocument, checkText, exceeds, type ResolvedLimits, resolveLimits } from '../limits.js'
import { requireDependency } from '../package-root.js'
import { withoutRepetitions } from './repetitions.js'

const WHERE = 'YAML'
const PYTHON = 'tag:yaml.org,2002:python/'
/**
 * Tokens of the parser that a key or a value takes: indentation, '-', the text, ':', blanks, the
 * end of the line.
 */
const TOKENS_OF_VALUE = 8

type Tag = ScalarTag | CollectionTag
type Yaml = typeof import('yaml')
type Sequence = InstanceType<Yaml['YAMLSeq']>

/** Loaded when first used, and synchronously, since `modelFromYaml` is. */
function load(): Yaml {
  return requireDependency('yaml') as Yaml
}

function refuse(what: string, expected: string, actual: string): never {
  return fail(FormatError, 'ERR_FILE_FORMAT', { where: WHERE, what, expected, actual })
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

/**
 * `[dtype, bytes]`, the arguments of numpy.core.multiarray.scalar, as the number they stand for.
 */
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

function tags(yaml: Yaml): Tag[] {
  /**
   * A numpy scalar, `[dtype, bytes]`, which becomes its number: for those who refer to it as well.
   */
  class NumpyScalar extends yaml.YAMLSeq {
    override toJSON(...[arg, context]: Parameters<Sequence['toJSON']>): unknown[] {
      const tell = context?.onCreate // else the parts would answer for the whole
      if (context) delete context.onCreate
      const value = numpyScalar(super.toJSON(arg, context))
      tell?.(value)
      return value as never
    }
  }
  const numpy = (module: string): CollectionTag => ({
    tag: `${PYTHON}object/apply:${module}.scalar`,
    default: false,
    collection: 'seq',
    resolve: (node) => Object.assign(new NumpyScalar(), { items: (node as Sequence).items }),
  })
  const collection =
    (kind: 'seq' | 'map') =>
    (name: string): CollectionTag => ({
      tag: PYTHON + name,
      default: false,
      collection: kind,
      resolve: (node) => node,
    })
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
    numpy('numpy.core.multiarray'),
    numpy('numpy._core.multiarray'),
  ]
}

/**
 * Counts the tokens, which takes a tenth of the time of parsing them.
 * @throws FormatError ERR_LIMIT for more than the limits allow
 */
function checkTokens(yaml: Yaml, text: string, limits: ResolvedLimits): void {
  let [tokens, values, aliases, depth] = [0, 0, 0, 0]
  for (const token of new yaml.Lexer().lex(text)) {
    const mark = token[0]
    if (mark === yaml.CST.SCALAR) values++
    else if (mark === '&' || mark === '*') aliases++
    else if (mark === '[' || mark === '{') [values, depth] = [values + 1, depth + 1]
    else if (mark === ']' || mark === '}') depth--
    tokens++
    if (values > limits.values || tokens > TOKENS_OF_VALUE * limits.values)
      exceeds(WHERE, 'values', limits.values, 'more')
    if (aliases > limits.aliases) exceeds(WHERE, 'aliases', limits.aliases, 'more')
    if (depth > limits.depth) exceeds(WHERE, 'depth', limits.depth, 'more')
  }
}

/** Checks that no map has a key twice: the parser's own check takes the square of their number. */
function checkKeys(yaml: Yaml, document: Document): void {
  yaml.visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>()
      for (const { key } of items) {
        const name = yaml.isScalar(key) ? key.value : key
        if (keys.has(name)) refuse('keys of a map', 'unique', `${String(name).slice(0, 40)} twice`)
        keys.add(name)
      }
    },
  })
}

/**
 * Parses without stacks in the errors: there is one for each fault of the text, and their stacks
 * would take most of the time.
 */
function withoutStacks<T>(parse: () => T): T {
  const before = Error.stackTraceLimit
  Reflect.set(Error, 'stackTraceLimit', 0) // it does not throw where that is frozen
  try {
    return parse()
  } finally {
    Reflect.set(Error, 'stackTraceLimit', before)
  }
}

/** In PyYAML, 'y' and 'n' are texts: the key of RepeatVector is one. */
function asPyYaml<T>(tag: T): T {
  const { tag: name, test } = tag as Partial<ScalarTag>
  if (name !== 'tag:yaml.org,2002:bool' || !test) return tag
  return { ...tag, test: new RegExp(`^(?![yYnN]$)(?:${test.source})`) }
}

/**
 * Plain data of one YAML document (also one that the text holds several times over), in time that
 * grows with the text's length alone.
 *
 * @throws FormatError ERR_FILE_FORMAT for text that is no YAML, and for tags of Python objects
 *   other than numpy scalars; ERR_LIMIT
 */
export function parseYaml(given: string, limits = resolveLimits(WHERE, {})): unknown {
  if (typeof given !== 'string') refuse('text', 'a string', typeof given)
  checkText(WHERE, given, limits)
  const text = withoutRepetitions(given)
  const yaml = load()
  try {
    checkTokens(yaml, text, limits)
    const options = {
      version: '1.1',
      customTags: (all: Tags) => [...all.map(asPyYaml), ...tags(yaml)],
      uniqueKeys: false,
      prettyErrors: false,
    } as const
    const document = withoutStacks(() => yaml.parseDocument(text, options))
    const [problem] = [...document.errors, ...document.warnings]
    if (problem) {
      const line = text.slice(0, problem.pos[0]).split('\n').length
      refuse('text', 'YAML of plain data', `${problem.message.split('\n')[0]} at line ${line}`)
    }
    checkKeys(yaml, document)
    const data = document.toJS({ maxAliasCount: -1 })
    checkDocument(WHERE, data, limits)
    return data
  } catch (error) {
    if (error instanceof FormatError) throw error
    return refuse(
      'text',
      'YAML of plain data',
      error instanceof Error ? error.message : String(error),
    )
  }
}
