/** What a session is given: inputs of its model, one step of them or several. */
import type { PlanBeside } from '../engine/plan-beside.js'
import type { StepInput } from '../engine/stepping.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import type { Container } from '../layers/base/container.js'
import type { NativeArray, NativeOutputs } from '../native.js'
import { describe, shapeText, type TensorLike } from '../ndarray.js'
import { isRecord, perName } from '../per-name.js'
import type { Shape } from '../spec.js'
import { checkIntegers, type InputSlot, toNative } from '../training/data.js'
import type { PredictionsOf, Tensors } from '../training/results.js'

/** One step of one input, where it is one feature or one word, or an array. */
type StepLike = number | TensorLike

/** One step: of one input, or of each one that is not fixed, in a list or by their names. */
export type StepInputs = StepLike | readonly StepLike[] | Readonly<Record<string, StepLike>>

/** Steps that are asked for: what whoever computes them needs, a session or a Batcher. */
export interface PendingSteps<O extends Tensors> {
  readonly plan: PlanBeside
  /** Of the batch that it is. */
  readonly rows: number
  /** How many of the plan's outputs are the caller's; states, which are copied, come behind. */
  readonly outputs: number
  /** Steps of one plan and of equal shapes may be rows of one batch. */
  readonly shapes: string
  /** What comes before the first step; the caller holds a turn. @throws as `step` */
  begin(): Promise<void>
  /** What the plan reads, each [rows, …], from the states of this moment. */
  inputs(): NativeArray[]
  /** Takes what the plan gives: outputs for the caller, states for the session. */
  take(outputs: NativeOutputs): PredictionsOf<O>
  /** Done or given up. */
  end(): void
}

/**
 * What each input is to a session.
 *
 * @param fixed what was given for each; undefined: nothing
 * @throws ConfigError ERR_OPTION where none is a sequence
 */
export function stepInputs(
  where: string,
  { network: { uses } }: Container,
  slots: readonly InputSlot[],
  fixed: readonly unknown[],
): StepInput[] {
  const inputs = slots.map(({ shape }, i): StepInput => {
    if (fixed[i] !== undefined) return 'fixed'
    const isOfWords = uses[i]!.every(({ layer, at }) => layer.slotAt(at).indexLimit !== null)
    return shape.length > 2 || isOfWords ? 'sequence' : 'whole'
  })
  if (inputs.includes('sequence')) return inputs
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'inputs that are not fixed',
    expected: 'a sequence to go through, [B, T, …]',
    actual: slots.map(({ name, shape }) => `${name} ${shapeText(shape)}`).join(', '),
    hint: 'model.predict is for models without sequences.',
  })
}

/** What one array of a session must be. */
interface Given {
  readonly where: string
  readonly what: string
  readonly batchSize: number | null
  /** Whether sequences are given, else one step of them. */
  readonly isMany: boolean
}

/**
 * An array as native code gets it, [B, T, …] of a sequence.
 *
 * @throws ShapeError ERR_SHAPE; ConfigError ERR_OPTION
 */
export function checkedInput(
  { where, what, batchSize, isMany }: Given,
  input: StepInput,
  { shape, indexLimit }: InputSlot,
  value: unknown,
): NativeArray {
  const isSequence = input === 'sequence'
  const rest: Shape = shape.slice(isSequence ? 2 : 1)
  const wanted: (number | string | null)[] = [
    ...(batchSize === null ? [] : [batchSize]),
    ...(isSequence && isMany ? ['T'] : []),
    ...rest,
  ]
  const { data, shape: got } =
    typeof value === 'number'
      ? { data: Float64Array.of(value), shape: [] }
      : toNative(value as TensorLike, what)
  const fits = (dims: readonly number[]) =>
    dims.length === wanted.length &&
    dims.every((extent, i) => extent > 0 && (typeof wanted[i] !== 'number' || wanted[i] === extent))
  const own = fits(got) ? got : [...got, 1] // one feature needs no axis
  if (!fits(own))
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what,
      expected: `[${wanted.map((extent) => extent ?? 'n').join(', ')}]`,
      actual: shapeText(got),
      hint: hintFor(got, wanted, batchSize),
    })
  const at = batchSize === null ? own : own.slice(1)
  const full = [batchSize ?? 1, ...(isSequence && !isMany ? [1] : []), ...at]
  const array = { data, shape: full }
  if (indexLimit !== null)
    checkIntegers(
      array,
      where,
      `word indices in ${what}`,
      indexLimit,
      'inputDim must be the largest index + 1.',
    )
  return array
}

function hintFor(
  got: readonly number[],
  wanted: readonly unknown[],
  batchSize: number | null,
): string | undefined {
  if (got.length !== wanted.length + 1) return undefined
  return batchSize === null
    ? 'predict takes several steps; model.session({ batchSize }) has an axis of the batch.'
    : 'predict takes several steps.'
}

/** What was given for each input; undefined: nothing. */
export function fixedValues(where: string, slots: readonly InputSlot[], fixed: unknown): unknown[] {
  const names = slots.map(({ name }) => name!)
  if (fixed === null) return names.map(() => undefined)
  if (!isRecord(fixed))
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'fixed',
      expected: `an object of arrays by the names of inputs: ${names.join(', ')}`,
      actual: describe(fixed),
    })
  return perName({ where, what: 'fixed', each: 'input' }, fixed, names, { instead: undefined })!
}
