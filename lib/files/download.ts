/**
 * Files from the network, kept: resumed where they were left, checked, shown while they come.
 * Keras 1.2.2 `keras.utils.data_utils`.
 */
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { checkedPath, fileError, syncFile } from './atomic.js'
import { checkInteger, checkSignal } from '../call-options.js'
import { ConfigError, fail, FormatError } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { Progbar } from '../progress.js'
import { abortable } from '../waiting.js'

/** Options of {@link getFile}. */
export interface GetFileOptions {
  /**
   * MD5 (32 hexadecimal digits) or SHA-256 (64) of the file; a file of another sum is not taken.
   * Default: not checked.
   */
  fileHash?: string | null
  /** Folder, counted from `cacheDir`. Default `'datasets'`. */
  cacheSubdir?: string
  /** Default `~/.keras`, where Keras keeps its files. */
  cacheDir?: string
  /** 1: a progress bar on a terminal, elsewhere a line each 30 s and one at the end. Default 1. */
  verbose?: 0 | 1 | boolean
  /**
   * Requests before giving up on a server that answers and breaks off; one that does not answer is
   * asked once. Default 4.
   */
  tries?: number
  /**
   * Largest file, in bytes; what is announced as longer or grows longer is refused, and nothing of
   * it kept. Default 2^30 (1 GiB).
   */
  maxBytes?: number
  /** Milliseconds for all requests together. Default 3,600,000 (an hour). */
  timeout?: number
  /**
   * Milliseconds without a byte after which a connection counts as broken.
   * Default 60,000 (a minute).
   */
  idleTimeout?: number
  /** Stops the download; what has come is kept, and the next call goes on from there. */
  signal?: AbortSignal | null
}

const defaults = {
  fileHash: null as string | null,
  cacheSubdir: 'datasets',
  cacheDir: '',
  verbose: 1 as 0 | 1 | boolean,
  tries: 4,
  maxBytes: 2 ** 30,
  timeout: 3_600_000,
  idleTimeout: 60_000,
  signal: null as AbortSignal | null,
}

/** What a download may take. */
type Limits = Pick<typeof defaults, 'tries' | 'maxBytes' | 'timeout' | 'idleTimeout'>

/** The most that a timer of Node can wait, in milliseconds. */
const LONGEST = 2 ** 31 - 1

/** Largest note beside a `.part` file that is read, in bytes. */
const NOTE_BYTES = 2 ** 16

/** Downloads under way, by path: two calls for one file wait for the same one. */
const underWay = new Map<string, Download>()

/**
 * Names that are refused: what Windows takes for a device, a stream of a file or another name, so
 * that a name means the same file everywhere.
 */
const UNUSABLE = /^$|[/\\\\:\p{Cc}]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/iu

/**
 * The path of a file of the cache, downloaded when it is not there. A download that broke off is
 * continued (HTTP ranges); the file appears under its name whole and with the right sum, or not at
 * all. Links where the parts of a download should be are replaced, not followed.
 *
 * @param fname its name in the cache:
 *   one part of a path, without slash, backslash, colon or dot at the end
 * @param origin where it comes from: an http or https address
 * @returns the path
 * @throws FormatError `ERR_FILE_FORMAT` when it cannot be fetched or written, has another sum, or
 *   needs more than the options allow; ConfigError `ERR_OPTION`; the signal's reason when aborted.
 *   Always as a rejection.
 * @example
 * import { getFile } from 'hiddenstate/utils'
 * const fetchIt = () => getFile('text.txt', 'https://example.com/text.txt', { fileHash: '5d41402abc4b2a76b9719d911017c592' })
 * @see keras.utils.data_utils.get_file
 */
