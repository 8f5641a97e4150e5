/** Values that a function is given. */
import { describe } from '../ndarray.js'
import type { Dim } from './dims.js'
import { Placeholder } from './expr.js'
import { refuse } from './place.js'

let unknowns = 0

const isDim = (extent: unknown) =>
  extent === null ||
  (Number.isSafeInteger(extent) && Number(extent) >= 0) ||
  (typeof extent === 'string' && /^[A-Za-z]\w{0,30}$/.test(extent))

/**
 * A value that is given with each call.
 *
 * @param shape with all axes: numbers, and letters ('B', 'T') for what only the data tell; equal
 *   letters are equal extents. null: a letter that no other has
 * @param name what messages call it; default 'x'
 * @throws ConfigError ERR_OPTION
 * @example
 * import { placeholder } from 'hiddenstate/backend'
 * const x = placeholder(['T', 'B', 4], 'x')
 * console.log(String(x)) // x [T, B, 4]
 * @see keras.backend.placeholder
 */
export function placeholder(shape: readonly (Dim | null)[] = [], name = 'x'): Placeholder {
  const where = `placeholder ${name}`
  if (!Array.isArray(shape) || shape.length > 32)
    refuse({ where, what: 'shape', expected: 'a list of extents', actual: describe(shape) })
  for (const extent of shape)
    if (!isDim(extent))
      refuse({
        where,
        what: 'an extent',
        expected: 'an integer from 0 on, a letter or null',
        actual: describe(extent),
      })
  return new Placeholder(
    shape.map((extent) => extent ?? `n${++unknowns}`),
    name,
  )
}
