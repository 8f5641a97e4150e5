/** Files from the network, kept: resumed where they were left, checked, shown while they come. Keras 1.2.2 `keras.utils.data_utils`. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { checkedPath, fileError, syncFile } from './atomic.js'
import { checkSignal } from './call-options.js'
import { ConfigError, fail, FormatError } from './errors.js'
import { describe } from './ndarray.js'
import { resolveOptions } from './options.js'
import { Progbar } from './progress.js'

/** Options of {@link getFile}. */
export interface GetFileOptions {
  /** MD5 (32 hexadecimal digits) or SHA-256 (64) of the file; a file of another sum is not taken. Default: not checked. */
  fileHash?: string | null
  /** Folder below `cacheDir`. Default `'datasets'`. */
  cacheSubdir?: string
  /** Default `~/.keras`, where Keras keeps its files. */
  cacheDir?: string
  /** 1: a progress bar on a terminal. Default 1. */
  verbose?: 0 | 1 | boolean
  /** Stops; what has come is kept and gone on with the next time. */
  signal?: AbortSignal | null
}

const defaults = {
  fileHash: null as string | null,
  cacheSubdir: 'datasets',
  cacheDir: '',
  verbose: 1 as 0 | 1 | boolean,
  signal: null as AbortSignal | null,
}

/** Breaks of a connection that are gone on from before giving up. */
const TRIES = 4

/** Downloads under way, by path: two calls for one file wait for the same one. */
const underWay = new Map<string, Promise<void>>()

/**
 * The path of a file of the cache, downloaded when it is not there. What is left of a broken download is gone on with (HTTP ranges);
 * the file appears under its name whole and with the right sum, or not at all.
 *
 * @param fname its name in the cache
 * @param origin where it comes from: an http or https address
 * @returns the path
 * @throws FormatError `ERR_FILE_FORMAT` when it cannot be fetched or written, or has another sum; ConfigError `ERR_OPTION`;
 *   the signal's reason when aborted. Always as a rejection.
 * @example
 * import { getFile } from 'hiddenstate/utils'
 * const fetchIt = () => getFile('text.txt', 'https://example.com/text.txt', { fileHash: '5d41402abc4b2a76b9719d911017c592' })
 * @see keras.utils.data_utils.get_file
 */
