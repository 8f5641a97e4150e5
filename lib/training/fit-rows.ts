/**
 * fit, evaluate and predict batch by batch: on rows that stay where they are until a batch needs
 * them, and on sequences that are padded to the longest of their batch.
 */
import { Batches, closing } from './batches.js'
import { checkOneOf, checkSignal, checkVerbose } from '../call-options.js'
import type { History } from '../callbacks/index.js'
import type { ClassWeights, SampleWeights } from './data.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import { type BucketOptions, Buckets, predictSequences } from './buckets.js'
import * as inMemory from './evaluate.js'
import { batchSizeFor, checkStatefulBatches, prepareTraining } from './evaluate.js'
import type { EvaluateOptions, Inputs, PredictOptions, Predictions, Scores } from './results.js'
import * as fitting from './fit.js'
import {
  arrayValidation,
  callOptions,
  checkTriple,
  epochsOf,
  FIT_DEFAULTS,
  type FitOptions,
  prepareValidation,
  splitAt,
  type Triple,
  VALIDATION_NAMES,
} from './fit.js'
import { batchesValidation, evaluateAll, predictBatches } from './fit-generator.js'
import { resolveOptions } from '../options.js'
import { nextSeed, RandomStream } from '../random.js'
import { withRagged } from './ragged-data.js'
import { goesByBatch, type Rows, tableOf } from './row-source.js'
import type { Model } from '../model/model.js'
import { BatchesSource } from './batches-source.js'
import { train } from './loop.js'
import type { Plain } from './plain-data.js'
import { Resumption } from './resume.js'
import type { Validation } from './source.js'
import { identityOf } from './state.js'
import { batchIdentity, requireFull } from './teams.js'

/** Whether x or y go batch by batch. */
const areRows = (x: Rows, y: Rows): boolean => goesByBatch(x) || goesByBatch(y)

/** The data of a call, lists of sequences recognised. @throws ShapeError, ConfigError */
function read(model: Model, x: Rows, y: Rows, names = { x: 'x', y: 'y' }): { x: Rows; y: Rows } {
  return {
    x: withRagged(x, model.inputSlots(), names.x),
    y: withRagged(y, model.targetPlaces(), names.y),
  }
}

/** See {@link Sequential.fit}. */
export async function fit(model: Model, x: Rows, y: Rows, options?: FitOptions): Promise<History> {
  model.runner.checkIdle('fit')
  model.requireCompiled('fit')
  requireFull(model, 'fit')
  const given = read(model, x, y)
  if (areRows(given.x, given.y)) return fitRows(model, given.x, given.y, options)
  return fitting.fit(model, given.x as Inputs, given.y as Inputs, options)
}

/** See {@link Sequential.evaluate}. */
export async function evaluate(
  model: Model,
  x: Rows,
  y: Rows,
  options?: EvaluateOptions,
): Promise<Scores> {
  model.runner.checkAlive('evaluate')
  model.requireCompiled('evaluate')
  requireFull(model, 'evaluate')
  const given = read(model, x, y)
  if (areRows(given.x, given.y)) return evaluateRows(model, given.x, given.y, options)
  return inMemory.evaluate(model, given.x as Inputs, given.y as Inputs, options)
}

/** See {@link Sequential.predict}. */
export async function predict(
  model: Model,
  x: Rows,
  options?: PredictOptions,
  where = 'predict',
): Promise<Predictions> {
  model.runner.checkAlive(where)
  const given = withRagged(x, model.inputSlots(), 'x')
  if (goesByBatch(given)) return predictRows(model, given, options, where)
  return inMemory.predict(model, given as Inputs, options, where)
}

interface Table {
  count: number
  /** Whether batches may have any of the rows; else they are fetched in order. */
  isInMemory: boolean
  /** Batches `[x, y]` or `[x, y, sampleWeight]`, again and again. */
  batches(options: BucketOptions): Buckets | Rounds
  /** What the data are, for checkpoints. */
  identity(): string
}

/**
 * Columns of equal length. Where some are sequences, and all are in memory, they are copied, and
 * checked sample by sample.
 *
 * @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION
 */
