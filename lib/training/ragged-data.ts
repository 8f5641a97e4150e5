/** Sequences of different lengths as data of a model: recognised, padded, and cut again. */
import { fail, ShapeError } from '../errors.js'
import type { Model } from '../model/model.js'
import type { NativeArray } from '../native.js'
import { isArrayObject, NDArray, sizeOf, type TensorLike } from '../ndarray.js'
import { isRecord } from '../per-name.js'
import { Ragged } from '../ragged.js'
import type { Shape } from '../spec.js'
import { type Arrays, listFor, prepareInputs, type TargetSlot } from './data.js'
import { paddedLabels } from './label-targets.js'
import { asPredictions, predictionList, type Predictions } from './results.js'

/** What a list of sequences is told by: the name of an input or output, and its shape. */
interface Place {
  name?: string
  /** With the batch. */
  shape: Shape
  /** Of targets: as in TargetSlot. */
  blank?: number | null
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)

const stepsOf = (sample: unknown): number | undefined =>
  isArrayObject(sample) ? sample.shape[0] : isList(sample) ? sample.length : undefined

/** Whether it is a list of samples that differ in length, or of arrays of that many axes. */
function isListOfSamples(value: unknown, axes: number): value is readonly TensorLike[] {
  if (!Array.isArray(value) || value.length === 0 || axes < 1) return false
  if (value.some((each) => stepsOf(each) === undefined)) return false
  if (value.every(isArrayObject)) return value.every(({ shape }) => shape.length === axes)
  return value.some((each) => stepsOf(each) !== stepsOf(value[0]))
}

const isNamed = (value: unknown): value is Record<string, unknown> =>
  isRecord(value) && !isArrayObject(value)

/**
 * Data of a call in which each list of sequences is a Ragged, and each of labels padded. Where the
 * model was made for one number of steps, a list of arrays that have it is one array, and one of
 * others stays what it is: somebody has mistaken it.
 *
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION as Ragged.from
 */
export function withRagged<T>(given: T, places: readonly Place[], where: string): T {
  const read = (value: unknown, place: Place | undefined, label: string): unknown => {
    if ((place?.blank ?? null) !== null) return paddedLabels(value, label)
    if (!place || !isListOfSamples(value, place.shape.length - 1)) return value
    const ragged = Ragged.from(value, undefined, label)
    const steps = place.shape[1] ?? null
    if (steps === null) return ragged
    return ragged.lengths.every((length) => length === steps) ? ragged.padded() : value
  }
  if (isNamed(given)) {
    const entries = Object.entries(given).map(([name, value]) => {
      const place = places.find((each) => each.name === name)
      return [name, read(value, place, `${where}['${name}']`)]
    })
    return Object.fromEntries(entries) as T
  }
  if (places.length > 1)
    return Array.isArray(given)
      ? (given.map((value, i) => read(value, places[i], `${where}[${i}]`)) as T)
      : given
  const isWrapped = Array.isArray(given) && given.length === 1 && given[0] instanceof Ragged
  return (isWrapped ? given[0] : read(given, places[0], where)) as T
}

/** Whether some of the data are sequences of different lengths. */
export const hasRagged = (given: unknown): boolean =>
  given instanceof Ragged ||
  (isNamed(given) || Array.isArray(given)
    ? Object.values(given).some((each) => each instanceof Ragged)
    : false)

/** The inputs of one batch: arrays, and of those that were sequences, their lengths. */
export interface ReadInputs {
  arrays: NativeArray[]
  /** Null where the input was one array. */
  lengths: readonly (Int32Array | null)[]
}

/**
 * The inputs of one batch, sequences padded to the longest.
 *
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION; StateError ERR_BUSY where the model must be
 *   made ready for sequences while another call works on it
 */
export function readInputs(model: Model, call: string, x: Arrays, name = 'x'): ReadInputs {
  const slots = model.inputSlots()
  const read = withRagged(x, slots, name)
  if (!hasRagged(read)) return { arrays: prepareInputs(read, slots, name), lengths: [] }
  const list: readonly unknown[] = listFor(read, slots, { name, each: 'input' })
  const lengths = list.map((value) => (value instanceof Ragged ? value.lengths : null))
  const which = lengths.flatMap((each, i) => (each ? [i] : []))
  const paddings = model.maskInputs(which, call)
  const padded = list.map((value, i) => {
    if (!(value instanceof Ragged)) return value as TensorLike
    const label = slots.length > 1 ? `${name}[${i}]` : name
    return pad(value, slots[i]!.shape[1] ?? null, paddings[which.indexOf(i)]!, label)
  })
  const arrays = slots.length === 1 ? padded[0]! : padded
  return { arrays: prepareInputs(arrays, slots, name), lengths }
}

