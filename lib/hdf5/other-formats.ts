/** What a file is that is not HDF5, by its first bytes: for the error that refuses it. */

/** How {@link otherFormat} calls what saving/keras3 reads. */
export const KERAS_ZIP = 'a .keras zip'

/** How it calls what saving/tfjs reads. */
export const TFJS_JSON = 'a tfjs model.json'

/** How it calls what saving/torch reads. */
export const SAFETENSORS = 'a safetensors file'
export const PYTORCH = 'a PyTorch file'
export const NPZ = 'a .npz of numpy'

/** How it calls what saving/onnx reads. */
export const ONNX = 'an ONNX file'

/** Bytes from both ends that are looked at. */
const SAMPLE = 2 ** 16

/** Entries of a zip that tell what it is, in the order in which they are looked for. */
const ZIPPED: readonly (readonly [entry: RegExp, what: string])[] = [
  [/model\.weights\.h5|metadata\.json/, KERAS_ZIP],
  [/data\.pkl|\.data\/serialization_id/, PYTORCH],
  [/\.npy/, NPZ],
]

/** First opcode of a pickle of protocol 2 and later, and PyTorch's magic number as one. */
const PICKLE = 0x80
const TORCH_MAGIC = '\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19'

const latin = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)

/** Protocol buffers have no signature: version numbers, then who made it, or a graph. */
const isOnnx = (head: Uint8Array): boolean =>
  head[0] === 0x08 && head[1]! < 32 && [0x12, 0x3a, 0x42].includes(head[2]!)

/** Eight bytes with the length of the JSON that follows. */
function isSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 10 || head[8] !== 0x7b) return false
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true)
  return length > 1n && length <= BigInt(size - 8)
}

function ofText(text: string): string | null {
  if (text.startsWith('version https://git-lfs')) return 'a pointer of Git LFS instead of the file'
  if (/^<(!doctype|html|\?xml)/i.test(text)) return 'a web page'
  if (!text.startsWith('{')) return null
  if (/"modelTopology"|"weightsManifest"|"format"\s*:\s*"(layers|graph)-model"/.test(text))
    return TFJS_JSON
  return 'JSON'
}

/**
 * @param bytes the whole file
 * @returns with an article: 'a PyTorch file'; null when it is nothing that is known here
 */
export function otherFormat(bytes: Uint8Array): string | null {
  const [head, tail] = [bytes.subarray(0, SAMPLE), bytes.subarray(-SAMPLE)]
  const start = latin(head.subarray(0, 8))
  if (start.startsWith('PK\x03\x04')) {
    const names = latin(head) + latin(tail)
    return ZIPPED.find(([entry]) => entry.test(names))?.[1] ?? 'a zip'
  }
  if (start.startsWith('\x1f\x8b')) return 'a gzip file'
  if (latin(head).startsWith(TORCH_MAGIC)) return PYTORCH
  // before pickles: the first byte of a length may be theirs
  if (isSafetensors(head, bytes.length)) return SAFETENSORS
  if (head[0] === PICKLE && head[1]! >= 2 && head[1]! <= 5) return 'a Python pickle'
  if (start.slice(4) === 'TFL3') return 'a TensorFlow Lite file'
  if (start.startsWith('\x93NUMPY')) return 'a .npy of numpy'
  if (isOnnx(head)) return ONNX
  return ofText(
    latin(head)
      .replace(/^\xef\xbb\xbf/, '')
      .trimStart(),
  )
}

export const INTO_ARCHITECTURE =
  'loadModel reads it into the model that is given as `architecture`.'

/** What the user can do with such a file, where there is a way. */
export const HINTS: Readonly<Record<string, string>> = {
  [KERAS_ZIP]: 'loadModel reads it.',
  [TFJS_JSON]: 'loadModel reads it.',
  [ONNX]: 'loadModel reads it.',
  [SAFETENSORS]: INTO_ARCHITECTURE,
  [PYTORCH]: INTO_ARCHITECTURE,
  [NPZ]: INTO_ARCHITECTURE,
  JSON: 'modelFromJson reads an architecture.',
  'a pointer of Git LFS instead of the file': '`git lfs pull` fetches the file.',
}
