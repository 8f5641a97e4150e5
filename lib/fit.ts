/** The outer loop: epochs, shuffling, validation, callbacks. Keras 1.2.2 engine/training.py, `fit` and `_fit_loop`. */
import { checkInteger, checkOneOf, checkSignal, checkVerbose } from './call-options.js'
import { type Callback, History, type Logs } from './callbacks.js'
import type { ClassWeight } from './data.js'
import { ConfigError, fail, ShapeError } from './errors.js'
import {
  batchSizeFor,
  checkStatefulBatches,
  type Inputs,
  prepareTraining,
  type Prepared,
  testLoop,
} from './evaluate.js'
import { checkCallbacks, Hooks } from './hooks.js'
import { Means, pairsOf } from './means.js'
import { NanWatch } from './nan-watch.js'
import type { LoadedData } from './loaded-data.js'
import type { NativeData, RunRequest, RunResult } from './native.js'
import { describe, type TensorLike } from './ndarray.js'
import { resolveOptions } from './options.js'
import { FitProgress, type Verbose } from './progress.js'
import { nextSeed, RandomStream } from './random.js'
import type { Rows } from './row-source.js'
import type { Sequential } from './sequential.js'
import type { Session } from './session.js'
import type { Turn } from './turns.js'

/** `[x, y]` or `[x, y, sampleWeight]`. */
export type Triple<X = Inputs> = readonly [x: X, y: X, sampleWeight?: TensorLike | null]

/** Options of {@link Sequential.fit}. */
export interface FitOptions {
  /** Default 32; a stateful model's own batch size. */
  batchSize?: number
  /** Number of the last epoch; default 10. */
  nbEpoch?: number
  /** 1 (default): a progress bar on a terminal, else one line per epoch; 2: one line per epoch; 0: silent. */
  verbose?: Verbose
  /** Called in order; each may return a promise. */
  callbacks?: readonly Callback[]
  /** Share of the samples, the last ones before any shuffling, kept for validation. Default 0. */
  validationSplit?: number
  /** Wins over validationSplit. */
  validationData?: Triple<Rows> | null
  /** True (default, for stateful models too, as in Keras): all samples anew in each epoch; 'batch': whole batches; false: never. */
  shuffle?: boolean | 'batch'
  /** Weight of each class, for the training loss. */
  classWeight?: ClassWeight | null
  /** `[N]`, or `[N, T]` with sampleWeightMode 'temporal'. Wins over classWeight. */
  sampleWeight?: TensorLike | null
  /** Number of the first epoch, from 0; default 0. */
  initialEpoch?: number
  /** Stops at the next batch; fit rejects with the signal's reason. */
  signal?: AbortSignal | null
  /** What to do about a loss or gradient that is not finite: 'warn' (default), once, or 'throw'. */
  onNaN?: 'warn' | 'throw'
}

export const FIT_DEFAULTS: Record<string, unknown> = {
  batchSize: undefined,
  nbEpoch: 10,
  verbose: 1,
  callbacks: [],
  validationSplit: 0,
  validationData: null,
  shuffle: true,
  classWeight: null,
  sampleWeight: null,
  initialEpoch: 0,
  signal: null,
  onNaN: 'warn',
}

/** Where validation samples are. */
interface Validation {
  data: LoadedData
  samples: number
  /** Their indices; null: all. */
  order: Int32Array | null
}

/** A fit that is ready to start: everything checked, data in native memory. */
interface Job {
  data: LoadedData
  /** Training samples, in the order of the epoch; shuffled in place, again and again. */
  order: Int32Array
  batchSize: number
  nbEpoch: number
  initialEpoch: number
  shuffle: boolean | 'batch'
  /** Its own, so that fits that run side by side do not depend on who is first. */
  stream: RandomStream
  validation: Validation | null
  signal: AbortSignal | null
}

/** @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION */
export function checkTriple(where: string, value: unknown): Triple {
  if (Array.isArray(value) && (value.length === 2 || value.length === 3)) return value as unknown as Triple
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'value',
    expected: '[x, y] or [x, y, sampleWeight]',
    actual: describe(value),
  })
}

const VALIDATION_NAMES = { x: 'validationData[0]', y: 'validationData[1]', sampleWeight: 'validationData[2]' }

/** Checks validation arrays. @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION */
export function prepareValidation(model: Sequential, call: string, value: unknown): Prepared {
  const [x, y, sampleWeight = null] = checkTriple(`${call}: validationData`, value)
  return prepareTraining(model, call, x, y, { sampleWeight }, VALIDATION_NAMES)
}

