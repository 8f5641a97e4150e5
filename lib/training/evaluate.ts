/**
 * Everything that runs a model without an outer loop over epochs: evaluate, predict, and the calls
 * on one batch.
 */
import { checkInteger, checkSignal, checkVerbose } from '../call-options.js'
import { prepareTargets, prepareWeights, type SampleWeights } from './data.js'
import { cut, padLike, type ReadInputs, readInputs } from './ragged-data.js'
import { fail, InternalError, ShapeError } from '../errors.js'
import { readKerasArrays } from '../layers/base/variable.js'
import { Means } from './means.js'
import type { NativeArray, NativeData, RunResult } from '../native.js'
import type { NativeTeam } from '../world/native-world.js'
import { NDArray } from '../ndarray.js'
import { NanWatch } from './nan-watch.js'
import { resolveOptions } from '../options.js'
import { isLive, Progbar, type Verbosity } from '../progress.js'
import type { Model } from '../model/model.js'
import {
  asPredictions,
  asScores,
  type EvaluateOptions,
  type Inputs,
  Output,
  type PredictOptions,
  type Predictions,
  type Scores,
  type TrainOnBatchOptions,
} from './results.js'
import type { Runner } from '../engine/runner.js'
import type { Turn } from '../engine/turns.js'
import { arraysOf, identityOf } from './state.js'
import { batchIdentity, shareOf, teamOf } from './teams.js'
import { agree, comeTogether, weightsOf } from './together.js'

/** A data set for a model: checked, not yet in native memory. */
export interface Prepared {
  samples: number
  x: NativeArray[]
  y?: NativeArray[]
  weights?: (NativeArray | null)[]
}

/** Checks x, y and weights of a public call against the model. @throws ShapeError, ConfigError */
export function prepareTraining(
  model: Model,
  call: string,
  x: Inputs,
  y: Inputs,
  weighting: TrainOnBatchOptions,
  names = { x: 'x', y: 'y', sampleWeight: 'sampleWeight' },
): Prepared {
  const { arrays, lengths } = readInputs(model, call, x, names.x)
  const samples = arrays[0]!.shape[0]!
  const slots = model.targetSlots(arrays, call)
  const targets = prepareTargets(padLike(y, slots, lengths, names.y), slots, samples, names.y)
  // in the padding the mask makes the loss 0; a weight of 0 there would change its mean
  const padding = lengths.length > 0 ? 1 : 0
  const given = weighting.sampleWeight
  const sampleWeight =
    given && padLike(given, model.weightPlaces(), lengths, names.sampleWeight, padding)
  const weights = prepareWeights({ ...weighting, sampleWeight }, targets, slots, names.sampleWeight)
  return { samples, x: arrays, y: targets, ...(weights ? { weights } : {}) }
}

/**
 * The batch size to use: the given one, else that of a stateful model, else 32.
 *
 * @throws ShapeError ERR_SHAPE when a stateful model would get a batch of another size than its own
 */
export function batchSizeFor(model: Model, where: string, given: unknown, samples: number): number {
  const own = model.statefulBatchSize
  const size = given === undefined ? (own ?? 32) : checkInteger(where, 'batchSize', given, 1)
  checkStatefulBatches(model, where, samples, size)
  return size
}

/**
 * @throws ShapeError ERR_SHAPE when a stateful model would get a batch of another size than its own
 */
export function checkStatefulBatches(
  model: Model,
  where: string,
  samples: number,
  batchSize: number,
): void {
  const own = model.statefulBatchSize
  if (own === null || (samples % batchSize === 0 && batchSize === own)) return
  if (samples === own && batchSize >= own) return // one short batch, which is just right
  fail(ShapeError, 'ERR_SHAPE', {
    where,
    what: 'batches of a stateful model',
    expected: `${own} samples each, as its batchInputShape says`,
    actual: `${samples} samples in batches of ${batchSize}`,
    hint: 'The number of samples must be a multiple of the batch size.',
  })
}

/** Runs `samples` samples in chunks; the caller holds the turn. */
export async function runChunks(
  runner: Runner,
  turn: Turn,
  request: {
    mode: 'test' | 'predict' | 'train'
    data: NativeData
    order?: Int32Array
    batchSize: number
    team?: NativeTeam
  },
  samples: number,
  options: {
    call: string
    signal?: AbortSignal | null
    onChunk?: (result: RunResult, seen: number) => void
  },
): Promise<void> {
  let seen = 0
  let sums: number[] = []
  while (seen < samples) {
    const result = await runner.run(options.call, { ...request, from: seen, sums }, options.signal)
    if (result.samples <= 0) {
      fail(InternalError, 'ERR_INTERNAL', {
        where: request.mode,
        what: 'native run',
        expected: 'one batch or more',
        actual: 'none',
      })
    }
    seen += result.samples
    sums = result.sums
    options.onChunk?.(result, seen)
    if (seen < samples) await turn.pass()
  }
}

