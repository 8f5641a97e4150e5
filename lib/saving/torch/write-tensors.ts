/** Files of tensors by name that PyTorch reads: safetensors, and the zip of `torch.save`. */
import { joined } from '../../files/joined.js'
import { zipped } from '../../files/zip.js'
import { sizeOf } from '../../ndarray.js'
import { rawBytes, safetensorsOf } from './safetensors.js'
import type { TorchTensor, TorchTensors } from './write-module.js'

const utf8 = new TextEncoder()

/** Types of numbers, as safetensors calls them, and as PyTorch calls their storage. */
const STORAGES = { F64: 'DoubleStorage', F32: 'FloatStorage', I64: 'LongStorage' } as const
type Type = keyof typeof STORAGES

const typeOf = ({ data }: TorchTensor): Type =>
  data === null ? 'I64' : data instanceof Float64Array ? 'F64' : 'F32'

/** Bytes of one tensor, little-endian, as all our platforms are. */
const numbersOf = ({ data }: TorchTensor): Uint8Array =>
  data === null ? new Uint8Array(8) : rawBytes(data)

/** The bytes of a safetensors file. */
export const safetensorsBytes = (tensors: TorchTensors): Uint8Array =>
  safetensorsOf(
    { format: 'pt' },
    new Map(
      Array.from(tensors, ([name, tensor]) => [
        name,
        { dtype: typeOf(tensor), shape: tensor.shape, bytes: numbersOf(tensor) },
      ]),
    ),
  )

// ---- torch.save ----

/** A pickle under construction: cpython Lib/pickletools.py, protocol 2. */
class Pickle {
  readonly #parts: Uint8Array[] = []

  #add(...bytes: readonly number[]): this {
    this.#parts.push(Uint8Array.from(bytes))
    return this
  }
  /** An instruction without an argument. */
  op(text: string): this {
    return this.#add(text.charCodeAt(0))
  }
  text(value: string): this {
    const bytes = utf8.encode(value)
    this.op('X').#int(bytes.length)
    this.#parts.push(bytes)
    return this
  }
  #int(value: number): this {
    return this.#add(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255)
  }
  int(value: number): this {
    return this.op('J').#int(value)
  }
  /** A list of numbers as a tuple. */
  ints(values: readonly number[]): this {
    this.op('(')
    for (const value of values) this.int(value)
    return this.op('t')
  }
  name(module: string, name: string): this {
    this.#parts.push(utf8.encode(`c${module}\n${name}\n`))
    return this
  }
  /** `collections.OrderedDict()`, empty. */
  dictionary(): this {
    return this.name('collections', 'OrderedDict').op(')').op('R')
  }
  bytes(): Uint8Array {
    return joined(Uint8Array, [Uint8Array.of(0x80, 2), ...this.#parts, utf8.encode('.')])
  }
}

/** The `state_dict` as `torch.save` pickles it; each tensor has a storage of its own. */
function pickled(tensors: TorchTensors): Uint8Array {
  const pickle = new Pickle().dictionary().op('(')
  let key = 0
  for (const [name, tensor] of tensors) {
    const { shape } = tensor
    const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
    pickle.text(name).name('torch._utils', '_rebuild_tensor_v2').op('(')
    pickle.op('(').text('storage').name('torch', STORAGES[typeOf(tensor)])
    pickle.text(String(key++)).text('cpu').int(sizeOf(shape)).op('t').op('Q')
    pickle.int(0).ints(shape).ints(strides)
    pickle.op('\x89') // requires_grad: false
    pickle.dictionary().op('t').op('R')
  }
  return pickle.op('u').bytes()
}

/** The bytes of `torch.save(module.state_dict())`. PyTorch 2.13 torch/serialization.py. */
export async function ptBytes(tensors: TorchTensors): Promise<Uint8Array> {
  const files: Record<string, Uint8Array> = {
    'archive/data.pkl': pickled(tensors),
    'archive/byteorder': utf8.encode('little'),
  }
  let key = 0
  for (const tensor of tensors.values()) files[`archive/data/${key++}`] = numbersOf(tensor)
  files['archive/version'] = utf8.encode('3\n')
  return zipped(files) // not packed, as PyTorch maps it
}
