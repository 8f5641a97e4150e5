/** The classes of models that may be inside models, by what files call them. */
import type { Decode, Layer, LayerClass } from '../layers/base/layer.js'
import { layerFromConfig } from '../saving/config.js'

const classes = new Map<string, LayerClass>()

/** Adds a class. */
export function modelClass(Class: unknown): void {
  const { className } = Class as LayerClass
  classes.set(className, Class as LayerClass)
}

/**
 * Makes the layers of a model, and the models inside it.
 *
 * @param shared the layers made so far, where a layer may be written twice
 */
export const modelDecode =
  (shared?: Map<string, Layer>): Decode =>
  (layer, place) =>
    layerFromConfig(layer, { models: classes, ...(shared ? { shared } : {}) }, place)
