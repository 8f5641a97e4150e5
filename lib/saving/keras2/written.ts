/**
 * Configurations of Keras 1.2.2 as Keras 2 writes them: the table of table.ts, the other way round.
 * What Keras 2 or the program that is to read the file has no words for is refused by the name of
 * its layer.
 */
import { ConfigError, fail } from '../../errors.js'
import type { LayerConfig } from '../../layers/base/layer.js'
import { snakeToCamel } from '../../options.js'
import { ANY, type Config, isObject, type Refuse, type Rule, same } from './rule.js'
import { EVERY, TABLE } from './table.js'

/** Who is to read what is written. */
export interface Reader {
  /** What errors call it. */
  readonly title: string
  /** Activations that it has under the same name and meaning. */
  readonly activations: readonly string[]
  /** What an activation that it has not under the same meaning needs, by its name. */
  readonly hints?: Readonly<Record<string, string>>
  /** Classes of the table that it does not have. */
  readonly without: readonly string[]
  /** Whether a setting of a class of Keras 1.2.2 means something that it does not have. */
  readonly lacks?: (name: string, key: string, value: unknown) => boolean
}

const OURS = [
  'elu',
  'exponential',
  'linear',
  'relu',
  'selu',
  'sigmoid',
  'softmax',
  'softplus',
  'softsign',
  'swish',
  'tanh',
]

export const KERAS2: Reader = {
  title: 'Keras 2',
  activations: [...OURS, 'hard_sigmoid'],
  without: [],
}

/** Keras 3.15 keras/src/activations/activations.py, keras/src/layers. */
export const KERAS3: Reader = {
  title: 'Keras 3',
  activations: OURS,
  hints: {
    hard_sigmoid:
      "Keras 3's has another slope, 1/6. Write Keras 2 (format 'keras2'), whose slope is 0.2 as here, or train with 'sigmoid'.",
  },
  without: ['LocallyConnected1D', 'ThresholdedReLU'],
}

/** tfjs 4.22 tfjs-layers/src/activations.ts, layers/recurrent.ts. */
export const TFJS: Reader = {
  title: 'TensorFlow.js',
  activations: [...OURS.filter((name) => name !== 'exponential'), 'hard_sigmoid'],
  without: [
    'ActivityRegularization',
    'Cropping1D',
    'LocallyConnected1D',
    'UpSampling1D',
    'ZeroPadding1D',
    'ZeroPadding2D',
  ],
  lacks: (name, key, value) =>
    (key === 'border_mode' && value === 'causal') ||
    (['reset_after', 'zero_output_for_mask'].includes(key) && value === true) ||
    // its average counts masked steps
    (name === 'GlobalAveragePooling1D' && key === 'accept_mask' && value === true),
}

/** Keras 2's classes by those of Keras 1.2.2; a Merge's by its mode. */
const CLASSES: ReadonlyMap<string, string> = new Map(
  Object.entries(TABLE).flatMap(([later, { as, from, implied }]) => {
    const mode = as === 'Merge' && typeof implied === 'object' ? ` ${implied.mode}` : ''
    const own = from ?? (typeof as === 'string' ? [`${as}${mode}`] : [later])
    return own.map((name): [string, string] => [name, later])
  }),
)

/** @throws ConfigError ERR_OPTION */
export function unwritable(
  where: string,
  { title }: Reader,
  what: string,
  expected: string,
  actual: unknown,
  hint?: string,
): never {
  const isFunction = isObject(actual) && 'expression' in actual
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    layer: where,
    what,
    expected: `${expected}, to be written for ${title}`,
    actual: isFunction ? 'a function' : (JSON.stringify(actual)?.slice(0, 80) ?? 'nothing'),
    hint,
  })
}

function activation(
  value: unknown,
  refuse: (expected: string, hint?: string) => never,
  reader: Reader,
): unknown {
  if (reader.activations.includes(value as string)) return value
  return refuse(`one of ${reader.activations.join(', ')}`, reader.hints?.[String(value)])
}

/** One entry of a configuration in Keras 2's words; null for one that changes nothing. */
function back(
  key: string,
  value: unknown,
  rules: readonly Rule[],
  refuse: Refuse,
  config: Config,
): [key: string, value: unknown] | null {
  for (const { keys = {}, same: kept = [], dropped = {} } of rules) {
    if (kept.includes(key)) return [key, value]
    for (const [later, own] of Object.entries(keys)) {
      if (own === key) return [later, value]
      if (own[0] === key && typeof own === 'object' && own[2])
        return [later, own[2](value, refuse, config)]
    }
    const values = Object.hasOwn(dropped, key) ? dropped[key] : undefined
    if (values === ANY || values?.some((one) => same(one, value))) return null
    if (values) return refuse(values.map((one) => JSON.stringify(one)).join(' or '))
  }
  return refuse('left out')
}