function table(
  model: Model,
  where: string,
  given: readonly [x: Rows, y: Rows, sampleWeight?: SampleWeights],
  weighting: { call: string; classWeight?: ClassWeights },
): Table {
  const columns = columnsFor(where, given)
  const { count } = columns[0]!
  const lengths = columns.find((column) => column.lengths)?.lengths
  const picks = columns.flatMap(({ pick }) => pick ?? [])
  if (lengths && picks.length === columns.length) {
    const all = picks.map((pick) => pick(Int32Array.from(lengths, (_, i) => i))) // copied
    const own = columnsFor(where, all as unknown as Triple)
    const pick = (rows: Int32Array) => own.map((each) => each.pick!(rows)) as unknown as Triple
    checkEach(model, count, pick, weighting)
    return {
      count,
      isInMemory: true,
      batches: (options) => new Buckets({ lengths, pick }, options),
      identity: () => identityOf(own.flatMap((column) => column.arrays())),
    }
  }
  const take = async (from: number, to: number) =>
    (await Promise.all(columns.map((column) => column.take(from, to)))) as unknown as Triple
  return {
    count,
    isInMemory: false,
    batches: ({ range, batchSize, stream }) => new Rounds(take, range, batchSize, stream),
    identity: () => `${count} rows of a file`,
  }
}

function columnsFor(
  where: string,
  [x, y, sampleWeight = null]: readonly [x: Rows, y: Rows, sampleWeight?: SampleWeights],
): readonly ReturnType<typeof tableOf>[] {
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
  return columns
}

/** Each sample by itself, so that errors say which it is. @throws ShapeError, ConfigError */
function checkEach(
  model: Model,
  count: number,
  pick: (rows: Int32Array) => Triple,
  { call, classWeight = null }: { call: string; classWeight?: ClassWeights },
): void {
  for (let i = 0; i < count; i++) {
    const [x, y, sampleWeight = null] = pick(Int32Array.of(i))
    const names = { x: `x[${i}]`, y: `y[${i}]`, sampleWeight: `sampleWeight[${i}]` }
    prepareTraining(model, call, x, y, { sampleWeight, classWeight }, names)
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
    readonly take: (from: number, to: number) => Promise<Triple>,
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
      value: await this.take(from, Math.min(from + this.batchSize, last)),
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

/** What shuffles; null: nothing. @throws ConfigError ERR_OPTION */
function shuffler(shuffle: unknown, isInMemory: boolean): RandomStream | null {
  const way = checkOneOf('fit', 'shuffle', shuffle, [true, false, 'batch'] as const)
  if (way === true && !isInMemory) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'fit',
      what: 'shuffle',
      expected: "'batch' or false for rows that stay in a file",
      actual: 'true (the default)',
      hint: "Single rows from all over a file are slow to read; 'batch' shuffles whole batches.",
    })
  }
  return way === false ? null : new RandomStream(nextSeed())
}

/** How the rows of a test are put into batches: sequences by length. */
const testOrder = (model: Model, range: readonly [number, number], batchSize: number) =>
  ({ range, batchSize, shuffle: model.stateful ? false : 'length' }) as const

async function fitRows(model: Model, x: Rows, y: Rows, given?: FitOptions): Promise<History> {
  const options = resolveOptions<Record<string, unknown>>('fit', FIT_DEFAULTS, given)
  const call = callOptions('fit', model, options)
  const { signal } = call
  const classWeight = options.classWeight as ClassWeights
  const sampleWeight = withRagged(options.sampleWeight, model.weightPlaces(), 'sampleWeight')
  const weighting = { call: 'fit', classWeight }
  const data = table(model, 'fit', [x, y, sampleWeight as SampleWeights], weighting)
  const hasValidation = options.validationData !== null && options.validationData !== undefined
  const split = hasValidation ? data.count : splitAt(data.count, options.validationSplit)
  const batchSize = batchSizeFor(model, 'fit', options.batchSize, split)
  model.settle(Math.min(batchSize, split))
  const range = [0, split] as const
  const stream = shuffler(options.shuffle, data.isInMemory)
  const shuffle = options.shuffle as boolean | 'batch'
  const batches = new Batches(data.batches({ range, batchSize, shuffle, stream }), 'fit')
  const identity = () => ({
    batches: JSON.stringify({ batchSize, shuffle, split }),
    data: data.identity(),
  })
  const resumption = new Resumption('fit', options, model, call.callbacks, identity)
  batches.keepsState = resumption.writes
  const source = new BatchesSource(model, batches, { ...weighting, samples: split, signal })
  // Last, since it may hold data of its own.
  const validation = hasValidation
    ? validationOf(model, options.validationData, batchSize, signal)
    : split < data.count
      ? rowValidation(model, data, [split, data.count], batchSize, { ...weighting, signal })
      : null
  const topics = () => ({ ...identity(), ...epochsOf(call) })
  return train(model, { ...call, batchSize, source, validation, resumption, topics })
}