/** Means of loss and metrics over a data set, weighted by batch size. */
export async function testLoop(
  model: Model,
  turn: Turn,
  data: NativeData,
  options: {
    /** The public call, for errors. */
    call: string
    /** What runs the test, for warnings: 'fit: validation'. Default `call`. */
    where?: string
    batchSize: number
    samples: number
    order?: Int32Array
    /** What the data are, for ranks that have not compared them. */
    identity?: string
    /** Stops at the next batch; the call rejects with the signal's reason. */
    signal?: AbortSignal | null
    onSeen?: (seen: number) => void
  },
): Promise<number[]> {
  const means = new Means(model.metricsNames.length)
  const { call, order, batchSize, samples } = options
  let firstBatch = 0
  await runChunks(
    model.runner,
    turn,
    {
      mode: 'test',
      data,
      batchSize,
      ...(order ? { order } : {}),
      ...teamOf(model, `${options.where ?? call}: test`, options.identity),
    },
    samples,
    {
      call,
      signal: options.signal ?? null,
      onChunk: (result, seen) => {
        NanWatch.ofModel(model).check(result, options.where ?? call, 'test', {
          epoch: null,
          firstBatch,
          isAlone: false,
        })
        firstBatch += result.batches
        means.add(result)
        options.onSeen?.(seen)
      },
    },
  )
  return means.values()
}

/**
 * Shows how many of the samples are done: by a bar, or where none can be drawn by a line each 30 s.
 */
function barFor(verbose: Verbosity, samples: number): ((seen: number) => void) | null {
  if (verbose !== 1) return null
  const bar = new Progbar(samples)
  return isLive(process.stdout) ? (seen) => bar.update(seen) : (seen) => bar.beat(seen)
}

export async function evaluate(
  model: Model,
  x: Inputs,
  y: Inputs,
  given?: EvaluateOptions,
): Promise<Scores> {
  const { runner } = model
  runner.checkAlive('evaluate')
  model.requireCompiled('evaluate')
  const options = resolveOptions<Record<string, unknown>>(
    'evaluate',
    { batchSize: undefined, sampleWeight: null, verbose: 1, signal: null },
    given,
  )
  const verbose = checkVerbose('evaluate', options.verbose)
  const signal = checkSignal('evaluate', options.signal)
  signal?.throwIfAborted()
  const prepared = prepareTraining(model, 'evaluate', x, y, {
    sampleWeight: options.sampleWeight as SampleWeights,
  })
  const batchSize = batchSizeFor(model, 'evaluate', options.batchSize, prepared.samples)
  const data = runner.load(prepared)
  const turn = await runner.take(signal)
  const { world } = model
  try {
    if (world) {
      await runner.fill('evaluate', signal)
      await agree(world, 'evaluate', model, () => ({
        batchSize: String(batchSize),
        data: identityOf(arraysOf(prepared)),
        weights: weightsOf(model),
      }))
    }
    const bar = world && !world.isMain ? null : barFor(verbose, prepared.samples)
    const onSeen = (seen: number) => bar?.(seen)
    const testing = { call: 'evaluate', batchSize, samples: prepared.samples, signal, onSeen }
    return asScores(await testLoop(model, turn, data.set, testing))
  } catch (error) {
    world?.tell('evaluate', error)
    throw error
  } finally {
    data.dispose()
    turn.release()
  }
}

export async function predict(
  model: Model,
  x: Inputs,
  given?: PredictOptions,
  where = 'predict',
): Promise<Predictions> {
  const { runner } = model
  runner.checkAlive(where)
  const options = resolveOptions<Record<string, unknown>>(
    where,
    { batchSize: undefined, verbose: 0, signal: null },
    given,
  )
  const verbose = checkVerbose(where, options.verbose)
  const signal = checkSignal(where, options.signal)
  signal?.throwIfAborted()
  const { arrays } = readInputs(model, where, x)
  const samples = arrays[0]!.shape[0]!
  const batchSize = batchSizeFor(model, where, options.batchSize, samples)
  return predictPrepared(where, runner, arrays, {
    samples,
    batchSize,
    signal,
    bar: barFor(verbose, samples),
  })
}

async function predictPrepared(
  call: string,
  runner: Runner,
  x: NativeArray[],
  options: {
    samples: number
    batchSize: number
    signal: AbortSignal | null
    bar: ReturnType<typeof barFor>
  },
): Promise<Predictions> {
  const { samples, batchSize, signal, bar } = options
  const data = runner.load({ x })
  const turn = await runner.take(signal)
  try {
    const outputs: Output[] = []
    await runChunks(runner, turn, { mode: 'predict', data: data.set, batchSize }, samples, {
      call,
      signal,
      onChunk: (result, seen) => {
        for (const [i, each] of result.outputs!.entries())
          (outputs[i] ??= new Output(samples)).add(each, seen)
        bar?.(seen)
      },
    })
    return asPredictions(outputs.map((output) => output.array()))
  } finally {
    data.dispose()
    turn.release()
  }
}

