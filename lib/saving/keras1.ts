/** Models and weights as Keras 1.2.2 writes them (layout.ts). */
import { H5Builder } from '../hdf5/file.js'
import { asciiJson, KERAS_VERSION } from './layout.js'
import type { SavableModel } from './savable.js'
import { writeTraining } from './training.js'
import { writeLayers } from './weights.js'

/** Copies of all that a file of Keras 1 holds of a model. In `whenIdle` only. */
export function modelContent(model: SavableModel): H5Builder {
  const content = new H5Builder()
  const root = content.group('')
  root.set('keras_version', KERAS_VERSION)
  const { className } = model.layerClass
  root.set('model_config', asciiJson({ class_name: className, config: model.getConfig() }))
  writeLayers(content, 'model_weights', model.flattenedLayers)
  if (model.compiled)
    writeTraining(content, model.compiled, model.optimizerWeights(), model.runner.counts)
  return content
}

/** Copies of the weights alone. In `whenIdle` only. */
export function weightsContent({ flattenedLayers }: SavableModel): H5Builder {
  const content = new H5Builder()
  writeLayers(content, '', flattenedLayers)
  return content
}
