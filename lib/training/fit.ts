/**
 * `fit` on arrays: what it is given, checked and in native memory.
 * Keras 1.2.2 engine/training.py, `fit`.
 */
import { checkInteger, checkOneOf, checkSignal, checkVerbose } from '../call-options.js'
import type { Callback, History } from '../callbacks/index.js'
import type { ClassWeights, SampleWeights } from './data.js'
import { ConfigError, fail, ShapeError } from '../errors.js'
import {
  batchSizeFor,
  checkStatefulBatches,
  prepareTraining,
  type Prepared,
  testLoop,
} from './evaluate.js'
import type { Inputs } from './results.js'
import { checkCallbacks } from './hooks.js'
import { NanWatch } from './nan-watch.js'
import type { LoadedData } from '../engine/loaded-data.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { Verbose } from '../progress.js'
import { nextSeed } from '../random.js'
import type { Rows } from './row-source.js'
import type { Model } from '../model/model.js'
import { ArraySource } from './array-source.js'
import { train } from './loop.js'
import { RESUME_DEFAULTS, type ResumeOptions, Resumption } from './resume.js'
import type { Validation } from './source.js'
import { arraysOf, identityOf } from './state.js'

/** `[x, y]` or `[x, y, sampleWeight]`. */
export type Triple<X = Inputs> = readonly [x: X, y: X, sampleWeight?: SampleWeights]

/** Options of {@link Sequential.fit}. */
export interface FitOptions extends ResumeOptions {
  /** Default 32; a stateful model's own batch size. */
  batchSize?: number
  /** Number of the last epoch; default 10. */
  nbEpoch?: number
  /**
   * 1 (default): a progress bar on a terminal, else one line per epoch;
   * 2: one line per epoch; 0: silent.
   */
  verbose?: Verbose
  /** Called in order; each may return a promise. */
  callbacks?: readonly Callback[]
  /** Share of the samples, the last ones before any shuffling, kept for validation. Default 0. */
  validationSplit?: number
  /** Wins over validationSplit. */
  validationData?: Triple<Rows> | null
  /**
   * True (default, for stateful models too, as in Keras): all samples anew in each epoch; 'batch':
   * whole batches; false: never.
   */
  shuffle?: boolean | 'batch'
  /** Weight of each class, for the training loss; of each output. */
  classWeight?: ClassWeights
  /**
   * `[N]`, or `[N, T]` with sampleWeightMode 'temporal'; of each output. Wins over classWeight.
   */
  sampleWeight?: SampleWeights
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
  ...RESUME_DEFAULTS,
}

/** @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION */
export function checkTriple(where: string, value: unknown): Triple {
  if (Array.isArray(value) && (value.length === 2 || value.length === 3))
    return value as unknown as Triple
  fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'value',
    expected: '[x, y] or [x, y, sampleWeight]',
    actual: describe(value),
  })
}

/** How messages call the parts of `validationData`. */
export const VALIDATION_NAMES = {
  x: 'validationData[0]',
  y: 'validationData[1]',
  sampleWeight: 'validationData[2]',
}

