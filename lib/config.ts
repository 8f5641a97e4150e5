/** Layers from configurations; the registry is the namespace of lib/layers/index.ts. */
import { ConfigError, fail, nearest } from './errors.js'
import * as namespace from './layers/index.js'
import { Layer, type LayerClass, type LayerConfig } from './layers/layer.js'
import { describe } from './ndarray.js'

/** The layer classes by Keras' names. */
export const layerClasses: ReadonlyMap<string, LayerClass> = new Map(
  Object.values(namespace)
    .filter((value) => value.prototype instanceof Layer)
    .map((value) => value as unknown as LayerClass)
    .map((value) => [value.className, value]),
)

/** Wrappers in wrappers; more is no network but a trap for the stack. */
const MAX_DEPTH = 32

/**
 * The layer that `{ class_name, config }` describes, with Keras' snake_case keys; layers inside it too.
 * @param where how errors call the place: 'config[2]'
 * @param depth wrappers around it
 * @throws ConfigError `ERR_UNKNOWN_NAME` for an unknown class, `ERR_OPTION` for unknown keys and bad values
 */
export function layerFromConfig(layer: unknown, where = 'layer config', depth = 0): Layer {
  const { class_name: name, config } = (
    typeof layer === 'object' && layer !== null ? layer : {}
  ) as Partial<LayerConfig>
  const Class = typeof name === 'string' ? layerClasses.get(name) : undefined
  if (!Class) {
    const near = typeof name === 'string' ? nearest(name, layerClasses.keys()) : undefined
    fail(ConfigError, 'ERR_UNKNOWN_NAME', {
      where,
      what: 'class_name',
      expected: `one of ${[...layerClasses.keys()].join(', ')}`,
      actual: describe(name),
      hint: near && `Did you mean '${near}'?`,
    })
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: `config of ${name}`,
      expected: 'an object',
      actual: describe(config),
    })
  }
  if (depth > MAX_DEPTH) {
    fail(ConfigError, 'ERR_OPTION', {
      where: where.slice(0, 40),
      what: 'layers inside layers',
      expected: `at most ${MAX_DEPTH} deep`,
      actual: 'more',
    })
  }
  return Class.fromConfig(config, (inner) => layerFromConfig(inner, `${where}.layer`, depth + 1))
}
