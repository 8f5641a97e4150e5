/**
 * The loop over epochs of `fit` and `fitGenerator`.
 * Keras 1.2.2 engine/training.py, `_fit_loop` and `fit_generator`.
 */
import type { Callback, Logs } from '../callbacks/index.js'
import { History } from '../callbacks/index.js'
import { Hooks } from './hooks.js'
import { Means, pairsOf } from './means.js'
import type { NanWatch } from './nan-watch.js'
import type { RunResult } from '../native.js'
import { FitProgress, type Verbosity } from '../progress.js'
import type { Model } from '../model/model.js'
import type { Turn } from '../engine/turns.js'
import type { Changed, Resumption } from './resume.js'
import type { BatchSource, Validation } from './source.js'
import type { Identity, Position } from './state.js'
import { agree, callbacksOf, shareState } from './together.js'

/** A training that is ready to start: everything checked, data in native memory. */
export interface Job {
  /** The public call, for errors. */
  call: string
  source: BatchSource
  /** Null where the source decides. */
  batchSize: number | null
  nbEpoch: number
  initialEpoch: number
  validation: Validation | null
  callbacks: readonly Callback[]
  verbose: Verbosity
  watch: NanWatch
  signal: AbortSignal | null
  /** The checkpoints that are written, and the one that the training goes on from. */
  resumption: Resumption
  /** What ranks that train together must have alike; a topic each. */
  topics: () => Identity
}

/** Trains, and tidies up whatever happens. */
export async function train(model: Model, given: Job): Promise<History> {
  const { runner, world } = model
  const job: Job = {
    ...given,
    callbacks: callbacksOf(world, given.callbacks),
    verbose: world && !world.isMain ? 0 : given.verbose,
  }
  runner.drawSeed()
  runner.training = job.call
  const history = new History()
  model.history = history
  try {
    const turn = await runner.take(job.signal)
    try {
      if (world) await agree(world, job.call, model, job.topics)
      await job.resumption.open()
      const hooks = new Hooks([...job.callbacks, history], runner, job.signal)
      await hooks.settling(() => new Loop(model, job, hooks, turn).run())
    } finally {
      turn.release()
    }
  } catch (error) {
    world?.tell(job.call, error)
    throw error
  } finally {
    runner.training = null
    job.source.close()
    job.validation?.close()
    await job.resumption.close()
  }
  return history
}

/** Two outputs of one layer have one name: their logs are numbered from 1, as in Keras. */
const withNumbers = (names: readonly string[]): readonly string[] =>
  names.map((name, i) => {
    const isAlone = names.indexOf(name) === names.lastIndexOf(name)
    return isAlone ? name : `${name}_${names.slice(0, i + 1).filter((n) => n === name).length}`
  })

class Loop {
  readonly #metricsNames: readonly string[]
  readonly #progress: FitProgress
  readonly #position: Position
  #means: Means

