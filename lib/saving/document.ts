/** Reads what a document is: which Keras wrote it, and whether it is a chain or a graph. */
import { otherModel } from './config.js'
import { fail, FormatError } from '../errors.js'
import { HINTS } from '../hdf5/other-formats.js'
import { describe } from '../ndarray.js'
import { graphFromKeras2, layersFromKeras2 } from './keras2/layers.js'
import { isObject } from './keras2/rule.js'

/** Which Keras wrote the document: by its version, or by keys that only later ones write. */
function generation(version: unknown, document: Record<string, unknown>): 1 | 2 | 3 {
  if (typeof version === 'string')
    return version.startsWith('2.') ? 2 : /^[3-9]\./.test(version) ? 3 : 1
  if ('module' in document || 'registered_name' in document) return 3
  const { class_name: name, config } = document
  if (!isObject(config) || !('layers' in config)) return 1
  return name === 'Model' && !JSON.stringify(config.layers)?.includes('"dtype":') ? 1 : 2
}

/** A model of a document, as Keras 1.2.2 writes it. */
export interface ModelDocument {
  readonly className: 'Sequential' | 'Model'
  /** Of a Sequential, a list of layers; of a Model, `{ name, layers, … }`. */
  readonly config: readonly unknown[] | Readonly<Record<string, unknown>>
  readonly keras2: boolean
}

/**
 * The model in a document.
 *
 * @param document `{ class_name, config }`
 * @param version of the Keras that wrote it, where the document itself does not say
 * @throws FormatError ERR_FILE_FORMAT for a file of Keras 3 and for models of other kinds
 */
export function modelDocument(where: string, document: unknown, version?: unknown): ModelDocument {
  const given = isObject(document) ? document : {}
  const refuse = (what: string, expected: string, actual: string, hint?: string): never =>
    fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual, hint })
  const { class_name: name, config, keras_version: own } = given
  const keras = generation(own ?? version, given)
  if (keras === 3) {
    const said = own ?? version
    const actual = `a Keras 3 file${typeof said === 'string' ? ` (keras_version ${said.slice(0, 20)})` : ''}`
    return refuse(
      'model',
      'of Keras 1 or 2',
      actual,
      'Keras 3 has other layers and another layout of weights.',
    )
  }
  if ('modelTopology' in given) {
    return refuse('document', 'a model of Keras', 'a tfjs model.json', HINTS['a tfjs model.json'])
  }
  if (name === 'Model' || name === 'Functional') {
    if (!isObject(config)) return refuse('config', '{ name, layers }', describe(config))
    const isLater = keras === 2
    const read = isLater ? graphFromKeras2(config, where) : config
    return { className: 'Model', config: read, keras2: isLater }
  }
  if (name !== 'Sequential') {
    const { actual, hint } = otherModel(name) ?? { actual: describe(name) }
    return refuse('class_name', "'Sequential' or 'Model'", actual, hint)
  }
  if (keras === 2)
    return { className: 'Sequential', config: layersFromKeras2(config, where), keras2: true }
  if (!Array.isArray(config)) return refuse('config', 'a list of layers', describe(config))
  return { className: 'Sequential', config, keras2: false }
}
