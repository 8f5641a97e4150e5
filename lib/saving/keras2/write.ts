/** Models as Keras 2 writes them into HDF5 files. tf.keras 2.15 saving/legacy/hdf5_format.py. */
import { H5Builder } from '../../hdf5/file.js'
import type { LayerConfig } from '../../layers/base/layer.js'
import { asciiJson } from '../layout.js'
import type { SavableModel } from '../savable.js'
import { writeArrays, writeNames } from '../weights.js'
import { trainingToKeras2 } from './training-out.js'
import { arraysOf, type LaterArray } from './weights-out.js'
import { KERAS2, type LaterModel, modelToKeras2, type Reader } from './written.js'

/** The version whose layout is written. */
export const KERAS2_VERSION = '2.15.0'

/** A model as Keras 2 has it, with copies of its weights. */
export interface Later {
  readonly document: LaterModel
  readonly layers: readonly { readonly written: LayerConfig; readonly arrays: LaterArray[] }[]
}

/** @throws ConfigError ERR_OPTION naming the layer that `reader` cannot have */
export function laterModel(model: SavableModel, reader: Reader): Later {
  const document = modelToKeras2(model.getConfig(), reader)
  const byName = new Map(model.flattenedLayers.map((layer) => [layer.name, layer]))
  const layers = document.config.layers.map((written) => {
    const layer = byName.get(String(written.config.name))
    return { written, arrays: layer ? arraysOf(layer, written) : [] }
  })
  return { document, layers }
}

/** Copies of all that a file of Keras 2 holds of a model. In `whenIdle` only. */
export function keras2Content(model: SavableModel): H5Builder {
  const { document, layers } = laterModel(model, KERAS2)
  const content = new H5Builder()
  const versions: [string, string][] = [
    ['backend', 'tensorflow'],
    ['keras_version', KERAS2_VERSION],
  ]
  const root = content.group('')
  for (const [key, value] of versions) root.set(key, value)
  root.set('model_config', asciiJson(document))
  const training = trainingToKeras2(model.compiled, KERAS2)
  if (training) root.set('training_config', asciiJson(training))
  const names = layers.map(({ written }) => String(written.config.name))
  writeNames(content, 'model_weights', 'layer_names', names)
  for (const [key, value] of versions) content.group('model_weights').set(key, value)
  for (const [i, { arrays }] of layers.entries()) {
    const own = arrays.map(({ name, value }) => ({ name: `${names[i]}/${name}:0`, value }))
    writeArrays(content, `model_weights/${names[i]}`, own)
  }
  return content
}
