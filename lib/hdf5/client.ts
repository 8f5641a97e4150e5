/**
 * The HDF5 library in worker threads, with limits on work and memory
 * (docs/decisions/0003-hdf5-in-a-worker.md, docs/decisions/0024-a-budget-of-work-for-hdf5.md).
 *
 * A worker starts when a file finds none free, serves one file at a time, and ends after an error,
 * when its budget of work is used up, or when nobody has used it for a while. It keeps the process
 * alive only while it works.
 */
import type { Worker } from 'node:worker_threads'
import { InternalError } from '../errors.js'
import { JobQueue } from '../job-queue.js'
import { startThread } from '../worker-thread.js'
import type { H5Data, H5Reply, H5Request, H5Tree } from './protocol.js'
import { WorkBudget } from './work-budget.js'

/** An error of the HDF5 library; callers add the name of the file. */
export class Hdf5Failure extends Error {
  override readonly name = 'Hdf5Failure'
}

/** What a file may ask of the library; the tests set it lower. */
export interface Hdf5Limits {
  /** Milliseconds of work for all requests about the file, beside those that the bytes allow. */
  workMs: number
}

/**
 * Work that any file may take at least; on a slow or busy machine, as much as the start of the
 * library took. A legal small file takes a quarter of that, also as the first in a new worker.
 */
const READ_MS = 400
/** Limit for writing a file, where nothing is hostile: it ends a library that hangs. */
const WRITE_MS = 20_000
/** Limit for the start of the library, which takes 150 ms where nothing else runs. */
const START_MS = 20_000
/**
 * Work that the description of a file of that many bytes allows: 1 MB a second. Groups of small
 * datasets take longest, 5 MB a second on two cores with 27 busy programs. More than 64 MB of
 * description, a hundred thousand objects, no model has.
 */
export const treeMs = (bytes: number): number => Math.min(bytes, 64 * 2 ** 20) / 1_000
/** Work that so many bytes of numbers allow: 5 MB a second. */
export const dataMs = (bytes: number): number => bytes / 5_000
/** Files that are read at once; each beyond the first costs a worker, 38 MB. */
const READERS = 4
/** How long an idle worker is kept, for the next epoch's checkpoint. */
const IDLE_MS = 10_000
/** Memory for the library itself, with room to work in. */
const BASE_MEMORY = 128 * 2 ** 20
/** The library's WebAssembly heap can grow no larger. */
const MAX_MEMORY = 2 ** 31

/** Heap that a file of that many bytes may take: whole datasets pass through it, at most. */
export const memoryFor = (bytes: number): number => Math.min(MAX_MEMORY, BASE_MEMORY + 2 * bytes)

type Answer<K extends H5Reply['kind']> = Extract<H5Reply, { kind: K }>

class Hdf5Worker {
  readonly #worker: Worker
  readonly #started: Promise<void>
  readonly #startWork = new WorkBudget(START_MS)
  #settle: { resolve: (reply: H5Reply) => void; reject: (error: Error) => void } | null = null
  #idle: NodeJS.Timeout | undefined
  dead = false

  constructor() {
    try {
      this.#worker = startThread(import.meta.url, 'hdf5-worker.mjs', {
        name: 'hiddenstate-hdf5',
        resourceLimits: { maxOldGenerationSizeMb: 512 },
      })
    } catch (error) {
      throw notStarted(error)
    }
    this.#worker.on('message', (reply: H5Reply) => this.#settle?.resolve(reply))
    this.#worker.on('error', (error) => this.end(new Hdf5Failure(error.message, { cause: error })))
    this.#worker.on('exit', () => this.end(new Hdf5Failure('the HDF5 library ended by itself')))
    // It says when it listens: a message that comes earlier is lost in Deno,
    // which does not keep it.
    this.#started = this.#reply('ready', this.#startWork).then(
      () => {},
      (error) => {
        throw notStarted(error)
      },
    )
    this.#started.catch(() => {}) // every request rejects with it
  }

  /** Work that a small file may take on this machine. */
  async readMs(): Promise<number> {
    await this.#started
    return Math.max(READ_MS, this.#startWork.spent)
  }

  async request<K extends H5Reply['kind']>(
    expected: K,
    request: H5Request,
    transfer: ArrayBuffer[],
    work: WorkBudget,
  ): Promise<Answer<K>> {
    await this.#started
    if (this.dead) throw new Hdf5Failure('the HDF5 library has ended')
    this.#worker.postMessage(request, transfer)
    return this.#reply(expected, work)
  }

  async #reply<K extends H5Reply['kind']>(expected: K, work: WorkBudget): Promise<Answer<K>> {
    this.#worker.ref()
    const stop = work.watch(() =>
      this.end(
        new Hdf5Failure(
          `no answer from the HDF5 library within ${Math.round(work.limit)} ms of work`,
        ),
      ),
    )
    try {
      const reply = await new Promise<H5Reply>((resolve, reject) => {
        this.#settle = { resolve, reject }
      })
      if (reply.kind === 'error') throw new Hdf5Failure(reply.message)
      if (reply.kind !== expected)
        throw new Hdf5Failure(`the HDF5 worker answered ${reply.kind}, not ${expected}`)
      return reply as Answer<K>
    } catch (error) {
      this.end(error as Error) // after an error the state of HDF5 is unknown
      throw error
    } finally {
      stop()
      this.#settle = null
      this.#worker.unref()
    }
  }

  /** Ends the worker in a while, unless a file needs it before. */
  rest(): void {
    this.#idle = setTimeout(() => this.end(new Hdf5Failure('idle')), IDLE_MS)
    this.#idle.unref()
  }

  wake(): void {
    clearTimeout(this.#idle)
  }

  end(error: Error): void {
    this.#settle?.reject(error)
    if (this.dead) return
    this.dead = true
    void this.#worker.terminate()
  }
}

