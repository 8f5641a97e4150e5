/** Reads the configurations of wrappers: layers around a layer. */
import { ConfigError, fail } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { type Decode, Layer, type LayerClass } from './layer.js'

/**
 * {@link Layer.fromConfig} for layers with `layer: { class_name, config }` in their configuration.
 */
export function wrapperFromConfig(this: LayerClass, config: object, decode: Decode): Layer {
  const { layer } = config as { layer?: unknown }
  if (typeof layer !== 'object' || layer === null) {
    fail(ConfigError, 'ERR_OPTION', {
      where: this.className,
      what: 'layer',
      expected: '{ class_name, config }',
      actual: describe(layer),
    })
  }
  return Layer.fromConfig.call(this, { ...config, layer: decode(layer) }, decode)
}
