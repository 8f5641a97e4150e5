/**
 * The layers model of TensorFlow.js: a `model.json` and the shards that it names, as tfjs and its
 * converter write them. tfjs 4.22 tfjs-core/src/io/io_utils.ts, tfjs-layers/src/models.ts.
 */
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { fail, FormatError } from '../../errors.js'
import { fromFloat16 } from '../../files/half.js'
import { joined } from '../../files/joined.js'
import { formatError, type H5File, readBytes } from '../../hdf5/file.js'
import type { Floats } from '../../native.js'
import { describe, sizeOf } from '../../ndarray.js'
import { type Config, isObject } from '../keras2/rule.js'
import { type LayerArray, treeOf } from '../tree.js'

/** An array as the manifest tells it. */
interface Entry {
  name: string
  shape: number[]
  /** Of its numbers in the file. */
  stored: Stored
  /** Of a quantized one: `number * scale + min`. */
  scale: number
  min: number
}

const BYTES = { float32: 4, float16: 2, int32: 4, uint16: 2, uint8: 1, bool: 1 } as const
type Stored = keyof typeof BYTES

/** Keys of the optimizers of tfjs, which keep their camelCase, as Keras 2 writes them. */
const OPTIMIZER_KEYS: Readonly<Record<string, string>> = {
  learningRate: 'learning_rate',
  beta1: 'beta_1',
  beta2: 'beta_2',
  useNesterov: 'nesterov',
}

/** Layers of tfjs say null for what they leave to its default. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => (each === null ? null : withoutNulls(each)))
  if (!isObject(value)) return value
  const entries = Object.entries(value).filter(([, each]) => each !== null)
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutNulls(each)]))
}

/** The document of Keras 2 in a model.json. @throws FormatError ERR_FILE_FORMAT */
export function documentOf(path: string, { format, modelTopology: topology }: Config): Config {
  if (format === 'graph-model' || (isObject(topology) && 'node' in topology))
    throw formatError(
      path,
      '',
      'format',
      "'layers-model'",
      "'graph-model'",
      'A graph model has operations instead of layers.',
    )
  const { model_config: inside } = isObject(topology) ? topology : {}
  const document = isObject(inside) ? inside : topology
  if (!isObject(document))
    throw formatError(path, '', 'modelTopology', 'a model', describe(topology))
  const { keras_version: _version, backend: _backend, ...own } = document
  return withoutNulls(own) as Config
}

/** How the model was compiled, as Keras 2 has it; null where the file does not say. */
export function trainingOf({
  modelTopology: topology,
  trainingConfig: own,
}: Config): Config | null {
  const { training_config: converted } = isObject(topology) ? topology : {}
  if (isObject(converted)) return converted
  if (!isObject(own)) return null
  const { optimizer_config: optimizer } = own
  if (!isObject(optimizer) || !isObject(optimizer.config)) return own
  const config = Object.fromEntries(
    Object.entries(optimizer.config).map(([key, value]) => [
      Object.hasOwn(OPTIMIZER_KEYS, key) ? OPTIMIZER_KEYS[key] : key,
      value,
    ]),
  )
  return { ...own, optimizer_config: { ...optimizer, config } }
}

function entryOf(path: string, value: unknown, i: number): Entry {
  const wrong = (what: string, expected: string, actual: unknown): never =>
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: `${path}: weightsManifest`,
      what: `${what} of weight ${i}`,
      expected,
      actual: describe(actual),
    })
  const { name, shape, dtype, quantization } = isObject(value) ? value : {}
  if (typeof name !== 'string') return wrong('name', 'a text', name)
  const isShape = Array.isArray(shape) && shape.every((d) => Number.isSafeInteger(d) && d >= 0)
  if (!isShape || !Number.isSafeInteger(sizeOf(shape))) return wrong('shape', 'extents', shape)
  const { dtype: small, scale = 1, min = 0 } = isObject(quantization) ? quantization : {}
  const stored = small ?? dtype
  if (typeof stored !== 'string' || !Object.hasOwn(BYTES, stored))
    return wrong('dtype', `one of ${Object.keys(BYTES).join(', ')}`, stored)
  if (typeof scale !== 'number' || typeof min !== 'number')
    return wrong('quantization', 'scale and min', quantization)
  return { name, shape, stored: stored as Stored, scale, min }
}