/** Validation on rows `[from, to)` of a table. */
function rowValidation(
  model: Model,
  data: Table,
  range: readonly [number, number],
  batchSize: number,
  taking: { call: string; classWeight?: ClassWeights; signal: AbortSignal | null },
): Validation {
  const samples = range[1] - range[0]
  checkStatefulBatches(model, 'fit: validation', samples, batchSize)
  const batches = new Batches(data.batches(testOrder(model, range, batchSize)), 'fit: validation')
  return batchesValidation(model, batches, { ...taking, samples })
}

/** Validation on `validationData`. @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION */
function validationOf(
  model: Model,
  value: unknown,
  batchSize: number,
  signal: AbortSignal | null,
): Validation {
  const [givenX, givenY, sampleWeight = null] = checkTriple('fit: validationData', value)
  const { x, y } = read(model, givenX, givenY, VALIDATION_NAMES)
  if (areRows(x, y)) {
    const weights = withRagged(sampleWeight, model.weightPlaces(), VALIDATION_NAMES.sampleWeight)
    const data = table(model, 'fit: validationData', [x, y, weights], { call: 'fit' })
    return rowValidation(model, data, [0, data.count], batchSize, { call: 'fit', signal })
  }
  const prepared = prepareValidation(model, 'fit', value)
  const { samples } = prepared
  checkStatefulBatches(model, 'fit: validationData', samples, batchSize)
  const identity = batchIdentity(model, prepared)
  const data = model.runner.load(prepared)
  return arrayValidation(model, data, { call: 'fit', samples, identity, signal })
}

async function evaluateRows(
  model: Model,
  x: Rows,
  y: Rows,
  given?: EvaluateOptions,
): Promise<Scores> {
  const where = 'evaluate'
  const defaults = { batchSize: undefined, sampleWeight: null, verbose: 1, signal: null }
  const options = resolveOptions<Record<string, unknown>>(where, defaults, given)
  checkVerbose(where, options.verbose)
  const signal = checkSignal(where, options.signal)
  signal?.throwIfAborted()
  const weights = withRagged(options.sampleWeight, model.weightPlaces(), 'sampleWeight')
  const data = table(model, where, [x, y, weights as SampleWeights], { call: where })
  const batchSize = batchSizeFor(model, where, options.batchSize, data.count)
  const batches = new Batches(data.batches(testOrder(model, [0, data.count], batchSize)), where)
  return evaluateAll(model, where, batches, data.count, signal)
}

async function predictRows(
  model: Model,
  x: Rows,
  given?: PredictOptions,
  where = 'predict',
): Promise<Predictions> {
  const defaults = { batchSize: undefined, verbose: 0, signal: null }
  const options = resolveOptions<Record<string, unknown>>(where, defaults, given)
  checkVerbose(where, options.verbose)
  const signal = checkSignal(where, options.signal)
  signal?.throwIfAborted()
  const { count, take, pick, lengths } = tableOf(x, `${where}: x`)
  const batchSize = batchSizeFor(model, where, options.batchSize, count)
  if (lengths && pick) return predictSequences(model, where, { lengths, pick }, batchSize, signal)
  const source = new Rounds(take as Rounds['take'], [0, count], batchSize)
  const batches = new Batches(source, where)
  return closing([batches], () => predictBatches(model, where, batches, count, signal))
}
