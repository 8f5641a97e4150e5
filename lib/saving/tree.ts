/** Arrays of layers as the tree of an HDF5 file of Keras 2, which weights.ts reads. */
import { H5File } from '../hdf5/file.js'
import type { H5Tree } from '../hdf5/protocol.js'
import type { Floats } from '../native.js'

/** Where the layers are. */
export const TREE_GROUP = 'model_weights'
/** An attribute of that group: layers are found by name, in whatever order they lie. */
export const BY_NAME = 'hiddenstate_by_name'

/** An array of a layer, made when it is asked for. */
export interface LayerArray {
  /** What errors call it. */
  readonly name: string
  readonly shape: readonly number[]
  /** Its numbers in C order: [...shape]. */
  read(): Floats
}

const KERAS2 = { keras_version: '2.0', backend: 'tensorflow' }

/**
 * @param path what errors call the file
 * @param layers names, and arrays in the order of Keras 2; layers in any order
 * @param says what the file says of all of it; default: arrays are those of Keras 2
 */
export function treeOf(
  path: string,
  layers: ReadonlyMap<string, readonly LayerArray[]>,
  says: Readonly<Record<string, string>> = KERAS2,
): H5File {
  const whole = { layer_names: [...layers.keys()], [BY_NAME]: 'true', ...says }
  const groups: H5Tree['groups'] = new Map([
    ['', new Map()],
    [TREE_GROUP, new Map(Object.entries(whole))],
  ])
  const datasets: H5Tree['datasets'] = new Map()
  const arrays = new Map<string, LayerArray>()
  for (const [layer, list] of layers) {
    const group = `${TREE_GROUP}/${layer}`
    groups.set(group, new Map([['weight_names', list.map(({ name }) => name)]]))
    for (const array of list) {
      const place = `${group}/${array.name}`
      arrays.set(place, array)
      datasets.set(place, { shape: [...array.shape], dtype: 'float32', numeric: true })
    }
  }
  return new H5File(path, { groups, datasets }, async (places) =>
    places.map((place) => {
      const { shape, read } = arrays.get(place)!
      return { shape, data: read() }
    }),
  )
}
