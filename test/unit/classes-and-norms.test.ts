/** hiddenstate/utils, where the recorded cases of Keras do not reach. */
import { expect, test } from 'vitest'
import { ConfigError, ShapeError } from '../../lib/errors.js'
import { NDArray } from '../../lib/ndarray.js'
import {
  categoricalProbasToClasses,
  normalize,
  probasToClasses,
  toCategorical,
} from '../../lib/utils.js'

test('toCategorical takes any shape and any numbers, and is float64', () => {
  for (const y of [
    [[2], [0]],
    Int32Array.of(2, 0),
    NDArray.from([2, 0]),
    { data: [2, 0], shape: [2, 1] },
  ]) {
    const rows = toCategorical(y)
    expect(rows.toArray()).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ])
    expect(rows.dtype).toBe('float64')
  }
  expect(toCategorical([], { nbClasses: 3 }).shape).toEqual([0, 3])
})

test.each([
  [
    'a label beyond nbClasses',
    () => toCategorical([0, 3], { nbClasses: 3 }),
    /toCategorical: y\[1\]: label must be an integer in 0 … 2, got 3\./,
  ],
  [
    'a negative label',
    () => toCategorical([-1, 1], { nbClasses: 2 }),
    /label must be an integer in 0 … 1, got -1\./,
  ],
  ['half a label', () => toCategorical([0.5]), /label must be an integer >= 0, got 0\.5\./],
  ['NaN', () => toCategorical([0, Number.NaN]), /label must be an integer >= 0, got NaN\./],
  [
    'a wrong axis',
    () => normalize([[1, 2]], { axis: 2 }),
    /axis must be an integer in -2 … 1, got 2\./,
  ],
  ['a wrong option', () => normalize([[1, 2]], { axes: 1 } as never), /Did you mean `axis`\?/],
])('%s is refused', (_, call, message) => {
  expect(call).toThrow(ConfigError)
  expect(call).toThrow(message)
})

test.each([
  ['no labels', () => toCategorical([]), /y must be at least one label, or nbClasses, got none\./],
  ['a scalar', () => normalize(3), /a must be an array of one axis or more, got a scalar\./],
  [
    'a row of probabilities',
    () => categoricalProbasToClasses([0.1, 0.9]),
    /p must be \[N, K\], got \[2\]\./,
  ],
])('%s has no shape for it', (_, call, message) => {
  expect(call).toThrow(ShapeError)
  expect(call).toThrow(message)
})

test('normalize: every norm of numpy, any axis, zeros stay', () => {
  expect(
    normalize([
      [3, 4],
      [0, 0],
    ]).toArray(),
  ).toEqual([
    [0.6, 0.8],
    [0, 0],
  ])
  expect(normalize([[1, -4]], { order: Number.POSITIVE_INFINITY }).toArray()).toEqual([[0.25, -1]])
  expect(normalize([[2, -4]], { order: Number.NEGATIVE_INFINITY }).toArray()).toEqual([[1, -2]])
  expect(normalize([[3, 0, 5, 2]], { order: 0 }).toArray()).toEqual([[1, 0, 5 / 3, 2 / 3]])
  expect(normalize([[[3], [4]]], { axis: 1 }).toArray()).toEqual([[[0.6], [0.8]]])
  expect(normalize([3, 4]).shape).toEqual([1, 2]) // as numpy broadcasts in Keras
  expect(normalize(Float32Array.of(3, 4)).dtype).toBe('float32')
  expect(normalize(Int32Array.of(3, 4)).dtype).toBe('float64')
})

test('classes: the first of equal ones, NaN as the largest, further axes', () => {
  expect(categoricalProbasToClasses([[0.4, 0.4, 0.2]]).toArray()).toEqual([0])
  expect(categoricalProbasToClasses([[0.9, Number.NaN, 1]]).toArray()).toEqual([1])
  expect(
    categoricalProbasToClasses([
      [
        [1, 2],
        [3, 0],
      ],
    ]).toArray(),
  ).toEqual([[1, 0]])
  expect(probasToClasses([[0.5], [0.6]]).toArray()).toEqual([0, 1])
  expect(probasToClasses([0.2, 0.8]).toArray()).toEqual([0, 1])
  expect(probasToClasses([[0.2, 0.8]]).dtype).toBe('int32')
})
