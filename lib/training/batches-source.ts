/**
 * Batches that an iterable yields, one after the other.
 * Keras 1.2.2 engine/training.py, `fit_generator`.
 */
import type { Batches } from './batches.js'
import type { ClassWeight } from './data.js'
import { checkStatefulBatches, prepareTraining } from './evaluate.js'
import { checkTriple } from './fit.js'
import type { LoadedData } from '../engine/loaded-data.js'
import type { RunResult } from '../native.js'
import type { Model } from '../model/model.js'
import type { Turn } from '../engine/turns.js'
import { abortable, isThenable } from '../waiting.js'
import type { Plain } from './plain.js'
import type { BatchSource } from './source.js'

export class BatchesSource implements BatchSource {
  readonly isSingle = true
  #ready: { samples: number; data: LoadedData } | null = null

  constructor(
    readonly model: Model,
    readonly batches: Batches,
    readonly own: {
      call: string
      samples: number
      classWeight: ClassWeight | null
      signal: AbortSignal | null
    },
  ) {}

  get samples(): number {
    return this.own.samples
  }

  beginEpoch(): void {}

  async ready(seen: number, turn: Turn): Promise<number> {
    const { call, samples, classWeight, signal } = this.own
    signal?.throwIfAborted()
    const given = this.batches.next(samples - seen)
    const batch = isThenable(given) ? await turn.lend(abortable(given, signal)) : given
    const [x, y, sampleWeight = null] = checkTriple(`${call}: batch`, batch)
    const prepared = prepareTraining(this.model, call, x, y, { sampleWeight, classWeight })
    checkStatefulBatches(this.model, call, prepared.samples, prepared.samples)
    this.#ready = { samples: prepared.samples, data: this.model.session.load(prepared) }
    return prepared.samples
  }

  async train(seen: number, { sums }: { sums: readonly number[] }): Promise<RunResult> {
    const { call, signal } = this.own
    const { samples, data } = this.#ready!
    const request = {
      mode: 'train',
      data: data.set,
      batchSize: samples,
      maxBatches: 1,
      sums,
    } as const
    if (seen + samples < this.samples) this.batches.prefetch() // while native code computes
    try {
      return await this.model.session.run(call, request, signal)
    } finally {
      this.#free()
    }
  }

  #free(): void {
    this.#ready?.data.dispose()
    this.#ready = null
  }

  state(): Promise<Plain> {
    return this.batches.state()
  }

  restore(state: Plain): Promise<void> {
    return this.batches.restore(state)
  }

  close(): void {
    this.#free()
    this.batches.close()
  }
}