function pad(ragged: Ragged, steps: number | null, value: number, where: string): NDArray {
  const tooLong = steps === null ? -1 : ragged.lengths.findIndex((length) => length > steps)
  if (tooLong >= 0)
    fail(ShapeError, 'ERR_SHAPE', {
      where: `${where}[${tooLong}]`,
      what: 'number of steps',
      expected: `at most ${steps}, as the model was made for`,
      actual: `${ragged.lengths[tooLong]}`,
      hint: 'null in place of that number in inputShape stands for any.',
    })
  return ragged.padded(undefined, { length: steps, value })
}

/**
 * Targets, or weights per step, in which each Ragged is padded to the steps of its slot.
 *
 * @param lengths of the inputs' sequences
 * @param value what is put in
 * @throws ShapeError ERR_SHAPE for sequences of other lengths than those of every input
 */
export function padLike<T>(
  given: T,
  slots: readonly (Pick<TargetSlot, 'name' | 'shape'> & Partial<Pick<TargetSlot, 'blank'>>)[],
  lengths: ReadInputs['lengths'],
  name: string,
  value = 0,
): T {
  const read = withRagged(given, slots, name)
  if (!hasRagged(read)) return read
  const padded = (given: unknown, slot: Place | undefined, label: string): unknown => {
    if (!(given instanceof Ragged)) return given
    checkLengths(given, lengths, label)
    return pad(given, slot?.shape[1] ?? null, value, label)
  }
  if (read instanceof Ragged) return padded(read, slots[0], name) as T
  const entries = Object.entries(read as Record<string, unknown>).map(([key, each], i) => {
    const slot = Array.isArray(read) ? slots[i] : slots.find((place) => place.name === key)
    return [key, padded(each, slot, `${name}[${key}]`)] as const
  })
  return (Array.isArray(read) ? entries.map(([, each]) => each) : Object.fromEntries(entries)) as T
}

function checkLengths(value: Ragged, lengths: ReadInputs['lengths'], where: string): void {
  const known = lengths.filter((each) => each !== null)
  const differs = (each: Int32Array) => value.lengths.findIndex((length, i) => length !== each[i])
  if (known.length === 0 || known.some((each) => differs(each) < 0)) return
  if (value.length !== known[0]!.length) return // told as another number of samples
  const sample = differs(known[0]!)
  fail(ShapeError, 'ERR_SHAPE', {
    where: `${where}[${sample}]`,
    what: 'number of steps',
    expected: `${known[0]![sample]}, as its input has`,
    actual: `${value.lengths[sample]}`,
  })
}

/**
 * Outputs of one batch without the padding: of a sequence per step, as many steps as it has.
 *
 * @param inputs what the outputs are for
 */
export function cut(model: Model, outputs: Predictions, inputs: ReadInputs): Predictions {
  if (inputs.lengths.length === 0) return outputs
  const ended = model.masksAt(inputs.lengths.map((each) => each !== null))
  const list = predictionList(outputs).map((output, i) =>
    ended[i] ? cutOne(output, inputs, `output ${i}`) : output,
  )
  return asPredictions(list as NDArray[])
}

function cutOne(output: NDArray, { arrays, lengths }: ReadInputs, where: string): Ragged {
  const [, steps, ...stepShape] = output.shape as [number, number, ...number[]]
  const own = lengths.find((each, i) => each !== null && arrays[i]!.shape[1] === steps)
  if (!own)
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'number of steps',
      expected: `that of an input, ${arrays.map(({ shape }) => shape[1]).join(' or ')}`,
      actual: `${steps}`,
      hint: 'Pad the sequences yourself: padSequences of hiddenstate/preprocessing.',
    })
  const step = sizeOf(stepShape)
  const samples = Array.from(own, (length, n) => {
    const from = n * steps * step
    return new NDArray(output.data.subarray(from, from + length * step) as typeof output.data, [
      length,
      ...stepShape,
    ])
  })
  return Ragged.from(samples)
}
