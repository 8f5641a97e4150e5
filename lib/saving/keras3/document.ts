/**
 * Documents of Keras 3 as Keras 2 would have written them; the table of keras2/ goes on from there.
 * Keras 3.15 keras/src/saving/serialization_lib.py, keras/src/models/functional.py.
 */
import { fail, FormatError } from '../../errors.js'
import { describe } from '../../ndarray.js'
import { type Config, isObject } from '../keras2/rule.js'
import { ACTIVATIONS } from './activations.js'
import { historyOf, withoutMasks } from './masks.js'

/** Settings of a layer that name an activation. */
const ACTIVATION_KEYS: ReadonlySet<string> = new Set(['activation', 'recurrent_activation'])

/** The class without the module, but with the package that it was registered in. */
function classOf({ class_name: name, registered_name: registered }: Config): unknown {
  return typeof registered === 'string' && registered.includes('>') ? registered : name
}

/**
 * The inputs of one call of a layer as Keras 2 lists them: `[layer, node, output, {}]` each, those
 * of `initial_state` after the others.
 *
 * @throws FormatError ERR_FILE_FORMAT for a call with something else
 */
function inboundNode(node: unknown, where: string): unknown {
  if (!isObject(node)) return node // as Keras 2 writes it
  const inputs: unknown[] = []
  const refuse = (what: string, actual: unknown): never =>
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what,
      expected: 'outputs of layers',
      actual: JSON.stringify(actual)?.slice(0, 80) ?? describe(actual),
      hint: 'Of functional models the layers can be read, not operations between them.',
    })
  const take = (value: unknown, what: string): void => {
    const history = historyOf(value)
    if (history) inputs.push([...history, {}])
    else if (Array.isArray(value)) for (const each of value) take(each, what)
    else refuse(what, value)
  }
  const { args = [], kwargs = {} } = node
  take(args, 'arguments of the call')
  for (const [name, value] of Object.entries(isObject(kwargs) ? kwargs : {})) {
    if (value === null || name === 'training') continue
    if (name === 'initial_state') take(value, name)
    else refuse(`argument ${name} of the call`, value)
  }
  return inputs
}

/** A value of a configuration. @param key its name */
function plain(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((each) => plain(each, key))
  if (!isObject(value)) {
    const isOwn =
      ACTIVATION_KEYS.has(key) && typeof value === 'string' && Object.hasOwn(ACTIVATIONS, value)
    return isOwn ? ACTIVATIONS[value] : value
  }
  if (value.class_name === 'function' && typeof value.config === 'string')
    return plain(value.config, key)
  if (typeof value.class_name !== 'string' || !isObject(value.config)) return plainEntries(value)
  const { name, inbound_nodes: nodes } = value
  return {
    class_name: classOf(value),
    config: plainEntries(value.config),
    ...(name === undefined ? {} : { name }),
    ...(Array.isArray(nodes)
      ? { inbound_nodes: nodes.map((node) => inboundNode(node, `${name} (${value.class_name})`)) }
      : {}),
  }
}

const plainEntries = (config: Config): Config =>
  Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (key === 'input_layers' || key === 'output_layers') return [key, listed(value)]
      const own = key === 'layers' && Array.isArray(value) ? withoutMasks(value) : value
      return [key, plain(own, key)]
    }),
  )

/** `[layer, node, output]`, or a list of them, as a list. */
const listed = (tensors: unknown): unknown =>
  Array.isArray(tensors) && typeof tensors[0] === 'string' ? [tensors] : tensors

/** A model of Keras 3, `{ class_name, config }`. @throws FormatError ERR_FILE_FORMAT */
export const fromKeras3 = (document: Config): Config => plain(document, '') as Config

/**
 * What Keras 3 keeps of `compile`, as Keras 2 writes it into `training_config`.
 *
 * @param compiled `compile_config` of a .keras file, or `training_config` of an .h5 file
 */
export function trainingFromKeras3(compiled: Config): Config {
  const { optimizer, ...rest } = plainEntries(compiled)
  return optimizer === undefined ? rest : { ...rest, optimizer_config: optimizer }
}
