/**
 * The layout of a Keras 1.2.2 file, in one place.
 *
 *   /                    @keras_version @model_config @training_config
 *     one ASCII string each; the last two are JSON
 *   model_weights        @layer_names
 *     a save_weights file has this at its root
 *     <layer>            @weight_names    a group for each layer, also for those without weights
 *       <weight>         float32, as `getWeights()`
 *   optimizer_weights    @weight_names    param_0, param_1, …; absent before the first training
 *
 * Lists of names are arrays of byte strings; an empty one is a float64 array of no elements, as
 * h5py writes it. Older files (before Keras 1.0): @nb_layers, groups layer_0, …, each with
 * @nb_params and datasets param_0, ….
 */
import type { H5Attribute } from '../hdf5/protocol.js'

/** The version this package writes, whose layout it follows. */
export const KERAS_VERSION = '1.2.2'

/** HDF5 keeps an attribute of the old format in one message of less than 64 KiB. */
const MAX_ATTRIBUTE_BYTES = 64_000

/** A list of names as an attribute, or null when it has no room in one. */
export function nameList(names: readonly string[]): H5Attribute | null {
  if (names.length === 0) return new Float64Array(0)
  const longest = Math.max(...names.map((name) => new TextEncoder().encode(name).length))
  return (longest + 1) * names.length > MAX_ATTRIBUTE_BYTES ? null : [...names]
}

/** JSON as Python's json.dumps writes it in ASCII, which h5py of Python 2 wants. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
