/** Keras' InputLayer: here the first layer of a model knows its input itself. */
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'

type Config = Readonly<Record<string, unknown>>

const partsOf = (layer: unknown): { class_name?: unknown; config?: unknown } =>
  typeof layer === 'object' && layer !== null ? layer : {}

/**
 * The layer with that input shape, unless it has one itself; in a model, its first layer gets it.
 */
function withInput(layer: unknown, input: Config): unknown {
  const { class_name: name, config } = partsOf(layer)
  if (Array.isArray(config)) {
    const [first, ...rest] = config
    const isInput = partsOf(first).class_name === 'InputLayer'
    return isInput || first === undefined
      ? layer
      : { ...partsOf(layer), class_name: name, config: [withInput(first, input), ...rest] }
  }
  if (typeof config !== 'object' || config === null) return layer // told when the layer is made
  return { ...partsOf(layer), config: { ...input, ...config } }
}

/**
 * The layers of a configuration without an InputLayer in front:
 * the layer after it gets its shape and type.
 *
 * @throws ConfigError ERR_OPTION for one without a shape, one for sparse input, and one with
 *   nothing after it
 */
export function withoutInputLayer(layers: readonly unknown[]): readonly unknown[] {
  const { class_name: name, config } = partsOf(layers[0])
  if (name !== 'InputLayer') return layers
  const { batch_input_shape, input_dtype, sparse = false } = (config ?? {}) as Config
  const where = `${(config as Config | undefined)?.name ?? 'config[0]'} (InputLayer)`
  const refuse = (what: string, expected: string, actual: string): never =>
    fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual })
  if (!Array.isArray(batch_input_shape))
    refuse('batch_input_shape', 'a list', describe(batch_input_shape))
  if (sparse !== false) refuse('sparse', 'false', describe(sparse))
  const [first, ...rest] = layers.slice(1)
  if (first === undefined) refuse('InputLayer', 'followed by a layer', 'the only one')
  return [withInput(first, { batch_input_shape, ...(input_dtype ? { input_dtype } : {}) }), ...rest]
}