function notStarted(cause: unknown): InternalError {
  const actual = cause instanceof Error ? cause.message : String(cause)
  const message = `HDF5: the library must start in a worker thread, got: ${actual}.`
  return new InternalError('ERR_INTERNAL', message, { expected: 'a worker thread', actual, cause })
}

/**
 * Rows pass through the heap in slices:
 * what a file read where it lies needs does not grow with its size.
 */
const ROWS_MEMORY = 256 * 2 ** 20

/** A file that stays on the disk, in a worker of its own; requests one after the other. */
export class RowFile {
  readonly #worker = new Hdf5Worker()
  #queue: Promise<unknown> = Promise.resolve()

  #send<K extends H5Reply['kind']>(
    expected: K,
    request: H5Request,
    ms: number,
  ): Promise<Answer<K>> {
    const turn = this.#queue.then(async () => {
      const work = new WorkBudget((await this.#worker.readMs()) + ms)
      return this.#worker.request(expected, request, [], work)
    })
    this.#queue = turn.catch(() => {})
    return turn
  }

  /** What it holds. @param size its bytes @throws Hdf5Failure */
  async open(path: string, size: number): Promise<H5Tree> {
    return (await this.#send('tree', { kind: 'openPath', path, memory: ROWS_MEMORY }, treeMs(size)))
      .tree
  }

  /** Rows `from` to `to` of a dataset. @throws Hdf5Failure */
  async rows(path: string, from: number, to: number, bytes: number): Promise<H5Data> {
    return (await this.#send('data', { kind: 'rows', path, from, to }, dataMs(bytes)))
      .data[0] as H5Data
  }

  /** Twice does no harm. */
  async close(): Promise<void> {
    if (!this.#worker.dead) await this.#send('closed', { kind: 'close' }, 0).catch(() => {})
    this.#worker.end(new Hdf5Failure('the file is closed'))
  }
}

/** Idle workers. */
const free: Hdf5Worker[] = []

function take(): Hdf5Worker {
  for (let worker = free.pop(); worker; worker = free.pop()) {
    worker.wake()
    if (!worker.dead) return worker
  }
  return new Hdf5Worker()
}

/**
 * Saves do not wait for files that are read: those may come from anybody. They wait for each other,
 * so that the last one wins.
 */
const QUEUES = { read: new JobQueue(READERS), write: new JobQueue(1) }

/** Sends requests to the worker; each adds `ms` to what it may work for this file. */
export type Send = <K extends H5Reply['kind']>(
  expected: K,
  request: H5Request,
  ms: number,
  transfer?: ArrayBuffer[],
) => Promise<Answer<K>>

/**
 * Runs `use` with the library, for one file.
 *
 * @throws Hdf5Failure from `send`; InternalError ERR_INTERNAL from `send` where no worker starts
 */
export function withHdf5<T>(
  kind: keyof typeof QUEUES,
  use: (send: Send) => Promise<T>,
  limits?: Hdf5Limits,
): Promise<T> {
  return QUEUES[kind].run(async () => {
    let worker: Hdf5Worker | undefined
    let work: WorkBudget | undefined
    try {
      return await use(async (expected, request, ms, transfer = []) => {
        worker ??= take()
        work ??= new WorkBudget(
          limits?.workMs ?? (kind === 'write' ? WRITE_MS : await worker.readMs()),
        )
        work.limit += ms
        return worker.request(expected, request, transfer, work)
      })
    } finally {
      if (worker && !worker.dead) {
        free.push(worker)
        worker.rest()
      }
    }
  })
}
