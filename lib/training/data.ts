/**
 * Checks the data of callers and makes them contiguous:
 * the only way from user data to native memory.
 */
import { ConfigError, fail, ShapeError } from '../errors.js'
import type { NativeArray } from '../native.js'
import {
  allocate,
  type ArrayObject,
  contiguous,
  copyNumbers,
  describe,
  dtypeOf,
  flatten,
  isArrayObject,
  type Nested,
  nestedShape,
  type NDArray,
  shapeText,
  sizeOf,
  type TensorLike,
} from '../ndarray.js'
import { isRecord, namesText, perName } from '../per-name.js'
import type { Ragged } from '../ragged.js'
import type { Shape } from '../spec.js'
import { checkLabels } from './label-targets.js'

/** What a model expects of one of its inputs. */
export interface InputSlot {
  /** By which data are given it; absent: it is no input of a model by itself. */
  name?: string
  /** Name and class of the layer that takes it. */
  where: string
  /** With the batch. */
  shape: Shape
  /** Word indices: integers from 0 up to, not including, this; null: any numbers. */
  indexLimit: number | null
  /** A step all of whose features equal this is masked; null: no value is. */
  padding: number | null
}

/** What a model expects of its targets. */
export interface TargetSlot {
  /** By which targets are given it. */
  name: string
  where: string
  /** With the batch: of the targets. */
  shape: Shape
  /** Labels are integers from 0 up to, not including, this (sparse losses); null: any numbers. */
  classes: number | null
  /** Targets are labels of whole samples, [N, L] whatever `shape` says, without this one. */
  blank: number | null
  /** Whether sample weights are per step: [N, T]. */
  temporal: boolean
}

/** One array, or one for each input or output of a model: in a list, or by their names. */
export type Arrays = Samples | readonly Samples[] | Readonly<Record<string, Samples>>

/** An array, or sequences of different lengths. */
export type Samples = TensorLike | Ragged

/**
 * Any array as a typed array in C order with its shape; native code rounds it to the precision of
 * the model. Memory of the caller is used as it is where it fits: native code copies it.
 *
 * @param where how messages call it: 'x', 'y'
 * @throws ShapeError ERR_SHAPE for ragged arrays; ConfigError ERR_OPTION for what holds no numbers
 */
export function toNative(value: TensorLike, where: string): NativeArray {
  if (isArrayObject(value)) return fromObject(value, where)
  if (ArrayBuffer.isView(value)) return fromList(value as unknown as ArrayLike<number>, where)
  if (!Array.isArray(value)) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'data',
      expected:
        'an NDArray, a nested array of numbers, a typed array or an object with data and shape',
      actual: describe(value),
    })
  }
  const nested = value as unknown as Nested
  const shape = nestedShape(nested)
  const data = allocate('float64', sizeOf(shape))
  flatten(nested, shape, data, where)
  return { data, shape }
}

function fromObject(value: NDArray | ArrayObject, where: string): NativeArray {
  const { data, shape } = contiguous(value, where)
  return { data: fromList(data, where).data, shape }
}

function fromList(list: ArrayLike<number>, where: string): NativeArray {
  if (dtypeOf(list)) return { data: list as NativeArray['data'], shape: [list.length] }
  if (list instanceof DataView) {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'data',
      expected: 'numbers',
      actual: describe(list),
    })
  }
  const data = allocate('float64', list.length)
  copyNumbers(list, data, where)
  return { data, shape: [list.length] }
}

/**
 * A list of whole arrays, as a model with several inputs takes it (a nested array is a list of
 * numbers or of lists).
 */
const isListOfArrays = (value: unknown): value is readonly TensorLike[] =>
  Array.isArray(value) && value.length > 0 && value.every(isArrayObject)

