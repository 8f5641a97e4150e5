/**
 * Training, testing and predicting on batches that come from an iterable. Keras 1.2.2
 * engine/training.py, `fit_generator` …
 */
import { Batches, closing, type Source } from './batches.js'
import { checkInteger, checkSignal } from '../call-options.js'
import type { Callback, History } from '../callbacks/index.js'
import type { ClassWeights, InputSlot } from './data.js'
import { ConfigError, fail } from '../errors.js'
import { predictOnBatch } from './evaluate.js'
import { arrayValidation, callOptions, epochsOf, prepareValidation, type Triple } from './fit.js'
import { Means } from './means.js'
import { NanWatch } from './nan-watch.js'
import { describe, isArrayObject, type NDArray, type Nested, nestedShape } from '../ndarray.js'
import { isRecord } from '../per-name.js'
import {
  asScores,
  type Inputs,
  joinedOutputs,
  predictionList,
  type Predictions,
  type Scores,
} from './results.js'
import { resolveOptions } from '../options.js'
import type { Verbose } from '../progress.js'
import type { Model } from '../model/model.js'
import { Ragged } from '../ragged.js'
import { BatchesSource, LoadedBatches, type Taking } from './batches-source.js'
import { type Job, train } from './loop.js'
import { RESUME_DEFAULTS, type ResumeOptions, Resumption } from './resume.js'
import type { Validation } from './source.js'
import { batchIdentity, requireFull } from './teams.js'
import { agree, weightsOf } from './together.js'
import type { Turn } from '../engine/turns.js'
import { abortable, isThenable } from '../waiting.js'

/** Options of {@link Sequential.fitGenerator}. */
export interface FitGeneratorOptions extends ResumeOptions {
  /** An epoch ends once it has seen this many samples. */
  samplesPerEpoch: number
  /** Number of the last epoch. */
  nbEpoch: number
  /**
   * 1 (default): a progress bar on a terminal, else one line per epoch;
   * 2: one line per epoch; 0: silent.
   */
  verbose?: Verbose
  /** Called in order; each may return a promise. */
  callbacks?: readonly Callback[]
  /**
   * Arrays `[x, y]`, `[x, y, sampleWeight]`, or another source; a list whose parts are such pairs
   * or triples is one.
   */
  validationData?: Triple | Source | null
  /** Samples of a validation; needed when validationData is a source. */
  nbValSamples?: number | null
  /** Weight of each class, for the training loss; of each output. */
  classWeight?: ClassWeights
  /**
   * At most this many batches are fetched ahead; it is never more than one, so this changes
   * nothing. Default 10.
   */
  maxQSize?: number
  /** Number of the first epoch, from 0; default 0. */
  initialEpoch?: number
  /** Stops at the next batch; the call rejects with the signal's reason. */
  signal?: AbortSignal | null
  /** What to do about a loss or gradient that is not finite: 'warn' (default), once, or 'throw'. */
  onNaN?: 'warn' | 'throw'
}

/** Options of evaluateGenerator and predictGenerator. */
export interface GeneratorOptions {
  /** Samples to take. */
  valSamples: number
  /** As in fitGenerator. Default 10. */
  maxQSize?: number
  /** Stops at the next batch; the call rejects with the signal's reason. */
  signal?: AbortSignal | null
}

const DEFAULTS: Record<string, unknown> = {
  samplesPerEpoch: undefined,
  nbEpoch: undefined,
  verbose: 1,
  callbacks: [],
  validationData: null,
  nbValSamples: null,
  classWeight: null,
  maxQSize: 10,
  initialEpoch: 0,
  signal: null,
  onNaN: 'warn',
  ...RESUME_DEFAULTS,
}

function requireCount(where: string, what: string, value: unknown): number {
  if (value === undefined || value === null) {
    fail(ConfigError, 'ERR_OPTION', { where, what, expected: 'given', actual: describe(value) })
  }
  return checkInteger(where, what, value, 1)
}