/** Shuffles whole batches; what is left over stays at the end (Keras' `batch_shuffle`). */
function shuffleBatches(stream: RandomStream, order: Int32Array, batchSize: number): void {
  const batches = Math.floor(order.length / batchSize)
  const before = order.slice()
  const places = stream.shuffle(Int32Array.from({ length: batches }, (_, i) => i))
  for (let i = 0; i < batches; i++)
    order.set(before.subarray(places[i]! * batchSize, (places[i]! + 1) * batchSize), i * batchSize)
}

/** Samples before the validation. @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE */
export function splitAt(samples: number, validationSplit: unknown): number {
  if (typeof validationSplit !== 'number' || !(validationSplit >= 0 && validationSplit < 1)) {
    fail(ConfigError, 'ERR_OPTION', {
      where: 'fit',
      what: 'validationSplit',
      expected: 'a number from 0 to below 1',
      actual: describe(validationSplit),
    })
  }
  if (validationSplit === 0) return samples
  const at = Math.trunc(samples * (1 - validationSplit))
  if (at === 0) {
    fail(ShapeError, 'ERR_SHAPE', {
      where: 'fit',
      what: `training samples left by validationSplit ${validationSplit}`,
      expected: 'one or more',
      actual: `0 of ${samples}`,
    })
  }
  return at
}

function prepareJob(model: Sequential, x: Inputs, y: Inputs, options: Readonly<Record<string, unknown>>): Job {
  const { session } = model
  // as in Keras, class weights become sample weights before the split, so they act on the validation part of a split too
  const prepared = prepareTraining(model, 'fit', x, y, {
    sampleWeight: options.sampleWeight as TensorLike | null,
    classWeight: options.classWeight as ClassWeight | null,
  })
  const { samples } = prepared
  const validationPart =
    options.validationData === null || options.validationData === undefined
      ? null
      : prepareValidation(model, 'fit', options.validationData)
  const split = validationPart ? samples : splitAt(samples, options.validationSplit)
  const part = split < samples ? `fit: what validationSplit ${options.validationSplit} leaves` : 'fit'
  const batchSize = batchSizeFor(model, part, options.batchSize, split)
  const order = Int32Array.from({ length: samples }, (_, i) => i)
  let validation: Validation | null = null
  if (validationPart) {
    checkStatefulBatches(model, 'fit: validationData', validationPart.samples, batchSize)
    validation = { data: session.load(validationPart), samples: validationPart.samples, order: null }
  }
  const data = session.load(prepared)
  if (split < samples) {
    checkStatefulBatches(model, 'fit: validationSplit', samples - split, batchSize)
    validation = { data, samples: samples - split, order: order.slice(split) }
  }
  return {
    data,
    order: order.slice(0, split),
    batchSize,
    nbEpoch: checkInteger('fit', 'nbEpoch', options.nbEpoch, 0),
    initialEpoch: checkInteger('fit', 'initialEpoch', options.initialEpoch, 0),
    shuffle: checkOneOf('fit', 'shuffle', options.shuffle, [true, false, 'batch'] as const),
    stream: new RandomStream(nextSeed()),
    validation,
    signal: checkSignal('fit', options.signal),
  }
}

/** See {@link Sequential.fit}. */
export async function fit(model: Sequential, x: Inputs, y: Inputs, given?: FitOptions): Promise<History> {
  const { session } = model
  session.checkIdle('fit')
  const { metricsNames } = model.requireCompiled('fit')
  const options = resolveOptions('fit', FIT_DEFAULTS, given)
  const verbose = checkVerbose('fit', options.verbose)
  const callbacks = checkCallbacks('fit', options.callbacks)
  const watch = new NanWatch(model, checkOneOf('fit', 'onNaN', options.onNaN, ['warn', 'throw'] as const))
  checkSignal('fit', options.signal)?.throwIfAborted()
  const job = prepareJob(model, x, y, options)
  const doValidation = job.validation !== null
  return training(model, 'fit', { callbacks, signal: job.signal }, async (hooks, turn, history) => {
    const progress = new FitProgress(verbose)
    hooks.introduce(model, {
      batchSize: job.batchSize,
      nbEpoch: job.nbEpoch,
      nbSample: job.order.length,
      verbose,
      doValidation,
      metrics: doValidation ? [...metricsNames, ...metricsNames.map((name) => `val_${name}`)] : metricsNames,
    })
    try {
      progress.trainBegin(job.order.length, job.validation?.samples ?? null)
      await hooks.trainBegin()
      model.stopTraining = false
      for (let epoch = job.initialEpoch; epoch < job.nbEpoch && !model.stopTraining; epoch++) {
        await new Epoch(session, turn, hooks, progress, watch, metricsNames, epoch).run(job)
      }
      await hooks.trainEnd()
    } catch (error) {
      progress.interrupt()
      throw error
    } finally {
      job.data.dispose()
      job.validation?.data.dispose()
    }
    return history
  })
}

