/** The optimizer's state as Keras 1.2.2 orders it in files. */
import { type Precision, keptIn } from '../backend.js'
import { fail, InternalError, ShapeError } from '../errors.js'
import {
  type KerasArray,
  partsOf,
  readKerasArrays,
  type Variable,
  writingKerasArrays,
} from '../layers/base/variable.js'
import { type Floats, loadNative, type NativePlan } from '../native.js'
import { NDArray, type TensorLike } from '../ndarray.js'
import type { Optimizer } from '../optimizers/optimizer.js'
import type { SlicedWork } from '../sliced-work.js'

/** The trained model that the state belongs to. */
export interface Trained {
  /** As {@link optimizerOrder} gives them. */
  readonly arrays: readonly KerasArray[]
  readonly floatx: Precision
  readonly optimizer: Optimizer
  readonly plan: NativePlan
}

/** Keras' order of parameters in an optimizer: trainable ones by variable name. */
export const optimizerOrder = (arrays: readonly KerasArray[]): KerasArray[] =>
  inNameOrder(arrays.filter((a) => a.trainable))

/** The arrays by name, in plain string order. */
export const inNameOrder = (arrays: readonly KerasArray[]): KerasArray[] =>
  [...arrays].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))

function described(optimizer: Optimizer): { moments: number; savesIterations: boolean } {
  const { name } = optimizer.hyper()
  const found = loadNative()
    .describe()
    .optimizers.find((o) => o.name === name)
  return (
    found ??
    fail(InternalError, 'ERR_INTERNAL', {
      where: name,
      what: 'optimizer',
      expected: 'native',
      actual: 'unknown',
    })
  )
}

/** SGD without decay never counts its iterations in Keras. */
const counts = (optimizer: Optimizer): boolean =>
  !(optimizer.hyper().name === 'sgd' && optimizer.hyper().decay === 0)

/**
 * The state as `optimizer.get_weights()` has it in Keras: `[iterations]` (where the optimizer saves
 * them, shape []), then each moment of all parameters.
 */
export function optimizerWeights({ arrays, floatx, optimizer, plan }: Trained): NDArray[] {
  const { moments, savesIterations } = described(optimizer)
  const out: NDArray[] = []
  if (savesIterations) {
    const iterations = counts(optimizer)
      ? plan.read('optimizer/iterations').data
      : Float32Array.of(0)
    out.push(NDArray.from(iterations, [], keptIn(floatx))) // in Keras a variable like the others
  }
  for (let m = 0; m < moments; m++)
    out.push(...readKerasArrays(arrays, (v) => plan.read(momentOf(v, m)).data))
  return out
}

/** The shapes of what {@link optimizerWeights} gives. */
export function optimizerShapes({
  arrays,
  optimizer,
}: Pick<Trained, 'arrays' | 'optimizer'>): (readonly number[])[] {
  const { moments, savesIterations } = described(optimizer)
  const ofMoments = Array.from({ length: moments }, () => arrays.map(({ shape }) => shape)).flat()
  return savesIterations ? [[], ...ofMoments] : ofMoments
}

/** What an optimizer counts, beside its moments; Keras' files hold it for some optimizers only. */
export interface Counts {
  iterations: number
  /** Nadam's: the product of its momenta. */
  m_schedule: number
}

export const readCounts = (plan: NativePlan): Counts => ({
  iterations: plan.read('optimizer/iterations').data[0]!,
  m_schedule: plan.read('optimizer/m_schedule').data[0]!,
})

export function writeCounts(plan: NativePlan, { iterations, m_schedule }: Counts): void {
  plan.write('optimizer/iterations', { data: Float64Array.of(iterations), shape: [] })
  plan.write('optimizer/m_schedule', { data: Float64Array.of(m_schedule), shape: [] })
}

/** Moments and counts of a plan, each by its variable: for one with the same variables. */
export function readMoments(plan: NativePlan, variables: readonly Variable[]) {
  const names = new Set(plan.names())
  const moments: { variable: Variable; moment: number; value: ReturnType<NativePlan['read']> }[] =
    []
  for (const variable of variables)
    for (let m = 0; names.has(momentOf(variable, m)); m++)
      moments.push({ variable, moment: m, value: plan.read(momentOf(variable, m)) })
  return { moments, counts: readCounts(plan) }
}

/** Puts back what {@link readMoments} gave. */
export function writeMoments(
  plan: NativePlan,
  { moments, counts }: ReturnType<typeof readMoments>,
): void {
  for (const { variable, moment, value } of moments) plan.write(momentOf(variable, moment), value)
  writeCounts(plan, counts)
}

/** Whether a training that goes on without its {@link Counts} takes other steps. */
export function needsCounts(optimizer: Optimizer): boolean {
  const { decay = 0, scheduleDecay } = optimizer.hyper()
  return scheduleDecay !== undefined || (decay !== 0 && !described(optimizer).savesIterations)
}

/** The name of a moment of a variable in the plan that has the variable. */
const momentOf = ({ planPath }: Variable, moment: number): string => `${planPath}:${moment}`

/**
 * Puts back what {@link optimizerWeights} gave, in steps.
 * @throws ShapeError `ERR_SHAPE` when number or shapes differ; then nothing has changed
 */
export function* setOptimizerWeights(
  { arrays, optimizer, plan }: Trained,
  values: readonly TensorLike[],
): SlicedWork<void> {
  const { moments, savesIterations } = described(optimizer)
  const first = savesIterations ? 1 : 0
  const given = values.map((value) => NDArray.from(value))
  const fits =
    given.length === first + moments * arrays.length && (first === 0 || given[0]?.size === 1)
  const shapesFit =
    !fits ||
    given.slice(first).every((value, i) => {
      const { shape } = arrays[i % arrays.length] as KerasArray
      return value.shape.length === shape.length && value.shape.every((d, k) => d === shape[k])
    })
  if (!fits || !shapesFit) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'optimizer weights',
      what: 'arrays',
      expected: `${first + moments * arrays.length}${first ? ', iterations first, then' : ':'} ${moments} for each of ${arrays.map((a) => a.name).join(', ')}`,
      actual: `${given.length}${fits ? ' of other shapes' : ''}`,
    })
  }
  // First, because it may be refused: then nothing has changed.
  if (first)
    plan.write('optimizer/iterations', { data: Float64Array.of(given[0]?.data[0] ?? 0), shape: [] })
  for (let m = 0; m < moments; m++) {
    const part = given.slice(first + m * arrays.length, first + (m + 1) * arrays.length)
    yield* writingKerasArrays(
      'optimizer weights',
      arrays,
      part,
      (v) => plan.read(momentOf(v, m)).data,
      (v, data) => writeParts(plan, momentOf(v, m), data),
    )
  }
}

function* writeParts(plan: NativePlan, name: string, whole: Floats): SlicedWork<void> {
  for (const [data, from] of partsOf(whole)) {
    plan.write(name, { data, shape: [data.length] }, from)
    yield
  }
}
