/** Weights of layers in a file: written by name, read by order or by name. */
import { FormatError } from '../errors.js'
import { type Expected, formatError, type H5Builder, type H5File } from '../hdf5/file.js'
import type { H5Data } from '../hdf5/protocol.js'
import type { Layer } from '../layers/base/layer.js'
import { type KerasArray, readKerasArrays, writingKerasArrays } from '../layers/base/variable.js'
import type { Floats } from '../native.js'
import { NDArray } from '../ndarray.js'
import type { SlicedWork } from '../sliced-work.js'
import { divided, fusedShape } from './fused.js'
import { fromCudnn, isCudnn } from './keras2/cudnn.js'
import { type Keras3Layer, keysOf, layersOfKeras3 } from './keras3/weights.js'
import { asHere, type Backend, storedShape } from './kernels.js'
import { nameList } from './layout.js'
import { BY_NAME } from './tree.js'

const join = (group: string, name: string): string => (group === '' ? name : `${group}/${name}`)

/**
 * The array in memory of its own, which can be moved to another thread: `value` is a copy, but may
 * share its memory with others.
 */
export function movable(value: NDArray): H5Data {
  const data = value.data as Floats // [...shape]
  return {
    shape: value.shape,
    data: data.byteLength === data.buffer.byteLength ? data : data.slice(),
  }
}

/** Writes a list of names that differ. @throws FormatError ERR_FILE_FORMAT */
export function writeNames(
  file: H5Builder,
  group: string,
  attribute: string,
  names: readonly string[],
): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    const message = `${group || 'root'}: ${attribute} must be names that differ, got '${twice}' twice. Give one of the layers another \`name\`: set layer.name.`
    throw new FormatError('ERR_FILE_FORMAT', message, {
      expected: 'names that differ',
      actual: `'${twice}' twice`,
    })
  }
  const value = nameList(names)
  if (value === null) {
    const message = `${group || 'root'}: ${attribute} must be a list of at most 64,000 bytes, got ${names.length} names that need more.`
    throw new FormatError('ERR_FILE_FORMAT', `${message} Shorter layer names take less room.`)
  }
  file.group(group).set(attribute, value)
}

/**
 * Writes datasets with the list of their names.
 *
 * @param group where they go; made when it is not there
 * @param arrays copies: they are moved to the worker
 */
export function writeArrays(
  file: H5Builder,
  group: string,
  arrays: readonly { name: string; value: NDArray }[],
): void {
  writeNames(
    file,
    group,
    'weight_names',
    arrays.map((a) => a.name),
  )
  for (const { name, value } of arrays) file.dataset(join(group, name), movable(value))
}

/**
 * Writes the weights of all layers below `group`,
 * which becomes what `save_weights` has at its root.
 *
 * @param layers also those without weights
 */
export function writeLayers(file: H5Builder, group: string, layers: readonly Layer[]): void {
  writeNames(
    file,
    group,
    'layer_names',
    layers.map((layer) => layer.name),
  )
  for (const layer of layers) {
    const arrays = layer.fileArrays()
    const values = readKerasArrays(arrays)
    writeArrays(
      file,
      join(group, layer.name),
      arrays.map(({ name }, i) => ({ name, value: values[i] as NDArray })),
    )
  }
}

/** The place of a layer's arrays in the file. */
interface Stored {
  /** The layer's name in the file. */
  name: string
  group: string
  weights: string[]
}

/** An array of a file: one of Keras' arrays, or several stacked along a first axis. */
interface FileArray {
  name: string
  shape: readonly number[]
  older?: KerasArray['older']
  parts: readonly KerasArray[]
  /** Whether it is a layer's whole parameter, as Keras 2 has it. */
  fused?: boolean
}

/** How a file divides the parameters of a layer. */
type Divide = (layer: Layer) => FileArray[]

const likeKeras1: Divide = (layer) => layer.fileArrays().map((part) => ({ ...part, parts: [part] }))

