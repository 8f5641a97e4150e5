/** Batches from an iterable: fetched one ahead, begun anew where that is possible, closed in the end. */
import { ConfigError, fail } from './errors.js'
import type { Inputs } from './evaluate.js'
import type { Triple } from './fit.js'
import { describe } from './ndarray.js'

/**
 * Batches `[x, y]` or `[x, y, sampleWeight]`, one after the other. A list of inputs is what TypeScript takes `[x, y]` for in a generator
 * without a return type; another number of them than two or three is ERR_OPTION.
 */
export type Source<T = Triple | readonly (Inputs | null)[]> = Iterable<T> | AsyncIterable<T>

export const isThenable = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'

const isSource = (value: unknown): value is Source<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  (Symbol.iterator in value || Symbol.asyncIterator in value) &&
  !ArrayBuffer.isView(value)

/** Batches of a source. A list, and anything else that can be iterated again, starts anew when it ends. */
export class Batches {
  #iterator: Iterator<unknown> | AsyncIterator<unknown>
  #ahead: IteratorResult<unknown> | Promise<IteratorResult<unknown>> | null = null
  #isFresh = true
  #isClosed = false

  constructor(
    readonly source: unknown,
    readonly where: string,
  ) {
    if (!isSource(source)) {
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'source',
        expected: 'an iterable or async iterable of batches',
        actual: describe(source),
      })
    }
    this.#iterator = this.#open()
  }

  #open(): Iterator<unknown> | AsyncIterator<unknown> {
    const source = this.source as Partial<Iterable<unknown> & AsyncIterable<unknown>>
    return source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]!()
  }

  /** Starts fetching the next batch; {@link next} gives it. */
  prefetch(): void {
    if (this.#ahead) return
    try {
      this.#ahead = this.#iterator.next()
    } catch (error) {
      this.#ahead = Promise.reject(error)
    }
    if (isThenable(this.#ahead)) this.#ahead.then(null, () => {}) // told by next()
  }

  /** Lets the source tidy up, once; what it answers is not waited for. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    ;(async () => await this.#iterator.return?.())().catch(() => {}) // the call has its result already
  }

  /**
   * The next batch, or a promise of it where the source gives promises: others need not wait.
   *
   * @param missing samples still needed, for the message
   */
  next(missing: number): unknown {
    this.prefetch()
    const ahead = this.#ahead!
    this.#ahead = null
    return isThenable(ahead) ? ahead.then((result) => this.#take(result, missing)) : this.#take(ahead, missing)
  }

  #take({ done, value }: IteratorResult<unknown>, missing: number): unknown {
    if (!done) {
      this.#isFresh = false
      return value
    }
    const again = this.#isFresh ? this.#iterator : this.#open()
    if (again === this.#iterator) {
      fail(ConfigError, 'ERR_OPTION', {
        where: this.where,
        what: 'source',
        expected: `${missing} more samples`,
        actual: 'its end',
        hint: 'A generator must go on for as long as samples are needed.',
      })
    }
    this.#iterator = again
    this.#isFresh = true
    return this.next(missing)
  }
}

/** Uses batches, and closes their source in the end, as a for-of loop does. */
export async function closing<T>(batches: readonly Batches[], use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } finally {
    for (const one of batches) one.close()
  }
}

/** Rejects with the signal's reason as soon as it is aborted, even if the source never answers. */
export async function abortable<T>(wait: Promise<T>, signal: AbortSignal | null): Promise<T> {
  if (!signal) return wait
  signal.throwIfAborted()
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([wait, aborted])
  } finally {
    signal.removeEventListener('abort', stop!)
    wait.catch(() => {}) // lost the race: told already
  }
}