export async function getFile(
  fname: string,
  origin: string,
  options?: GetFileOptions,
): Promise<string> {
  const where = 'getFile'
  const { fileHash, cacheSubdir, cacheDir, verbose, signal, ...limits } = resolveOptions(
    where,
    defaults,
    options,
  )
  const refuse = (what: string, expected: string, value: unknown): never =>
    fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value) })
  if (typeof fname !== 'string' || UNUSABLE.test(fname))
    refuse('fname', 'a name without folders', fname)
  for (const [what, folder] of Object.entries({ cacheSubdir, cacheDir }))
    if (typeof folder !== 'string' || folder.includes('\0'))
      refuse(what, 'the path of a folder', folder)
  if (fileHash !== null && !/^([0-9a-f]{32}|[0-9a-f]{64})$/i.test(fileHash))
    refuse('fileHash', '32 (MD5) or 64 (SHA-256) hexadecimal digits', fileHash)
  if (!URL.canParse(origin) || !/^https?:$/.test(new URL(origin).protocol))
    refuse('origin', 'an http or https address', origin)
  for (const [what, value] of Object.entries(limits)) checkInteger(where, what, value, 1)
  checkSignal(where, signal)?.throwIfAborted()
  const path = resolve(cacheDir || join(homedir(), '.keras'), cacheSubdir, fname)
  while (!(await isRight(path, fileHash))) {
    signal?.throwIfAborted()
    const other = underWay.get(path)
    if (other) {
      // the other call may check another sum, and its own signal may end it
      await abortable(other.done, signal).catch((error) => {
        if (signal?.aborted || !other.signal?.aborted) throw error
      })
      continue
    }
    const download = new Download(path, new URL(origin), fileHash, Boolean(verbose), limits, signal)
    underWay.set(path, download)
    await download.done.finally(() => underWay.delete(path))
    break
  }
  return path
}

/** Whether the file is there and has the right sum. */
async function isRight(path: string, fileHash: string | null): Promise<boolean> {
  const isThere = await stat(path).then(
    (info) => info.isFile(),
    () => false,
  )
  return isThere && (fileHash === null || (await sumOf(path, fileHash)) === fileHash.toLowerCase())
}

/** The sum of a file, of the kind of `like`. */
async function sumOf(path: string, like: string): Promise<string> {
  const hash = createHash(like.length === 32 ? 'md5' : 'sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/**
 * Where a download stands, beside its `.part` file:
 * what a server must still have for the rest to fit.
 */
interface Origin {
  url: string
  /** ETag or Last-Modified. */
  validator: string | null
}

/** The length of a regular file; 0 without one, and for links and whatever else has the name. */
const sizeOfFile = (path: string): Promise<number> =>
  lstat(path).then(
    (info) => (info.isFile() ? info.size : 0),
    () => 0,
  )

/** A new file in place of whatever has the name: a link there is not followed. */
async function openNew(path: string): Promise<FileHandle> {
  await rm(path, { force: true })
  return open(path, 'wx')
}

/**
 * Opens a part to go on with it; null where there is another thing,
 * or a file that has a second name.
 */
async function openPart(path: string): Promise<FileHandle | null> {
  if ((await sizeOfFile(path)) === 0) return null
  // Windows has no such flag
  const file = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0))
  const info = await file.stat()
  if (info.isFile() && info.nlink === 1) return file
  await file.close()
  return null
}

/** The time for all requests is over. */
class Late extends Error {}

class Download {
  readonly #part: string
  readonly #note: string
  #hasAnswered = false
  /** Settled when the file is there. */
  readonly done: Promise<void>

  constructor(
    readonly path: string,
    readonly url: URL,
    readonly fileHash: string | null,
    readonly verbose: boolean,
    readonly limits: Limits,
    readonly signal: AbortSignal | null,
  ) {
    this.#part = `${path}.part`
    this.#note = `${path}.part.json`
    this.done = this.#run()
  }

