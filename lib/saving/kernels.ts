/** Kernels of convolutions as another backend or an older Keras wrote them. */
import { ConfigError, fail } from '../errors.js'
import type { KerasArray } from '../layers/base/variable.js'
import { describe, NDArray } from '../ndarray.js'

/** Which backend a file's model was trained on: convolution runs the other way on TensorFlow. */
export type Backend = 'theano' | 'tensorflow'

/** @throws ConfigError `ERR_OPTION` */
export function checkBackend(where: string, backend: unknown): Backend | undefined {
  if (backend === undefined || backend === 'theano' || backend === 'tensorflow') return backend
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'backend',
    expected: "'theano' or 'tensorflow'",
    actual: describe(backend),
  })
}

/**
 * An array of `shape` whose element `at` is element `from(at)` of `value`;
 * places are counted along the axes.
 */
function moved(
  value: NDArray,
  shape: readonly number[],
  strides: readonly number[],
  start: number,
): NDArray {
  const out = value.data.slice() // [...shape]
  const place = shape.map(() => 0)
  let from = start
  for (let i = 0; i < out.length; i++) {
    out[i] = value.data[from] as number
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] as number
      if (++place[axis]! < shape[axis]!) break
      from -= (strides[axis] as number) * (shape[axis] as number)
      place[axis] = 0
    }
  }
  return new NDArray(out, [...shape])
}

const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))

/** The array with each of `axes` reversed. */
export function reversed(value: NDArray, axes: readonly number[]): NDArray {
  const strides = stridesOf(value.shape)
  const start = axes.reduce(
    (sum, a) => sum + (strides[a] as number) * ((value.shape[a] as number) - 1),
    0,
  )
  const signed = strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride))
  return moved(value, value.shape, signed, start)
}

/** Axis i of the result is axis `axes[i]` of `value`. */
export function transposed(value: NDArray, axes: readonly number[]): NDArray {
  const strides = stridesOf(value.shape)
  return moved(
    value,
    axes.map((a) => value.shape[a] as number),
    axes.map((a) => strides[a] as number),
    0,
  )
}

/**
 * The shape that an array has in a file: that of this package, or that of older versions of Keras.
 */
export function storedShape(
  { older, shape }: { older?: KerasArray['older']; shape: readonly number[] },
  found: readonly number[] | undefined,
): readonly number[] {
  return older &&
    found?.length === older.shape.length &&
    older.shape.every((d, i) => d === found[i])
    ? older.shape
    : shape
}

/** An array of a file in the layout of this package. */
export function asHere(value: NDArray, array: KerasArray, backend: Backend): NDArray {
  const { older, flips = [] } = array
  const same = value.shape.every((d, i) => d === array.shape[i])
  const here = same || !older ? value : transposed(value, older.axes)
  return backend === 'tensorflow' && flips.length > 0 ? reversed(here, flips) : here
}