const likeKeras2: Divide = (layer) =>
  layer.fusedArrays().map((parts) => {
    const { name, shape } = parts[0] as KerasArray
    return { name, shape: fusedShape(shape, parts), parts, fused: true }
  })

/** A layer and the arrays of the file that are for it. */
interface Match {
  layer: Layer
  arrays: readonly FileArray[]
  stored: Stored
  /** Position in the file, among the layers with weights. */
  index: number
}

/**
 * A list of names; Keras 2 breaks one that has no room
 * in an attribute into `layer_names0`, `layer_names1`, ….
 */
function nameListOf(file: H5File, group: string, attribute: string): string[] {
  if (
    file.attribute(group, attribute) !== undefined ||
    file.attribute(group, `${attribute}0`) === undefined
  )
    return file.strings(group, attribute)
  const names: string[] = []
  for (let i = 0; file.attribute(group, `${attribute}${i}`) !== undefined; i++)
    names.push(...file.strings(group, `${attribute}${i}`))
  return names
}

/**
 * Whether Keras 2 or 3 wrote the weights below `group`:
 * by its version, else by names like `lstm_1/kernel:0`.
 */
function isLaterGroup(file: H5File, group: string): boolean {
  const version = file.attribute(group, 'keras_version') ?? file.attribute('', 'keras_version')
  if (typeof version === 'string') return /^[23]\./.test(version)
  const [first] = storedLayers(file, group).flatMap((layer) => layer.weights)
  return first?.includes('/') ?? false
}

/**
 * What a file of Keras 2 or 3 says that it was trained on; TensorFlow and CNTK run kernels the same
 * way.
 */
function backendOf(file: H5File, group: string): Backend {
  const said = file.attribute(group, 'backend') ?? file.attribute('', 'backend')
  return said === 'theano' ? 'theano' : 'tensorflow'
}

function storedLayers(file: H5File, group: string): Stored[] {
  return nameListOf(file, group, 'layer_names').map((name) => {
    const place = join(group, name)
    if (!file.hasGroup(place))
      throw formatError(file.path, place, 'group of the layer', 'there', 'nothing')
    return { name, group: place, weights: nameListOf(file, place, 'weight_names') }
  })
}

/** The number in an attribute of a legacy file. */
function count(file: H5File, group: string, name: string): number {
  const value = file.attribute(group, name)
  const n =
    typeof value === 'object' && !Array.isArray(value) && value.length === 1
      ? (value[0] as number)
      : Number.NaN
  if (Number.isInteger(n) && n >= 0 && n <= 1e6) return n
  throw formatError(
    file.path,
    group,
    `attribute ${name}`,
    'a number of things',
    typeof value === 'object' ? `[${value.join(', ').slice(0, 40)}]` : String(value),
  )
}

/** Legacy files: every layer counts, also those without weights. */
function matchLegacy(
  file: H5File,
  group: string,
  layers: readonly Layer[],
  divide: Divide,
): Match[] {
  const n = count(file, group, 'nb_layers')
  if (n !== layers.length) throw layerCount(file, n, layers.length)
  return layers.map((layer, index) => {
    const place = join(group, `layer_${index}`)
    if (!file.hasGroup(place))
      throw formatError(file.path, place, 'group of the layer', 'there', 'nothing')
    const weights = Array.from({ length: count(file, place, 'nb_params') }, (_, p) => `param_${p}`)
    return {
      layer,
      arrays: divide(layer),
      stored: { name: `layer_${index}`, group: place, weights },
      index,
    }
  })
}

function layerCount(file: H5File, saved: number, own: number): FormatError {
  const message = `${file.path}: You are trying to load a weight file containing ${saved} layers into a model with ${own} layers.`
  return new FormatError(
    'ERR_FILE_FORMAT',
    `${message} byName: true takes those whose names agree.`,
    {
      expected: `${own} layers with weights`,
      actual: `${saved}`,
    },
  )
}