  async #run(): Promise<void> {
    const { tries, timeout } = this.limits
    const deadline = performance.now() + timeout
    try {
      await mkdir(dirname(this.path), { recursive: true })
      for (let i = 1; ; i++) {
        try {
          await this.#fetch(deadline)
          break
        } catch (error) {
          this.signal?.throwIfAborted()
          if (error instanceof Late) this.#bad('time', `at most ${timeout} ms`, 'more', 'timeout')
          // a server that has answered once is worth another try
          if (error instanceof FormatError || i >= tries || !this.#hasAnswered) throw error
        }
      }
      await this.#check()
      await rename(this.#part, this.path)
      await rm(this.#note, { force: true })
    } catch (error) {
      this.signal?.throwIfAborted()
      if (error instanceof FormatError) throw error
      const { message, cause } = error as Error
      const actual = cause instanceof Error ? cause.message || message : message
      throw new FormatError(
        'ERR_FILE_FORMAT',
        `${this.path}: download of ${this.url.href} must end, got ${actual}.`,
        {
          expected: 'a whole file',
          actual,
          cause: error,
        },
      )
    }
  }

  /** The note about the part that is there; null: the download begins anew. */
  async #known(): Promise<Origin | null> {
    const size = await sizeOfFile(this.#note)
    if (size === 0 || size > NOTE_BYTES) return null
    try {
      const origin = JSON.parse(await readFile(this.#note, 'utf8')) as Origin
      return origin.url === this.url.href && typeof origin.validator === 'string' ? origin : null
    } catch {
      return null // none that can be read: then nothing of the part is used
    }
  }

  /** One request, for all that is missing. @param deadline as `performance.now()` counts */
  async #fetch(deadline: number): Promise<void> {
    this.signal?.throwIfAborted()
    const { idleTimeout } = this.limits
    const stop = new AbortController()
    const abort = () => stop.abort(this.signal?.reason)
    this.signal?.addEventListener('abort', abort)
    const late = setTimeout(
      () => stop.abort(new Late()),
      Math.min(Math.max(0, deadline - performance.now()), LONGEST),
    )
    const idle = setTimeout(
      () => stop.abort(new Error(`no byte in ${idleTimeout} ms`)),
      Math.min(idleTimeout, LONGEST),
    )
    let part: FileHandle | null = null
    try {
      const known = await this.#known()
      part = known && (await openPart(this.#part))
      await this.#request(known, part, stop.signal, () => idle.refresh())
    } finally {
      clearTimeout(late)
      clearTimeout(idle)
      this.signal?.removeEventListener('abort', abort)
      await part?.close()
    }
  }

  async #request(
    known: Origin | null,
    part: FileHandle | null,
    signal: AbortSignal,
    alive: () => void,
  ): Promise<void> {
    const from = part ? (await part.stat()).size : 0
    const headers: Record<string, string> = { 'Accept-Encoding': 'identity' }
    if (known && from > 0)
      Object.assign(headers, { Range: `bytes=${from}-`, 'If-Range': known.validator })
    const response = await fetch(this.url, { headers, signal })
    alive()
    this.#hasAnswered = true
    try {
      const { at, whole } = await this.#place(response, from)
      if (whole !== null && whole > this.limits.maxBytes) await this.#tooLong(`${whole} bytes`)
      const validator =
        strong(response.headers.get('etag')) ?? response.headers.get('last-modified')
      const note = await openNew(this.#note)
      await note
        .writeFile(JSON.stringify({ url: this.url.href, validator } satisfies Origin))
        .finally(() => note.close())
      if (at === 0) await part?.close() // Windows replaces no open file
      const file = part && at > 0 ? part : await openNew(this.#part)
      try {
        const end = await this.#write(file, response.body, at, whole, alive)
        if (whole !== null && end !== whole) throw new Error(`${end} of ${whole} bytes`)
        await file.truncate(end)
        await syncFile(file)
      } finally {
        if (file !== part) await file.close()
      }
    } catch (error) {
      await response.body?.cancel().catch(() => {}) // broken already
      throw error
    }
  }

  /** Where the bytes of an answer belong, and how many the file has in all; null: not said. */
  async #place(response: Response, from: number): Promise<{ at: number; whole: number | null }> {
    if (response.status === 416 && from > 0) {
      await this.#forget()
      throw new Error(`answer 416 to a range from byte ${from}`)
    }
    if (response.status !== 200 && response.status !== 206)
      this.#bad('answer', '200', String(response.status))
    const [, start, , total] =
      /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
    const at = response.status === 206 ? Number(start) : 0
    if (response.status === 206 && at !== from) {
      await this.#forget()
      this.#bad('range', `bytes from ${from}`, `from ${start}`)
    }
    const length = response.headers.get('content-length')
    const whole =
      total && total !== '*' ? Number(total) : length === null ? null : at + Number(length)
    return { at, whole }
  }

  /** @returns where it ended */
  async #write(
    file: FileHandle,
    body: ReadableStream<Uint8Array> | null,
    from: number,
    whole: number | null,
    alive: () => void,
  ): Promise<number> {
    const bar = this.verbose && whole ? new Progbar(whole) : null
    if (bar) process.stdout.write(`Downloading ${this.url.href}\n`)
    let at = from
    for await (const chunk of body ?? []) {
      alive()
      if (whole !== null && at + chunk.length > whole) this.#bad('length', `${whole} bytes`, 'more')
      if (at + chunk.length > this.limits.maxBytes) await this.#tooLong('more')
      await file.write(chunk, 0, chunk.length, at)
      at += chunk.length
      bar?.update(at)
    }
    return at
  }

  async #tooLong(actual: string): Promise<never> {
    await this.#forget()
    return this.#bad('length', `at most ${this.limits.maxBytes} bytes`, actual, 'maxBytes')
  }

  async #check(): Promise<void> {
    if (this.fileHash === null) return
    const sum = await sumOf(this.#part, this.fileHash)
    if (sum === this.fileHash.toLowerCase()) return
    await this.#forget()
    this.#bad(this.fileHash.length === 32 ? 'MD5' : 'SHA-256', this.fileHash.toLowerCase(), sum)
  }

  async #forget(): Promise<void> {
    await rm(this.#part, { force: true })
    await rm(this.#note, { force: true })
  }

  /** @param limit the option that allows more */
  #bad(what: string, expected: string, actual: string, limit?: keyof Limits): never {
    const hint = limit && `getFile's option \`${limit}\` allows more.`
    return fail(FormatError, 'ERR_FILE_FORMAT', {
      where: `${this.path}: ${this.url.href}`,
      what,
      expected,
      actual,
      hint,
    })
  }
}

/** Weak tags do not promise the same bytes. */
const strong = (etag: string | null): string | null => (etag?.startsWith('W/') ? null : etag)

/**
 * Where a data set is: a file of this machine (a path with a folder, or one that is there), an
 * address, or a name in the cache that is fetched from `origin`.
 *
 * @throws as {@link getFile}
 */
export async function locate(
  where: string,
  path: string,
  origin: string,
  options: { fileHash?: string | null | undefined; originHash: string } & Omit<
    GetFileOptions,
    'fileHash'
  >,
): Promise<string> {
  checkedPath(where, path)
  const { fileHash, originHash, ...rest } = options
  if (/^https?:\/\//.test(path)) {
    const name = basename(new URL(path).pathname)
    return getFile(name || 'download', path, { ...rest, fileHash: fileHash ?? null })
  }
  if (basename(path) === path) {
    const isHere = await stat(path).then(
      (info) => info.isFile(),
      () => false,
    )
    if (!isHere)
      return getFile(path, origin, {
        ...rest,
        fileHash: fileHash === undefined ? originHash : fileHash,
      })
  }
  await stat(path).catch((error) => {
    throw fileError(path, 'readable', error)
  })
  if (!(await isRight(path, fileHash ?? null))) {
    const hash = fileHash as string
    const actual = await sumOf(path, hash)
    fail(FormatError, 'ERR_FILE_FORMAT', { where: path, what: 'sum', expected: hash, actual })
  }
  return path
}
