/**
 * Configurations that Keras 2 wrote, as those of Keras 1.2.2 for the same layers. Plain data in,
 * plain data out.
 *
 * The differences of a class are its entry in table.ts. A setting that Keras 1.2.2 does not have
 * must have a value at which it changes nothing; any other is an error that names layer and key.
 */
import { layerClasses } from '../config.js'
import { fail, FormatError } from '../../errors.js'
import type { LayerConfig } from '../../layers/base/layer.js'
import { describe } from '../../ndarray.js'
import { bare, type Config, isObject, type Rule, translated } from './rule.js'
import { EVERY, TABLE } from './table.js'

/**
 * The class without the package that it was registered in, where it is one of ours: 'Custom>LSTM'
 * is taken for LSTM.
 */
function classOf(name: string, called: string): string {
  const own = bare(name)
  if (own === name || !(Object.hasOwn(TABLE, own) || layerClasses.has(own))) return name
  process.emitWarning(
    `${called}: a class that was registered as '${name}' is taken for Keras' own ${own}.`,
    {
      code: 'HIDDENSTATE_KERAS2',
    },
  )
  return own
}

function layerFromKeras2(layer: unknown, where: string): LayerConfig {
  const { class_name: registered, config } = isObject(layer) ? layer : {}
  if (registered === 'Sequential')
    return { class_name: registered, config: layersFromKeras2(config, where) }
  if ((registered === 'Functional' || registered === 'Model') && isObject(config))
    return { class_name: 'Model', config: graphFromKeras2(config, where) }
  if (typeof registered !== 'string' || !isObject(config)) {
    const actual = describe(layer)
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what: 'layer',
      expected: '{ class_name, config }',
      actual,
    })
  }
  const called = `${typeof config.name === 'string' ? config.name : where} (${registered.slice(0, 80)})`
  const name = classOf(registered, called)
  const rule: Rule = Object.hasOwn(TABLE, name) ? (TABLE[name] as Rule) : {}
  const implied = [EVERY, rule].map(({ implied: own }) =>
    typeof own === 'function' ? own(config) : own,
  )
  const out: Record<string, unknown> = Object.assign({}, ...implied)
  const as = typeof rule.as === 'function' ? rule.as(config) : rule.as
  const keys: Record<string, string> = {}
  for (const [key, value] of Object.entries(config)) {
    const own = translated(key, value, [rule, EVERY], { where: called, layer: called }, config)
    if (key === 'layer') out.layer = layerFromKeras2(value, `${where}.layer`)
    else if (own && own[1] !== undefined) {
      out[own[0]] = own[1]
      keys[own[0]] = key
    }
  }
  return {
    class_name: as ?? name,
    config: withPrecision(
      Object.fromEntries(Object.entries(out).filter(([, value]) => value !== undefined)),
    ),
    origin: { className: registered, keys },
  }
}

/**
 * Keras 2's dtype becomes the input's where there is one;
 * float64 is also kept as that of the weights.
 */
function withPrecision({ dtype, ...config }: Record<string, unknown>): Config {
  return {
    ...config,
    ...('batch_input_shape' in config && dtype !== undefined ? { input_dtype: dtype } : {}),
    ...(dtype === 'float64' ? { dtype } : {}),
  }
}

/**
 * Drops the batch size that Keras 2 happened to see,
 * unless the model is stateful and depends on it.
 */
function anyBatch(shape: unknown, layers: readonly unknown[]): unknown {
  const isStateful = JSON.stringify(layers).includes('"stateful":true')
  return Array.isArray(shape) && !isStateful ? [null, ...shape.slice(1)] : shape
}

/**
 * The layers of Keras 2's Sequential as Keras 1.2.2 lists them. A model that was given its input
 * later (`build_input_shape`) begins with an InputLayer, as those that Keras 2 made with one.
 *
 * @param config a list of layers, or `{ name, layers }`
 * @throws FormatError ERR_FILE_FORMAT naming layer and key
 */
export function layersFromKeras2(config: unknown, where: string): LayerConfig[] {
  const { layers: list, build_input_shape: built } = isObject(config) ? config : { layers: config }
  if (!Array.isArray(list)) {
    const actual = describe(list)
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what: 'config',
      expected: 'a list of layers',
      actual,
    })
  }
  const layers = list.map((layer, i) => layerFromKeras2(layer, `config[${i}]`))
  const [first] = layers
  if (first?.class_name === 'InputLayer') {
    const shape = anyBatch(first.config.batch_input_shape, list)
    return [{ ...first, config: { ...first.config, batch_input_shape: shape } }, ...layers.slice(1)]
  }
  if (!Array.isArray(built)) return layers
  return [
    { class_name: 'InputLayer', config: { batch_input_shape: anyBatch(built, list) } },
    ...layers,
  ]
}

/**
 * Keras 2's functional model as Keras 1.2.2 writes one.
 *
 * @param config `{ name, layers, input_layers, output_layers }`
 * @throws FormatError ERR_FILE_FORMAT naming layer and key
 */
export function graphFromKeras2(config: Config, where: string): Record<string, unknown> {
  const { layers: list } = config
  if (!Array.isArray(list)) {
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what: 'layers',
      expected: 'a list',
      actual: describe(list),
    })
  }
  const { name, input_layers, output_layers } = config
  const layers = list.map((layer, i) => {
    const {
      name: own,
      inbound_nodes,
      class_name: kind,
      config: given,
    } = isObject(layer) ? layer : {}
    const called = { name: own, inbound_nodes }
    if (kind !== 'InputLayer' || !isObject(given))
      return { ...called, ...layerFromKeras2(layer, `layers[${i}]`) }
    const input = {
      name: given.name,
      batch_input_shape: anyBatch(given.batch_input_shape ?? given.batch_shape, list),
      ...(typeof given.dtype === 'string' ? { input_dtype: given.dtype } : {}),
    }
    return { ...called, class_name: kind, config: input }
  })
  return { name, layers, input_layers, output_layers }
}
