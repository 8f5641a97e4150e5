/** How pickles put NumPy's arrays together. numpy/_core/src/multiarray/methods.c, array_reduce. */
import { numpyArray } from './npy.js'
import { type Item, Part, type Pickled, type Refuse, Shell, type Vocabulary } from './pickle.js'
import type { NDArray } from '../ndarray.js'

/** `numpy.dtype(code)`; its state tells the byte order. */
class Dtype extends Part {
  order = '<'
  constructor(readonly code: string) {
    super()
  }
}

function arrayOf(
  dtype: Dtype,
  shape: readonly number[],
  isFortran: boolean,
  data: Item,
  refuse: Refuse,
): NDArray {
  // Python 2 wrote the bytes as a string of latin1
  const bytes = typeof data === 'string' ? Uint8Array.from(data, (c) => c.charCodeAt(0)) : data
  if (!(bytes instanceof Uint8Array)) return refuse('array', 'bytes', 'another thing')
  return numpyArray(bytes, { descr: dtype.order + dtype.code, shape, isFortran }, 'pickle')
}

/** Arrays, types and numbers of NumPy, and Python's bytes. */
export const NUMPY: Vocabulary = {
  makes: 'NumPy arrays',
  names: new Set(
    ['numpy.core.multiarray', 'numpy._core.multiarray']
      .flatMap((module) => [`${module} _reconstruct`, `${module} scalar`])
      .concat(['numpy ndarray', 'numpy dtype', '_codecs encode']),
  ),

  call(name, [first, second], refuse) {
    if (name.endsWith('_reconstruct')) return new Shell()
    if (name === 'numpy dtype' && typeof first === 'string') return new Dtype(first)
    if (name === '_codecs encode' && typeof first === 'string' && second === 'latin1')
      return Uint8Array.from(first, (c) => c.charCodeAt(0))
    if (name.endsWith('scalar') && first instanceof Dtype)
      return arrayOf(first, [1], false, second as Item, refuse).data[0] as number
    return refuse('call', 'one that makes an array', name)
  },

  setState(target, state, refuse) {
    const list: Item[] = Array.isArray(state) ? state : refuse('state', 'a tuple', 'another thing')
    if (target instanceof Dtype) {
      const order = list[1]
      if (order !== '<' && order !== '>' && order !== '|' && order !== '=')
        return refuse('dtype', "a byte order '<', '>' or '|'", String(order))
      target.order = order
      return
    }
    if (!(target instanceof Shell))
      return refuse('state', 'that of an array or a type', 'of another thing')
    const [, shape, dtype, isFortran, data] = list
    const isShape =
      Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)
    if (!(dtype instanceof Dtype) || !isShape)
      return refuse('array', 'a shape and a type', 'other things')
    const extents = shape as number[]
    if (!dtype.code.startsWith('O')) {
      target.value = arrayOf(dtype, extents, Boolean(isFortran), data as Item, refuse)
      return
    }
    const size = extents.reduce((a, b) => a * b, 1)
    if (!Array.isArray(data) || data.length !== size)
      return refuse('array of objects', `${size} of them`, 'another number')
    target.value = data as Pickled[]
  },
}
