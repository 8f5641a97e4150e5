import { describe, expect, it } from 'vitest'
import type { NativeArray } from '../../lib/native.js'
import {
  type InputSlot,
  prepareInputs,
  prepareTargets,
  prepareWeights,
  type TargetSlot,
  toNative,
} from '../../lib/training/data.js'
import { NDArray } from '../../lib/ndarray.js'

const slot: InputSlot = {
  where: 'lstm_1 (LSTM)',
  shape: [null, 2, 3],
  indexLimit: null,
  padding: null,
}
const words: InputSlot = {
  where: 'embedding_1 (Embedding)',
  shape: [null, null],
  indexLimit: 5,
  padding: null,
}
const output = {
  name: 'dense_1',
  where: 'dense_1 (Dense)',
  shape: [null, 3],
  blank: null,
  temporal: false,
}
const dense: TargetSlot = { ...output, classes: null }
const sparse: TargetSlot = { ...output, shape: [null, 1], classes: 3 }
const zeros = (...shape: number[]) => ({
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  shape,
})

const thrown = (f: () => unknown): { code: string; message: string; layer?: string } => {
  try {
    f()
  } catch (error) {
    return error as { code: string; message: string; layer?: string }
  }
  throw new Error('nothing was thrown')
}

describe('toNative', () => {
  it('does not copy typed arrays that fit', () => {
    const { data, shape } = zeros(2, 3)
    expect(toNative({ data, shape }, 'x').data).toBe(data)
    const ints = new Int32Array(2)
    expect(toNative(ints, 'x').data).toBe(ints)
  })

  it('converts other arrays', () => {
    expect(toNative(Int16Array.of(1, 2) as never, 'x').data).toEqual(Float64Array.of(1, 2))
    expect(toNative({ data: [1, 2], shape: [2, 1] }, 'x')).toEqual({
      data: Float64Array.of(1, 2),
      shape: [2, 1],
    })
    expect(toNative([[1], [2]], 'x')).toEqual({ data: Float64Array.of(1, 2), shape: [2, 1] })
  })

  it.each([
    [null],
    [undefined],
    ['text'],
    [3],
    [() => 1],
    [Promise.resolve([1])],
    [{ foo: 1 }],
    [{ data: ['a'], shape: [1] }],
    [{ data: null, shape: [1] }],
    [BigInt64Array.of(1n)],
    [[1n]],
    [new Map()],
  ])('refuses %s', (value) => {
    expect(thrown(() => toNative(value as never, 'x')).code).toBe('ERR_OPTION')
  })
})

describe('prepareInputs', () => {
  it('takes an array, or a list of one', () => {
    expect(prepareInputs(zeros(4, 2, 3), [slot])[0]!.shape).toEqual([4, 2, 3])
    expect(prepareInputs([new NDArray(new Float32Array(6), [1, 2, 3])], [slot])[0]!.shape).toEqual([
      1, 2, 3,
    ])
  })

  it('gives a flat array a last axis of 1', () => {
    const column: InputSlot = { where: 'd', shape: [null, 1], indexLimit: null, padding: null }
    expect(prepareInputs([1, 2, 3], [column])[0]!.shape).toEqual([3, 1])
  })

  it('names layer, expected and got', () => {
    const error = thrown(() => prepareInputs(zeros(4, 2, 4), [slot]))
    expect(error.message).toMatchInlineSnapshot(
      `"lstm_1 (LSTM): x must be [B, 2, 3], got [4, 2, 4]."`,
    )
    expect(error.layer).toBe('lstm_1 (LSTM)')
  })

  it('sees a sample without batch axis', () => {
    expect(thrown(() => prepareInputs(zeros(2, 3), [slot])).message).toMatchInlineSnapshot(
      `"lstm_1 (LSTM): x must be [B, 2, 3], got [2, 3]. A single sample needs a batch axis in front: [1, 2, 3]."`,
    )
  })

  it.each([
    ['no samples', zeros(0, 2, 3), slot],
    ['T = 0', zeros(2, 0), words],
    ['two arrays for one input', [zeros(4, 2, 3), zeros(4, 2, 3)], slot],
  ])('refuses %s', (_, x, to) => {
    expect(thrown(() => prepareInputs(x as never, [to])).code).toBe('ERR_SHAPE')
  })

  it.each([[-1], [5], [0.5], [Number.NaN], [Number.POSITIVE_INFINITY]])(
    'refuses word index %s',
    (index) => {
      const error = thrown(() =>
        prepareInputs(
          [
            [0, 1],
            [4, index],
          ],
          [words],
        ),
      )
      expect(error.code).toBe('ERR_OPTION')
      expect(error.message).toContain('sample 1')
      expect(error.message).toContain('from 0 to 4')
    },
  )

  it('lets NaN in data through: the loss tells', () => {
    expect(
      prepareInputs({ data: new Float32Array(6).fill(Number.NaN), shape: [1, 2, 3] }, [slot]),
    ).toHaveLength(1)
  })

  it('wants as many arrays, of as many samples, as there are inputs', () => {
    expect(prepareInputs([zeros(4, 2, 3), zeros(4, 2, 3)], [slot, slot])).toHaveLength(2)
    expect(thrown(() => prepareInputs(zeros(4, 2, 3), [slot, slot])).code).toBe('ERR_SHAPE')
    expect(thrown(() => prepareInputs([zeros(4, 2, 3), zeros(3, 2, 3)], [slot, slot])).code).toBe(
      'ERR_SHAPE',
    )
  })
})