/** The x of what a source for predictions yields: `[x, y]`, `[x, y, sampleWeight]`, or x itself. */
function inputOf(model: Model, value: unknown): Inputs {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) return value as Inputs
  if (isRecord(value[0]) && !isArrayObject(value[0])) return value[0] as Inputs
  const slots = model.inputSlots()
  if (slots.length > 1) {
    // the first element of a pair is a list of inputs, so it has one axis more than an input
    return depthOf(value[0]) > slots[0]!.shape.length ? (value[0] as Inputs) : (value as Inputs)
  }
  if (isArrayObject(value[0])) return value[0]
  // nested arrays: the first element of a pair has as many axes as the input
  return nestedShape(value[0] as Nested).length >= slots[0]!.shape.length
    ? (value[0] as Inputs)
    : (value as Inputs)
}

/** The depth of lists in each other; an array in them counts with its axes. */
function depthOf(value: unknown): number {
  if (isArrayObject(value)) return value.shape.length
  return Array.isArray(value) ? 1 + depthOf(value[0]) : ArrayBuffer.isView(value) ? 1 : 0
}

/** See {@link Sequential.fitGenerator}. */
export async function fitGenerator(
  model: Model,
  source: Source,
  given: FitGeneratorOptions,
): Promise<History> {
  const where = 'fitGenerator'
  const { runner } = model
  runner.checkIdle(where)
  model.requireCompiled(where)
  const options = resolveOptions(where, DEFAULTS, given)
  const batches = new Batches(source, where)
  let validation: Validation | null = null
  let job: Job
  try {
    checkInteger(where, 'maxQSize', options.maxQSize, 1)
    const samples = requireCount(where, 'samplesPerEpoch', options.samplesPerEpoch)
    requireCount(where, 'nbEpoch', options.nbEpoch)
    const call = callOptions(where, model, options)
    validation = prepareValidationOf(model, options, call.signal)
    const classWeight = options.classWeight as ClassWeights
    const own = { call: where, samples, classWeight, signal: call.signal }
    const identity = () => ({
      batches: JSON.stringify({ samples, nbValSamples: options.nbValSamples ?? null }),
    })
    const resumption = new Resumption(where, options, model, call.callbacks, identity)
    batches.keepsState = resumption.writes
    job = {
      ...call,
      batchSize: null,
      source: new BatchesSource(model, batches, own),
      validation,
      resumption,
      topics: () => ({ ...identity(), ...epochsOf(call) }),
    }
  } catch (error) {
    batches.close()
    validation?.close()
    throw error
  }
  return train(model, job)
}

/** The validation that the options ask for, or null. */
function prepareValidationOf(
  model: Model,
  options: Readonly<Record<string, unknown>>,
  signal: AbortSignal | null,
): Validation | null {
  const { validationData } = options
  if (validationData === null || validationData === undefined) return null
  if (Array.isArray(validationData) && !isBatchList(validationData, model.inputSlots())) {
    requireFull(model, 'fitGenerator: validationData')
    const prepared = prepareValidation(model, 'fitGenerator', validationData)
    const { samples } = prepared
    return arrayValidation(model, model.runner.load(prepared), {
      call: 'fitGenerator',
      samples,
      identity: batchIdentity(model, prepared),
      signal,
    })
  }
  const samples = requireCount(
    'fitGenerator',
    'nbValSamples, which a source as validationData needs,',
    options.nbValSamples,
  )
  const batches = new Batches(validationData, 'fitGenerator: validationData')
  return batchesValidation(model, batches, { call: 'fitGenerator', samples, signal })
}

/** Validation on `samples` samples of a source. */
export function batchesValidation(
  model: Model,
  batches: Batches,
  { samples, ...taking }: Taking & { samples: number },
): Validation {
  return {
    samples,
    run: (turn) => evaluateBatches(model, batches, { ...taking, samples, turn }),
    state: () => batches.state(),
    restore: (state) => batches.restore(state),
    close: () => batches.close(),
  }
}

/**
 * Whether a list is a list of batches (a source) and not `[x, y]`:
 * told by the x of a model with these inputs.
 */