/** Inputs of a call on one batch. */
function prepareBatch(model: Model, where: string, x: Inputs): ReadInputs & { samples: number } {
  model.runner.checkAlive(where)
  const inputs = readInputs(model, where, x)
  const samples = inputs.arrays[0]!.shape[0]!
  checkStatefulBatches(model, where, samples, samples)
  return { ...inputs, samples }
}

export async function predictOnBatch(model: Model, x: Inputs, call: string): Promise<Predictions> {
  const inputs = prepareBatch(model, call, x)
  const { arrays, samples } = inputs
  const whole = { samples, batchSize: samples, signal: null, bar: null }
  return cut(model, await predictPrepared(call, model.runner, arrays, whole), inputs)
}

export function predictOnBatchSync(model: Model, x: Inputs): Predictions {
  const { runner } = model
  runner.checkIdle('predictOnBatchSync', true)
  runner.checkStill('model.predictOnBatchSync')
  const inputs = prepareBatch(model, 'predictOnBatchSync', x)
  const outputs = runner.filledPlan().predict({ x: inputs.arrays })
  const arrays = outputs.map(({ data, shape }) => new NDArray(data, shape))
  return cut(model, asPredictions(arrays), inputs)
}

/** One step of training or of testing on the whole of x as one batch. */
export async function onBatch(
  model: Model,
  mode: 'train' | 'test',
  x: Inputs,
  y: Inputs,
  given: TrainOnBatchOptions | undefined,
): Promise<Scores> {
  const where = mode === 'train' ? 'trainOnBatch' : 'testOnBatch'
  const { runner } = model
  if (mode === 'train') runner.checkIdle(where)
  else runner.checkAlive(where)
  model.requireCompiled(where)
  const defaults: Record<string, unknown> =
    mode === 'train' ? { classWeight: null, sampleWeight: null } : { sampleWeight: null }
  const prepared = prepareTraining(
    model,
    where,
    x,
    y,
    resolveOptions(where, defaults, given) as TrainOnBatchOptions,
  )
  checkStatefulBatches(model, where, prepared.samples, prepared.samples)
  if (mode === 'train') model.settle(prepared.samples)
  const data = runner.load(prepared)
  if (mode === 'train') runner.drawSeed()
  const turn = await runner.take()
  const { world } = model
  try {
    let { samples: batchSize } = prepared
    let shared: ReturnType<typeof teamOf> = {}
    if (world) {
      await comeTogether(world, where, model, mode)
      const identity = batchIdentity(model, prepared)
      const share = await shareOf(model, where, { samples: batchSize, identity })
      if (share) batchSize = share.whole
      shared = teamOf(model, where, identity, share)
    }
    const request = { mode, data: data.set, batchSize, maxBatches: 1, ...shared } as const
    const result = await runner.run(where, request)
    NanWatch.ofModel(model).check(result, where, mode, {
      epoch: null,
      firstBatch: null,
      isAlone: true,
    })
    return asScores(result.last)
  } catch (error) {
    world?.tell(where, error)
    throw error
  } finally {
    data.dispose()
    turn.release()
  }
}

/**
 * Gradients of the loss of x as one batch. The run leaves everything as it was; its turn lasts
 * until they are read.
 */
export async function gradients(
  model: Model,
  x: Inputs,
  y: Inputs,
  given: TrainOnBatchOptions | undefined,
): Promise<NDArray[]> {
  const { runner } = model
  runner.checkAlive('gradients')
  model.requireCompiled('gradients')
  const weighting = resolveOptions(
    'gradients',
    { classWeight: null, sampleWeight: null },
    given,
  ) as TrainOnBatchOptions
  const prepared = prepareTraining(model, 'gradients', x, y, weighting)
  checkStatefulBatches(model, 'gradients', prepared.samples, prepared.samples)
  const data = runner.load(prepared)
  if (runner.training === null) runner.drawSeed()
  const turn = await runner.take()
  try {
    const request = {
      mode: 'gradient',
      data: data.set,
      batchSize: prepared.samples,
      maxBatches: 1,
    } as const
    await runner.run('gradients', request)
    const plan = runner.plan()
    return readKerasArrays(
      model.trainedArrays(),
      ({ planPath }) => plan.read(`${planPath}:grad`).data,
    )
  } finally {
    data.dispose()
    turn.release()
  }
}
