/** States of stateful layers: as a caller has them, and as native code lays them. */
import type { Precision } from '../../backend.js'
import { fail, ShapeError } from '../../errors.js'
import type { Floats } from '../../native.js'
import { describe, NDArray, shapeText, sizeOf, type TensorLike } from '../../ndarray.js'

/** One state of a layer. */
export interface LayerState {
  /** What native code calls it: 'h'. */
  readonly name: string
  /** [B, …] as a caller has it. */
  readonly shape: readonly number[]
  /** Which of those axes native code has first, second, …; default: the same order. */
  readonly order?: readonly number[]
}

/** [rows, units]: all axes but the last of native code's count as rows. */
export function nativeShape({ shape, order }: LayerState): number[] {
  const units = shape[order?.at(-1) ?? shape.length - 1]!
  return [sizeOf(shape) / units, units]
}

const strides = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))

/** The numbers of an array with its axes in another order. */
function reordered(data: Floats, shape: readonly number[], order: readonly number[]): Floats {
  const stride = strides(shape)
  const turned = {
    data,
    shape: order.map((axis) => shape[axis]!),
    stride: order.map((axis) => stride[axis]!),
  }
  return NDArray.from(turned).data as Floats
}

/** A copy of the state as a caller has it, of native code's numbers. */
export function shownState({ shape, order }: LayerState, data: Floats): NDArray {
  if (!order) return NDArray.from(data.slice(), [...shape])
  const native = order.map((axis) => shape[axis]!)
  const back = shape.map((_, axis) => order.indexOf(axis))
  return NDArray.from(reordered(data, native, back).slice(), [...shape])
}

/**
 * A caller's states as native code lays them, all checked.
 * @param where who asks, for errors: 'lstm_1 (LSTM)'
 * @throws ShapeError `ERR_SHAPE`
 */
export function nativeStates(
  where: string,
  states: readonly LayerState[],
  values: readonly TensorLike[],
  floatx: Precision,
): Floats[] {
  if (!Array.isArray(values) || values.length !== states.length) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      layer: where,
      what: 'states',
      expected: `a list of ${states.length} arrays (${states.map(({ name }) => name).join(', ')})`,
      actual: Array.isArray(values) ? `${values.length}` : describe(values),
    })
  }
  return values.map((value, i) => {
    const { name, shape, order } = states[i]!
    const given = NDArray.from(value, undefined, floatx === 'float64' ? 'float64' : 'float32')
    if (given.shape.join() !== shape.join()) {
      fail(ShapeError, 'ERR_SHAPE', {
        where,
        layer: where,
        what: `shape of state ${name}`,
        expected: shapeText(shape),
        actual: shapeText(given.shape),
      })
    }
    const data = given.data as Floats
    return order ? reordered(data, shape, order) : data
  })
}
