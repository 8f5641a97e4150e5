/**
 * Checkpoints of a training: folders `checkpoint-000123` of one directory, numbered as they are
 * written. In each
 *
 *   model.h5         what `model.save` writes: weights, optimizer, how the model was compiled
 *   training.state   everything else: the {@link TrainingState}, as plain-data.ts writes it
 *   sha256           the SHA-256 of both, as `sha256sum` writes them
 *
 * A folder is written under another name, to the disk, and then renamed:
 * it is there whole or not at all.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  checkedPath,
  fileError,
  removeStale,
  syncDirectory,
  temporaryName,
  writeFileAtomic,
} from '../files/atomic.js'
import { checkBoolean, checkInteger } from '../call-options.js'
import { ConfigError, fail, FormatError, HiddenstateError, StateError } from '../errors.js'
import { type H5Builder, writeH5 } from '../hdf5/file.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { decode } from './plain-data.js'
import type { TrainingState } from './state.js'

/** Option `checkpoint` of `fit` and `fitGenerator`. */
export interface CheckpointOptions {
  /** Directory of the checkpoints, for this training alone; made when it is not there. */
  dir: string
  /** Batches between two checkpoints. Default: by time alone. */
  everyBatches?: number | null
  /** Seconds between two checkpoints. Default 300, or none where `everyBatches` is given. */
  everySeconds?: number | null
  /** How many are kept, the newest ones. Default 2. */
  keep?: number
  /**
   * On SIGINT and SIGTERM: the batch is finished, a checkpoint written, and the process ends with
   * status 130 or 143. A second signal ends it at once. Not in worker threads, which get no
   * signals. Default `true`.
   */
  signals?: boolean
}

const MODEL = 'model.h5'
const STATE = 'training.state'
const HASHES = 'sha256'

const PATTERN = /^checkpoint-(\d{6,})$/
/** How the names of unfinished ones begin. */
const TEMPORARY = '.checkpoint.'

/** A checkpoint in memory: copies, so that training may go on while it is written. */
export interface Snapshot {
  model: H5Builder
  /** A {@link TrainingState}, encoded. */
  state: Uint8Array
  batches: number
}

/** Checks the option. @throws ConfigError ERR_OPTION */
export function checkpointOptions(
  where: string,
  given: unknown,
): Required<CheckpointOptions> | null {
  if (given === null || given === undefined) return null
  const name = `${where}: checkpoint`
  const defaults = {
    dir: undefined,
    everyBatches: null,
    everySeconds: undefined,
    keep: 2,
    signals: true,
  }
  const options = resolveOptions<Record<string, unknown>>(name, defaults, given as object)
  const everyBatches =
    options.everyBatches === null
      ? null
      : checkInteger(name, 'everyBatches', options.everyBatches, 1)
  const { everySeconds = everyBatches === null ? 300 : null } = options
  if (everySeconds !== null && !(typeof everySeconds === 'number' && everySeconds > 0)) {
    fail(ConfigError, 'ERR_OPTION', {
      where: name,
      what: 'everySeconds',
      expected: 'a number above 0, or null',
      actual: describe(everySeconds),
    })
  }
  return {
    dir: checkedPath(name, options.dir),
    everyBatches,
    everySeconds,
    keep: checkInteger(name, 'keep', options.keep, 1),
    signals: checkBoolean(name, 'signals', options.signals),
  }
}

/** The checkpoints of a directory, newest first; none where there is no directory. */
async function list(dir: string): Promise<{ number: number; path: string }[]> {
  const names = await readdir(dir).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw fileError(dir, 'readable', error)
  })
  return names
    .flatMap((name) => {
      const match = PATTERN.exec(name)
      return match ? [{ number: Number(match[1]), path: join(dir, name) }] : []
    })
    .sort((a, b) => b.number - a.number)
}

/** The SHA-256 of a file, a megabyte at a time: the event loop is free between two of them. */
async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 }))
    hash.update(part as Buffer)
  return hash.digest('hex')
}

/** The hashes of the files in a checkpoint's folder, a line each. */
async function hashes(folder: string): Promise<string> {
  let lines = ''
  for (const name of [MODEL, STATE]) lines += `${await sha256(join(folder, name))}  ${name}\n`
  return lines
}

/**
 * Reads a checkpoint.
 * @throws FormatError ERR_FILE_FORMAT unless it is whole:
 *   both files have the hashes that are noted in it
 */
async function readOne(path: string): Promise<TrainingState> {
  const reading = Promise.all([
    readFile(join(path, HASHES), 'latin1'),
    hashes(path),
    readFile(join(path, STATE)),
  ])
  const [told, found, state] = await reading.catch((error) => {
    throw fileError(path, 'readable', error)
  })
  if (found !== told) {
    const message = `${path}: the files of the checkpoint must have the hashes in sha256, got others.`
    throw new FormatError('ERR_FILE_FORMAT', message, {
      expected: 'the hashes in sha256',
      actual: 'others',
    })
  }
  return decode(state, join(path, STATE)) as unknown as TrainingState
}