function isBatchList(list: readonly unknown[], slots: readonly InputSlot[]): boolean {
  if (
    list.length === 0 ||
    !list.every((each) => Array.isArray(each) && (each.length === 2 || each.length === 3))
  )
    return false
  const input = (x: unknown) => (slots.length === 1 ? x : (x as readonly unknown[])[0])
  const x = input(list[0]) // if the list is [x, y]
  if (Array.isArray(x) && isArrayObject(x[0])) return true
  return depthOf(x) > slots[0]!.shape.length
}

/** Means over batches until `samples` were seen; the caller holds the turn. */
export async function evaluateBatches(
  model: Model,
  batches: Batches,
  { samples, turn, ...taking }: Taking & { samples: number; turn: Turn },
): Promise<number[]> {
  const means = new Means(model.metricsNames.length)
  const loaded = new LoadedBatches(model, batches, taking)
  try {
    let seen = 0
    for (let firstBatch = 0; seen < samples; firstBatch++) {
      const batch = await loaded.next(samples - seen, turn)
      seen += batch.samples
      const result = await loaded.run('test', batch, means.sums, samples - seen)
      NanWatch.ofModel(model).check(result, batches.where, 'test', {
        epoch: null,
        firstBatch,
        isAlone: true,
      })
      means.add(result)
      await turn.pass()
    }
    return means.values()
  } finally {
    loaded.close()
  }
}

const GENERATOR_DEFAULTS: Record<string, unknown> = {
  valSamples: undefined,
  maxQSize: 10,
  signal: null,
}

/** See {@link Sequential.evaluateGenerator}. */
export async function evaluateGenerator(
  model: Model,
  source: Source,
  given: GeneratorOptions,
): Promise<Scores> {
  const where = 'evaluateGenerator'
  model.runner.checkAlive(where)
  model.requireCompiled(where)
  const options = resolveOptions(where, GENERATOR_DEFAULTS, given)
  const samples = requireCount(where, 'valSamples', options.valSamples)
  checkInteger(where, 'maxQSize', options.maxQSize, 1)
  const signal = checkSignal(where, options.signal)
  const batches = new Batches(source, where)
  return evaluateAll(model, where, batches, samples, signal)
}

/** Loss and metrics over batches until `samples` were seen; closes their source. */
export function evaluateAll(
  model: Model,
  call: string,
  batches: Batches,
  samples: number,
  signal: AbortSignal | null,
): Promise<Scores> {
  return closing([batches], async () => {
    const { runner, world } = model
    const turn = await runner.take(signal)
    try {
      if (world) {
        await runner.whole(call, signal)
        await agree(world, call, model, () => ({
          batches: `${samples} samples`,
          weights: weightsOf(model),
        }))
      }
      const means = await evaluateBatches(model, batches, { call, samples, turn, signal })
      return asScores(means)
    } catch (error) {
      world?.tell(call, error)
      throw error
    } finally {
      turn.release()
    }
  })
}

/** See {@link Sequential.predictGenerator}. */
export async function predictGenerator(
  model: Model,
  source: Source<unknown>,
  given: GeneratorOptions,
): Promise<Predictions> {
  const where = 'predictGenerator'
  model.runner.checkAlive(where)
  const options = resolveOptions(where, GENERATOR_DEFAULTS, given)
  const samples = requireCount(where, 'valSamples', options.valSamples)
  checkInteger(where, 'maxQSize', options.maxQSize, 1)
  const signal = checkSignal(where, options.signal)
  const batches = new Batches(source, where)
  return closing([batches], () => predictBatches(model, where, batches, samples, signal))
}

/** Outputs for batches until `samples` were seen. */
export async function predictBatches(
  model: Model,
  call: string,
  batches: Batches,
  samples: number,
  signal: AbortSignal | null,
): Promise<Predictions> {
  const parts: (readonly NDArray[])[] = []
  let seen = 0
  while (seen < samples) {
    signal?.throwIfAborted()
    const given = batches.next(samples - seen, (batch) => batch)
    const value = isThenable(given) ? await abortable(given, signal) : given
    const part = predictionList(await predictOnBatch(model, inputOf(model, value), call))
    parts.push(part)
    const first: NDArray | Ragged = part[0]!
    seen += first instanceof Ragged ? first.length : first.shape[0]!
  }
  return joinedOutputs(call, parts, samples)
}
