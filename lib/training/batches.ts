/**
 * Batches from an iterable: fetched one ahead,
 * begun anew where that is possible, closed in the end.
 */
import { ConfigError, fail } from '../errors.js'
import type { Inputs } from './results.js'
import type { Triple } from './fit.js'
import { describe } from '../ndarray.js'
import { isThenable } from '../waiting.js'
import type { Plain } from './plain-data.js'

/**
 * Batches `[x, y]` or `[x, y, sampleWeight]`, one after the other. A list of inputs is what
 * TypeScript takes `[x, y]` for in a generator without a return type; another number of them than
 * two or three is ERR_OPTION.
 */
export type Source<T = Triple | readonly (Inputs | null)[]> = Iterable<T> | AsyncIterable<T>

/**
 * What a source may offer so that a training can go on from a checkpoint at once: without it as
 * many batches are taken from the source, and thrown away, as were trained on before.
 */
export interface Resumable {
  /** Plain data; asked when batches have been taken, and none is being fetched. */
  state(): Plain | Promise<Plain>
  /** Called before the first batch: what comes next is what came next when `state` was asked. */
  restore(state: Plain): void | Promise<void>
}

const isSource = (value: unknown): value is Source<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  (Symbol.iterator in value || Symbol.asyncIterator in value) &&
  !ArrayBuffer.isView(value)

type Read<T> = (batch: unknown) => T

/**
 * Batches of a source. A list, and anything else that can be iterated again,
 * starts anew when it ends.
 */
export class Batches {
  #iterator: Iterator<unknown> | AsyncIterator<unknown>
  #ahead: IteratorResult<unknown> | Promise<IteratorResult<unknown>> | null = null
  #isFresh = true
  #isClosed = false
  /** Taken so far. */
  #taken = 0
  /**
   * The source's state before the batch that is fetched ahead; null: none is, or no state is kept.
   */
  #before: Promise<Plain> | null = null
  /** Whether {@link state} will be asked for. */
  keepsState = false

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

  /** Starts fetching the next batch; {@link next} gives it. @param read as there */
  prefetch(read: Read<unknown>): void {
    if (this.#ahead) return
    if (this.keepsState) this.#before = this.#tell()
    const took = ({ done, value }: IteratorResult<unknown>): IteratorResult<unknown> =>
      done || this.#isClosed ? { done: true, value: null } : { done: false, value: read(value) }
    try {
      const coming = this.#iterator.next()
      this.#ahead = isThenable(coming) ? coming.then(took) : took(coming)
    } catch (error) {
      this.#ahead = Promise.reject(error)
    }
    if (isThenable(this.#ahead)) this.#ahead.then(null, () => {}) // next() rejects with it
  }

  async #tell(): Promise<Plain> {
    const { source } = this
    return isResumable(source) ? { own: await source.state() } : { taken: this.#taken }
  }

  /** The state of the source, without the batch that is fetched ahead. */
  state(): Promise<Plain> {
    return this.#before ?? this.#tell()
  }

  /** Puts the source where it was, see {@link Resumable}. @param kept what {@link state} gave */
  async restore(kept: Plain): Promise<void> {
    const { own, taken = 0 } = kept as { own?: Plain; taken?: number }
    const { source, where } = this
    if (own !== undefined && isResumable(source)) {
      await source.restore(own)
      this.#iterator = this.#open()
      this.#isFresh = false // it may stand at its end, and begins anew then
      return
    }
    if (!Array.isArray(source) && taken > 0) {
      process.emitWarning(
        `${where}: source must offer state() and restore() to go on at once; ${taken} batches are fetched and thrown away.`,
        { code: 'HIDDENSTATE_RESUME' },
      )
    }
    while (this.#taken < taken) await this.next(1, (batch) => batch)
  }

  /** Lets the source tidy up, once, without waiting for its answer. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // the call has its result already
    ;(async () => await this.#iterator.return?.())().catch(() => {})
  }

  /**
   * The next batch, or a promise of it where the source gives promises: others need not wait.
   *
   * @param missing samples still needed, for the message
   * @param read what is made of a batch as soon as it is there; not called after {@link close}
   */
  next<T>(missing: number, read: Read<T>): T | Promise<T> {
    this.prefetch(read)
    const ahead = this.#ahead!
    this.#ahead = null
    this.#before = null
    return isThenable(ahead)
      ? ahead.then((result) => this.#take(result, missing, read))
      : this.#take(ahead, missing, read)
  }

  #take<T>(
    { done, value }: IteratorResult<unknown>,
    missing: number,
    read: Read<T>,
  ): T | Promise<T> {
    if (!done) {
      this.#isFresh = false
      this.#taken++
      return value as T
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
    return this.next(missing, read)
  }
}

/** A source that can be put back where it was, as {@link Resumable} says. */
const isResumable = (source: unknown): source is Resumable =>
  typeof (source as Resumable).state === 'function' &&
  typeof (source as Resumable).restore === 'function'

/** Uses batches, and closes their source in the end, as a for-of loop does. */
export async function closing<T>(batches: readonly Batches[], use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } finally {
    for (const one of batches) one.close()
  }
}
