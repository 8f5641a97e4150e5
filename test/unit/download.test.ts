/** getFile against a server of this machine: whole, resumed, changed, damaged, refused. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FormatError, utils } from '../package.js'
import { type FileServer, serve } from './file-server.js'

const { getFile } = utils
const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i) % 251))
const sum = (kind: string, bytes: Buffer = content): string => createHash(kind).update(bytes).digest('hex')

let server: FileServer
let cacheDir: string
beforeEach(async () => {
  server = await serve({ '/a.bin': content })
  cacheDir = mkdtempSync(path.join(tmpdir(), 'hs-cache-'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await server.close()
  rmSync(cacheDir, { recursive: true, force: true })
})
const get = (options: object = {}) => getFile('a.bin', `${server.root}/a.bin`, { cacheDir, verbose: 0, ...options })
const files = () => readdirSync(path.join(cacheDir, 'datasets')).sort()

describe('getFile', () => {
  it.each(['md5', 'sha256'])('fetches once, checks the %s, keeps', async (kind) => {
    const file = await get({ fileHash: sum(kind) })
    expect(file).toBe(path.join(cacheDir, 'datasets', 'a.bin'))
    expect(readFileSync(file).equals(content)).toBe(true)
    await get({ fileHash: sum(kind).toUpperCase() })
    await get()
    expect(server.requests).toHaveLength(1)
    expect(files()).toEqual(['a.bin'])
  })

  it('fetches anew what has another sum', async () => {
    writeFileSync(await get(), 'something else')
    expect(readFileSync(await get(), 'utf8')).toBe('something else') // nobody asked for a sum
    expect(readFileSync(await get({ fileHash: sum('md5') })).equals(content)).toBe(true)
  })

  it('goes on where the connection broke', async () => {
    server.breakAfter = 40_000
    expect(readFileSync(await get({ fileHash: sum('md5') })).equals(content)).toBe(true)
    const ranges = server.requests.map(({ headers }) => headers.range)
    expect(ranges[0]).toBeUndefined()
    expect(ranges).toContain('bytes=40000-')
    expect(ranges.at(-1)).toBe('bytes=80000-')
  })

  it('goes on in a later call, after giving up', async () => {
    server.breakAfter = 10_000
    await expect(get()).rejects.toThrow(FormatError)
    expect(files()).toEqual(['a.bin.part', 'a.bin.part.json'])
    server.breakAfter = Number.POSITIVE_INFINITY
    expect(readFileSync(await get({ fileHash: sum('sha256') })).equals(content)).toBe(true)
    expect(server.requests.at(-1)?.headers.range).toMatch(/^bytes=[1-4]0000-$/)
    expect(files()).toEqual(['a.bin'])
  })

  it('begins anew when the file has changed, and when the server knows no ranges', async () => {
    for (const change of ['content', 'ranges'] as const) {
      server.breakAfter = 10_000
      await expect(get()).rejects.toThrow(FormatError)
      server.breakAfter = Number.POSITIVE_INFINITY
      const other = Buffer.from(content).reverse()
      if (change === 'content') server.files['/a.bin'] = other
      else server.ranges = false
      const wanted = server.files['/a.bin'] as Buffer
      const file = await get({ fileHash: sum('md5', wanted) })
      expect(readFileSync(file).equals(wanted)).toBe(true)
      rmSync(file)
    }
  })

  it('uses nothing of a part that it knows nothing of', async () => {
    await get()
    rmSync(path.join(cacheDir, 'datasets/a.bin'))
    writeFileSync(path.join(cacheDir, 'datasets/a.bin.part'), 'of another program')
    expect(readFileSync(await get()).equals(content)).toBe(true)
  })

  it('takes a file of unknown length', async () => {
    server.lengths = false
    expect(readFileSync(await get()).equals(content)).toBe(true)
  })

  it('does not take a file of another sum, and keeps nothing of it', async () => {
    await expect(get({ fileHash: '0'.repeat(64) })).rejects.toThrow(/a\.bin.*SHA-256 must be 0{64}, got [0-9a-f]{64}/)
    expect(files()).toEqual([])
  })

  it('two calls fetch once', async () => {
    await Promise.all([get(), get()])
    expect(server.requests).toHaveLength(1)
  })

  it('stops when aborted, and goes on later', async () => {
    server.breakAfter = 50_000
    const controller = new AbortController()
    const fetching = get({ signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 5)
    await expect(fetching).rejects.toThrow('enough')
    server.breakAfter = Number.POSITIVE_INFINITY
    expect(readFileSync(await get({ fileHash: sum('md5') })).equals(content)).toBe(true)
  })

  it('shows progress on a terminal', async () => {
    const isTTY = process.stdout.isTTY
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    try {
      process.stdout.isTTY = true
      await get({ verbose: 1 })
    } finally {
      process.stdout.isTTY = isTTY
    }
    const shown = write.mock.calls.join('')
    expect(shown).toMatch(/^Downloading http:\/\/127\.0\.0\.1:\d+\/a\.bin\n/)
    expect(shown).toContain('100000/100000 [==============================]')
  })

  it.each([
    ['a missing file', () => getFile('x', `${server.root}/x`, { cacheDir }), /answer must be 200, got 404/],
    ['no server', () => getFile('x', 'http://127.0.0.1:9/x', { cacheDir }), /x: download of .* must end, got/],
    ['a path', () => getFile('../x', `${server.root}/x`, { cacheDir }), /fname must be a name without folders/],
    ['no address', () => getFile('x', 'file:///etc/passwd', { cacheDir }), /origin must be an http or https address/],
    ['no sum', () => get({ fileHash: 'abc' }), /fileHash must be 32 \(MD5\) or 64/],
  ])('refuses %s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(message)
    expect(existsSync(path.join(cacheDir, 'datasets', 'x'))).toBe(false)
  })
})
