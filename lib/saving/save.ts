/** `model.save` and `model.saveWeights`: a model is copied when idle, and written in a format. */
import { checkBoolean } from '../call-options.js'
import { resolveOptions } from '../options.js'
import { copyFor, type FormatName, type Part } from './formats.js'
import type { SavableModel } from './savable.js'

/** Options of `model.save` and `model.saveWeights`. */
export interface SaveOptions {
  /** False: an existing file is an error. Default `true`: it is replaced, in one step. */
  overwrite?: boolean | undefined
  /**
   * What to write. Default: by the ending of the path (docs/interop.md); `'keras1'` for one that no
   * format has.
   */
  format?: FormatName | undefined
}

async function write(
  call: string,
  model: SavableModel,
  part: Part,
  path: string,
  options: SaveOptions | undefined,
): Promise<void> {
  const defaults = { overwrite: true, format: undefined as FormatName | undefined }
  const { overwrite, format } = resolveOptions(call, defaults, options)
  checkBoolean(call, 'overwrite', overwrite)
  const copy = copyFor(call, path, { parts: [part], format, otherwise: 'keras1' })
  const writeCopy = await model.whenIdle(call, () => copy(model))
  await writeCopy(path, { overwrite })
}

/**
 * Writes architecture, weights, training configuration and the optimizer's state into one file, as
 * far as its format holds them: all of it into an `.h5` file that Keras 1.2.2 opens. The model is
 * copied when no batch of it runs; training may go on while the file is written.
 *
 * The same model gives the same bytes.
 *
 * @param path the file appears whole or not at all
 * @throws ConfigError ERR_OPTION for an existing file with `overwrite: false`, for a path that
 *   names a format which holds no models (`.json`, `.npz`, …), and for what the format has no words
 *   for, by the layer's name; FormatError ERR_FILE_SYSTEM when it cannot be written
 * @see keras.models.save_model
 */
export const saveModel = (
  model: SavableModel,
  path: string,
  options?: SaveOptions,
): Promise<void> => write('save', model, 'model', path, options)

/**
 * Writes the weights alone.
 *
 * @throws as {@link saveModel}
 * @see keras.models.Sequential.save_weights
 */
export const saveWeights = (
  model: SavableModel,
  path: string,
  options?: SaveOptions,
): Promise<void> => write('saveWeights', model, 'weights', path, options)
