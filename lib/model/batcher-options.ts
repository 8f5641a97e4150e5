/** What a Batcher and its calls are told. */
import { checkInteger } from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'

/** The longest that a timer of Node waits. */
const LONGEST_MS = 2 ** 31 - 1

/** What became of a batch, for {@link BatcherOptions.onBatch}. */
export interface GatheredBatch {
  /** Rows that it had, at most `maxBatch`. */
  readonly rows: number
  /** Calls that they came from. */
  readonly calls: number
  /** Calls that wait for the next ones. */
  readonly waiting: number
  /** How long it took, without the wait for its turn. */
  readonly milliseconds: number
}

/** Options of {@link Batcher}. */
export interface BatcherOptions {
  /** Rows of a batch at most. Default 64. */
  maxBatch?: number
  /**
   * How long the first call of a batch waits for others, in milliseconds. Default 0: a batch holds
   * what has come in while the one before it ran, and nobody waits for nothing.
   */
  maxDelayMs?: number
  /** Calls that may wait; more are refused with `ERR_QUEUE_FULL`. Default 1024. */
  maxQueue?: number
  /** Is told of every batch. Default: nobody. */
  onBatch?: ((batch: GatheredBatch) => void) | null
}

/** Options of the calls of a {@link Batcher}. */
export interface GatherOptions {
  /** A call that waits longer, in milliseconds, is not computed any more. Default `null`: never. */
  timeoutMs?: number | null
  /** Gives up a call that still waits; it rejects with the signal's reason. */
  signal?: AbortSignal | null
}

/** @throws ConfigError ERR_OPTION */
export function checkedOptions(where: string, given: unknown): Readonly<Required<BatcherOptions>> {
  const defaults = { maxBatch: 64, maxDelayMs: 0, maxQueue: 1024, onBatch: null as unknown }
  const { maxBatch, maxDelayMs, maxQueue, onBatch } = resolveOptions(where, defaults, given)
  if (onBatch !== null && typeof onBatch !== 'function')
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'onBatch',
      expected: 'a function',
      actual: describe(onBatch),
    })
  return {
    maxBatch: checkInteger(where, 'maxBatch', maxBatch, 1),
    maxDelayMs: Math.min(checkInteger(where, 'maxDelayMs', maxDelayMs, 0), LONGEST_MS),
    maxQueue: checkInteger(where, 'maxQueue', maxQueue, 1),
    onBatch: onBatch as BatcherOptions['onBatch'] & {},
  }
}

/** @throws ConfigError ERR_OPTION */
export function checkTimeout(where: string, value: unknown): number | null {
  return value === null ? null : Math.min(checkInteger(where, 'timeoutMs', value, 1), LONGEST_MS)
}
