/**
 * What layers that move a window over steps, or over rows and columns, share:
 * lengths, axis orders, options.
 */
import { ConfigError, fail, ShapeError } from '../../errors.js'
import { describe } from '../../ndarray.js'
import type { Graph, Shape, Value } from '../../spec.js'
import type { Layer } from './layer.js'

/**
 * `'valid'`: only whole windows. `'same'`: one output per stride, padded as Keras on Theano does.
 * `'full'`: every window that touches the input. Of Keras 2: `'same_tf'`, padded as TensorFlow does
 * (as many as are needed, the larger half at the end), and `'causal'`, padded at the beginning
 * alone, so that no output looks ahead.
 */
export type BorderMode = 'valid' | 'same' | 'full' | 'same_tf' | 'causal'
/**
 * `'tf'`: [rows, columns, D]. `'th'`: [D, rows, columns]. `'default'`: `'tf'`, as in Keras without
 * a configuration file.
 */
export type DimOrdering = 'th' | 'tf' | 'default'

/** Why a layer that looks at every step takes no mask. */
export const WINDOW_MASK_HINT =
  'It looks at masked steps too: leave out maskZero, or the Masking layer.'

/** @throws ConfigError `ERR_OPTION` for a border mode that this layer does not have. */
export function checkBorder(
  layer: Layer,
  given: BorderMode,
  allowed: readonly BorderMode[],
  what = 'borderMode',
): void {
  if (allowed.includes(given)) return
  fail(ConfigError, 'ERR_OPTION', {
    where: layer.where,
    layer: layer.where,
    what: layer.spelled(what),
    expected: allowed.map((mode) => `'${mode}'`).join(' or '),
    actual: describe(given),
  })
}

/**
 * Positions of a window along one axis; Keras 1.2.2 `conv_output_length`.
 * @param length null: not known yet
 * @throws ShapeError `ERR_SHAPE` when the window does not fit
 */
export function windowLength(
  layer: Layer,
  length: number | null,
  window: { size: number; stride: number; border: BorderMode; dilation?: number; what: string },
): number | null {
  if (length === null) return null
  const { size, stride, border, dilation = 1, what } = window
  const span = (size - 1) * dilation + 1
  const places =
    border === 'valid' ? length - span + 1 : border === 'full' ? length + span - 1 : length
  if (places < 1) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: layer.where,
      layer: layer.where,
      what,
      expected: `at least ${span}, the length of the window`,
      actual: `${length}`,
      hint: "borderMode: 'same' pads the input.",
    })
  }
  return Math.ceil(places / stride)
}

/** An image without the batch: rows and columns, or steps as rows of one column. */
export interface Places {
  rows: number | null
  columns: number | null
  /** D */
  channels: number | null
}

/** Rows, columns and channels at the end of a shape. */
export function placesOf(shape: Shape, ordering: DimOrdering): Places {
  const [a = null, b = null, c = null] = shape.slice(-3)
  return ordering === 'th'
    ? { channels: a, rows: b, columns: c }
    : { rows: a, columns: b, channels: c }
}

/** The shape of an image without the batch: the inverse of {@link placesOf}. */
export function imageShape({ rows, columns, channels }: Places, ordering: DimOrdering): Shape {
  return ordering === 'th' ? [channels, rows, columns] : [rows, columns, channels]
}

/**
 * Positions of a window over the rows and columns of an image.
 * @param window.size [rows, columns], as are the strides
 * @param channels of the result
 * @throws ShapeError `ERR_SHAPE` when the window does not fit
 */
export function windowPlaces(
  layer: Layer,
  { rows, columns }: Places,
  window: {
    size: readonly [number, number]
    strides: readonly [number, number]
    border: BorderMode
  },
  channels: number | null,
): Places {
  const { size, strides, border } = window
  const along = (axis: 0 | 1, length: number | null, what: string) =>
    windowLength(layer, length, { size: size[axis], stride: strides[axis], border, what })
  return {
    rows: along(0, rows, 'the number of rows'),
    columns: along(1, columns, 'the number of columns'),
    channels,
  }
}

/**
 * Runs `make` on a value whose channels come last, whatever the order of the layer is;
 * steps before them stay.
 */
export function channelsLast(
  graph: Graph,
  x: Value,
  layer: Layer,
  ordering: DimOrdering,
  make: (x: Value) => Value,
): Value {
  if (ordering !== 'th') return make(x)
  const move = (value: Value, order: readonly number[], stem: string) => {
    const before = value.shape.length - 3 // axes that stay: the steps
    const dims = [...Array(before).keys(), ...order.map((i) => i + before)]
    const shape = dims.map((d) => value.shape[d] ?? null)
    return graph.op('permute', [value], shape, {
      layer: `${layer.name}/${stem}`,
      className: layer.layerClass.className,
      options: { dims: dims.map((d) => d + 1) },
      mask: 'pass',
    })
  }
  return move(make(move(x, [1, 2, 0], 'channels last')), [2, 0, 1], 'channels first')
}