/** Checks validation arrays. @throws ShapeError ERR_SHAPE, ConfigError ERR_OPTION */
export function prepareValidation(model: Model, call: string, value: unknown): Prepared {
  const [x, y, sampleWeight = null] = checkTriple(`${call}: validationData`, value)
  return prepareTraining(model, call, x, y, { sampleWeight }, VALIDATION_NAMES)
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

/** See {@link Sequential.fit}. */
export async function fit(
  model: Model,
  x: Inputs,
  y: Inputs,
  given?: FitOptions,
): Promise<History> {
  const { runner } = model
  runner.checkIdle('fit')
  model.requireCompiled('fit')
  const options = resolveOptions<Record<string, unknown>>('fit', FIT_DEFAULTS, given)
  const call = callOptions('fit', model, options)
  // as in Keras, class weights become sample weights before the split, so they act on the
  // validation part of a split too
  const prepared = prepareTraining(model, 'fit', x, y, {
    sampleWeight: options.sampleWeight as SampleWeights,
    classWeight: options.classWeight as ClassWeights,
  })
  const { samples } = prepared
  const hasValidation = options.validationData !== null && options.validationData !== undefined
  const kept = hasValidation ? prepareValidation(model, 'fit', options.validationData) : null
  const split = kept ? samples : splitAt(samples, options.validationSplit)
  const part =
    split < samples
      ? `fit: the samples that validationSplit ${options.validationSplit} leaves`
      : 'fit'
  const batchSize = batchSizeFor(model, part, options.batchSize, split)
  model.settle(Math.min(batchSize, split))
  if (kept) checkStatefulBatches(model, 'fit: validationData', kept.samples, batchSize)
  if (split < samples)
    checkStatefulBatches(model, 'fit: validationSplit', samples - split, batchSize)
  const shuffle = checkOneOf('fit', 'shuffle', options.shuffle, [true, false, 'batch'] as const)
  const identity = () => ({
    batches: JSON.stringify({ batchSize, shuffle, split }),
    data: identityOf(arraysOf(prepared)),
    'validation data': kept ? identityOf(arraysOf(kept)) : 'none',
  })
  const resumption = new Resumption('fit', options, model, call.callbacks, identity)
  const validation = kept ? runner.load(kept) : null
  let data: LoadedData
  try {
    data = runner.load(prepared)
  } catch (error) {
    validation?.dispose()
    throw error
  }
  const { signal } = call
  return train(model, {
    ...call,
    batchSize,
    source: new ArraySource(model, data, {
      samples: split,
      batchSize,
      shuffle,
      seed: nextSeed(),
      signal,
    }),
    validation: validation
      ? arrayValidation(model, validation, { call: 'fit', samples: kept!.samples, signal })
      : split < samples
        ? arrayValidation(model, data, {
            call: 'fit',
            samples: samples - split,
            first: split,
            signal,
          })
        : null,
    resumption,
    topics: () => ({ ...identity(), ...epochsOf(call) }),
  })
}

/**
 * The options that all ways of training have, checked.
 *
 * @throws ConfigError ERR_OPTION; the reason of a signal that is aborted
 */
export function callOptions(
  call: string,
  model: Model,
  options: Readonly<Record<string, unknown>>,
) {
  const signal = checkSignal(call, options.signal)
  const checked = {
    call,
    verbose: checkVerbose(call, options.verbose),
    callbacks: checkCallbacks(call, options.callbacks),
    watch: new NanWatch(
      model,
      checkOneOf(call, 'onNaN', options.onNaN, ['warn', 'throw'] as const),
    ),
    nbEpoch: checkInteger(call, 'nbEpoch', options.nbEpoch, 0),
    initialEpoch: checkInteger(call, 'initialEpoch', options.initialEpoch, 0),
    signal,
  }
  signal?.throwIfAborted()
  return checked
}

/** The epochs of a call, as a topic that ranks compare. */
export const epochsOf = ({ initialEpoch, nbEpoch }: { initialEpoch: number; nbEpoch: number }) => ({
  epochs: JSON.stringify([initialEpoch, nbEpoch]),
})

/** Validation on arrays in native memory: all samples, or those from `first` on. */
export function arrayValidation(
  model: Model,
  data: LoadedData,
  own: {
    call: string
    samples: number
    first?: number
    identity?: string
    signal: AbortSignal | null
  },
): Validation {
  const { call, samples, first, signal, identity = '' } = own
  const order =
    first === undefined ? {} : { order: Int32Array.from({ length: samples }, (_, i) => first + i) }
  const where = `${call}: validation`
  return {
    samples,
    run: (turn, batchSize) =>
      testLoop(model, turn, data.set, {
        call,
        where,
        batchSize,
        samples,
        identity,
        signal,
        ...order,
      }),
    state: () => null,
    restore: () => {},
    close: () => data.dispose(),
  }
}
