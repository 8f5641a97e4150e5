/** fit, evaluate and predict on rows that stay where they are until a batch needs them: memory holds a batch or two. */
import { Batches, closing } from './batches.js'
import { checkInteger, checkOneOf, checkSignal, checkVerbose } from './call-options.js'
import type { History } from './callbacks.js'
import type { ClassWeight } from './data.js'
import { ConfigError, fail, ShapeError } from './errors.js'
import * as inMemory from './evaluate.js'
import {
  batchSizeFor,
  checkStatefulBatches,
  type EvaluateOptions,
  type Inputs,
  type PredictOptions,
  type Scores,
  testLoop,
} from './evaluate.js'
import * as fitting from './fit.js'
import { checkTriple, FIT_DEFAULTS, type FitOptions, prepareValidation, splitAt, type Triple } from './fit.js'
import { evaluateAll, evaluateBatches, predictBatches, trainOnBatches, type Validation } from './fit-generator.js'
import { checkCallbacks } from './hooks.js'
import { NanWatch } from './nan-watch.js'
import type { NDArray, TensorLike } from './ndarray.js'
import { resolveOptions } from './options.js'
import { nextSeed, RandomStream } from './random.js'
import { isRowSource, rowsOf, type Rows, type RowSource } from './row-source.js'
import type { Sequential } from './sequential.js'

/** Whether x or y are to be fetched batch by batch. */
const areRows = (x: Rows, y: Rows): boolean => isRowSource(x) || isRowSource(y)

/** See {@link Sequential.fit}. */
export async function fit(model: Sequential, x: Rows, y: Rows, options?: FitOptions): Promise<History> {
  if (areRows(x, y)) return fitRows(model, x, y, options)
  return fitting.fit(model, x as Inputs, y as Inputs, options)
}

/** See {@link Sequential.evaluate}. */
export async function evaluate(model: Sequential, x: Rows, y: Rows, options?: EvaluateOptions): Promise<Scores> {
  if (areRows(x, y)) return evaluateRows(model, x, y, options)
  return inMemory.evaluate(model, x as Inputs, y as Inputs, options)
}

/** See {@link Sequential.predict}. */
export async function predict(
  model: Sequential,
  x: Rows,
  options?: PredictOptions,
  where = 'predict',
): Promise<NDArray> {
  if (isRowSource(x)) return predictRows(model, x, options, where)
  return inMemory.predict(model, x as Inputs, options, where)
}

interface Table {
  count: number
  /** `[x, y]` or `[x, y, sampleWeight]` of some rows. */
  take(from: number, to: number): Promise<Triple>
}

/** Columns of equal length. @throws ShapeError ERR_SHAPE */
function table(where: string, x: Rows, y: Rows, sampleWeight: TensorLike | null): Table {
  const columns = [
    rowsOf(x as TensorLike | RowSource, `${where}: x`),
    rowsOf(y as TensorLike | RowSource, `${where}: y`),
    ...(sampleWeight === null ? [] : [rowsOf(sampleWeight, `${where}: sampleWeight`)]),
  ]
  const { count } = columns[0]!
  const other = columns.find((column) => column.count !== count)
  if (other) {
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      what: 'rows of x, y and sampleWeight',
      expected: `${count} each, as x has`,
      actual: `${other.count}`,
    })
  }
  return {
    count,
    take: async (from, to) => (await Promise.all(columns.map((column) => column.take(from, to)))) as unknown as Triple,
  }
}

/** Batches of rows `first` to `last`, again and again; each round in the order that `order` gives. */
async function* rounds(
  { take }: Pick<Table, 'take'>,
  [first, last]: readonly [number, number],
  batchSize: number,
  order: (batches: Int32Array) => Int32Array = (batches) => batches,
): AsyncGenerator<Triple> {
  const starts = Int32Array.from({ length: Math.ceil((last - first) / batchSize) }, (_, i) => i)
  for (;;) {
    for (const i of order(starts)) {
      const from = first + i * batchSize
      yield await take(from, Math.min(from + batchSize, last))
    }
  }
}

/** @throws ConfigError ERR_OPTION */
function shuffler(
  shuffle: unknown,
  samples: number,
  batchSize: number,
): ((batches: Int32Array) => Int32Array) | undefined {
  if (checkOneOf('fit', 'shuffle', shuffle, [true, false, 'batch'] as const) === true) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'fit',
      what: 'shuffle',
      expected: "'batch' or false for rows that stay in a file",
      actual: 'true (the default)',
      hint: "Single rows from all over a file are slow to read; 'batch' shuffles whole batches.",
    })
  }
  if (shuffle === false) return undefined
  const stream = new RandomStream(nextSeed())
  const whole = Math.floor(samples / batchSize) // the remainder stays at the end
  return (batches) => {
    stream.shuffle(batches.subarray(0, whole))
    return batches
  }
}

