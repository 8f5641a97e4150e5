/** Reads what a document is: which Keras wrote it, and whether it is a chain or a graph. */
import { otherModel } from './config.js'
import { fail, FormatError } from '../errors.js'
import { HINTS } from '../hdf5/other-formats.js'
import { describe } from '../ndarray.js'
import { graphFromKeras2, layersFromKeras2 } from './keras2/layers.js'
import { isObject } from './keras2/rule.js'
import { fromKeras3 } from './keras3/document.js'

/** Of Keras: the first number of its version. */
export type Generation = 1 | 2 | 3

/** Which Keras wrote the document: by its version, or by keys that only later ones write. */
function generation(version: unknown, document: Record<string, unknown>): Generation {
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
  /** Which Keras wrote it. */
  readonly keras: Generation
}

/**
 * The model in a document.
 *
 * @param document `{ class_name, config }`
 * @param version of the Keras that wrote it, where the document itself does not say
 * @throws FormatError ERR_FILE_FORMAT for models of other kinds
 */
export function modelDocument(where: string, document: unknown, version?: unknown): ModelDocument {
  const written = isObject(document) ? document : {}
  const refuse = (what: string, expected: string, actual: string, hint?: string): never =>
    fail(FormatError, 'ERR_FILE_FORMAT', { where, what, expected, actual, hint })
  const keras = generation(written.keras_version ?? version, written)
  const given = keras === 3 ? fromKeras3(written) : written
  const { class_name: name, config } = given
  if ('modelTopology' in given) {
    return refuse('document', 'a model of Keras', 'a tfjs model.json', HINTS['a tfjs model.json'])
  }
  if (name === 'Model' || name === 'Functional') {
    if (!isObject(config)) return refuse('config', '{ name, layers }', describe(config))
    const isLater = keras > 1
    const read = isLater ? graphFromKeras2(config, where) : config
    return { className: 'Model', config: read, keras }
  }
  if (name !== 'Sequential') {
    const { actual, hint } = otherModel(name) ?? { actual: describe(name) }
    return refuse('class_name', "'Sequential' or 'Model'", actual, hint)
  }
  if (keras > 1) return { className: 'Sequential', config: layersFromKeras2(config, where), keras }
  if (!Array.isArray(config)) return refuse('config', 'a list of layers', describe(config))
  return { className: 'Sequential', config, keras }
}