describe('prepareTargets', () => {
  it('takes targets like the output, or classes for a sparse loss', () => {
    expect(prepareTargets(zeros(4, 3), [dense], 4)[0]!.shape).toEqual([4, 3])
    expect(prepareTargets([0, 2, 1, 1], [sparse], 4)[0]!.shape).toEqual([4, 1])
  })

  it('suggests the sparse loss for class numbers', () => {
    expect(thrown(() => prepareTargets([0, 1, 2], [dense], 3)).message).toMatchInlineSnapshot(
      `"dense_1 (Dense): y must be [B, 3], got [3, 1]. For class numbers use the loss 'sparse_categorical_crossentropy', toCategorical of hiddenstate/utils, or targetDim: 1 with a loss of your own."`,
    )
  })

  it('refuses labels out of range', () => {
    expect(thrown(() => prepareTargets([0, 3], [sparse], 2)).message).toMatchInlineSnapshot(
      `"dense_1 (Dense): labels in y (sample 1) must be integers from 0 to 2, got 3. The output has 3 classes, counted from 0."`,
    )
    for (const label of [-1, 0.5, Number.NaN])
      expect(thrown(() => prepareTargets([label], [sparse], 1)).code).toBe('ERR_OPTION')
  })

  it('counts the samples', () => {
    expect(thrown(() => prepareTargets(zeros(3, 3), [dense], 4)).message).toMatchInlineSnapshot(
      `"y: number of samples must be 4, as x has, got 3."`,
    )
  })
})

/** Of a model with one output. */
const weightsOf = (
  given: Parameters<typeof prepareWeights>[0],
  y: NativeArray,
  temporal: boolean,
): NativeArray | null => prepareWeights(given, [y], [{ ...dense, temporal }])?.[0] ?? null

describe('prepareWeights', () => {
  const y = { data: Float32Array.of(0, 1, 0, 1, 0, 0, 0, 0, 1), shape: [3, 3] } // classes 1, 0, 2
  const steps = zeros(2, 4, 3)

  it('makes class weights sample weights', () => {
    expect(weightsOf({ classWeight: { 0: 5, 1: 7, 2: 9 } }, y, false)!.data).toEqual(
      Float64Array.of(7, 5, 9),
    )
    const map = new Map([
      [0, 1],
      [1, 0],
    ])
    const column = { data: Float32Array.of(1, 0, 1), shape: [3, 1] }
    expect(weightsOf({ classWeight: map }, column, false)!.data).toEqual(Float64Array.of(0, 1, 0))
  })

  it('lets sample weights win', () => {
    expect(weightsOf({ sampleWeight: [1, 2, 3], classWeight: {} }, y, false)!.data).toEqual(
      Float64Array.of(1, 2, 3),
    )
    expect(weightsOf({}, y, false)).toBe(null)
  })

  it('takes weights per step in temporal mode', () => {
    expect(weightsOf({ sampleWeight: zeros(2, 4) }, steps, true)!.shape).toEqual([2, 4])
  })

  it.each([
    ['too few sample weights', { sampleWeight: [1, 2] }, y, false, 'ERR_SHAPE'],
    ['weights per step without temporal', { sampleWeight: zeros(2, 4) }, steps, false, 'ERR_SHAPE'],
    ['weights per sample with temporal', { sampleWeight: [1, 2] }, steps, true, 'ERR_SHAPE'],
    ['temporal with a flat output', {}, y, true, 'ERR_SHAPE'],
    ['class weights for sequences', { classWeight: { 0: 1 } }, steps, false, 'ERR_SHAPE'],
    ['a class without weight', { classWeight: { 0: 1 } }, y, false, 'ERR_OPTION'],
    ['a weight that is no number', { classWeight: { 0: 1, 1: 'a', 2: 1 } }, y, false, 'ERR_OPTION'],
    ['a list of class weights', { classWeight: [1, 2, 3] }, y, false, 'ERR_OPTION'],
    [
      'a class weight inherited from Object',
      { classWeight: {} },
      { data: Float32Array.of(1), shape: [1, 1] },
      false,
      'ERR_OPTION',
    ],
  ])('refuses %s', (_, given, targets, temporal, expected) => {
    expect(thrown(() => weightsOf(given as never, targets, temporal)).code).toBe(expected)
  })
})
