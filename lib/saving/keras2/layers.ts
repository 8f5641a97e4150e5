/**
 * Configurations that Keras 2 wrote, as those of Keras 1.2.2 for the same layers. Plain data in, plain data out.
 *
 * The differences of a class are its entry in table.ts. What Keras 1.2.2 cannot say must have a value at which it changes nothing;
 * everything else is an error that names layer and key.
 */
import { fail, FormatError } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { type Config, isObject, named, type Rule, translated } from './rule.js'
import { EVERY, TABLE } from './table.js'

function layerFromKeras2(layer: unknown, where: string): { class_name: string; config: Config } {
  const { class_name: name, config } = isObject(layer) ? layer : {}
  if (typeof name !== 'string' || !isObject(config)) {
    const actual = describe(layer)
    return fail(FormatError, 'ERR_FILE_FORMAT', { where, what: 'layer', expected: '{ class_name, config }', actual })
  }
  const called = typeof config.name === 'string' ? `${config.name} (${name})` : `${where} (${name})`
  const rule: Rule = Object.hasOwn(TABLE, name) ? (TABLE[name] as Rule) : {}
  const out: Record<string, unknown> = { ...rule.implied }
  for (const [key, value] of Object.entries(config)) {
    const own = translated(key, value, [rule, EVERY], { where: called, layer: called })
    if (key === 'layer') out.layer = layerFromKeras2(value, `${where}.layer`)
    else if (own) out[own[0]] = own[1]
  }
  return { class_name: rule.as ?? name, config: withPrecision(out) }
}

/** Keras 2's dtype is the input's where there is one; of the weights, Keras 1.2.2 has to be told where they are float64. */
function withPrecision({ dtype, ...config }: Record<string, unknown>): Config {
  return {
    ...config,
    ...('batch_input_shape' in config && dtype !== undefined ? { input_dtype: dtype } : {}),
    ...(dtype === 'float64' ? { dtype } : {}),
  }
}

/** Whether a document is of Keras 2: by its version, or by what only Keras 2 writes. */
export function isKeras2(version: unknown, config: unknown): boolean {
  if (typeof version === 'string') return /^2\./.test(version)
  return isObject(config) && 'layers' in config
}

/**
 * The layers of Keras 2's Sequential as Keras 1.2.2 lists them. An InputLayer becomes the input shape of the layer after it.
 *
 * @param config a list of layers, or `{ name, layers }`
 * @throws FormatError ERR_FILE_FORMAT naming layer and key
 */
export function layersFromKeras2(config: unknown, where: string): unknown[] {
  const list = isObject(config) ? config.layers : config
  if (!Array.isArray(list)) {
    const actual = describe(list)
    return fail(FormatError, 'ERR_FILE_FORMAT', { where, what: 'config', expected: 'a list of layers', actual })
  }
  const [input] = list.map(named)
  if (input?.[0] !== 'InputLayer') return list.map((layer, i) => layerFromKeras2(layer, `config[${i}]`))
  const shape = input[1].batch_input_shape ?? input[1].batch_shape
  const [first, ...rest] = list.slice(1)
  const config1 = isObject(first) && isObject(first.config) ? first.config : {}
  const shaped = isObject(first) ? { ...first, config: { batch_input_shape: shape, ...config1 } } : first
  return [shaped, ...rest].map((layer, i) => layerFromKeras2(layer, `config[${i + 1}]`))
}
