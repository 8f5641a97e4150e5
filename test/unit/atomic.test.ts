/** Files that appear whole or not at all. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { writeFileAtomic } from '../../lib/files/atomic.js'
import { ConfigError, FormatError } from '../../lib/errors.js'

const root = mkdtempSync(path.join(tmpdir(), 'hs-atomic-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A folder of its own, so that what lies beside the file shows. */
function folder(): string {
  return mkdtempSync(path.join(root, 'case-'))
}

test('writes a new file and nothing beside it', async () => {
  const dir = folder()
  await writeFileAtomic(path.join(dir, 'a.bin'), new Uint8Array([1, 2, 3]))
  expect(readdirSync(dir)).toEqual(['a.bin'])
  expect([...readFileSync(path.join(dir, 'a.bin'))]).toEqual([1, 2, 3])
})

test('replaces a file, text or bytes', async () => {
  const file = path.join(folder(), 'a.txt')
  writeFileSync(file, 'a longer text than the new one')
  await writeFileAtomic(file, 'new')
  expect(readFileSync(file, 'utf8')).toBe('new')
})

test('overwrite: false keeps what is there and says how to replace it', async () => {
  const dir = folder()
  const file = path.join(dir, 'a.txt')
  await writeFileAtomic(file, 'first', { overwrite: false })
  const again = writeFileAtomic(file, 'second', { overwrite: false })
  await expect(again).rejects.toBeInstanceOf(ConfigError)
  await expect(again).rejects.toMatchObject({ code: 'ERR_OPTION' })
  await expect(again).rejects.toThrow(
    /a\.txt: overwrite must be true for an existing file, got false\./,
  )
  expect(readFileSync(file, 'utf8')).toBe('first')
  expect(readdirSync(dir)).toEqual(['a.txt'])
})

test('a folder that is not there is an error with the system error as its cause', async () => {
  const wanted = writeFileAtomic(path.join(folder(), 'no', 'a.txt'), 'x')
  await expect(wanted).rejects.toBeInstanceOf(FormatError)
  await expect(wanted).rejects.toMatchObject({ code: 'ERR_FILE_SYSTEM', cause: { code: 'ENOENT' } })
})

test('a failure while or after the content is written leaves the old and no trace of the new', async () => {
  const dir = folder()
  const target = path.join(dir, 'taken')
  function* content(): Generator<string> {
    yield 'x'
    // rename cannot replace a folder that is not empty
    mkdirSync(path.join(target, 'inner'), { recursive: true })
  }
  await expect(writeFileAtomic(target, content() as never)).rejects.toBeInstanceOf(FormatError)
  expect(readdirSync(dir)).toEqual(['taken'])
  const file = path.join(dir, 'a.txt')
  writeFileSync(file, 'old')
  function* broken(): Generator<string> {
    yield 'x'
    throw new Error('no more')
  }
  await expect(writeFileAtomic(file, broken() as never)).rejects.toThrow('no more')
  expect(readFileSync(file, 'utf8')).toBe('old')
  expect(readdirSync(dir).sort()).toEqual(['a.txt', 'taken'])
})

test('a symbolic link is replaced, not followed', async () => {
  const dir = folder()
  writeFileSync(path.join(dir, 'target'), 'kept')
  symlinkSync(path.join(dir, 'target'), path.join(dir, 'link'))
  await writeFileAtomic(path.join(dir, 'link'), 'new')
  expect(readFileSync(path.join(dir, 'target'), 'utf8')).toBe('kept')
  expect(readFileSync(path.join(dir, 'link'), 'utf8')).toBe('new')
})

test('many writers of one path: one of them wins whole', async () => {
  const dir = folder()
  const file = path.join(dir, 'a.txt')
  const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(100_000))
  await Promise.all(contents.map((content) => writeFileAtomic(file, content)))
  expect(contents).toContain(readFileSync(file, 'utf8'))
  expect(readdirSync(dir)).toEqual(['a.txt'])
})

test('with overwrite: false, of many writers exactly one succeeds', async () => {
  const file = path.join(folder(), 'a.txt')
  const done = await Promise.allSettled(
    Array.from({ length: 6 }, (_, i) => writeFileAtomic(file, String(i), { overwrite: false })),
  )
  expect(done.filter((d) => d.status === 'fulfilled')).toHaveLength(1)
  expect(readFileSync(file, 'utf8')).toBe(String(done.findIndex((d) => d.status === 'fulfilled')))
})

const isPosix = process.platform !== 'win32'

/**
 * Runs without the rights of root, whom no permission stops;
 * the folders of the tests are open to all.
 */