/**
 * A layer as Keras 2 writes it, `{ class_name, config }`.
 *
 * @throws ConfigError ERR_OPTION naming the layer
 */
export function layerToKeras2(
  { class_name: name, config }: LayerConfig,
  reader: Reader,
): LayerConfig {
  const where = `${config.name ?? 'layer'} (${name})`
  const mode = name === 'Merge' ? ` ${config.mode}` : ''
  const later = CLASSES.get(`${name}${mode}`)
  if (later === undefined || reader.without.includes(later))
    return unwritable(
      where,
      reader,
      mode ? 'mode' : 'layer',
      'one that it has',
      mode ? config.mode : name,
    )
  const rule = TABLE[later] as Rule
  const out: Record<string, unknown> = { ...rule.otherwise }
  for (const [key, value] of Object.entries(config)) {
    const refuse = (expected: string, hint?: string): never =>
      unwritable(where, reader, snakeToCamel(key), expected, value, hint)
    if (key === 'mode' && mode) continue
    if (reader.lacks?.(name, key, value)) return refuse('another')
    if (key === 'layer')
      // as TensorFlow 2.13 and later write it: without the module Keras 3 does not find the class
      out.layer = { module: 'keras.layers', registered_name: null, ...layerToKeras2(value, reader) }
    else {
      const own = back(key, value, [rule, EVERY], refuse, config)
      if (own === null || own[1] === undefined) continue
      const isActivation = own[0] === 'activation' || own[0] === 'recurrent_activation'
      out[own[0]] = isActivation ? activation(own[1], refuse, reader) : own[1]
    }
  }
  return { class_name: later, config: { ...out, dtype: out.dtype ?? 'float32' } }
}

/** An input, as Keras 2 and, under another key, Keras 3 write it. */
const input = ({ name, batch_input_shape: shape, input_dtype: dtype }: Config): LayerConfig => ({
  class_name: 'InputLayer',
  config: { batch_input_shape: shape, dtype: dtype ?? 'float32', sparse: false, name },
})

/** A model as Keras 2 writes it, its layers under `layers`. */
export interface LaterModel {
  readonly class_name: 'Sequential' | 'Functional'
  readonly config: Readonly<Record<string, unknown>> & { readonly layers: readonly LayerConfig[] }
}

type GraphLayer = LayerConfig & { name: string; inbound_nodes: unknown[][][] }

/** Masked steps are 0 in the sequences of Keras' Bidirectional, whatever its layers say. */
function checkMasks(layers: readonly LayerConfig[], reader: Reader): void {
  if (reader === TFJS) return
  const makesMask = ({ class_name: name, config }: LayerConfig) =>
    name === 'Masking' || config.mask_zero === true
  if (!layers.some(makesMask)) return
  for (const { class_name: name, config } of layers) {
    const inside = isObject(config.layer) ? (config.layer as Config).config : {}
    const { return_sequences: isSequence, zero_output_for_mask: isZero } = inside as Config
    if (name === 'Bidirectional' && isSequence === true && isZero !== true)
      unwritable(
        `${config.name} (${name})`,
        reader,
        'zeroOutputForMask',
        'true with masks and returnSequences',
        false,
        'Its Bidirectional gives 0 at masked steps, this one the step before. Give the layer inside `zeroOutputForMask: true`.',
      )
  }
}

/**
 * A model as Keras 2 writes it.
 *
 * @param config of a Sequential, a list of layers; of a Model, `{ name, layers, … }`
 * @throws ConfigError ERR_OPTION naming the layer
 */
export function modelToKeras2(config: unknown, reader: Reader): LaterModel {
  if (!Array.isArray(config)) return graphToKeras2(config as Config, reader)
  const list = config as LayerConfig[]
  const [first] = list
  checkMasks(list, reader)
  const layers = list.filter(({ class_name: name }) => name !== 'InputLayer')
  const own = layers.map((layer) => layerToKeras2(layer, reader))
  const shape = first?.config.batch_input_shape
  if (!Array.isArray(shape))
    return unwritable('model', reader, 'inputShape of the first layer', 'said', shape ?? null)
  const inputName =
    first?.class_name === 'InputLayer' ? first.config.name : `${first?.config.name}_input`
  const name = 'sequential'
  return {
    class_name: 'Sequential',
    config: { name, layers: [input({ ...first?.config, name: inputName }), ...own] },
  }
}

function graphToKeras2(config: Config, reader: Reader): LaterModel {
  const { name, layers, input_layers, output_layers } = config
  const list = layers as GraphLayer[]
  checkMasks(list, reader)
  const own = list.map((layer) => ({
    ...(layer.class_name === 'InputLayer' ? input(layer.config) : layerToKeras2(layer, reader)),
    name: layer.name,
    inbound_nodes: layer.inbound_nodes.map((node) => node.map((place) => [...place, {}])),
  }))
  return { class_name: 'Functional', config: { name, layers: own, input_layers, output_layers } }
}
