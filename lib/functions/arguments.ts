/** What a function is called with, checked against its placeholders. */
import { fail, ShapeError } from '../errors.js'
import { type Dim, showDims } from '../expressions/dims.js'
import type { Placeholder } from '../expressions/expr.js'
import type { NativeArray } from '../native.js'
import { shapeText, type TensorLike } from '../ndarray.js'
import { toNative } from '../training/data.js'

/** What a function without inputs is called with: one sample, which nothing reads. */
const NOTHING: NativeArray = { data: new Float64Array(1), shape: [1] }

/** The extent that a letter stands for, and the first input that has it. */
interface Known {
  readonly extent: number
  readonly from: Placeholder
}

/**
 * Arrays for native code, with one sample each.
 *
 * @param where the function, for errors
 * @throws ShapeError ERR_SHAPE for other shapes than the placeholders', and letters with two
 *   extents; ConfigError ERR_OPTION for what is no array of numbers
 */
export function checkedArguments(
  where: string,
  inputs: readonly Placeholder[],
  values: readonly TensorLike[],
): NativeArray[] {
  if (values.length !== inputs.length)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'arguments',
      expected: `${inputs.length} (${inputs.map(({ name }) => name).join(', ')})`,
      actual: String(values.length),
    })
  if (inputs.length === 0) return [NOTHING]
  const letters = new Map<Dim, Known>()
  return inputs.map((input, i) => {
    const place = `${where}: input ${input.name}`
    const value = values[i]!
    const { data, shape } =
      typeof value === 'number' || typeof value === 'boolean'
        ? { data: Float64Array.of(Number(value)), shape: [] }
        : toNative(value, place)
    checkShape(place, input, shape, letters)
    return { data, shape: [1, ...shape] }
  })
}

function checkShape(
  where: string,
  input: Placeholder,
  shape: readonly number[],
  letters: Map<Dim, Known>,
): void {
  const wrong = (expected: string, hint?: string) =>
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'shape',
      expected,
      actual: shapeText(shape),
      hint,
    })
  const isOther = (extent: Dim, axis: number) =>
    typeof extent === 'number' && extent !== shape[axis]
  if (shape.length !== input.ndim || input.shape.some(isOther)) wrong(showDims(input.shape))
  if (shape.includes(0)) wrong(showDims(input.shape), 'No axis may be empty.')
  for (const [axis, letter] of input.shape.entries()) {
    if (typeof letter === 'number') continue
    const extent = shape[axis]!
    const known = letters.get(letter)
    if (!known) letters.set(letter, { extent, from: input })
    else if (known.extent !== extent) {
      const { from } = known
      wrong(`${showDims(input.shape)} with ${letter} = ${known.extent}, as in ${from.name}`)
    }
  }
}
