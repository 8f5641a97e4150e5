/**
 * fit, evaluate and predict on rows that stay where they are until a batch needs them: memory holds
 * a batch or two.
 */
import { Batches, closing } from './batches.js'
import { checkOneOf, checkSignal, checkVerbose } from '../call-options.js'
import type { History } from '../callbacks/index.js'
import type { ClassWeights, SampleWeights } from './data.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import * as inMemory from './evaluate.js'
import { batchSizeFor, checkStatefulBatches } from './evaluate.js'
import type { EvaluateOptions, Inputs, PredictOptions, Predictions, Scores } from './results.js'
import * as fitting from './fit.js'
import {
  arrayValidation,
  callOptions,
  checkTriple,
  FIT_DEFAULTS,
  type FitOptions,
  prepareValidation,
  splitAt,
  type Triple,
} from './fit.js'
import { batchesValidation, evaluateAll, predictBatches } from './fit-generator.js'
import { resolveOptions } from '../options.js'
import { nextSeed, RandomStream } from '../random.js'
import { areFetched, type Rows, tableOf } from './row-source.js'
import type { Model } from '../model/model.js'
import { BatchesSource } from './batches-source.js'
import { train } from './loop.js'
import type { Plain } from './plain-data.js'
import { Resumption } from './resume.js'
import type { Validation } from './source.js'

/** Whether x or y are to be fetched batch by batch. */
const areRows = (x: Rows, y: Rows): boolean => areFetched(x) || areFetched(y)

/** See {@link Sequential.fit}. */
export async function fit(model: Model, x: Rows, y: Rows, options?: FitOptions): Promise<History> {
  if (areRows(x, y)) return fitRows(model, x, y, options)
  return fitting.fit(model, x as Inputs, y as Inputs, options)
}

/** See {@link Sequential.evaluate}. */
export async function evaluate(
  model: Model,
  x: Rows,
  y: Rows,
  options?: EvaluateOptions,
): Promise<Scores> {
  if (areRows(x, y)) return evaluateRows(model, x, y, options)
  return inMemory.evaluate(model, x as Inputs, y as Inputs, options)
}

/** See {@link Sequential.predict}. */
export async function predict(
  model: Model,
  x: Rows,
  options?: PredictOptions,
  where = 'predict',
): Promise<Predictions> {
  if (areFetched(x)) return predictRows(model, x, options, where)
  return inMemory.predict(model, x as Inputs, options, where)
}

interface Table {
  count: number
  /** `[x, y]` or `[x, y, sampleWeight]` of some rows. */
  take(from: number, to: number): Promise<Triple>
}

/** Columns of equal length. @throws ShapeError ERR_SHAPE */
function table(where: string, x: Rows, y: Rows, sampleWeight: SampleWeights): Table {
  const columns = [
    tableOf(x, `${where}: x`),
    tableOf(y, `${where}: y`),
    ...(sampleWeight === null ? [] : [tableOf(sampleWeight as Rows, `${where}: sampleWeight`)]),
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
    take: async (from, to) =>
      (await Promise.all(columns.map((column) => column.take(from, to)))) as unknown as Triple,
  }
}

/**
 * Batches of rows `first` to `last`, again and again; whole batches in another order each time
 * where there is a stream.
 */
class Rounds implements AsyncIterableIterator<Triple> {
  readonly #order: Int32Array
  #place = 0

  constructor(
    readonly table: Pick<Table, 'take'>,
    readonly range: readonly [first: number, last: number],
    readonly batchSize: number,
    readonly stream: RandomStream | null = null,
  ) {
    this.#order = Int32Array.from(
      { length: Math.ceil((range[1] - range[0]) / batchSize) },
      (_, i) => i,
    )
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Triple>> {
    const [first, last] = this.range
    const whole = Math.floor((last - first) / this.batchSize) // the remainder stays at the end
    if (this.#place === 0) this.stream?.shuffle(this.#order.subarray(0, whole))
    const from = first + this.#order[this.#place]! * this.batchSize
    this.#place = (this.#place + 1) % this.#order.length
    return {
      done: false,
      value: await this.table.take(from, Math.min(from + this.batchSize, last)),
    }
  }

  /** @see Resumable */
  state(): Plain {
    return { at: this.#place, order: this.#order.slice(), stream: this.stream?.state ?? null }
  }

  restore(state: Plain): void {
    const { at, order, stream } = state as {
      at: number
      order: Int32Array
      stream: number[] | null
    }
    this.#place = at
    this.#order.set(order)
    if (this.stream && stream) this.stream.state = stream
  }
}

/** What shuffles whole batches; null: nothing. @throws ConfigError ERR_OPTION */
function shuffler(shuffle: unknown): RandomStream | null {
  if (checkOneOf('fit', 'shuffle', shuffle, [true, false, 'batch'] as const) === true) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'fit',
      what: 'shuffle',
      expected: "'batch' or false for rows that stay in a file",
      actual: 'true (the default)',
      hint: "Single rows from all over a file are slow to read; 'batch' shuffles whole batches.",
    })
  }
  return shuffle === false ? null : new RandomStream(nextSeed())
}

