/** Files of tensors by name, without a model. */
import { unzipNpy, npyArray, npyHeader } from '../../files/npy.js'
import { formatError } from '../../hdf5/file.js'
import { NPZ, PYTORCH, SAFETENSORS } from '../../hdf5/other-formats.js'
import type { ResolvedLimits } from '../../limits.js'
import { readPt } from './pt.js'
import { MODEL_KEY, readSafetensors } from './safetensors.js'
import type { Tensors } from './tensor.js'

const NOT_NEEDED = 'Leave `architecture` out.'

/** The arrays of a .npz of NumPy. */
async function readNpzTensors(
  path: string,
  bytes: Uint8Array,
  limits: ResolvedLimits,
): Promise<Tensors> {
  const arrays = await unzipNpy(path, bytes, limits)
  return new Map(
    Array.from(arrays, ([name, file]) => {
      const where = `${path}: ${name.slice(0, 200)}`
      const { shape, descr } = npyHeader(file, where)
      const read = () => {
        const { data } = npyArray(file, where)
        return data instanceof Float64Array ? data : Float32Array.from(data)
      }
      return [name, { shape, dtype: descr, read }] as const
    }),
  )
}

/**
 * @param format as otherFormat() calls it
 * @throws FormatError ERR_FILE_FORMAT for a file of another format, and a damaged one; ERR_LIMIT
 */
export async function readTensors(
  path: string,
  bytes: Uint8Array,
  format: string | null,
  limits: ResolvedLimits,
): Promise<Tensors> {
  if (format === SAFETENSORS) {
    const { metadata, tensors } = readSafetensors(path, bytes, limits)
    if (metadata && MODEL_KEY in metadata)
      throw formatError(path, '', 'file', 'one of weights alone', 'a whole model', NOT_NEEDED)
    return tensors
  }
  if (format === PYTORCH) return readPt(path, bytes, limits)
  if (format === NPZ) return readNpzTensors(path, bytes, limits)
  throw formatError(
    path,
    '',
    'file',
    'one of weights alone (safetensors, PyTorch, .npz), for which `architecture` is',
    format ?? 'another',
  )
}