/** As errors print what is expected: `[B, 28, 64]`. */
const expectedText = (shape: Shape): string => shapeText(shape).replace(/^\[(null|\d+)/, '[B')

const fits = (shape: readonly number[], wanted: Shape): boolean =>
  shape.length === wanted.length &&
  wanted.every((extent, axis) => axis === 0 || extent === null || extent === shape[axis])

/** Keras gives a flat array a last axis of 1. */
const asColumn = (array: NativeArray): NativeArray =>
  array.shape.length === 1 ? { data: array.data, shape: [array.shape[0]!, 1] } : array

function checkNotEmpty(array: NativeArray, where: string, what: string): void {
  if (!array.shape.includes(0) && array.shape.length > 0) return
  fail(ShapeError, 'ERR_SHAPE', {
    where,
    layer: where,
    what,
    expected: 'one sample or more, each with one element or more',
    actual: shapeText(array.shape),
  })
}

/** @throws ConfigError ERR_OPTION for a number that is no integer below `limit` */
export function checkIntegers(
  array: NativeArray,
  where: string,
  what: string,
  limit: number,
  hint: string,
): void {
  const { data, shape } = array
  for (let i = 0; i < data.length; i++) {
    const v = data[i]!
    if (v >= 0 && v < limit && Number.isInteger(v)) continue
    const row = data.length / shape[0]!
    fail(ConfigError, 'ERR_OPTION', {
      where,
      layer: where,
      what: `${what} (sample ${Math.floor(i / row)})`,
      expected: `integers from 0 to ${limit - 1}`,
      actual: String(v),
      hint,
    })
  }
}

/** A record of one thing that does not have its name is told as what it is. */
const hasNames = (given: unknown, names: readonly string[]): boolean =>
  isRecord(given) && !isArrayObject(given) && (names.length > 1 || Object.hasOwn(given, names[0]!))

/**
 * What a caller gave for each slot.
 *
 * @throws ShapeError ERR_SHAPE for a list of another length; ConfigError ERR_OPTION,
 *   ERR_UNKNOWN_NAME for a record without some name, or with another
 */
export function listFor(
  given: Arrays,
  slots: readonly { name?: string; where: string }[],
  { name, each }: { name: string; each: 'input' | 'output' },
): readonly TensorLike[] {
  const names = slots.map((slot) => slot.name ?? '')
  if (hasNames(given, names))
    return perName({ where: 'model', what: name, each }, given, names) as TensorLike[]
  if (slots.length > 1) {
    if (Array.isArray(given) && given.length === slots.length) return given as TensorLike[]
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'model',
      what: name,
      expected: `a list of ${slots.length} arrays, one for each ${each}`,
      actual: describe(given),
      hint: `Their names, for an object of arrays, are ${names.join(', ')}.`,
    })
  }
  if (!isListOfArrays(given)) return [given as TensorLike]
  if (given.length !== 1) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: slots[0]!.where,
      layer: slots[0]!.where,
      what: name,
      expected: `one array, as the model has one ${each}`,
      actual: `a list of ${given.length} arrays`,
    })
  }
  return given
}

/**
 * The inputs of a model.
 *
 * @param name how messages call the argument
 * @returns one array per slot, all with the same number of samples
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION
 */
export function prepareInputs(x: Arrays, slots: readonly InputSlot[], name = 'x'): NativeArray[] {
  const list = listFor(x, slots, { name, each: 'input' })
  const arrays = list.map((value, i) => {
    const slot = slots[i]!
    const label = slots.length > 1 ? `${name}[${i}]` : name
    const array = asColumn(toNative(value, label))
    if (!fits(array.shape, slot.shape)) {
      const isSample = fits([1, ...array.shape], slot.shape)
      fail(ShapeError, 'ERR_SHAPE', {
        where: slot.where,
        layer: slot.where,
        what: label,
        expected: expectedText(slot.shape),
        actual: shapeText(array.shape),
        hint: isSample
          ? `A single sample needs a batch axis in front: ${shapeText([1, ...array.shape])}.`
          : lastAxisHint(array.shape, slot.shape),
      })
    }
    checkNotEmpty(array, slot.where, label)
    if (slot.indexLimit !== null)
      checkIntegers(
        array,
        slot.where,
        `word indices in ${label}`,
        slot.indexLimit,
        'inputDim must be the largest index + 1.',
      )
    return array
  })
  for (const [i, array] of arrays.entries()) {
    if (array.shape[0] !== arrays[0]!.shape[0]) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: slots[i]!.where,
        what: `samples in ${name}[${i}]`,
        expected: `${arrays[0]!.shape[0]}, as ${name}[0] has`,
        actual: `${array.shape[0]}`,
      })
    }
  }
  return arrays
}