function matchByOrder(
  file: H5File,
  group: string,
  layers: readonly Layer[],
  divide: Divide,
): Match[] {
  const own = layers
    .map((layer) => ({ layer, arrays: divide(layer) }))
    .filter(({ arrays }) => arrays.length > 0)
  const saved = storedLayers(file, group).filter((stored) => stored.weights.length > 0)
  if (saved.length !== own.length) throw layerCount(file, saved.length, own.length)
  const byName = new Map(saved.map((stored) => [stored.name, stored]))
  const isNamed = file.attribute(group, BY_NAME) !== undefined
  const agree = isNamed && own.every(({ layer }) => byName.has(layer.name))
  return own.map(({ layer, arrays }, index) => {
    const stored = agree ? byName.get(layer.name)! : saved[index]!
    return { layer, arrays, stored, index }
  })
}

function matchByName(
  file: H5File,
  saved: readonly Stored[],
  layers: readonly Layer[],
  divide: Divide,
): Match[] {
  const matches = saved.flatMap((stored, index) =>
    layers
      .filter((layer) => layer.name === stored.name)
      .map((layer) => ({ layer, arrays: divide(layer), stored, index })),
  )
  if (matches.length === 0) {
    const names = layers.map(({ name }) => name).join(', ')
    const message = `${file.path}: no layer of the file is called as one of the model (${names}); byName has loaded nothing.`
    process.emitWarning(message, { code: 'HIDDENSTATE_BY_NAME' })
  }
  return matches
}

/** Whether array i ends three of cuDNN, where the layer has the three of a recurrent layer. */
function isBiasOfCudnn(
  arrays: readonly FileArray[],
  shapes: readonly (readonly number[] | undefined)[],
  i: number,
) {
  const [recurrent, bias] = [arrays[i - 1], arrays[i]]
  if (i < 2 || !bias?.fused || !isCudnn(shapes.slice(i - 2, i + 1))) return false
  const [units = 0, width = 0] = recurrent?.shape ?? []
  // one bias for four gates, two for three: a GRU without resetAfter cannot be what cuDNN computes
  return (
    shapes[i]?.[0] === 2 * width &&
    bias.shape.at(-1) === width &&
    bias.parts.length === (width === 3 * units ? 2 : 1)
  )
}

/** All layers with weights, each with the one of its class and place. @param saved by Keras 3 */
function matchByClass(
  file: H5File,
  saved: ReadonlyMap<string, Keras3Layer>,
  layers: readonly Layer[],
): Match[] {
  const own = layers
    .map((layer) => ({ layer, arrays: likeKeras2(layer) }))
    .filter(({ arrays }) => arrays.length > 0)
  const filled = [...saved.values()].filter(({ weights }) => weights.length > 0)
  if (filled.length !== own.length) throw layerCount(file, filled.length, own.length)
  const keys = keysOf(
    own.map(({ layer }) => layer),
    saved,
  )
  return own.map((match, index) => {
    const key = keys[index]!
    const stored = saved.get(key)
    if (!stored)
      throw formatError(
        file.path,
        'layers',
        'names',
        `one for ${match.layer.where}, '${key}'`,
        [...saved.keys()].join(', ').slice(0, 200),
      )
    return { ...match, stored, index }
  })
}

