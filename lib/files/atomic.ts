/** Writing files so that a reader sees the old content or the new one, never a part. */
import { createHash, randomBytes } from 'node:crypto'
import { fsync, readFileSync, readlinkSync, statSync, truncateSync } from 'node:fs'
import {
  constants,
  type FileHandle,
  link,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { ConfigError, FormatError, HiddenstateError, fail } from '../errors.js'

/** Settings of {@link writeFileAtomic}. */
export interface WriteOptions {
  /** False: an existing file is an error. Default `true`. */
  overwrite?: boolean | undefined
}

/**
 * Writes a whole file: into a new file of the same directory, to the disk (fsync), then under its
 * name. When anything fails, what was there before is untouched and the new file is removed.
 * Writers of the same path do not disturb each other; the last one wins. A symbolic link is
 * replaced, not followed. A file that is replaced hands its permissions on; one that may not be
 * written is not replaced either, and nor is anything that is no regular file (a device, a pipe).
 * What killed writers of this path have left is removed afterwards.
 *
 * Where the file is in place but its directory cannot be synced (EIO), the write has succeeded: a
 * reader sees the new content, and only a power failure could bring back the old. That is a warning
 * with the code `HIDDENSTATE_DURABILITY`, no error.
 *
 * @param path where to; its directory must exist
 * @param bytes the content
 * @param options `overwrite: false` makes an existing file an error, also one that appears while
 *   the content is written
 * @throws ConfigError ERR_OPTION for an existing file with `overwrite: false`; FormatError
 *   ERR_FILE_SYSTEM when the file system refuses, with its own error as `cause`
 * @internal
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  options: WriteOptions = {},
): Promise<void> {
  try {
    const target = resolve(path)
    const directory = dirname(target)
    const overwrite = options.overwrite ?? true
    await writeNew(directory, target, bytes, { overwrite, mode: await modeFor(target, overwrite) })
    await syncDirectory(directory).catch((error) => {
      const message = `${path}: the file is written and in place, but may not outlast a power failure: ${error.message}.`
      process.emitWarning(message, { code: 'HIDDENSTATE_DURABILITY' })
    })
    // the file itself is as it must be
    await removeStale(directory, temporaryPrefix(target)).catch(() => {})
  } catch (error) {
    if (error instanceof HiddenstateError) throw error
    throw fileError(path, 'writable', error)
  }
}

/**
 * The permissions that a file at `target` gets: those of the file there, null without one. Fails
 * when that may not be replaced.
 */
async function modeFor(target: string, overwrite: boolean): Promise<number | null> {
  const before = await stat(target).catch((error) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (before === null) return null
  if (!overwrite) throw existsError(target)
  if (!before.isFile())
    throw new Error(before.isDirectory() ? 'a directory' : 'something that is no regular file')
  // fails where the file may not be written; rename alone would replace it
  await (await open(target, constants.O_WRONLY)).close()
  return before.mode & 0o777
}

/**
 * How temporary names for this path begin;
 * the rest fits in the 255 bytes of a name, whatever the script.
 */
const temporaryPrefix = (target: string): string => `.${basename(target).slice(0, 60)}.`

let scope: string | undefined
/**
 * Names the space in which process ids are unique:
 * one start of this machine, and in a container that container.
 */
export function processScope(): string {
  if (scope === undefined) {
    let where = hostname()
    try {
      where +=
        readFileSync('/proc/sys/kernel/random/boot_id', 'utf8') + readlinkSync('/proc/self/ns/pid')
    } catch {
      // there is such a thing on Linux only
    }
    scope = createHash('sha256').update(where).digest('hex').slice(0, 8)
  }
  return scope
}

/**
 * Age from which a temporary file counts as left behind where its process cannot be looked up: a
 * save under way writes to it all the time.
 */
const STALE_MS = 24 * 3600 * 1000

/**
 * A name that tells whose it is, so that {@link removeStale} finds what a killed process has left.
 */
export const temporaryName = (prefix: string): string =>
  `${prefix}${processScope()}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`

/** Removes the temporary files and folders with this prefix whose processes are gone. */
export async function removeStale(directory: string, prefix: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(prefix)) continue
    const [, where, pid] =
      /^([0-9a-f]{8})\.(\d+)\.[0-9a-f]{12}\.tmp$/.exec(name.slice(prefix.length)) ?? []
    if (pid === undefined) continue
    const file = join(directory, name)
    const runs = isRunning(where, pid)
    const isLive = runs ?? Date.now() - (await stat(file)).mtimeMs < STALE_MS
    if (!isLive) await rm(file, { recursive: true, force: true })
  }
}

