/**
 * A directory that cannot be synced:
 * the file is in place, and the caller is told how much that is worth.
 */
import type fs from 'node:fs'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { writeFileAtomic } from '../../lib/files/atomic.js'

/** Which `fsync` the disk refuses. */
const broken = vi.hoisted(() => ({ what: 'none' as 'none' | 'directory' | 'file' }))
vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>()
  const fsync = (fd: number, done: (error: Error | null) => void) => {
    const isBroken = broken.what === (real.fstatSync(fd).isDirectory() ? 'directory' : 'file')
    if (isBroken)
      done(Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' }))
    else real.fsync(fd, done)
  }
  return { ...real, fsync, default: { ...real, fsync } }
})

const folder = mkdtempSync(path.join(tmpdir(), 'hs-durability-'))
const file = path.join(folder, 'a.txt')
const warnings: Error[] = []
const listen = (warning: Error) => warnings.push(warning)
process.on('warning', listen)
afterAll(() => {
  process.off('warning', listen)
  rmSync(folder, { recursive: true, force: true })
})
afterEach(() => {
  broken.what = 'none'
})

test('the write succeeds, with a warning', async () => {
  writeFileSync(file, 'old')
  broken.what = 'directory'
  await writeFileAtomic(file, 'new')
  await new Promise(setImmediate)
  expect(readFileSync(file, 'utf8')).toBe('new')
  expect(warnings).toMatchObject([
    {
      code: 'HIDDENSTATE_DURABILITY',
      message: expect.stringMatching(/a\.txt: the file is written and in place.*EIO/),
    },
  ])
})

test('a file that cannot be synced is not put in place', async () => {
  writeFileSync(file, 'old')
  broken.what = 'file'
  await expect(writeFileAtomic(file, 'new')).rejects.toMatchObject({
    code: 'ERR_FILE_SYSTEM',
    cause: { code: 'EIO' },
  })
  expect(readFileSync(file, 'utf8')).toBe('old')
  expect(readdirSync(folder)).toEqual(['a.txt'])
})
