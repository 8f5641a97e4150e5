/** The .keras file of Keras 3, and of Keras 2 from 2.12 on: a zip of JSON and an HDF5 file. */
import { FormatError } from '../../errors.js'
import { entries, unzipped } from '../../files/zip.js'
import { formatError } from '../../hdf5/file.js'
import type { ResolvedLimits } from '../../limits.js'
import type { Config } from '../keras2/rule.js'
import { jsonObject } from '../training.js'

export const CONFIG = 'config.json'
export const METADATA = 'metadata.json'
export const WEIGHTS = 'model.weights.h5'

/** What a .keras file holds. */
export interface Archive {
  /** `{ class_name, config, compile_config, … }`. */
  config: Config
  /** The version of the Keras that wrote it, where it says so. */
  version: unknown
  /** An HDF5 file. */
  weights: Uint8Array<ArrayBuffer>
}

const json = (path: string, name: string, bytes: Uint8Array, limits: ResolvedLimits): Config =>
  jsonObject(path, name, new TextDecoder().decode(bytes), limits)

/**
 * The parts of a .keras file.
 *
 * @throws FormatError ERR_FILE_FORMAT for a zip that is damaged or lacks a part, ERR_LIMIT before
 *   anything is unpacked that is larger than `limits` allow
 */
export async function readArchive(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Promise<Archive> {
  const names = [CONFIG, METADATA, WEIGHTS]
  let files: Record<string, Uint8Array>
  try {
    await entries(path, bytes, (name) => names.includes(name), limits)
    files = await unzipped(bytes, ({ name }) => names.includes(name))
  } catch (error) {
    if (error instanceof FormatError) throw error
    const { message } = error as Error
    throw formatError(path, '', 'file', 'a .keras zip that is whole', `a damaged one (${message})`)
  }
  const { [CONFIG]: config, [METADATA]: metadata, [WEIGHTS]: weights } = files
  const missing = config === undefined ? CONFIG : weights === undefined ? WEIGHTS : null
  if (missing !== null)
    throw formatError(path, '', 'zip', `a .keras file with ${missing}`, 'one without it')
  return {
    config: json(path, CONFIG, config!, limits),
    version: metadata && json(path, METADATA, metadata, limits).keras_version,
    weights: weights!.slice(), // memory of its own, to be moved to a worker
  }
}