export async function getFile(fname: string, origin: string, options?: GetFileOptions): Promise<string> {
  const where = 'getFile'
  const { fileHash, cacheSubdir, cacheDir, verbose, signal } = resolveOptions(where, defaults, options)
  checkedPath(where, fname)
  if (basename(fname) !== fname || fname === '..')
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'fname',
      expected: 'a name without folders',
      actual: describe(fname),
    })
  if (fileHash !== null && !/^([0-9a-f]{32}|[0-9a-f]{64})$/i.test(fileHash)) {
    const expected = '32 (MD5) or 64 (SHA-256) hexadecimal digits'
    fail(ConfigError, 'ERR_OPTION', { where, what: 'fileHash', expected, actual: describe(fileHash) })
  }
  if (!URL.canParse(origin) || !/^https?:$/.test(new URL(origin).protocol))
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'origin',
      expected: 'an http or https address',
      actual: describe(origin),
    })
  checkSignal(where, signal)?.throwIfAborted()
  const path = resolve(cacheDir || join(homedir(), '.keras'), cacheSubdir, fname)
  if (await isRight(path, fileHash)) return path
  const waiting = underWay.get(path)
  if (waiting) {
    await waiting
    return path
  }
  const download = new Download(path, new URL(origin), fileHash, Boolean(verbose), signal).run()
  underWay.set(path, download)
  try {
    await download
  } finally {
    underWay.delete(path)
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

/** Where a download stands, beside its `.part` file: what a server must still have for the rest to fit. */
interface Origin {
  url: string
  /** ETag or Last-Modified. */
  validator: string | null
}

class Download {
  readonly #part: string
  readonly #note: string

  constructor(
    readonly path: string,
    readonly url: URL,
    readonly fileHash: string | null,
    readonly verbose: boolean,
    readonly signal: AbortSignal | null,
  ) {
    this.#part = `${path}.part`
    this.#note = `${path}.part.json`
  }

  async run(): Promise<void> {
    try {
      await mkdir(dirname(this.path), { recursive: true })
      for (let tries = 1; ; tries++) {
        try {
          await this.#fetch()
          break
        } catch (error) {
          this.signal?.throwIfAborted()
          // a connection that broke after something had come is worth another try
          const isBroken = !(error instanceof FormatError) && (await this.#size()) > 0
          if (!isBroken || tries >= TRIES) throw error
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
      throw new FormatError('ERR_FILE_FORMAT', `${this.path}: download of ${this.url.href} must end, got ${actual}.`, {
        expected: 'a whole file',
        actual,
        cause: error,
      })
    }
  }

  async #size(): Promise<number> {
    return stat(this.#part).then(
      (info) => info.size,
      () => 0,
    )
  }

  /** What is known of the part that is there; null: begin anew. */
  async #known(): Promise<Origin | null> {
    try {
      const origin = JSON.parse(await readFile(this.#note, 'utf8')) as Origin
      return origin.url === this.url.href && typeof origin.validator === 'string' ? origin : null
    } catch {
      return null // none, or none that can be read: then nothing of the part is used
    }
  }

  async #fetch(): Promise<void> {
    const known = await this.#known()
    const from = known ? await this.#size() : 0
    const headers: Record<string, string> = { 'Accept-Encoding': 'identity' }
    if (known && from > 0) Object.assign(headers, { Range: `bytes=${from}-`, 'If-Range': known.validator })
    const response = await fetch(this.url, { headers, signal: this.signal })
    if (response.status === 416) {
      await response.body?.cancel()
      await this.#forget()
      return this.#fetch()
    }
    if (response.status !== 200 && response.status !== 206) {
      await response.body?.cancel()
      this.#bad('answer', '200', String(response.status))
    }
    const [, start, , total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
    const at = response.status === 206 ? Number(start) : 0
    if (response.status === 206 && at !== from) {
      await response.body?.cancel()
      await this.#forget()
      this.#bad('range', `bytes from ${from}`, `from ${start}`)
    }
    const length = response.headers.get('content-length')
    const whole = total && total !== '*' ? Number(total) : length === null ? null : at + Number(length)
    const validator = strong(response.headers.get('etag')) ?? response.headers.get('last-modified')
    await writeFile(this.#note, JSON.stringify({ url: this.url.href, validator } satisfies Origin))
    const file = await open(this.#part, at > 0 ? 'r+' : 'w')
    try {
      const end = await this.#write(file, response.body, at, whole)
      if (whole !== null && end !== whole) throw new Error(`${end} of ${whole} bytes`)
      await file.truncate(end)
      await syncFile(file)
    } finally {
      await file.close()
    }
  }

  /** @returns where it ended */
  async #write(
    file: FileHandle,
    body: ReadableStream<Uint8Array> | null,
    from: number,
    whole: number | null,
  ): Promise<number> {
    const bar = this.verbose && process.stdout.isTTY && whole ? new Progbar(whole) : null
    if (bar) process.stdout.write(`Downloading ${this.url.href}\n`)
    let at = from
    for await (const chunk of body ?? []) {
      if (whole !== null && at + chunk.length > whole) this.#bad('length', `${whole} bytes`, 'more')
      await file.write(chunk, 0, chunk.length, at)
      at += chunk.length
      bar?.update(at)
    }
    return at
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

  #bad(what: string, expected: string, actual: string): never {
    return fail(FormatError, 'ERR_FILE_FORMAT', { where: `${this.path}: ${this.url.href}`, what, expected, actual })
  }
}

/** Weak tags do not promise the same bytes. */
const strong = (etag: string | null): string | null => (etag?.startsWith('W/') ? null : etag)

/**
 * Where a data set is: a file of this machine (a path with a folder, or one that is there), an address, or a name in the cache that is
 * fetched from `origin`.
 *
 * @throws as {@link getFile}
 */
export async function locate(
  where: string,
  path: string,
  origin: string,
  options: { fileHash?: string | null | undefined; originHash: string } & Omit<GetFileOptions, 'fileHash'>,
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
    if (!isHere) return getFile(path, origin, { ...rest, fileHash: fileHash === undefined ? originHash : fileHash })
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