/**
 * Whether a process runs, be it another user's; null: it cannot be looked up from here.
 *
 * @param where its {@link processScope}
 */
export function isRunning(where: string | undefined, pid: string | undefined): boolean | null {
  if (where !== processScope()) return null
  try {
    return process.kill(Number(pid), 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

async function writeNew(
  directory: string,
  target: string,
  bytes: Uint8Array | string,
  { overwrite, mode }: { overwrite: boolean; mode: number | null },
): Promise<void> {
  const temporary = join(directory, temporaryName(temporaryPrefix(target)))
  // 'wx': a file of that name, or a link that someone has put there, is an error
  const file = await open(temporary, 'wx', mode ?? 0o666)
  try {
    try {
      if (mode !== null) await allow(file, mode)
      await file.writeFile(bytes)
      await syncFile(file) // once: after a failed fsync the kernel may have dropped the pages
    } finally {
      await file.close()
    }
    if (overwrite) {
      await rename(temporary, target)
    } else {
      await link(temporary, target).catch((error) => {
        throw error.code === 'EEXIST' ? existsError(target) : error
      }) // unlike rename, link replaces nothing
      // the file is in place; a later write removes this name
      await unlink(temporary).catch(() => {})
    }
  } catch (error) {
    await unlink(temporary).catch(() => {}) // the first error is the one to tell
    throw error
  }
}

/**
 * Adds the permissions of `mode` that the umask took away. Where a file system knows no
 * permissions, or will not change them, the file has at most those of `mode`.
 */
async function allow(file: FileHandle, mode: number): Promise<void> {
  await file.chmod(mode).catch((error) => {
    if (!REFUSALS.includes(error.code)) throw error
  })
}

/** Error codes of file systems that do not support an operation. */
const REFUSALS = ['EACCES', 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EPERM']

/** The error for an existing file with `overwrite: false`. */
export function existsError(path: string): ConfigError {
  const message = `${path}: overwrite must be true for an existing file, got false. Pass { overwrite: true } to replace it.`
  return new ConfigError('ERR_OPTION', message, { expected: EXPECTED_NEW, actual: 'false' })
}

const EXPECTED_NEW = 'true for an existing file'

/** Whether {@link existsError} made the error. */
export const isExistsError = (error: unknown): boolean =>
  error instanceof ConfigError && error.expected === EXPECTED_NEW

/**
 * An error of the file system as one of ours: `ERR_FILE_SYSTEM`;
 * its `cause` has the system's code, 'ENOSPC'.
 */
export function fileError(
  path: string,
  expected: 'readable' | 'writable',
  cause: unknown,
): FormatError {
  const actual = cause instanceof Error ? cause.message : String(cause)
  return new FormatError('ERR_FILE_SYSTEM', `${path}: file must be ${expected}, got ${actual}.`, {
    expected,
    actual,
    cause,
  })
}

/**
 * A path as `node:fs` takes it.
 *
 * @throws ConfigError ERR_OPTION for anything but a string that is not empty
 */
export function checkedPath(where: string, path: unknown): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what: 'path',
    expected: 'the path of a file',
    actual: JSON.stringify(path) ?? typeof path,
  })
}

/**
 * Cuts a file that only grows back to what it was. One of 0 bytes need not be there: nothing has
 * been written to it yet.
 * @throws Error when it is shorter than that
 */
export function cutFile(path: string, size: number): void {
  const found = statSync(path, { throwIfNoEntry: size > 0 })?.size
  if (found === undefined) return
  if (found < size) throw new Error(`${found} bytes, where the checkpoint knows of ${size}`)
  truncateSync(path, size)
}

/**
 * Flushes a file to the disk, by its descriptor: the handles of Yarn's Plug'n'Play have no `sync`.
 */
export const syncFile = (file: FileHandle): Promise<void> => promisify(fsync)(file.fd)

/** Makes the new name itself durable. Windows cannot open a directory and needs no such thing. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  // some network and FUSE file systems cannot sync a directory, and one without permission to read
  // cannot be opened; the file itself is on the disk
  const unlessRefused = (error: NodeJS.ErrnoException) => {
    if (!REFUSALS.includes(error.code ?? '')) throw error
  }
  const handle = await open(directory, 'r').catch(unlessRefused)
  if (handle === undefined) return
  await syncFile(handle)
    .catch(unlessRefused)
    .finally(() => handle.close())
}