/**
 * The newest whole checkpoint of a directory; null where there is none at all. A damaged one is
 * passed over, with a process warning.
 *
 * @throws FormatError ERR_FILE_FORMAT where there are checkpoints and none is whole
 */
export async function newest(dir: string): Promise<{ path: string; state: TrainingState } | null> {
  const found = await list(dir)
  let first: unknown
  for (const { path } of found) {
    try {
      return { path, state: await readOne(path) }
    } catch (error) {
      first ??= error
      process.emitWarning(`${(error as Error).message} An older checkpoint is looked for.`, {
        code: 'HIDDENSTATE_CHECKPOINT',
      })
    }
  }
  if (found.length > 0) throw first
  return null
}

/**
 * Refuses a directory with checkpoints for a training that starts at its beginning: a later resume
 * could take the end of another training for its own.
 *
 * @throws ConfigError ERR_OPTION
 */
export async function requireEmpty(where: string, dir: string): Promise<void> {
  const [first] = await list(dir)
  if (!first) return
  fail(ConfigError, 'ERR_OPTION', {
    where: `${where}: checkpoint`,
    what: 'dir',
    expected: 'without checkpoints, since this training starts at its beginning',
    actual: first.path,
    hint: "Pass resume: 'auto' to go on from there, or name another directory.",
  })
}

/** Writes checkpoints, one after the other, while the training goes on. */
export class Checkpointer {
  readonly #options: Required<CheckpointOptions>
  #writing: Promise<void> = Promise.resolve()
  #isWriting = false
  #error: unknown = null
  #lastTime = performance.now()
  #lastBatches = 0
  /** The number of the newest checkpoint of this training; null before it has one. */
  #number: number | null = null

  constructor(options: Required<CheckpointOptions>, batches: number) {
    this.#options = options
    this.#lastBatches = batches
  }

  /** Batches until the next checkpoint that is counted in batches. */
  left(batches: number): number {
    const { everyBatches } = this.#options
    return everyBatches === null
      ? Number.POSITIVE_INFINITY
      : this.#lastBatches + everyBatches - batches
  }

  /** Whether it is time for one. By the clock none begins while another is written. */
  isDue(batches: number): boolean {
    const { everySeconds } = this.#options
    if (this.left(batches) <= 0) return true
    if (everySeconds === null || this.#isWriting || batches === this.#lastBatches) return false
    return performance.now() - this.#lastTime >= everySeconds * 1000
  }

  /**
   * Begins to write a checkpoint, after waiting for the one before.
   * @throws the error of the one before
   */
  async write(snapshot: Snapshot): Promise<void> {
    await this.settle()
    this.#lastTime = performance.now()
    this.#lastBatches = snapshot.batches
    this.#isWriting = true
    this.#writing = this.#write(snapshot)
      .catch((error) => {
        this.#error = error
      })
      .finally(() => {
        this.#isWriting = false
      })
  }

  /**
   * Waits for the checkpoint that is being written.
   *
   * @throws FormatError ERR_FILE_SYSTEM when it could not be written
   */
  async settle(): Promise<void> {
    await this.#writing
    const error = this.#error
    this.#error = null
    if (error) throw error
  }

  async #write({ model, state }: Snapshot): Promise<void> {
    const { dir, keep } = this.#options
    const before = await list(dir)
    const newest = before[0]?.number ?? 0
    this.#number ??= newest
    if (newest > this.#number) notAlone(before[0]!.path)
    const name = `checkpoint-${String(++this.#number).padStart(6, '0')}`
    const temporary = join(dir, temporaryName(TEMPORARY))
    const path = join(dir, name)
    try {
      await mkdir(temporary, { recursive: true })
      await writeH5(join(temporary, MODEL), model)
      await writeFileAtomic(join(temporary, STATE), state)
      await writeFileAtomic(join(temporary, HASHES), await hashes(temporary))
      await rename(temporary, path).catch((error) => {
        if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code) && existsSync(path))
          notAlone(path)
        throw error
      })
      await syncDirectory(dir)
      for (const old of before.slice(keep - 1)) await rm(old.path, { recursive: true, force: true })
    } catch (error) {
      // the first error is the one to tell
      await rm(temporary, { recursive: true, force: true }).catch(() => {})
      throw error instanceof HiddenstateError ? error : fileError(path, 'writable', error)
    }
  }
}

/**
 * Refuses a second training in a directory:
 * each would go on from the other's checkpoints, and remove them.
 */
function notAlone(path: string): never {
  fail(StateError, 'ERR_BUSY', {
    where: path,
    what: 'the directory of checkpoints',
    expected: 'used by one training',
    actual: 'this checkpoint, which another one has written',
    hint: 'Give each training a directory of its own.',
  })
}

/** Removes unfinished checkpoints of processes that no longer run. */
// an error is no reason to stop: the training does not need it
export const tidy = (dir: string): Promise<void> => removeStale(dir, TEMPORARY).catch(() => {})