/** The numbers of an array. @param bytes memory that nothing else uses, aligned */
function numbersOf({ stored, scale, min }: Entry, bytes: ArrayBuffer): Floats {
  if (stored === 'float32') return new Float32Array(bytes)
  if (stored === 'float16') return fromFloat16(new Uint16Array(bytes))
  const whole =
    stored === 'int32'
      ? new Int32Array(bytes)
      : stored === 'uint16'
        ? new Uint16Array(bytes)
        : new Uint8Array(bytes)
  return Float32Array.from(whole, (number) => number * scale + min)
}

/** The shards of a group, one after the other. Their paths stay in the folder of the file. */
async function shardsOf(path: string, names: unknown): Promise<Uint8Array> {
  if (!Array.isArray(names) || names.length === 0)
    throw formatError(path, 'weightsManifest', 'paths', 'a list of files', describe(names))
  const shards: Uint8Array[] = []
  for (const name of names) {
    const isInside =
      typeof name === 'string' &&
      name !== '' &&
      !isAbsolute(name) &&
      !normalize(name).split(/[\\/]/).includes('..')
    if (!isInside)
      throw formatError(
        path,
        'weightsManifest',
        'path of a shard',
        'a file beside the model.json',
        describe(name),
      )
    shards.push(await readBytes(join(dirname(path), name)))
  }
  return joined(Uint8Array, shards)
}

/** Weights of the optimizer: a number that counts, and a copy of a weight with one name more. */
function isOfModel({ name }: Entry, all: ReadonlySet<string>): boolean {
  const parent = name.slice(0, Math.max(0, name.lastIndexOf('/')))
  return parent !== '' && !all.has(parent)
}

/**
 * The weights of a model.json, in the tree of an HDF5 file of Keras 2, which are found by name: the
 * converter writes layers in the order of their names, as HDF5 lists them.
 *
 * @throws FormatError ERR_FILE_FORMAT for a manifest that is damaged or asks for files elsewhere,
 * and for shards of another size than it says; ERR_FILE_SYSTEM for one that is not there
 */
export async function weightsOf(path: string, { weightsManifest }: Config): Promise<H5File> {
  if (!Array.isArray(weightsManifest))
    throw formatError(path, '', 'weightsManifest', 'a list', describe(weightsManifest))
  const numbers = new Map<string, { entry: Entry; bytes: ArrayBuffer }>()
  for (const group of weightsManifest as unknown[]) {
    const { paths, weights } = isObject(group) ? group : {}
    if (!Array.isArray(weights))
      throw formatError(path, 'weightsManifest', 'weights', 'a list', describe(weights))
    const entries = weights.map((value, i) => entryOf(path, value, i))
    const bytes = await shardsOf(path, paths)
    const total = entries.reduce((sum, { shape, stored }) => sum + sizeOf(shape) * BYTES[stored], 0)
    if (total !== bytes.length)
      throw formatError(
        path,
        'weightsManifest',
        'shards',
        `${total} bytes in all`,
        `${bytes.length}`,
      )
    let at = 0
    for (const entry of entries) {
      const end = at + sizeOf(entry.shape) * BYTES[entry.stored]
      numbers.set(entry.name, { entry, bytes: bytes.slice(at, end).buffer as ArrayBuffer })
      at = end
    }
  }
  return treeOf(path, layersOf(numbers))
}

/** The arrays of each layer. Weights of one layer need not lie together. */
function layersOf(
  numbers: ReadonlyMap<string, { entry: Entry; bytes: ArrayBuffer }>,
): Map<string, LayerArray[]> {
  const all = new Set(numbers.keys())
  const layers = new Map<string, LayerArray[]>()
  for (const [name, { entry, bytes }] of numbers) {
    if (!isOfModel(entry, all)) continue
    const layer = name.slice(0, name.indexOf('/'))
    const array = { name, shape: entry.shape, read: () => numbersOf(entry, bytes) }
    layers.set(layer, [...(layers.get(layer) ?? []), array])
  }
  return layers
}
