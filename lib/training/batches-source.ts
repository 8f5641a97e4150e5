/**
 * Batches that an iterable yields, one after the other.
 * Keras 1.2.2 engine/training.py, `fit_generator`.
 */
import { setImmediate } from 'node:timers/promises'
import type { Batches } from './batches.js'
import type { ClassWeights } from './data.js'
import { checkStatefulBatches, prepareTraining } from './evaluate.js'
import { checkTriple } from './fit.js'
import type { LoadedData } from '../engine/loaded-data.js'
import type { RunResult } from '../native.js'
import type { Model } from '../model/model.js'
import type { Turn } from '../engine/turns.js'
import { abortable, isThenable } from '../waiting.js'
import type { Plain } from './plain-data.js'
import type { BatchSource } from './source.js'
import { batchIdentity, type Share, shareOf, teamOf } from './teams.js'

/** One batch of an iterable in native memory. */
interface LoadedBatch {
  /** Of all ranks that share it out. */
  samples: number
  data: LoadedData
  /** Of ranks that share it out: what must be alike. */
  identity: string
  share: Share | null
}

/** How batches of an iterable are taken. */
export interface Taking {
  /** The public call, for errors. */
  call: string
  classWeight?: ClassWeights
  signal: AbortSignal | null
}

/** Batches in native memory: while native code computes one, the next is fetched and loaded. */
export class LoadedBatches {
  /** Loaded, and not yet run. */
  #waiting: LoadedBatch | null = null

  constructor(
    readonly model: Model,
    readonly batches: Batches,
    readonly taking: Taking,
  ) {}

  /**
   * The next batch, checked. The caller holds the turn, which is lent while the batch is waited
   * for.
   *
   * @param missing samples still needed, for the message of a source that has ended
   */
  async next(missing: number, turn: Turn): Promise<LoadedBatch> {
    const { signal } = this.taking
    signal?.throwIfAborted()
    const given = this.batches.next(missing, this.#load)
    const batch = isThenable(given) ? await turn.lend(abortable(given, signal)) : given
    if (this.model.world) batch.share = await shareOf(this.model, this.batches.where, batch)
    if (batch.share) batch.samples = batch.share.whole
    return batch
  }

  readonly #load = (batch: unknown): LoadedBatch => {
    const { model } = this
    const { call, classWeight = null } = this.taking
    const [x, y, sampleWeight = null] = checkTriple(`${this.batches.where}: batch`, batch)
    const prepared = prepareTraining(model, call, x, y, { sampleWeight, classWeight })
    checkStatefulBatches(model, call, prepared.samples, prepared.samples)
    const { samples } = prepared
    const identity = batchIdentity(model, prepared)
    this.#waiting = { samples, data: model.runner.load(prepared), identity, share: null }
    return this.#waiting
  }

  /**
   * Trains or tests on a batch and frees it.
   *
   * @param sums over the batches before it
   * @param missing samples that are needed after it
   */
  async run(
    mode: 'train' | 'test',
    { samples, data, identity, share }: LoadedBatch,
    sums: readonly number[],
    missing: number,
  ): Promise<RunResult> {
    const { call, signal } = this.taking
    this.#waiting = null
    const request = {
      mode,
      data: data.set,
      batchSize: samples,
      maxBatches: 1,
      sums,
      ...teamOf(this.model, `${this.batches.where}: ${mode}`, identity, share),
    }
    const running = this.model.runner.run(call, request, signal)
    running.catch(() => {}) // told by the last line
    try {
      if (missing > 0) {
        await setImmediate() // native code has begun
        this.batches.prefetch(this.#load)
      }
      return await running
    } finally {
      data.dispose()
    }
  }

  /** Frees what was loaded and not run. */
  close(): void {
    this.#waiting?.data.dispose()
    this.#waiting = null
  }
}

export class BatchesSource implements BatchSource {
  readonly isSingle = true
  readonly samples: number
  readonly #loaded: LoadedBatches
  #ready: LoadedBatch | null = null

  constructor(
    model: Model,
    readonly batches: Batches,
    { samples, ...taking }: Taking & { samples: number },
  ) {
    this.samples = samples
    this.#loaded = new LoadedBatches(model, batches, taking)
  }

  beginEpoch(): void {}

  async ready(seen: number, turn: Turn): Promise<number> {
    this.#ready = await this.#loaded.next(this.samples - seen, turn)
    return this.#ready.samples
  }

  train(seen: number, { sums }: { sums: readonly number[] }): Promise<RunResult> {
    const batch = this.#ready!
    this.#ready = null
    return this.#loaded.run('train', batch, sums, this.samples - seen - batch.samples)
  }

  state(): Promise<Plain> {
    return this.batches.state()
  }

  restore(state: Plain): Promise<void> {
    return this.batches.restore(state)
  }

  close(): void {
    this.batches.close()
    this.#loaded.close()
  }
}
