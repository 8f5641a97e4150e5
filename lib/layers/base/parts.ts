/** Weights and states of layers that a file describes. */
import { fail, FormatError } from '../../errors.js'
import { describe } from '../../ndarray.js'

/** A weight or a state. */
export interface Part {
  readonly name: string
  readonly shape: readonly number[]
}

/** @throws FormatError ERR_FILE_FORMAT for anything but names with extents */
export function partsOf(where: string, what: string, data: unknown): readonly Part[] {
  const isExtent = (n: unknown) => Number.isSafeInteger(n) && Number(n) > 0
  const isPart = (one: unknown) => {
    if (typeof one !== 'object' || one === null) return false
    const { name, shape } = one as Partial<Part>
    const isName = typeof name === 'string' && /^[A-Za-z]\w{0,60}$/.test(name)
    return isName && Array.isArray(shape) && shape.length <= 32 && shape.every(isExtent)
  }
  if (Array.isArray(data) && data.length <= 1000 && data.every(isPart)) return data
  return fail(FormatError, 'ERR_FILE_FORMAT', {
    where,
    what,
    expected: 'a list of names with positive integers as shapes',
    actual: describe(data),
  })
}