async function fitRows(model: Model, x: Rows, y: Rows, given?: FitOptions): Promise<History> {
  const { runner } = model
  runner.checkIdle('fit')
  model.requireCompiled('fit')
  const options = resolveOptions<Record<string, unknown>>('fit', FIT_DEFAULTS, given)
  const call = callOptions('fit', model, options)
  const { signal } = call
  const data = table('fit', x, y, options.sampleWeight as SampleWeights)
  const hasValidation = options.validationData !== null && options.validationData !== undefined
  const split = hasValidation ? data.count : splitAt(data.count, options.validationSplit)
  const batchSize = batchSizeFor(model, 'fit', options.batchSize, split)
  const batches = new Batches(
    new Rounds(data, [0, split], batchSize, shuffler(options.shuffle)),
    'fit',
  )
  const classWeight = options.classWeight as ClassWeights
  const resumption = new Resumption('fit', options, model, call.callbacks, () => ({
    batches: JSON.stringify({ batchSize, shuffle: options.shuffle, split }),
    data: `${data.count} rows of a file`,
  }))
  batches.keepsState = resumption.writes
  const source = new BatchesSource(model, batches, {
    call: 'fit',
    samples: split,
    classWeight,
    signal,
  })
  // Last, since it may hold data of its own.
  const validation = hasValidation
    ? validationOf(model, options.validationData, batchSize, signal)
    : split < data.count
      ? rowValidation(model, data, [split, data.count], batchSize, signal)
      : null
  return train(model, { ...call, batchSize, source, validation, resumption })
}

/** Validation on rows `[from, to)` of a table. */
function rowValidation(
  model: Model,
  data: Table,
  range: readonly [number, number],
  batchSize: number,
  signal: AbortSignal | null,
): Validation {
  const samples = range[1] - range[0]
  checkStatefulBatches(model, 'fit: validation', samples, batchSize)
  const batches = new Batches(new Rounds(data, range, batchSize), 'fit: validation')
  return batchesValidation(model, batches, { call: 'fit', samples, signal })
}

function validationOf(
  model: Model,
  value: unknown,
  batchSize: number,
  signal: AbortSignal | null,
): Validation {
  const [x, y, sampleWeight = null] = checkTriple('fit: validationData', value)
  if (areRows(x, y)) {
    const data = table('fit: validationData', x, y, sampleWeight)
    return rowValidation(model, data, [0, data.count], batchSize, signal)
  }
  const prepared = prepareValidation(model, 'fit', value)
  const { samples } = prepared
  checkStatefulBatches(model, 'fit: validationData', samples, batchSize)
  return arrayValidation(model, model.runner.load(prepared), { call: 'fit', samples, signal })
}

async function evaluateRows(
  model: Model,
  x: Rows,
  y: Rows,
  given?: EvaluateOptions,
): Promise<Scores> {
  const where = 'evaluate'
  model.runner.checkAlive(where)
  model.requireCompiled(where)
  const defaults = { batchSize: undefined, sampleWeight: null, verbose: 1, signal: null }
  const options = resolveOptions<Record<string, unknown>>(where, defaults, given)
  checkVerbose(where, options.verbose)
  const signal = checkSignal(where, options.signal)
  signal?.throwIfAborted()
  const data = table(where, x, y, options.sampleWeight as SampleWeights)
  const batchSize = batchSizeFor(model, where, options.batchSize, data.count)
  const batches = new Batches(new Rounds(data, [0, data.count], batchSize), where)
  return evaluateAll(model, where, batches, data.count, signal)
}

async function predictRows(
  model: Model,
  x: Rows,
  given?: PredictOptions,
  where = 'predict',
): Promise<Predictions> {
  model.runner.checkAlive(where)
  const defaults = { batchSize: undefined, verbose: 0, signal: null }
  const options = resolveOptions<Record<string, unknown>>(where, defaults, given)
  checkVerbose(where, options.verbose)
  const signal = checkSignal(where, options.signal)
  signal?.throwIfAborted()
  const { count, take } = tableOf(x, `${where}: x`)
  const batchSize = batchSizeFor(model, where, options.batchSize, count)
  const source = new Rounds({ take: take as unknown as Table['take'] }, [0, count], batchSize)
  const batches = new Batches(source, where)
  return closing([batches], () => predictBatches(model, where, batches, count, signal))
}