/** A hint for a shape that would fit with or without a last axis of 1. */
function lastAxisHint(shape: readonly number[], wanted: Shape): string | undefined {
  if (fits([...shape, 1], wanted))
    return `The last axis, of 1, is missing: ${shapeText([...shape, 1])}.`
  const shorter = shape.slice(0, -1)
  if (shape.at(-1) !== 1 || !fits(shorter, wanted)) return undefined
  return `The last axis, of 1, is one too many: ${shapeText(shorter)}.`
}

/**
 * The targets of a model, one array an output. A flat array becomes `[N, 1]`.
 *
 * @throws ShapeError ERR_SHAPE for a shape other than the output's, and for another number of
 *   arrays; ConfigError ERR_OPTION for labels out of range, ERR_UNKNOWN_NAME
 */
export function prepareTargets(
  y: Arrays,
  slots: readonly TargetSlot[],
  samples: number,
  name = 'y',
): NativeArray[] {
  return listFor(y, slots, { name, each: 'output' }).map((value, i) =>
    prepareTarget(value, slots[i]!, samples, slots.length > 1 ? `${name}[${i}]` : name),
  )
}

function prepareTarget(
  y: TensorLike,
  slot: TargetSlot,
  samples: number,
  name: string,
): NativeArray {
  if (slot.blank !== null) {
    const labels = toNative(y, name)
    checkLabels(labels, { ...slot, classes: slot.classes!, blank: slot.blank }, name)
    checkSamples(labels.shape[0]!, samples, name)
    return labels
  }
  const array = asColumn(toNative(y, name))
  const wanted = slot.shape
  if (!fits(array.shape, wanted)) {
    const isSparse = slot.classes === null && fits(array.shape, [...wanted.slice(0, -1), 1])
    fail(ShapeError, 'ERR_SHAPE', {
      where: slot.where,
      layer: slot.where,
      what: name,
      expected: expectedText(wanted),
      actual: shapeText(array.shape),
      hint: isSparse
        ? "For class numbers use the loss 'sparse_categorical_crossentropy', toCategorical of hiddenstate/utils, or targetDim: 1 with a loss of your own."
        : lastAxisHint(array.shape, wanted),
    })
  }
  checkNotEmpty(array, slot.where, name)
  checkSamples(array.shape[0]!, samples, name)
  if (slot.classes !== null)
    checkIntegers(
      array,
      slot.where,
      `labels in ${name}`,
      slot.classes,
      `The output has ${slot.classes} classes, counted from 0.`,
    )
  return array
}

function checkSamples(got: number, samples: number, name: string): void {
  if (got === samples) return
  fail(ShapeError, 'ERR_SHAPE', {
    where: name,
    what: 'number of samples',
    expected: `${samples}, as x has`,
    actual: `${got}`,
  })
}

/** Weight of each class: `{ 0: 1, 1: 5 }` or a Map. */
export type ClassWeight = Readonly<Record<string | number, number>> | ReadonlyMap<number, number>

/** Sample weights of each output: in a list, or by their names; null: ones. */
export type SampleWeights =
  | Samples
  | null
  | readonly (Samples | null)[]
  | Readonly<Record<string, Samples | null>>

/** Class weights of each output: in a list, or by their names; null: none. */
export type ClassWeights =
  | ClassWeight
  | null
  | readonly (ClassWeight | null)[]
  | Readonly<Record<string, ClassWeight | null>>

/**
 * Sample weights for the losses, from what the caller gave: sample weights win over class weights.
 *
 * @param y targets, already prepared
 * @returns null: all ones
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION, ERR_UNKNOWN_NAME
 */
