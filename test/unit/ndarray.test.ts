import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { array, NDArray, type TensorLike } from '../../lib/ndarray.js'

const code = (f: () => unknown): unknown => {
  try {
    f()
  } catch (error) {
    return (error as { code?: string }).code
  }
  return 'no error'
}

describe('NDArray.from', () => {
  it('takes nested numbers', () => {
    const a = array([
      [1, 2, 3],
      [4, 5, 6],
    ])
    expect([a.shape, a.dtype, Array.from(a.data)]).toEqual([[2, 3], 'float32', [1, 2, 3, 4, 5, 6]])
  })

  it('takes booleans, scalars and empty lists', () => {
    expect(array([true, false])).toMatchObject({ dtype: 'bool', shape: [2] })
    expect(array([true, false]).toArray()).toEqual([true, false])
    expect(array(3)).toMatchObject({ shape: [], size: 1 })
    expect(array(3).toArray()).toBe(3)
    expect(array([]).shape).toEqual([0])
    expect(array([[], []]).toArray()).toEqual([[], []])
  })

  it('takes rows that are typed arrays', () => {
    expect(array([Float32Array.of(1, 2), Float32Array.of(3, 4)]).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ])
  })

  it('uses a typed array of the wanted dtype as it is and converts others', () => {
    const data = Float32Array.of(1, 2)
    expect(NDArray.from(data).data).toBe(data)
    expect(NDArray.from(data, [2, 1], 'int32')).toMatchObject({ shape: [2, 1], dtype: 'int32' })
    expect(NDArray.from(Int16Array.of(1, 2) as unknown as TensorLike).dtype).toBe('float32')
    expect(Array.from(NDArray.from(Float32Array.of(0, 0.5), [2], 'bool').data)).toEqual([0, 1])
  })

  it('follows stride and offset, as the npm package ndarray has them', () => {
    const data = Float64Array.of(0, 1, 2, 3, 4, 5)
    const transposed = { data, shape: [3, 2], stride: [1, 3], offset: 0 }
    expect(NDArray.from(transposed).toArray()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
    expect(NDArray.from({ data, shape: [2], stride: [-2], offset: 5 }).toArray()).toEqual([5, 3])
    expect(NDArray.from({ data, shape: [2, 2], stride: [2, 1], offset: 2 }).toArray()).toEqual([
      [2, 3],
      [4, 5],
    ])
  })

  it('any strided view equals its elements, one by one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        (extents, flips) => {
          // axes in reversed order, some of them backwards
          const size = extents.reduce((a, b) => a * b, 1)
          const data = Float32Array.from({ length: size }, (_, i) => i)
          const stride: number[] = []
          let step = 1
          let offset = 0
          for (const [axis, extent] of extents.entries()) {
            stride.push(flips[axis] ? -step : step)
            if (flips[axis]) offset += step * (extent - 1)
            step *= extent
          }
          const got = NDArray.from({ data, shape: extents, stride, offset })
          const index = extents.map(() => 0)
          for (let i = 0; i < size; i++) {
            const at = index.reduce((sum, n, axis) => sum + n * stride[axis]!, offset)
            if (got.get(...index) !== data[at]) return false
            for (
              let axis = extents.length - 1;
              axis >= 0 && ++index[axis]! === extents[axis];
              axis--
            )
              index[axis] = 0
          }
          return true
        },
      ),
    )
  })

  it.each([
    ['ragged rows', () => array([[1, 2], [3]]), 'ERR_SHAPE'],
    ['numbers beside rows', () => array([[1], 2] as never), 'ERR_SHAPE'],
    ['rows beside numbers', () => array([1, [2]] as never), 'ERR_SHAPE'],
    ['strings', () => array(['a'] as never), 'ERR_OPTION'],
    ['null inside', () => array([1, null] as never), 'ERR_OPTION'],
    ['holes', () => array(Array(3) as never), 'ERR_OPTION'],
    ['a string', () => array('abc' as never), 'ERR_OPTION'],
    ['a shape that does not fit', () => array([1, 2, 3], [2, 2]), 'ERR_SHAPE'],
    ['a negative extent', () => array([1, 2], [-2]), 'ERR_SHAPE'],
    ['too little data', () => array({ data: [1], shape: [2] }), 'ERR_SHAPE'],
    [
      'a stride out of the data',
      () => array({ data: Float32Array.of(1, 2), shape: [2], stride: [2] }),
      'ERR_SHAPE',
    ],
    ['an unknown dtype', () => array([1], [1], 'float16' as never), 'ERR_UNKNOWN_NAME'],
    [
      'nesting without end',
      () => {
        const loop: unknown[] = []
        loop[0] = loop
        return array(loop as never)
      },
      'ERR_SHAPE',
    ],
  ])('refuses %s', (_, make, expected) => {
    expect(code(make)).toBe(expected)
  })

  it('names the place of a ragged row', () => {
    expect(() => array([[[1, 2]], [[3]]])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: array[1][0]: row must be an array of length 2, as the first one is, got an array of length 1. The array is ragged; padSequences of hiddenstate/preprocessing makes sequences equally long.]`,
    )
  })
})

describe('NDArray', () => {
  const a = array([
    [1, 2],
    [3, 4],
    [5, 6],
  ])

  it('gets, reshapes and slices', () => {
    expect(a.get(2, 1)).toBe(6)
    expect(a.reshape([2, -1]).shape).toEqual([2, 3])
    expect(a.slice(1).toArray()).toEqual([
      [3, 4],
      [5, 6],
    ])
    expect(a.slice(-1).toArray()).toEqual([[5, 6]])
    expect(a.slice(0, -2).toArray()).toEqual([[1, 2]])
    expect(a.slice(2, 1).shape).toEqual([0, 2])
    expect(a.slice(0, 99).shape).toEqual([3, 2])
  })

  it('has a shape that cannot be changed', () => {
    expect(Object.isFrozen(a.shape)).toBe(true)
  })

  it.each([
    ['an index too many', () => a.get(0, 0, 0)],
    ['an index too few', () => a.get(0)],
    ['an index out of range', () => a.get(3, 0)],
    ['an index between', () => a.get(0.5, 0)],
    ['a reshape to another size', () => a.reshape([4])],
    ['a reshape with two open extents', () => a.reshape([-1, -1])],
    ['a slice of a scalar', () => array(1).slice()],
  ])('refuses %s', (_, use) => {
    expect(code(use)).toBe('ERR_SHAPE')
  })

  it('nested arrays come back as they went in', () => {
    const extents = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(extents, (shape) => {
        let n = 0
        const make = (axis: number): unknown =>
          axis === shape.length ? n++ : Array.from({ length: shape[axis]! }, () => make(axis + 1))
        const nested = make(0)
        expect(array(nested as never, undefined, 'float64').toArray()).toEqual(nested)
      }),
    )
  })
})

describe('what cannot be', () => {
  it('an element that is no number is refused by place, whatever holds it', () => {
    const bad: unknown[] = [
      { data: ['1', '2'], shape: [2] },
      { data: ['1', '2'], shape: [2, 1], stride: [0, 1], offset: 0 },
      { data: [1, null], shape: [2] },
      { data: [[1, 2]], shape: [1] },
      new BigInt64Array(2),
      { data: new BigInt64Array(2), shape: [2] },
      new DataView(new ArrayBuffer(8)),
      [1n],
    ]
    for (const source of bad)
      expect(
        code(() => array(source as never)),
        String(source),
      ).toBe('ERR_OPTION')
    expect(() => array({ data: [1, 'x'], shape: [2] } as never)).toThrow(
      /array\[1\]: element must be a number.*'x'/,
    )
    expect(array({ data: [true, 2], shape: [2] } as never).toArray()).toEqual([1, 2])
  })

  it('more than the memory there is is an error of ours', () => {
    const huge = [
      () => array({ data: [1], shape: [1e12], stride: [0] }),
      () => array({ data: Float32Array.of(1), shape: [1e12, 3], stride: [0, 0] }),
      () => array([{ length: 1e12 }] as never),
    ]
    for (const make of huge) expect(code(make)).toBe('ERR_OUT_OF_MEMORY')
    const limit = vi.spyOn(process, 'constrainedMemory').mockReturnValue(2 ** 30)
    try {
      // as much as an address space takes, and no machine has
      expect(code(() => array({ data: [1], shape: [2 ** 28], stride: [0] }))).toBe(
        'ERR_OUT_OF_MEMORY',
      )
    } finally {
      limit.mockRestore()
    }
    expect(code(() => array([{ length: Number.NaN }] as never))).not.toBe('no error')
  })

  it('reshape without a shape', () => {
    for (const shape of [undefined, 2, 'x'] as never[])
      expect(code(() => array([1, 2]).reshape(shape))).toBe('ERR_SHAPE')
  })
})