/** The arrays that the file must hold for one layer. */
function expectations(file: H5File, { layer, arrays, stored, index }: Match): Expected[] {
  if (stored.weights.length !== arrays.length) {
    const hint = 'consumeLess' in layer.options ? ' Was it saved with another consumeLess?' : ''
    const message =
      `${file.path}: Layer #${index} (named "${layer.name}" in the current model) was found to correspond to layer ${stored.name} ` +
      `in the save file. However the new layer ${layer.name} expects ${arrays.length} weights, ` +
      `but the saved weights have ${stored.weights.length} elements.${hint}`
    throw new FormatError('ERR_FILE_FORMAT', message, {
      layer: layer.where,
      expected: `${arrays.length} arrays (${arrays.map((a) => a.name).join(', ')})`,
      actual: `${stored.weights.length} (${stored.weights.join(', ').slice(0, 400)})`,
    })
  }
  const places = stored.weights.map((name) => join(stored.group, name))
  const shapes = places.map((place) => file.dataset(place)?.shape)
  return arrays.map((array, i) => {
    const path = places[i] as string
    const found = shapes[i]
    if (isBiasOfCudnn(arrays, shapes, i)) return { path, shape: found as number[] }
    const { parts } = array
    const adopts = found && parts.length === 1 && parts[0]?.variable.adopts(found)
    return { path, shape: adopts ? found : storedShape(array, found) }
  })
}

/** Arrays of cuDNN become those of the layers here, in `data`. */
function withoutCudnn(
  arrays: readonly FileArray[],
  expected: readonly Expected[],
  data: H5Data[],
): void {
  const shapes = expected.map(({ shape }) => shape)
  for (const [i, { parts }] of arrays.entries()) {
    if (!isBiasOfCudnn(arrays, shapes, i)) continue
    const [kernel, recurrent, bias] = data.slice(i - 2, i + 1).map((one) => one.data) as [
      Floats,
      Floats,
      Floats,
    ]
    const units = shapes[i - 1]?.[0] as number
    const here = fromCudnn([kernel, recurrent, bias], units, parts.length as 1 | 2)
    for (const [k, numbers] of here.entries())
      data[i - 2 + k] = { shape: arrays[i - 2 + k]!.shape, data: numbers }
  }
}

/**
 * Reads the weights of `layers`: nothing is set before everything was checked and read.
 *
 * @param group where `layer_names` is: '' or 'model_weights'
 * @param byName only layers whose names are in the file, instead of all in order
 * @param backend where they were trained; undefined:
 *   where a file of Keras 2 says, on Theano otherwise
 * @returns what sets the weights, all or none, in steps, and the names of their layers
 * @throws FormatError ERR_FILE_FORMAT
 */
export async function readLayers(
  file: H5File,
  group: string,
  layers: readonly Layer[],
  byName: boolean,
  backend: Backend | undefined,
): Promise<{ set: () => SlicedWork<void>; names: string[] }> {
  const isLegacy = file.attribute(group, 'nb_layers') !== undefined
  if (isLegacy && byName) {
    throw new FormatError(
      'ERR_FILE_FORMAT',
      `${file.path}: The weight file you are trying to load is in a legacy format that does not support name-based weight loading.`,
    )
  }
  const keras3 = isLegacy ? null : layersOfKeras3(file, group)
  const isLater = keras3 !== null || (!isLegacy && isLaterGroup(file, group))
  const trainedOn = backend ?? (isLater ? backendOf(file, group) : 'theano')
  const divide = isLater ? likeKeras2 : likeKeras1
  const matches = isLegacy
    ? matchLegacy(file, group, layers, divide)
    : byName
      ? matchByName(file, keras3 ? [...keras3.values()] : storedLayers(file, group), layers, divide)
      : keras3
        ? matchByClass(file, keras3, layers)
        : matchByOrder(file, group, layers, divide)
  const expected = matches.flatMap((m) => expectations(file, m))
  const data = await file.read(expected)
  const arrays = matches.flatMap((m) => m.arrays)
  withoutCudnn(arrays, expected, data)
  const values = arrays.flatMap(({ parts }, i) => {
    const { data: numbers, shape: whole } = data[i] as H5Data
    return divided(numbers as Floats, whole, parts).map((own, k) => {
      const part = parts[k] as KerasArray
      return asHere(new NDArray(own, parts.length === 1 ? whole : part.shape), part, trainedOn)
    })
  })
  const parts = arrays.flatMap((a) => a.parts)
  return {
    set: () => writingKerasArrays(file.path, parts, values),
    names: [...new Set(matches.map(({ layer }) => layer.name))],
  }
}
