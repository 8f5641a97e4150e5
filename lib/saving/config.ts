/** Layers from configurations; the registry is the namespace of lib/layers/index.ts. */
import { ConfigError, fail, nearest } from '../errors.js'
import { cellClassOf } from '../layers/define-cell.js'
import { definedClassOf } from '../layers/define-layer.js'
import * as namespace from '../layers/index.js'
import { type Decode, Layer, type LayerClass, type LayerConfig } from '../layers/base/layer.js'
import { takeClassNames } from '../layers/base/class-names.js'
import { from, spelling } from '../layers/base/origin.js'
import { describe } from '../ndarray.js'

/** Most levels of layers inside layers: deeper ones are no network, but a trap for the stack. */
const MAX_DEPTH = 32

/**
 * Letters that may differ for a hint at another class:
 * in files, names that differ by more are other classes.
 */
const MISTYPED = 2

/** Kinds of models that cannot be read, by their Keras class. */
const OTHER_MODELS: Readonly<Record<string, string>> = {
  Graph: 'a graph model of Keras 0',
}

/** What errors say of a class that is a model which cannot be read; undefined for any other. */
export function otherModel(name: unknown): { actual: string; hint: string } | undefined {
  const kind =
    typeof name === 'string' && Object.hasOwn(OTHER_MODELS, name) ? OTHER_MODELS[name] : undefined
  const hint =
    'Sequential and functional models can be read: build it anew as one of them, and use loadWeights.'
  return kind === undefined ? undefined : { actual: `'${name}', ${kind}`, hint }
}

/** The layer classes by Keras' names. */
export const layerClasses: ReadonlyMap<string, LayerClass> = new Map(
  Object.values(namespace)
    .filter((value) => value.prototype instanceof Layer)
    .map((value) => value as unknown as LayerClass)
    .map((value) => [value.className, value]),
)

takeClassNames(layerClasses.keys())

/** What the reading of a layer's configuration may use. */
export interface Decoding {
  /** The classes of models inside models, by Keras' names; default: none, there are none. */
  readonly models?: ReadonlyMap<string, LayerClass>
  /** How many layers the layer is inside; default 0. */
  readonly depth?: number
  /**
   * Layers made so far: a layer that is in two places
   * of a model is written twice and made once. Default: none.
   */
  readonly shared?: Map<string, Layer>
}

/**
 * The layer that `{ class_name, config }` describes, with Keras' snake_case keys;
 * layers inside it too.
 * @param where how errors call the place: 'config[2]'
 * @throws ConfigError `ERR_UNKNOWN_NAME` for an unknown class,
 *   `ERR_OPTION` for unknown keys and bad values
 */
export function layerFromConfig(
  layer: unknown,
  { models, depth = 0, shared }: Decoding = {},
  where = 'layer config',
): Layer {
  const {
    class_name: name,
    config,
    origin,
  } = (typeof layer === 'object' && layer !== null ? layer : {}) as Partial<LayerConfig>
  const title = typeof config === 'object' && typeof config?.name === 'string' ? config.name : where
  const called = `${title} (${origin?.className ?? (typeof name === 'string' ? name.slice(0, 80) : '?')})`
  const Class =
    typeof name === 'string'
      ? (models?.get(name) ??
        layerClasses.get(name) ??
        cellClassOf(name, config) ??
        definedClassOf(name, config))
      : undefined
  if (!Class) {
    const near = typeof name === 'string' ? nearest(name, layerClasses.keys(), MISTYPED) : undefined
    fail(ConfigError, 'ERR_UNKNOWN_NAME', {
      where: title === where ? where : `${where} '${title}'`,
      what: 'class_name',
      expected: `one of ${[...layerClasses.keys()].join(', ')}`,
      actual: describe(name),
      hint: near && `Did you mean '${near}'?`,
      ...otherModel(name),
    })
  }
  const isList = Array.isArray(config)
  const wantsList = Class.configIsList === true
  if (typeof config !== 'object' || config === null || isList !== wantsList) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: `config of ${name}`,
      expected: wantsList ? 'a list of layers' : 'an object',
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
  const isModel = typeof name === 'string' && models?.has(name) === true
  // as in Keras' Sequential.from_config, whose layer_cache goes by names
  const key = !isList && typeof config.name === 'string' ? JSON.stringify([name, config]) : null
  const known = key === null ? undefined : shared?.get(key)
  if (known) return known
  const decode: Decode = (inner, place = 'layer') => {
    // a chain has a cache of its own; a graph says itself what is shared
    const cache = isList ? (shared ?? new Map<string, Layer>()) : isModel ? undefined : shared
    const decoding = {
      ...(models ? { models } : {}),
      ...(cache ? { shared: cache } : {}),
      depth: depth + 1,
    }
    return layerFromConfig(inner, decoding, `${where}.${place}`)
  }
  const keys = origin?.keys ?? {}
  const own = spelling(config)
  const spelled = (option: string): string => keys[own(option)] ?? own(option)
  const made = from({ where: called, spelled }, () => Class.fromConfig(config, decode))
  if (key !== null) shared?.set(key, made)
  return made
}
