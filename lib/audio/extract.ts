/** Features of whole sounds, computed in threads, so that the event loop stays free. */
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { checkSignal } from '../call-options.js'
import { ConfigError, errorOf, fail, type HiddenstateError, InternalError } from '../errors.js'
import { JobQueue } from '../job-queue.js'
import { describe, NDArray, type TensorLike } from '../ndarray.js'
import { abortable } from '../waiting.js'
import { startThread } from '../worker-thread.js'
import { checkRate, samplesOf } from './checks.js'
import type { Answer, Sound, Task } from './extraction.js'
import { type FeatureOptions, featureStages } from './features.js'
import { checkChannels, contentOf, pathOf } from './wav.js'
import type { Channels } from './wav-samples.js'

/** A sound that lies in memory: what readWav gives, or samples of one's own. */
export interface SoundInMemory {
  /** [T] */
  samples: TensorLike
  /** In Hz. */
  sampleRate: number
}

/** Options of {@link extractFeatures}: those of the features, and these. */
export interface ExtractFeaturesOptions extends Omit<FeatureOptions, 'inputRate'> {
  /** Of a file with several: their mean (`'mix'`, the default), or one of them by its number. */
  channels?: 'mix' | number | undefined
  /** Is told the share that is done, above 0 to 1, some twenty times a second. Default: none is. */
  onProgress?: ((share: number) => void) | undefined
  /** Ends the work. */
  signal?: AbortSignal | undefined
}

/** How long an idle thread is kept. */
const IDLE_MS = 10_000
/** Threads at most; each takes some 30 MB beside its sound. */
const THREADS = Math.max(1, Math.min(4, availableParallelism()))

const notStarted = (cause: unknown): InternalError => {
  const actual = cause instanceof Error ? cause.message : String(cause)
  const message = `extractFeatures: thread must start, got: ${actual}.`
  return new InternalError('ERR_INTERNAL', message, { expected: 'a thread', actual, cause })
}

/** A thread, and what waits for it. */
class Thread {
  readonly #worker: Worker
  readonly #started: Promise<unknown>
  #heard: ((answer: Answer) => void) | null = null
  #failed: ((error: Error) => void) | null = null
  #idle: NodeJS.Timeout | undefined
  isOver = false

  constructor() {
    try {
      this.#worker = startThread(import.meta.url, 'audio-worker.js', { name: 'hiddenstate-audio' })
    } catch (error) {
      throw notStarted(error)
    }
    this.#worker.on('message', (answer: Answer) => this.#heard?.(answer))
    this.#worker.on('error', (error) => this.end(notStarted(error)))
    this.#worker.on('exit', () => this.end(notStarted('it ended by itself')))
    this.#started = this.#until((answer) => answer.kind === 'ready')
    this.#started.catch(() => {}) // every task rejects with it
  }

  /** The first answer that `isLast`. The process stays alive as long as it waits. */
  async #until(isLast: (answer: Answer) => boolean): Promise<Answer> {
    this.#worker.ref()
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#failed = reject
        this.#heard = (answer) => {
          try {
            if (isLast(answer)) resolve(answer)
          } catch (error) {
            reject(error)
          }
        }
      })
    } finally {
      this.#heard = null
      this.#failed = null
      this.#worker.unref()
    }
  }

  /** @throws what the thread met, what `onProgress` throws, and what {@link end} was given */
  async run(task: Task, onProgress: (share: number) => void): Promise<Answer> {
    clearTimeout(this.#idle)
    await this.#started
    this.#worker.postMessage(task)
    try {
      return await this.#until((answer) => {
        if (answer.kind === 'progress') onProgress(answer.share)
        return answer.kind === 'rows' || answer.kind === 'error'
      })
    } catch (error) {
      this.end(error as Error) // it still works on what nobody waits for
      throw error
    }
  }

  /** Ends it in a while, unless it is needed before. */
  rest(): void {
    this.#idle = setTimeout(() => this.end(new Error('idle')), IDLE_MS)
    this.#idle.unref()
  }

  end(error: Error): void {
    this.#failed?.(error)
    if (this.isOver) return
    this.isOver = true
    void this.#worker.terminate()
  }
}