async function fitRows(model: Sequential, x: Rows, y: Rows, given?: FitOptions): Promise<History> {
  const { session } = model
  session.checkIdle('fit')
  model.requireCompiled('fit')
  const options = resolveOptions('fit', FIT_DEFAULTS, given)
  const verbose = checkVerbose('fit', options.verbose)
  const callbacks = checkCallbacks('fit', options.callbacks)
  const watch = new NanWatch(model, checkOneOf('fit', 'onNaN', options.onNaN, ['warn', 'throw'] as const))
  const signal = checkSignal('fit', options.signal)
  signal?.throwIfAborted()
  const data = table('fit', x, y, options.sampleWeight as TensorLike | null)
  const hasValidation = options.validationData !== null && options.validationData !== undefined
  const split = hasValidation ? data.count : splitAt(data.count, options.validationSplit)
  const batchSize = batchSizeFor(model, 'fit', options.batchSize, split)
  const validation = hasValidation
    ? validationOf(model, options.validationData, batchSize, signal)
    : split < data.count
      ? rowValidation(model, data, [split, data.count], batchSize, signal)
      : null
  const order = shuffler(options.shuffle, split, batchSize)
  const job = {
    samplesPerEpoch: split,
    nbEpoch: checkInteger('fit', 'nbEpoch', options.nbEpoch, 0),
    initialEpoch: checkInteger('fit', 'initialEpoch', options.initialEpoch, 0),
    classWeight: options.classWeight as ClassWeight | null,
    signal,
    validation,
    batches: new Batches(rounds(data, [0, split], batchSize, order), 'fit'),
  }
  return trainOnBatches(model, 'fit', job, { batchSize, verbose, callbacks, watch })
}

/** Of rows `[from, to)` of a table. */
function rowValidation(
  model: Sequential,
  data: Table,
  range: readonly [number, number],
  batchSize: number,
  signal: AbortSignal | null,
): Validation {
  const samples = range[1] - range[0]
  checkStatefulBatches(model, 'fit: validation', samples, batchSize)
  const batches = new Batches(rounds(data, range, batchSize), 'fit: validation')
  return { samples, batches, run: (turn) => evaluateBatches(model, 'fit', batches, { samples, turn, signal }) }
}

function validationOf(model: Sequential, value: unknown, batchSize: number, signal: AbortSignal | null): Validation {
  const [x, y, sampleWeight = null] = checkTriple('fit: validationData', value)
  if (areRows(x, y)) {
    const data = table('fit: validationData', x, y, sampleWeight)
    return rowValidation(model, data, [0, data.count], batchSize, signal)
  }
  const prepared = prepareValidation(model, 'fit', value)
  const { samples } = prepared
  checkStatefulBatches(model, 'fit: validationData', samples, batchSize)
  const data = model.session.load(prepared)
  return {
    samples,
    batches: null,
    run: (turn) =>
      testLoop(model, turn, data.set, { call: 'fit', where: 'fit: validation', batchSize, samples, signal }),
  }
}

async function evaluateRows(model: Sequential, x: Rows, y: Rows, given?: EvaluateOptions): Promise<Scores> {
  const where = 'evaluate'
  model.session.checkAlive(where)
  model.requireCompiled(where)
  const defaults = { batchSize: undefined, sampleWeight: null, verbose: 1, signal: null }
  const options = resolveOptions<Record<string, unknown>>(where, defaults, given)
  checkVerbose(where, options.verbose)
  const signal = checkSignal(where, options.signal)
  signal?.throwIfAborted()
  const data = table(where, x, y, options.sampleWeight as TensorLike | null)
  const batchSize = batchSizeFor(model, where, options.batchSize, data.count)
  const batches = new Batches(rounds(data, [0, data.count], batchSize), where)
  return evaluateAll(model, where, batches, data.count, signal)
}

async function predictRows(
  model: Sequential,
  x: RowSource,
  given?: PredictOptions,
  where = 'predict',
): Promise<NDArray> {
  model.session.checkAlive(where)
  const defaults = { batchSize: undefined, verbose: 0, signal: null }
  const options = resolveOptions<Record<string, unknown>>(where, defaults, given)
  checkVerbose(where, options.verbose)
  const signal = checkSignal(where, options.signal)
  signal?.throwIfAborted()
  const { count, take } = rowsOf(x, `${where}: x`)
  const batchSize = batchSizeFor(model, where, options.batchSize, count)
  const source = rounds({ take: take as unknown as Table['take'] }, [0, count], batchSize)
  const batches = new Batches(source, where)
  return closing([batches], () => predictBatches(model, where, batches, count, signal))
}
