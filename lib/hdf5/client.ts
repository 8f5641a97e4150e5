/**
 * The HDF5 library in a worker thread of its own, with a time limit and a memory limit (docs/decisions/0003-hdf5-in-a-worker.md).
 *
 * The worker starts with the first file, serves one file at a time, and ends after an error, after a time limit,
 * or when nobody has used it for a while. It keeps the process alive only while it works.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { packageRoot } from '../package-root.js'
import type { H5Data, H5Reply, H5Request, H5Tree } from './protocol.js'

/** Why the library could not do what was asked; callers put the file's name to it. */
export class Hdf5Failure extends Error {
  override readonly name = 'Hdf5Failure'
}

/** Limits of a request; the tests set them lower. */
export interface Hdf5Limits {
  /** Milliseconds before the worker is ended, beside those that the size of the file allows. */
  timeoutMs: number
}

const DEFAULT_LIMITS: Hdf5Limits = { timeoutMs: 20_000 }
/** Slow disks and busy machines: 5 MB a second (27 MB a second measured on two cores with nine busy programs). */
const BYTES_PER_MS = 5_000
/** How long an idle worker is kept, for the next epoch's checkpoint. */
const IDLE_MS = 10_000
/** What the library itself needs, and room to work in. */
const BASE_MEMORY = 128 * 2 ** 20
/** WebAssembly with 32-bit addresses has no more. */
const MAX_MEMORY = 2 ** 31

/** Heap that a file of that many bytes may take: whole datasets pass through it, at most. */
export const memoryFor = (bytes: number): number => Math.min(MAX_MEMORY, BASE_MEMORY + 2 * bytes)

type Answer<K extends H5Reply['kind']> = Extract<H5Reply, { kind: K }>

/** The same name beside the sources and in dist/; a bundle finds it where the package is installed. */
function workerFile(): string {
  const beside = fileURLToPath(new URL('./hdf5-worker.mjs', import.meta.url))
  return fs.existsSync(beside) ? beside : path.join(packageRoot(), 'dist', 'hdf5-worker.mjs')
}

/**
 * Nothing of the user's flags and environment reaches the worker, but for Yarn's Plug'n'Play: its hooks, without which no
 * package is found, come by flags or by NODE_OPTIONS.
 */
function threadSettings(): Pick<WorkerOptions, 'execArgv' | 'env'> {
  if (process.versions.pnp === undefined) return { execArgv: [], env: {} }
  const { NODE_OPTIONS } = process.env
  return { env: NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS } }
}

class Hdf5Worker {
  readonly #worker: Worker
  #settle: { resolve: (reply: H5Reply) => void; reject: (error: Error) => void } | null = null
  dead = false

  constructor() {
    // Its output, the library's chatter, is left unread: a stream that is read would keep the process alive.
    this.#worker = new Worker(workerFile(), {
      name: 'hiddenstate-hdf5',
      ...threadSettings(),
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    })
    this.#worker.unref()
    this.#worker.on('message', (reply: H5Reply) => this.#settle?.resolve(reply))
    this.#worker.on('error', (error) => this.end(new Hdf5Failure(error.message, { cause: error })))
    this.#worker.on('exit', () => this.end(new Hdf5Failure('the HDF5 library ended by itself')))
  }

  async request<K extends H5Reply['kind']>(
    expected: K,
    request: H5Request,
    transfer: ArrayBuffer[],
    ms: number,
  ): Promise<Answer<K>> {
    if (this.dead) throw new Hdf5Failure('the HDF5 library has ended')
    this.#worker.ref()
    let timer: NodeJS.Timeout | undefined
    try {
      const reply = await new Promise<H5Reply>((resolve, reject) => {
        this.#settle = { resolve, reject }
        timer = setTimeout(
          () => this.end(new Hdf5Failure(`no answer from the HDF5 library within ${Math.round(ms)} ms`)),
          ms,
        )
        this.#worker.postMessage(request, transfer)
      })
      if (reply.kind === 'error') throw new Hdf5Failure(reply.message)
      if (reply.kind !== expected) throw new Hdf5Failure(`the HDF5 worker answered ${reply.kind}, not ${expected}`)
      return reply as Answer<K>
    } catch (error) {
      this.end(error as Error) // what state HDF5 is in after an error, nobody knows
      throw error
    } finally {
      clearTimeout(timer)
      this.#settle = null
      this.#worker.unref()
    }
  }

  end(error: Error): void {
    this.#settle?.reject(error)
    if (this.dead) return
    this.dead = true
    void this.#worker.terminate()
  }
}

/** Rows pass through the heap in slices: what a file read where it lies needs does not grow with its size. */
const ROWS_MEMORY = 256 * 2 ** 20

/** A file that stays on the disk, in a worker of its own; requests one after the other. */
export class RowFile {
  readonly #worker = new Hdf5Worker()
  #queue: Promise<unknown> = Promise.resolve()

  #send<K extends H5Reply['kind']>(expected: K, request: H5Request, bytes: number): Promise<Answer<K>> {
    const ms = DEFAULT_LIMITS.timeoutMs + bytes / BYTES_PER_MS
    const turn = this.#queue.then(() => this.#worker.request(expected, request, [], ms))
    this.#queue = turn.catch(() => {})
    return turn
  }

  /** What it holds. @throws Hdf5Failure */
  async open(path: string): Promise<H5Tree> {
    return (await this.#send('tree', { kind: 'openPath', path, memory: ROWS_MEMORY }, 0)).tree
  }

  /** Rows `from` to `to` of a dataset. @throws Hdf5Failure */
  async rows(path: string, from: number, to: number, bytes: number): Promise<H5Data> {
    return (await this.#send('data', { kind: 'rows', path, from, to }, bytes)).data[0] as H5Data
  }

  /** Twice does no harm. */
  async close(): Promise<void> {
    if (!this.#worker.dead) await this.#send('closed', { kind: 'close' }, 0).catch(() => {})
    this.#worker.end(new Hdf5Failure('the file is closed'))
  }
}

let worker: Hdf5Worker | null = null
let idle: NodeJS.Timeout | undefined
let queue: Promise<unknown> = Promise.resolve()

/** Sends requests to the worker; the time limit grows with `bytes`. */
export type Send = <K extends H5Reply['kind']>(
  expected: K,
  request: H5Request,
  bytes: number,
  transfer?: ArrayBuffer[],
) => Promise<Answer<K>>

/**
 * Runs `use` while nobody else uses the library. Files wait for each other in the order of the calls.
 *
 * @throws Hdf5Failure from `send`
 */
export function withHdf5<T>(use: (send: Send) => Promise<T>, limits: Hdf5Limits = DEFAULT_LIMITS): Promise<T> {
  const turn = queue.then(async () => {
    clearTimeout(idle)
    if (worker === null || worker.dead) worker = new Hdf5Worker()
    const mine = worker
    try {
      return await use((expected, request, bytes, transfer = []) =>
        mine.request(expected, request, transfer, limits.timeoutMs + bytes / BYTES_PER_MS),
      )
    } finally {
      idle = setTimeout(() => mine.end(new Hdf5Failure('idle')), IDLE_MS)
      idle.unref()
    }
  })
  queue = turn.catch(() => {})
  return turn
}
