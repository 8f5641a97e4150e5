/**
 * Where weights lie in the HDF5 file of Keras 3 (`NAME.weights.h5`, and `model.weights.h5` inside a
 * .keras file). Keras 3.15 keras/src/saving/saving_lib.py.
 *
 *   layers/lstm                  one for each layer, by its class: lstm, lstm_1, lstm_2, …
 *     vars                       @name: the layer's own name (not in the first versions)
 *     cell/vars/0, 1, 2          what the layer holds inside
 */
import { type H5File, formatError } from '../../hdf5/file.js'
import type { Layer } from '../../layers/base/layer.js'

const LAYERS = ['layers', '_layer_checkpoint_dependencies']

/** What a layer holds, in the order of its weights. */
const PARTS = ['vars', 'layer', 'forward_layer', 'backward_layer', 'cell']
/** States of random numbers, which are no weights. */
const NO_WEIGHTS = ['seed_generator']

/** Classes of ours with weights that have another name in Keras 3. */
const CLASSES: Readonly<Record<string, string>> = {
  AtrousConvolution1D: 'Conv1D',
  Convolution1D: 'Conv1D',
  Convolution2D: 'Conv2D',
}

/** As keras/src/utils/naming.py, `to_snake_case`. */
const snakeCase = (name: string): string =>
  name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()

/** The arrays of a layer, as paths below its group, in the order of its weights. */
function arraysOf(file: H5File, group: string): string[] {
  const children = file.children(group)
  const other = children.find((name) => !PARTS.includes(name) && !NO_WEIGHTS.includes(name))
  if (other !== undefined)
    throw formatError(
      file.path,
      `${group}/${other}`,
      'weights of a layer',
      `in ${PARTS.join(', ')}`,
      `'${other}'`,
      'Weights of models and cells inside a layer cannot be read.',
    )
  return PARTS.filter((part) => children.includes(part)).flatMap((part) => {
    if (part !== 'vars') return arraysOf(file, `${group}/${part}`).map((path) => `${part}/${path}`)
    const numbered = file.children(`${group}/vars`).map(Number)
    return numbered.sort((a, b) => a - b).map((number) => `vars/${number}`)
  })
}

/** The arrays of one layer of the file. */
export interface Keras3Layer {
  /** The layer's own name; where the file does not say it, that of its group. */
  name: string
  group: string
  weights: string[]
}

/**
 * The layers below `group`, by the names of their groups; null where Keras 3 did not write them.
 *
 * @throws FormatError ERR_FILE_FORMAT for a model inside a layer
 */
export function layersOfKeras3(file: H5File, group: string): Map<string, Keras3Layer> | null {
  const place = LAYERS.map((name) => (group === '' ? name : `${group}/${name}`)).find((each) =>
    file.hasGroup(each),
  )
  if (place === undefined || file.attribute(group, 'layer_names') !== undefined) return null
  return new Map(
    file.children(place).map((key) => {
      const own = `${place}/${key}`
      const name = file.attribute(`${own}/vars`, 'name')
      const weights = arraysOf(file, own)
      return [key, { name: typeof name === 'string' ? name : key, group: own, weights }]
    }),
  )
}

/**
 * The group of each layer: by its own name where the file has the names of all, else by its class
 * and its place among those of this class.
 */
export function keysOf(
  layers: readonly Layer[],
  saved: ReadonlyMap<string, Keras3Layer>,
): (string | undefined)[] {
  const byName = new Map(Array.from(saved, ([key, { name }]) => [name, key]))
  if (layers.every(({ name }) => byName.has(name)))
    return layers.map(({ name }) => byName.get(name))
  return numbered(layers.map(({ layerClass: { className } }) => CLASSES[className] ?? className))
}

/** The names of groups for layers of these classes: lstm, lstm_1, dense, … */
export function numbered(classes: readonly string[]): string[] {
  const counts = new Map<string, number>()
  return classes.map((className) => {
    const name = snakeCase(className)
    const count = counts.get(name) ?? 0
    counts.set(name, count + 1)
    return count === 0 ? name : `${name}_${count}`
  })
}