const queue = new JobQueue(THREADS)
const idle: Thread[] = []

/** Runs a task as soon as it is its turn. */
async function compute(
  task: Task,
  onProgress: (share: number) => void,
  signal: AbortSignal | null,
): Promise<Answer> {
  return queue.run(async () => {
    signal?.throwIfAborted() // while it waited
    let thread = idle.pop()
    while (thread?.isOver) thread = idle.pop()
    const at = (thread ??= new Thread())
    const stop = () => at.end(signal!.reason)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await at.run(task, onProgress)
    } finally {
      signal?.removeEventListener('abort', stop)
      if (!at.isOver) {
        idle.push(at)
        at.rest()
      }
    }
  })
}

/** What the thread gets. @throws ConfigError ERR_OPTION, ShapeError ERR_SHAPE */
function soundOf(where: string, source: unknown): Sound {
  const bytes = contentOf(source)
  if (bytes !== undefined) return { bytes }
  if (typeof source === 'string' || source instanceof URL) return { path: pathOf(where, source) }
  if (typeof source !== 'object' || source === null || !('samples' in source))
    return fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'source',
      expected: 'the path of a WAV file, its file: URL, its bytes, or { samples, sampleRate }',
      actual: describe(source),
    })
  const { samples, sampleRate } = source as SoundInMemory
  const rate = checkRate(where, 'source.sampleRate', sampleRate)
  return { samples: samplesOf(where, samples), sampleRate: rate }
}

/**
 * Features of a whole WAV file or sound, computed in a thread: what a {@link FeatureStream} gives
 * of it, resampled first where its rate is not `sampleRate`. The file is read there, too, so that
 * the event loop stays free. Several calls at once share up to four threads.
 *
 * @param source the path of a WAV file, its `file:` URL, its bytes, or `{ samples, sampleRate }`,
 *   such as readWav gives; bytes and samples are copied
 * @param options `sampleRate` in Hz; lengths in samples, see {@link ExtractFeaturesOptions}
 * @returns shape [F, D], float32
 * @throws what readWav and FeatureStream throw, the signal's reason, and what `onProgress` throws
 *   (all as rejections)
 * @example
 * import { extractFeatures } from 'hiddenstate/audio'
 * const sound = { samples: new Float32Array(8000), sampleRate: 8000 } // a second
 * const x = await extractFeatures(sound, { sampleRate: 16000, cmvn: 'utterance', deltas: 1 })
 * console.log(x.shape) // [ 98, 80 ]
 */
export async function extractFeatures(
  source: string | URL | Uint8Array | ArrayBuffer | SoundInMemory,
  options: ExtractFeaturesOptions,
): Promise<NDArray> {
  const where = 'extractFeatures'
  const { channels = 'mix', onProgress, signal: given, ...rest } = options ?? {}
  if ('inputRate' in rest)
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'inputRate',
      expected: 'left out: the file says it, or source.sampleRate',
      actual: describe(rest.inputRate),
    })
  featureStages(where, rest)
  const signal = checkSignal(where, given)
  signal?.throwIfAborted()
  if (onProgress !== undefined && typeof onProgress !== 'function')
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'onProgress',
      expected: 'a function',
      actual: describe(onProgress),
    })
  const wanted = checkChannels(where, channels) as Channels
  if (wanted === 'all')
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'channels',
      expected: "'mix' or the number of one from 0",
      actual: "'all'",
    })
  const task = { sound: soundOf(where, source), options: rest, channels: wanted }
  const done = await abortable(compute(task, onProgress ?? (() => {}), signal), signal)
  if (done.kind === 'rows') {
    const { rows, width } = done
    onProgress?.(1)
    return new NDArray(rows, [rows.length / width, width])
  }
  throw failure(done as Extract<Answer, { kind: 'error' }>)
}

/** The error that the thread met, as it would be here. */
function failure(answer: Extract<Answer, { kind: 'error' }>): HiddenstateError {
  const { code, message, expected, actual, cause } = answer
  return errorOf(code, message, {
    ...(expected === '' ? {} : { expected }),
    ...(actual === '' ? {} : { actual }),
    ...(cause === undefined ? {} : { cause }),
  })
}