async function unprivileged(use: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid!() === 0
  if (isRoot) process.seteuid!(65534)
  try {
    await use()
  } finally {
    if (isRoot) process.seteuid!(0)
  }
}

/** As {@link folder}, open to all. */
function openFolder(): string {
  const dir = folder()
  for (const each of [root, dir]) chmodSync(each, 0o777)
  return dir
}

test.runIf(isPosix)(
  'what is no regular file is not replaced: pipe, link to one, folder',
  async () => {
    const dir = folder()
    const pipe = path.join(dir, 'pipe')
    execFileSync('mkfifo', [pipe])
    symlinkSync(pipe, path.join(dir, 'link'))
    for (const name of ['pipe', 'link']) {
      const wanted = writeFileAtomic(path.join(dir, name), 'x')
      await expect(wanted).rejects.toMatchObject({
        code: 'ERR_FILE_SYSTEM',
        message: /no regular file/ as never,
      })
    }
    expect(lstatSync(pipe).isFIFO() && lstatSync(path.join(dir, 'link')).isSymbolicLink()).toBe(
      true,
    )
    mkdirSync(path.join(dir, 'folder'))
    await expect(writeFileAtomic(path.join(dir, 'folder'), 'x')).rejects.toThrow(
      /folder: .*got a directory/,
    )
    expect(readdirSync(dir).sort()).toEqual(['folder', 'link', 'pipe'])
  },
)

test.runIf(isPosix)('a file that is replaced hands its permissions on', async () => {
  const file = path.join(folder(), 'a.txt')
  for (const mode of [0o600, 0o666, 0o640]) {
    writeFileSync(file, 'old')
    chmodSync(file, mode)
    await writeFileAtomic(file, 'new')
    expect(statSync(file).mode & 0o777).toBe(mode)
  }
  expect(readFileSync(file, 'utf8')).toBe('new')
})

test.runIf(isPosix)(
  'a file without permission to write is not replaced, as fs.writeFile has it',
  async () => {
    const dir = openFolder()
    const file = path.join(dir, 'a.txt')
    writeFileSync(file, 'old', { mode: 0o444 })
    await unprivileged(async () => {
      const wanted = writeFileAtomic(file, 'new')
      await expect(wanted).rejects.toMatchObject({
        code: 'ERR_FILE_SYSTEM',
        cause: { code: 'EACCES' },
      })
    })
    expect(readFileSync(file, 'utf8')).toBe('old')
    expect(readdirSync(dir)).toEqual(['a.txt'])
  },
)

test.runIf(isPosix)('a folder that may be written and not read takes a file', async () => {
  const dir = openFolder()
  chmodSync(dir, 0o333)
  await unprivileged(() => writeFileAtomic(path.join(dir, 'a.txt'), 'new'))
  chmodSync(dir, 0o777)
  expect(readFileSync(path.join(dir, 'a.txt'), 'utf8')).toBe('new')
})

test('a name of 80 characters of three bytes each', async () => {
  const dir = folder()
  const name = '模'.repeat(80)
  await writeFileAtomic(path.join(dir, name), 'x')
  expect(readdirSync(dir)).toEqual([name])
})

test('what killed writers of a file have left goes with the next write; what others write stays', async () => {
  const dir = folder()
  const file = path.join(dir, 'a.txt')
  let mine = ''
  function* content(): Generator<string> {
    yield 'x'
    mine = readdirSync(dir).find((name) => name.endsWith('.tmp'))!
  }
  await writeFileAtomic(file, content() as never)
  const [prefix, scope, pid, random] = /^(\.a\.txt\.)([0-9a-f]{8})\.(\d+)\.([0-9a-f]{12})\.tmp$/
    .exec(mine)!
    .slice(1)
  expect(Number(pid)).toBe(process.pid)
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const elsewhere = scope === '00000000' ? '11111111' : '00000000'
  const [gone, live, abroad, old, other, foreign] = [
    `${prefix}${scope}.${dead}.${random}.tmp`,
    `${prefix}${scope}.${process.ppid}.${random}.tmp`,
    `${prefix}${elsewhere}.${dead}.${random}.tmp`,
    `${prefix}${elsewhere}.${dead}.aaaaaaaaaaaa.tmp`,
    `.b.txt.${scope}.${dead}.${random}.tmp`,
    '.a.txt.mine.tmp',
  ] as const
  for (const name of [gone, live, abroad, old, other, foreign])
    writeFileSync(path.join(dir, name), 'half')
  utimesSync(path.join(dir, old), 0, 0)
  await writeFileAtomic(file, 'new')
  expect(readdirSync(dir).sort()).toEqual(['a.txt', live, abroad, other, foreign].sort())
})
