/** The optimizer's state as Keras 1.2.2 orders it in files. */
import { fail, InternalError, ShapeError } from './errors.js'
import type { Layer } from './layers/layer.js'
import { type KerasArray, readKerasArrays, writeKerasArrays } from './layers/variable.js'
import { loadNative, type NativePlan } from './native.js'
import { NDArray, type TensorLike } from './ndarray.js'
import type { Optimizer } from './optimizers.js'

/** What the state belongs to. */
export interface Trained {
  readonly layers: readonly Layer[]
  readonly optimizer: Optimizer
  readonly plan: NativePlan
}

/** Keras' order of parameters in an optimizer: trainable ones by variable name, plain string order. */
export function optimizerOrder(layers: readonly Layer[]): KerasArray[] {
  const arrays = layers.flatMap((layer) => layer.kerasArrays()).filter((a) => a.trainable)
  return arrays.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

function described(optimizer: Optimizer): { moments: number; savesIterations: boolean } {
  const { name } = optimizer.hyper()
  const found = loadNative()
    .describe()
    .optimizers.find((o) => o.name === name)
  return (
    found ??
    fail(InternalError, 'ERR_INTERNAL', { where: name, what: 'optimizer', expected: 'native', actual: 'unknown' })
  )
}

/** SGD without decay never counts its iterations in Keras. */
const counts = (optimizer: Optimizer): boolean => !(optimizer.hyper().name === 'sgd' && optimizer.hyper().decay === 0)

/**
 * The state as `optimizer.get_weights()` has it in Keras: `[iterations]` (where the optimizer saves them, shape []),
 * then each moment of all parameters.
 */
export function optimizerWeights({ layers, optimizer, plan }: Trained): NDArray[] {
  const { moments, savesIterations } = described(optimizer)
  const arrays = optimizerOrder(layers)
  const out: NDArray[] = []
  if (savesIterations) {
    const iterations = counts(optimizer) ? plan.read('optimizer/iterations').data : Float32Array.of(0)
    out.push(NDArray.from(iterations, [], layers[0]?.floatx)) // in Keras a variable like the others
  }
  for (let m = 0; m < moments; m++) out.push(...readKerasArrays(arrays, (v) => plan.read(`${v.path}:${m}`).data))
  return out
}

/**
 * Puts back what {@link optimizerWeights} gave.
 * @throws ShapeError `ERR_SHAPE` when number or shapes differ; then nothing has changed
 */
export function setOptimizerWeights({ layers, optimizer, plan }: Trained, values: readonly TensorLike[]): void {
  const { moments, savesIterations } = described(optimizer)
  const arrays = optimizerOrder(layers)
  const first = savesIterations ? 1 : 0
  const given = values.map((value) => NDArray.from(value))
  const fits = given.length === first + moments * arrays.length && (first === 0 || given[0]?.size === 1)
  const shapesFit = given.slice(first).every((value, i) => {
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
  for (let m = 0; m < moments; m++) {
    const part = given.slice(first + m * arrays.length, first + (m + 1) * arrays.length)
    writeKerasArrays(
      'optimizer weights',
      arrays,
      part,
      (v) => plan.read(`${v.path}:${m}`).data,
      (v, data) => plan.write(`${v.path}:${m}`, { data, shape: v.dims }),
    )
  }
  if (first) plan.write('optimizer/iterations', { data: Float64Array.of(given[0]?.data[0] ?? 0), shape: [] })
}
