/**
 * A file that exists while somebody appends: for network file systems, whose appends of two
 * machines may fall on each other. What it keeps apart is only the writing: nothing wrong happens
 * when it fails to, as lines are looked for after they were written.
 */
import { linkSync, readFileSync, renameSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isRunning, temporaryName } from '../files/atomic.js'

/** Milliseconds between two looks at a lock that another has. */
const LOOK_MS = 20
/** How long one stays as it is before its owner, on another machine, counts as dead. */
const STALE_MS = 30_000

/** `statfs` types of Linux whose files several machines share. */
const SHARED = new Set([
  0x6969, // NFS
  ...[0x517b, 0xff534d42, 0xfe534d42], // SMB
  0x65735546, // FUSE, and so sshfs, GlusterFS
  ...[0x01021997, 0x5346414f, 0x00c36400, 0x0bd00bd0], // 9P, AFS, Ceph, Lustre
  ...[0x47504653, 0x19830326, 0x7461636f, 0x01161970], // GPFS, BeeGFS, OCFS2, GFS2
])

/** Whether a folder lies on a network file system, as far as Linux tells. */
export const isShared = (folder: string): boolean =>
  process.platform === 'linux' && SHARED.has(statfsSync(folder).type >>> 0)

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

/** Runs `use` while `file` exists with this process as its owner. */
export async function locked<T>(file: string, use: () => T): Promise<T> {
  // a name of its own for every holding: one that is the same for long belongs to somebody dead
  const own = temporaryName('')
  let seen = ''
  let since = performance.now()
  for (;;) {
    try {
      writeFileSync(file, own, { flag: 'wx' })
      break
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const holder = ownerOf(file)
    if (holder !== seen) [seen, since] = [holder, performance.now()]
    const [scope, pid] = holder.split('.')
    const isDead = isRunning(scope, pid) === false
    if (isDead || performance.now() - since > STALE_MS) breakLock(file, holder)
    else await wait(LOOK_MS)
  }
  try {
    return use()
  } finally {
    // unless another took it away, after STALE_MS
    if (ownerOf(file) === own) unlinkSync(file)
  }
}

/** What is written in a lock; '' when it is gone, or its owner has died before writing. */
function ownerOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** Takes a dead holder's lock away; another one's, made meanwhile, is put back. */
function breakLock(file: string, holder: string): void {
  const aside = path.join(path.dirname(file), temporaryName(`.${path.basename(file)}.`))
  try {
    renameSync(file, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  try {
    if (ownerOf(aside) !== holder) linkSync(aside, file)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    unlinkSync(aside)
  }
}