export function prepareWeights(
  given: {
    sampleWeight?: SampleWeights | undefined
    classWeight?: ClassWeights | undefined
  },
  y: readonly NativeArray[],
  slots: readonly TargetSlot[],
  name = 'sampleWeight',
): (NativeArray | null)[] | null {
  const sample = weightsFor(name, given.sampleWeight, slots)
  const ofClasses = weightsFor('classWeight', given.classWeight, slots)
  const list = slots.map(({ temporal, blank }, i) => {
    const label = slots.length > 1 ? `${name}[${i}]` : name
    const weights = { sample: sample[i], classes: ofClasses[i] }
    if (blank !== null && (weights.classes ?? null) !== null)
      fail(ConfigError, 'ERR_OPTION', {
        where: 'classWeight',
        what: 'value',
        expected: "left out with the loss 'ctc': a sample has many labels",
        actual: describe(weights.classes),
        hint: 'Give sampleWeight instead.',
      })
    return prepareWeight(weights, y[i]!, temporal, label)
  })
  return list.every((weights) => weights === null) ? null : list
}

/** What a caller gave for each output. */
function weightsFor(
  what: string,
  given: unknown,
  slots: readonly TargetSlot[],
): readonly unknown[] {
  if (given === undefined || given === null) return slots.map(() => null)
  const names = slots.map(({ name }) => name)
  const of = { where: 'model', what, each: 'output' }
  if (hasNames(given, names)) return perName(of, given, names, { instead: null })!
  if (slots.length === 1) return isListOfArrays(given) && given.length === 1 ? given : [given]
  if (Array.isArray(given)) return perName(of, given, names)!
  return fail(ConfigError, 'ERR_OPTION', {
    where: 'model',
    what,
    expected: `a list of ${slots.length}, or an object with the names of the ${namesText('outputs', names)}`,
    actual: describe(given),
  })
}

function prepareWeight(
  { sample, classes }: { sample: unknown; classes: unknown },
  y: NativeArray,
  temporal: boolean,
  name: string,
): NativeArray | null {
  if (temporal && y.shape.length < 3) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: "sampleWeightMode 'temporal'",
      what: 'output',
      expected: '[B, T, K], so that each step can have a weight',
      actual: expectedText(y.shape),
    })
  }
  if (sample !== undefined && sample !== null) {
    const weights = toNative(sample as TensorLike, name)
    const wanted = y.shape.slice(0, temporal ? 2 : 1)
    if (
      weights.shape.length !== wanted.length ||
      wanted.some((extent, axis) => extent !== weights.shape[axis])
    ) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: name,
        what: 'shape',
        expected: shapeText(wanted),
        actual: shapeText(weights.shape),
        hint:
          temporal || weights.shape.length !== 2
            ? undefined
            : "Weights per step need sampleWeightMode: 'temporal' in compile.",
      })
    }
    return weights
  }
  if (classes === undefined || classes === null) return null
  return classWeights(classes as ClassWeight, y)
}

function classWeights(given: ClassWeight, y: NativeArray): NativeArray {
  if (typeof given !== 'object' || Array.isArray(given)) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'classWeight',
      what: 'value',
      expected: 'an object or a Map from class to weight',
      actual: describe(given),
    })
  }
  if (y.shape.length > 2) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'classWeight',
      what: 'targets',
      expected: '[N, K] or [N, 1]',
      actual: shapeText(y.shape),
      hint: 'Give sampleWeight instead.',
    })
  }
  const [samples, width] = y.shape as readonly [number, number]
  const weightOf = (cls: number): unknown =>
    given instanceof Map
      ? given.get(cls)
      : Object.hasOwn(given, cls)
        ? (given as Record<number, number>)[cls]
        : undefined
  const data = new Float64Array(samples)
  for (let n = 0; n < samples; n++) {
    let cls = 0
    if (width === 1) cls = y.data[n]!
    else
      for (let k = 1; k < width; k++) if (y.data[n * width + k]! > y.data[n * width + cls]!) cls = k
    const weight = weightOf(cls)
    if (typeof weight !== 'number' || Number.isNaN(weight)) {
      fail(ConfigError, 'ERR_OPTION', {
        where: 'classWeight',
        what: `weight of class ${cls} (sample ${n})`,
        expected: 'a number',
        actual: describe(weight),
        hint: weight === undefined ? 'Every class in y needs a weight.' : undefined,
      })
    }
    data[n] = weight
  }
  return { data, shape: [samples] }
}
