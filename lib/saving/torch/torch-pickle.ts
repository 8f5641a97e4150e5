/**
 * The names in pickles of `torch.save`: tensors as places in storages that lie outside of the
 * pickle. PyTorch 2.13 torch/_utils.py, torch/serialization.py.
 */
import { NUMPY } from '../../files/numpy-pickle.js'
import { type Item, Made, Name, Part, type Refuse, type Vocabulary } from '../../files/pickle.js'
import type { Stored } from './tensor.js'

const STORAGES: Readonly<Record<string, Stored>> = {
  'torch DoubleStorage': 'F64',
  'torch FloatStorage': 'F32',
  'torch HalfStorage': 'F16',
  'torch BFloat16Storage': 'BF16',
  'torch LongStorage': 'I64',
  'torch IntStorage': 'I32',
  'torch ShortStorage': 'I16',
  'torch CharStorage': 'I8',
  'torch ByteStorage': 'U8',
  'torch BoolStorage': 'BOOL',
}
const DICTIONARY = 'collections OrderedDict'
const TENSOR = 'torch._utils _rebuild_tensor_v2'
const PARAMETER = 'torch._utils _rebuild_parameter'

/** Numbers of one type that lie together. */
export class Storage extends Part {
  constructor(
    /** The file's name for it: '0'. */
    readonly key: string,
    readonly type: Stored,
  ) {
    super()
  }
}

/** A tensor: some numbers of a storage. */
export class StoredTensor extends Made {
  constructor(
    readonly storage: Storage,
    /** Of its first number in the storage. */
    readonly offset: number,
    readonly shape: readonly number[],
    /** Steps from a number to the next along each axis, in numbers. */
    readonly strides: readonly number[],
  ) {
    super()
  }
}

const isExtent = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0
const areExtents = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 32 && value.every(isExtent)

function tensorOf([storage, offset, shape, strides]: readonly Item[], refuse: Refuse): Item {
  if (!(storage instanceof Storage)) return refuse('tensor', 'a storage', 'another thing')
  if (!isExtent(offset) || !areExtents(shape) || !areExtents(strides))
    return refuse('tensor', 'an offset, extents and strides', 'other things')
  if (shape.length !== strides.length)
    return refuse('tensor', `${shape.length} strides`, `${strides.length}`)
  return new StoredTensor(storage, offset, shape, strides)
}

/** What a `state_dict` and a checkpoint are made of; NumPy's numbers may be in the latter. */
export const TORCH: Vocabulary = {
  makes: 'PyTorch tensors, as in a state_dict',
  names: new Set([DICTIONARY, TENSOR, PARAMETER, ...Object.keys(STORAGES), ...NUMPY.names]),

  call(name, args, refuse) {
    if (name === DICTIONARY && args.length === 0) return new Map()
    if (name === TENSOR) return tensorOf(args, refuse)
    if (name === PARAMETER && args[0] instanceof StoredTensor) return args[0]
    return NUMPY.call(name, args, refuse)
  },

  setState(target, state, refuse) {
    // a state_dict has the versions of its modules as an attribute
    if (!(target instanceof Map)) NUMPY.setState(target, state, refuse)
  },

  outside(id, refuse) {
    const [kind, type, key, , , view] = Array.isArray(id) ? (id as Item[]) : []
    const isStorage = kind === 'storage' && type instanceof Name && typeof key === 'string'
    if (!isStorage || !Object.hasOwn(STORAGES, type.text))
      return refuse('persistent id', "('storage', type, key, …)", 'another thing')
    if (view !== undefined && view !== null)
      return refuse('storage', 'one of its own', 'a view of another')
    return new Storage(key, STORAGES[type.text]!)
  },
}
