/**
 * Batches that an iterable yields, one after the other.
 * Keras 1.2.2 engine/training.py, `fit_generator`.
 */
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

/** One batch of an iterable in native memory. */
interface LoadedBatch {
  samples: number
  data: LoadedData
}

/** How batches of an iterable are taken. */
export interface Taking {
  /** The public call, for errors. */
  call: string
  classWeight?: ClassWeights
  signal: AbortSignal | null
}

/**
 * Takes the next batch, checks it and loads it into native memory. The caller holds the turn, which
 * is lent while the batch is waited for.
 * @param missing samples still needed, for the message of a source that has ended
 */
export async function loadBatch(
  model: Model,
  batches: Batches,
  missing: number,
  turn: Turn,
  { call, classWeight = null, signal }: Taking,
): Promise<LoadedBatch> {
  signal?.throwIfAborted()
  const given = batches.next(missing)
  const batch = isThenable(given) ? await turn.lend(abortable(given, signal)) : given
  const [x, y, sampleWeight = null] = checkTriple(`${batches.where}: batch`, batch)
  const prepared = prepareTraining(model, call, x, y, { sampleWeight, classWeight })
  checkStatefulBatches(model, call, prepared.samples, prepared.samples)
  return { samples: prepared.samples, data: model.runner.load(prepared) }
}

/** Trains or tests on a batch and frees it. @param sums over the batches before it */
export async function runBatch(
  model: Model,
  mode: 'train' | 'test',
  { samples, data }: LoadedBatch,
  sums: readonly number[],
  { call, signal }: Taking,
): Promise<RunResult> {
  const request = { mode, data: data.set, batchSize: samples, maxBatches: 1, sums } as const
  try {
    return await model.runner.run(call, request, signal)
  } finally {
    data.dispose()
  }
}

export class BatchesSource implements BatchSource {
  readonly isSingle = true
  #ready: LoadedBatch | null = null

  constructor(
    readonly model: Model,
    readonly batches: Batches,
    readonly own: Taking & { samples: number },
  ) {}

  get samples(): number {
    return this.own.samples
  }

  beginEpoch(): void {}

  async ready(seen: number, turn: Turn): Promise<number> {
    this.#ready = await loadBatch(this.model, this.batches, this.samples - seen, turn, this.own)
    return this.#ready.samples
  }

  async train(seen: number, { sums }: { sums: readonly number[] }): Promise<RunResult> {
    const batch = this.#ready!
    if (seen + batch.samples < this.samples) this.batches.prefetch() // while native code computes
    this.#ready = null
    return runBatch(this.model, 'train', batch, sums, this.own)
  }

  state(): Promise<Plain> {
    return this.batches.state()
  }

  restore(state: Plain): Promise<void> {
    return this.batches.restore(state)
  }

  close(): void {
    this.#ready?.data.dispose()
    this.#ready = null
    this.batches.close()
  }
}
