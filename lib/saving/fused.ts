/** The parameters of layers as Keras 2 and 3 divide them: all gates in one array. */
import type { Layer } from '../layers/base/layer.js'
import { type KerasArray, readKerasArrays, sliceColumns } from '../layers/base/variable.js'
import type { Floats } from '../native.js'
import { NDArray } from '../ndarray.js'
import { asHere } from './kernels.js'

/** The shape of an array of Keras 2 that holds `parts` of one shape. */
export function fusedShape(
  shape: readonly number[],
  parts: readonly KerasArray[],
): readonly number[] {
  if (parts.length === 1) return shape
  if (parts[0]?.besideOthers)
    return [...shape.slice(0, -1), (shape.at(-1) as number) * parts.length]
  return [parts.length, ...shape]
}

/** The numbers of each part of such an array. */
export function divided(
  numbers: Floats,
  whole: readonly number[],
  parts: readonly KerasArray[],
): Floats[] {
  const size = numbers.length / parts.length
  const width = (whole.at(-1) as number) / parts.length
  return parts.map(({ besideOthers }, k) =>
    besideOthers
      ? sliceColumns(numbers, whole, [k * width, (k + 1) * width])
      : (numbers.subarray(k * size, (k + 1) * size) as Floats),
  )
}

/** The array that {@link divided} divides. @param values of one shape each */
function fused(values: readonly NDArray[], parts: readonly KerasArray[]): NDArray {
  const [first] = values as [NDArray, ...NDArray[]]
  if (values.length === 1) return first
  const shape = [...fusedShape(first.shape, parts)]
  const Numbers = first.data.constructor as new (length: number) => Floats
  const data = new Numbers(first.size * values.length) // [...shape]
  const isBeside = parts[0]?.besideOthers === true
  const width = isBeside ? first.shape.at(-1)! : first.size
  for (const [k, { data: numbers }] of values.entries())
    for (let i = 0; i < numbers.length; i++) {
      const row = Math.floor(i / width)
      data[(row * values.length + k) * width + (i % width)] = numbers[i]!
    }
  return new NDArray(data, shape)
}

/**
 * Copies of a layer's arrays as Keras 2 has them, kernels of convolutions as TensorFlow reads them.
 * In `whenIdle` only.
 */
export function fusedValues(layer: Layer): { name: string; value: NDArray }[] {
  const groups = layer.fusedArrays()
  const values = readKerasArrays(groups.flat() as KerasArray[])
  let at = 0
  return groups.map((parts) => {
    const own = parts.map((part) => asHere(values[at++] as NDArray, part, 'tensorflow'))
    return { name: parts[0]!.name, value: fused(own, parts) }
  })
}
