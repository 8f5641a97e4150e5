/**
 * Files of `torch.save` with a `state_dict`, or a checkpoint that holds one: since PyTorch 1.6 a
 * zip of a pickle and the numbers of each storage, before that pickles and numbers one after the
 * other. PyTorch 2.13 torch/serialization.py. The pickle is read as data (torch-pickle.ts).
 */
import { FormatError } from '../../errors.js'
import { type Pickled, unpickle, unpickleAt } from '../../files/pickle.js'
import { entries, unzipped } from '../../files/zip.js'
import { formatError } from '../../hdf5/file.js'
import type { ResolvedLimits } from '../../limits.js'
import { NDArray, sizeOf } from '../../ndarray.js'
import { NUMBERS, type Tensor } from './tensor.js'
import { StoredTensor, TORCH } from './torch-pickle.js'

/** The numbers of each storage. */
type Storages = ReadonlyMap<string, Uint8Array>

/** A dictionary of tensors alone; tensors by name, or null. */
function asStateDict(value: Pickled | undefined): Map<string, StoredTensor> | null {
  if (!(value instanceof Map) || value.size === 0) return null
  const isTensor = ([name, tensor]: readonly [unknown, unknown]) =>
    typeof name === 'string' && tensor instanceof StoredTensor
  return [...value].every(isTensor) ? (value as unknown as Map<string, StoredTensor>) : null
}

/** The state_dict in what a file holds. @throws FormatError where there is none, or several */
function stateDictOf(path: string, value: Pickled): Map<string, StoredTensor> {
  const whole = asStateDict(value)
  if (whole) return whole
  const members = value instanceof Map ? [...value] : []
  const found = members.flatMap(([, member]) => asStateDict(member) ?? [])
  if (found.length === 1) return found[0]!
  const names = members.map(([name]) => String(name)).join(', ')
  throw formatError(
    path,
    '',
    'file',
    'a state_dict, or a checkpoint with one',
    found.length > 1 ? `${found.length} of them` : names === '' ? 'another thing' : 'none',
    names === '' ? undefined : `It holds ${names.slice(0, 300)}.`,
  )
}

function toTensor(
  path: string,
  name: string,
  { storage, offset, shape, strides }: StoredTensor,
  storages: Storages,
): Tensor {
  const [bytes, read] = NUMBERS[storage.type]
  const size = sizeOf(shape)
  // of the last number, counted from the first
  const last = shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, 0)
  const end = size === 0 ? offset : offset + last + 1
  const all = storages.get(storage.key)
  if (!all || !(end * bytes <= all.length))
    throw formatError(
      path,
      name.slice(0, 200),
      'numbers',
      `${end * bytes} bytes in storage ${storage.key.slice(0, 20)}`,
      all ? `${all.length}` : 'none',
    )
  const numbers = () => read(all.slice(offset * bytes, end * bytes).buffer as ArrayBuffer)
  return {
    shape,
    dtype: storage.type,
    read: () => {
      const data = numbers()
      if (size === 0) return data
      return NDArray.from({ data, shape, stride: [...strides], offset: 0 }).data as typeof data
    },
  }
}

/** Pickle and storages of a zip. */
async function fromZip(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Promise<readonly [Pickled, Storages]> {
  const isWanted = (name: string) => /^[^/]*\/(data\.pkl|byteorder|data\/[^/]+)$/.test(name)
  let files: Record<string, Uint8Array>
  try {
    await entries(path, bytes, isWanted, limits)
    files = await unzipped(bytes, ({ name }) => isWanted(name))
  } catch (error) {
    if (error instanceof FormatError) throw error
    const { message } = error as Error
    throw formatError(path, '', 'file', 'a PyTorch zip that is whole', `a damaged one (${message})`)
  }
  const byName = new Map(
    Object.entries(files).map(([name, file]) => [name.slice(name.indexOf('/') + 1), file]),
  )
  const pickle = byName.get('data.pkl')
  if (!pickle) throw formatError(path, '', 'zip', 'a PyTorch file with data.pkl', 'one without it')
  const order = new TextDecoder().decode(byName.get('byteorder') ?? new Uint8Array())
  if (order !== '' && order !== 'little')
    throw formatError(path, 'byteorder', 'numbers', 'little-endian', order.slice(0, 20))
  const storages = new Map(
    [...byName].flatMap(([name, file]) =>
      name.startsWith('data/') ? [[name.slice('data/'.length), file] as const] : [],
    ),
  )
  return [unpickle(pickle, `${path}: data.pkl`, TORCH), storages]
}

/** Bytes of a number of each storage that a state_dict uses. */
const numberBytes = (tensors: Iterable<StoredTensor>): ReadonlyMap<string, number> =>
  new Map([...tensors].map(({ storage: { key, type } }) => [key, NUMBERS[type][0]]))

/** Pickle and storages of a file from before PyTorch 1.6. */
function fromPickles(path: string, bytes: Uint8Array): readonly [Pickled, Storages] {
  let at = 0
  const next = (): Pickled => {
    const [value, end] = unpickleAt(bytes, at, path, TORCH)
    at = end
    return value
  }
  const [, , system, content, keys] = [next(), next(), next(), next(), next()]
  if (system instanceof Map && system.get('little_endian') === false)
    throw formatError(path, '', 'numbers', 'little-endian', 'big-endian')
  if (!Array.isArray(keys)) throw formatError(path, '', 'keys of storages', 'a list', 'another')
  const sizes = numberBytes(allTensors(content))
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const storages = new Map<string, Uint8Array>()
  for (const key of keys.map(String)) {
    // a storage that no tensor uses has a size that nothing tells; those after it are not reached
    const size = sizes.get(key)
    if (size === undefined) break
    const room = bytes.length - at - 8
    const length = room < 0 ? -1 : Number(view.getBigUint64(at, true)) * size
    if (!(length >= 0 && length <= room))
      throw formatError(
        path,
        `storage ${key.slice(0, 20)}`,
        'bytes',
        `at most ${room}`,
        `${length}`,
      )
    storages.set(key, bytes.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  return [content, storages]
}

/** Tensors anywhere in a value. */
function* allTensors(value: Pickled): Generator<StoredTensor> {
  const seen = new Set<Pickled>()
  const open = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    if (next instanceof StoredTensor) yield next
    else if (next instanceof Map || Array.isArray(next))
      for (const each of next.values()) open.push(each)
  }
}

/**
 * The tensors of a file, by the names of the state_dict.
 *
 * @throws FormatError ERR_FILE_FORMAT for a damaged one, and for a pickle that is more than data;
 *   ERR_LIMIT
 */
export async function readPt(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Promise<Map<string, Tensor>> {
  const isZip = bytes[0] === 0x50
  const [content, storages] = isZip ? await fromZip(path, bytes, limits) : fromPickles(path, bytes)
  const tensors = [...stateDictOf(path, content)]
  return new Map(tensors.map(([name, tensor]) => [name, toTensor(path, name, tensor, storages)]))
}