  constructor(
    readonly model: Model,
    readonly job: Job,
    readonly hooks: Hooks,
    readonly turn: Turn,
  ) {
    this.#metricsNames = withNumbers(model.metricsNames)
    this.#progress = new FitProgress(job.verbose)
    this.#means = new Means(this.#metricsNames.length)
    this.#position = {
      epoch: job.initialEpoch,
      isBegun: false,
      seen: 0,
      batch: 0,
      size: 0,
      sums: [],
      counted: [],
    }
  }

  async run(): Promise<void> {
    const { model, job, hooks } = this
    const { source, batchSize, validation, resumption } = job
    const names = this.#metricsNames
    hooks.introduce(model, {
      batchSize,
      nbEpoch: job.nbEpoch,
      nbSample: source.samples,
      verbose: job.verbose,
      doValidation: validation !== null,
      metrics: validation ? [...names, ...names.map((name) => `val_${name}`)] : names,
      resumes: resumption.resumes,
    })
    const position = this.#position
    try {
      if (batchSize !== null) this.#progress.trainBegin(source.samples, validation?.samples ?? null)
      await hooks.trainBegin()
      model.stopTraining = false
      const own = await resumption.restore(job, hooks)
      const { world } = model
      const kept = world ? await shareState(world, job.call, model, job, hooks, own) : own
      if (kept) {
        Object.assign(position, kept)
        this.#means = new Means(names.length, kept)
      } else {
        // a first checkpoint: a training that goes on
        // from it cuts off the logs that were written after it
        await this.#keep(true)
        await resumption.settle()
      }
      model.runner.keepWeights()
      while (position.epoch < job.nbEpoch && !model.stopTraining) {
        await this.#epoch()
        await this.#keep(false)
      }
      await this.#keep(true)
      await hooks.trainEnd()
    } catch (error) {
      this.#progress.interrupt()
      throw error
    }
  }

  /** One pass over the training samples, or what is left of it, and the validation after it. */
  async #epoch(): Promise<void> {
    const { job, hooks, turn } = this
    const { source, validation } = job
    const position = this.#position
    const { epoch } = position
    this.#progress.epochBegin(epoch, job.nbEpoch, source.samples)
    if (!position.isBegun) {
      await hooks.epochBegin(epoch)
      source.beginEpoch()
      this.#means = new Means(this.#metricsNames.length)
      Object.assign(position, { isBegun: true, seen: 0, batch: 0 })
    }
    while (position.seen < source.samples) {
      position.size = await source.ready(position.seen, turn)
      if (hooks.wantsBatches) await this.#oneBatch(position.size)
      else this.#count(await this.#train(job.resumption.left()))
      await turn.pass()
      await this.#keep(false)
    }
    this.#warnOfMore()
    const logs: Logs = {}
    for (const [i, mean] of this.#means.values().entries()) logs[this.#metricsNames[i]!] = mean
    if (validation) {
      const values = await this.#validate(validation)
      for (const [i, name] of this.#metricsNames.entries()) logs[`val_${name}`] = values[i]!
    }
    this.model.runner.keepWeights()
    this.#progress.epochEnd(position.seen, logs)
    await hooks.epochEnd(epoch, logs)
    Object.assign(position, { epoch: epoch + 1, isBegun: false, seen: 0, batch: 0 })
  }

  /** Checkpoints that are due meanwhile say that all of the validation is still to come. */
  async #validate(validation: Validation): Promise<number[]> {
    const { job, turn } = this
    const before = job.resumption.writes ? await job.resumption.changed(job) : null
    const pass = async () => {
      await turn.pass()
      this.#progress.validating()
      if (before) await this.#keep(false, before)
    }
    return validation.run({ ...turn, pass }, job.batchSize ?? this.#position.size)
  }

  async #oneBatch(size: number): Promise<void> {
    const { batch } = this.#position
    const logs: Logs = { batch, size }
    await this.hooks.batchBegin(batch, logs)
    const result = await this.#train(1)
    for (const [i, name] of this.#metricsNames.entries()) logs[name] = result.last[i]!
    this.#count(result)
    await this.hooks.batchEnd(batch, logs)
  }

  #train(maxBatches: number): Promise<RunResult> {
    const { sums } = this.#means
    const limit = Number.isFinite(maxBatches) ? { maxBatches } : {}
    return this.job.source.train(this.#position.seen, { sums, ...limit })
  }

  #count(result: RunResult): void {
    const { job } = this
    const position = this.#position
    const place = {
      epoch: position.epoch,
      firstBatch: position.batch,
      isAlone: job.source.isSingle,
    }
    job.watch.check(result, job.call, 'train', place)
    position.seen += result.samples
    position.batch += result.batches
    job.resumption.batches += result.batches
    this.#progress.update(position.seen, pairsOf(this.#metricsNames, this.#means.add(result)))
  }

  /**
   * Writes a checkpoint when it is time, or `always` where there are checkpoints at all.
   *
   * @param before what a validation under way has changed, as it was
   */
  async #keep(always: boolean, before?: Changed): Promise<void> {
    const { resumption } = this.job
    if (!resumption.isDue(always)) return
    const { sums, counted } = this.#means
    const position = { ...this.#position, sums: [...sums], counted: [...counted] }
    await resumption.write(this.job, this.hooks, position, before)
  }

  #warnOfMore(): void {
    const { epoch, seen } = this.#position
    const { call, source } = this.job
    if (seen <= source.samples) return
    process.emitWarning(
      `${call}: epoch ${epoch} must comprise samplesPerEpoch ${source.samples} samples, got ${seen}: the last batch went beyond it.`,
      { code: 'HIDDENSTATE_SAMPLES' },
    )
  }
}
