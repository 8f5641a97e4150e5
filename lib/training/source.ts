/**
 * Where the batches of a training come from:
 * arrays in native memory, or an iterable that yields them.
 */
import type { RunResult } from '../native.js'
import type { Turn } from '../engine/turns.js'
import type { Plain } from './plain-data.js'

export interface BatchSource {
  /** Samples of an epoch; an epoch whose last batch goes beyond them has more. */
  readonly samples: number
  /** Whether one run takes one batch, whatever is allowed. */
  readonly isSingle: boolean
  /** Makes a new order; called before the first batch of an epoch. */
  beginEpoch(): void
  /**
   * Makes the next batch ready.
   *
   * @param seen samples of the epoch so far
   * @returns its number of samples
   */
  ready(seen: number, turn: Turn): Promise<number> | number
  /**
   * Trains on the batch that is ready, and on those after it as far as it may.
   *
   * @param request.maxBatches default: as many as a chunk has time for
   * @param request.sums the epoch's sums so far
   */
  train(seen: number, request: { maxBatches?: number; sums: readonly number[] }): Promise<RunResult>
  /** All that {@link restore} needs, where no batch is ready. */
  state(): Plain | Promise<Plain>
  restore(state: Plain): void | Promise<void>
  /** Frees memory, closes iterators. Once. */
  close(): void
}

/** What an epoch is validated on. */
export interface Validation {
  readonly samples: number
  /** Means of loss and metrics after an epoch whose last batch had this size. */
  run(turn: Turn, batchSize: number): Promise<number[]>
  /** As a source's. */
  state(): Plain | Promise<Plain>
  restore(state: Plain): void | Promise<void>
  close(): void
}
