/**
 * Plain data as bytes and back, exactly: every bit of a number, typed arrays as they are.
 *
 *   'HSSTATE1' · uint32 length of the text, in little endian · the text, JSON in UTF-8 · the
 *   arrays, each at a multiple of 8 bytes
 *
 * In the text `{ "$": … }` stands for what JSON cannot say: a number that is not finite, minus
 * zero, a typed array, an NDArray.
 */
import { ConfigError, fail, FormatError } from '../errors.js'
import { describe, NDArray, type TypedArray } from '../ndarray.js'
import { isRecord } from '../per-name.js'

/** What can be kept: no functions, no instances of classes but NDArray. */
export type Plain =
  | null
  | boolean
  | number
  | string
  | TypedArray
  | NDArray
  | readonly Plain[]
  | { readonly [key: string]: Plain | undefined }

const MAGIC = 'HSSTATE1'
const TYPES = { Float32Array, Float64Array, Int32Array, Uint8Array } as const

/**
 * @param where what `value` is, for the error: 'callbacks[1].getState()'
 * @throws ConfigError ERR_OPTION naming the place of what cannot be kept
 */
export function encode(value: Plain, where: string): Uint8Array {
  const arrays: TypedArray[] = []
  const visit = (item: unknown, place: string): unknown => {
    if (item === null || typeof item === 'boolean' || typeof item === 'string') return item
    if (typeof item === 'number')
      return Number.isFinite(item) && !Object.is(item, -0) ? item : { $: numberText(item) }
    if (item instanceof NDArray) {
      const { data, shape, dtype } = item
      return { $: 'NDArray', data: visit(data, place), shape: [...shape], dtype }
    }
    if (ArrayBuffer.isView(item)) {
      const type = item.constructor.name
      if (!Object.hasOwn(TYPES, type)) return refuse(item, place)
      arrays.push(item as TypedArray)
      return { $: type, length: (item as TypedArray).length }
    }
    if (Array.isArray(item)) return item.map((each, i) => visit(each, `${place}[${i}]`))
    if (!isRecord(item)) return refuse(item, place)
    const entries = Object.entries(item).filter(([, each]) => each !== undefined)
    const visited = entries.map(([key, each]) => [key, visit(each, `${place}.${key}`)] as const)
    return '$' in item ? { $: 'object', entries: visited } : Object.fromEntries(visited)
  }
  const text = Buffer.from(JSON.stringify(visit(value, where)))
  const parts: Uint8Array[] = [Buffer.from(MAGIC), Buffer.alloc(4), text]
  ;(parts[1] as Buffer).writeUInt32LE(text.length)
  let size = MAGIC.length + 4 + text.length
  for (const { buffer, byteOffset, byteLength } of arrays) {
    parts.push(
      Buffer.alloc(-size & 7),
      new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength),
    )
    size += (-size & 7) + byteLength
  }
  return Buffer.concat(parts)
}

function refuse(item: unknown, where: string): never {
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'value',
    expected: 'plain data: numbers, strings, lists, plain objects, typed arrays, NDArrays',
    actual: describe(item),
  })
}

const numberText = (n: number): string => (Object.is(n, -0) ? '-0' : String(n))

/**
 * What {@link encode} was given.
 * @param path of the file, for errors
 * @throws FormatError ERR_FILE_FORMAT for bytes that it has not made
 */
export function decode(bytes: Uint8Array, path: string): Plain {
  const damaged = (what: string): never => {
    throw new FormatError(
      'ERR_FILE_FORMAT',
      `${path}: file must be a whole training state, got ${what}.`,
    )
  }
  const start = MAGIC.length + 4
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < start || view.toString('latin1', 0, MAGIC.length) !== MAGIC)
    damaged('another kind of file')
  let at = start + view.readUInt32LE(MAGIC.length)
  if (at > bytes.length) damaged('one that is cut off')
  const visit = (item: unknown): Plain => {
    if (Array.isArray(item)) return item.map(visit)
    if (typeof item !== 'object' || item === null) return item as Plain
    const { $: kind, ...rest } = item as { $?: string } & Record<string, unknown>
    if (kind === undefined)
      return Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, visit(each)]))
    if (kind === 'object')
      return Object.fromEntries(
        (rest.entries as [string, unknown][]).map(([k, v]) => [k, visit(v)]),
      )
    if (kind === 'NDArray')
      return NDArray.from(
        visit(rest.data) as TypedArray,
        rest.shape as number[],
        rest.dtype as never,
      )
    if (!Object.hasOwn(TYPES, kind)) return Number(kind)
    const Type = TYPES[kind as keyof typeof TYPES]
    at += -at & 7
    const length = rest.length as number
    const end = at + length * Type.BYTES_PER_ELEMENT
    if (!(end <= bytes.length)) damaged('one that is cut off')
    // a buffer of its own, so aligned; a Buffer's slice is none
    const data = Uint8Array.prototype.slice.call(bytes, at, end)
    at = end
    return new Type(data.buffer, 0, length)
  }
  try {
    return visit(JSON.parse(view.toString('utf8', start, at)))
  } catch (error) {
    if (error instanceof FormatError) throw error
    return damaged(`one that cannot be read (${(error as Error).message})`)
  }
}