/** Marks the model as training, and tidies up whatever happens. */
export async function training<T>(
  model: Sequential,
  name: string,
  { callbacks, signal }: { callbacks: readonly Callback[]; signal: AbortSignal | null },
  run: (hooks: Hooks, turn: Turn, history: History) => Promise<T>,
): Promise<T> {
  const { session } = model
  session.drawSeed()
  session.training = name
  const history = new History()
  model.history = history
  try {
    const turn = await session.take(signal)
    try {
      const hooks = new Hooks([...callbacks, history], session, signal)
      return await hooks.settling(() => run(hooks, turn, history))
    } finally {
      turn.release()
    }
  } finally {
    session.training = null
  }
}

/** One pass over the training samples, and the validation after it. */
class Epoch {
  readonly #means: Means
  #seen = 0
  #batch = 0

  constructor(
    readonly session: Session,
    readonly turn: Turn,
    readonly hooks: Hooks,
    readonly progress: FitProgress,
    readonly watch: NanWatch,
    readonly metricsNames: readonly string[],
    readonly epoch: number,
  ) {
    this.#means = new Means(metricsNames.length)
  }

  async run(job: Job): Promise<void> {
    const { session, turn, hooks, progress, metricsNames, epoch } = this
    const { order, batchSize, validation, signal } = job
    progress.epochBegin(epoch, job.nbEpoch, order.length)
    await hooks.epochBegin(epoch)
    if (job.shuffle === 'batch') shuffleBatches(job.stream, order, batchSize)
    else if (job.shuffle) job.stream.shuffle(order)
    session.position = { epoch, seen: 0, order, stream: job.stream }
    const data = job.data.set
    while (this.#seen < order.length) {
      if (hooks.wantsBatches) await this.#oneBatch(data, order.subarray(this.#seen, this.#seen + batchSize), signal)
      else this.#count(await this.#train({ data, order: order.subarray(this.#seen), batchSize }, signal))
      await turn.pass()
    }
    const logs: Logs = {}
    for (const [i, mean] of this.#means.values().entries()) logs[metricsNames[i]!] = mean
    if (validation) {
      const { samples, order: own } = validation
      const rest = { call: 'fit', where: 'fit: validation', batchSize, samples, signal, ...(own ? { order: own } : {}) }
      const values = await testLoop(this.watch.model, turn, validation.data.set, rest)
      for (const [i, name] of metricsNames.entries()) logs[`val_${name}`] = values[i]!
    }
    progress.epochEnd(this.#seen, logs)
    await hooks.epochEnd(epoch, logs)
  }

  async #oneBatch(data: NativeData, order: Int32Array, signal: AbortSignal | null): Promise<void> {
    const batch = this.#batch
    const logs: Logs = { batch, size: order.length }
    await this.hooks.batchBegin(batch, logs)
    const result = await this.#train({ data, order, batchSize: order.length, maxBatches: 1 }, signal)
    for (const [i, name] of this.metricsNames.entries()) logs[name] = result.last[i]!
    this.#count(result)
    await this.hooks.batchEnd(batch, logs)
  }

  /** Trains on the samples of `order`; the position counts those of an error's run too that came before it. */
  async #train(
    request: Pick<RunRequest, 'data' | 'batchSize' | 'maxBatches'> & { order: Int32Array },
    signal: AbortSignal | null,
  ): Promise<RunResult> {
    const { session } = this
    const before = session.dropoutState.step
    try {
      return await session.run('fit', { ...request, mode: 'train', sums: this.#means.sums }, signal)
    } finally {
      const batches = session.dropoutState.step - before
      session.position!.seen = this.#seen + Math.min(batches * request.batchSize, request.order.length)
    }
  }

  #count(result: RunResult): void {
    this.watch.check(result, 'fit', 'train', { epoch: this.epoch, firstBatch: this.#batch, isAlone: false })
    this.#seen += result.samples
    this.#batch += result.batches
    this.progress.update(this.#seen, pairsOf(this.metricsNames, this.#means.add(result)))
  }
}
