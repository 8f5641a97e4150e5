/** getFile against a server of this machine: whole, resumed, changed, damaged, refused. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FormatError, utils } from '../package.js'
import { type FileServer, serve } from './file-server.js'

const { getFile } = utils
const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i) % 251))
const sum = (kind: string, bytes: Buffer = content): string =>
  createHash(kind).update(bytes).digest('hex')

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
const get = (options: object = {}) =>
  getFile('a.bin', `${server.root}/a.bin`, { cacheDir, verbose: 0, ...options })
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
    await expect(get({ fileHash: '0'.repeat(64) })).rejects.toThrow(
      /a\.bin.*SHA-256 must be 0{64}, got [0-9a-f]{64}/,
    )
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
    [
      'a missing file',
      () => getFile('x', `${server.root}/x`, { cacheDir }),
      /answer must be 200, got 404/,
    ],
    [
      'no server',
      () => getFile('x', 'http://127.0.0.1:9/x', { cacheDir }),
      /x: download of .* must end, got/,
    ],
    [
      'no address',
      () => getFile('x', 'file:///etc/passwd', { cacheDir }),
      /origin must be an http or https address/,
    ],
    ['no sum', () => get({ fileHash: 'abc' }), /fileHash must be 32 \(MD5\) or 64/],
  ])('refuses %s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(message)
    expect(existsSync(path.join(cacheDir, 'datasets', 'x'))).toBe(false)
  })
})

describe('getFile and a name', () => {
  const names = [
    '../x',
    '/etc/x',
    'a/b',
    '..\\x',
    '.',
    '..',
    '',
    'x\0y',
    'c:x',
    'x:stream',
    'x.',
    'x ',
    'NUL',
    'com1.txt',
    'a\nb',
    5,
  ]
  it.each(names)('refuses %j', async (name) => {
    const call = getFile(name as string, `${server.root}/a.bin`, { cacheDir, verbose: 0 })
    await expect(call).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('fname must be'),
    })
    expect(server.requests).toHaveLength(0)
  })

  it.each(['a..b', '.hidden', 'größe.bin', 'console.txt', "it's (1).bin"])(
    'takes %j',
    async (name) => {
      const file = await getFile(name, `${server.root}/a.bin`, { cacheDir, verbose: 0 })
      expect(file).toBe(path.join(cacheDir, 'datasets', name))
    },
  )

  it.each(['tries', 'maxBytes', 'timeout', 'idleTimeout'])('refuses a bad %s', async (option) => {
    for (const value of [0, -1, 1.5, Number.NaN, '5', null])
      await expect(get({ [option]: value })).rejects.toMatchObject({ code: 'ERR_OPTION' })
  })
})

describe('getFile and what lies in the cache', () => {
  it.each(['.part', '.part.json'])('does not follow a link at %s', async (suffix) => {
    const victim = path.join(cacheDir, 'victim')
    writeFileSync(victim, 'keep')
    mkdirSync(path.join(cacheDir, 'datasets'))
    symlinkSync(victim, path.join(cacheDir, `datasets/a.bin${suffix}`))
    const file = await get()
    expect(readFileSync(victim, 'utf8')).toBe('keep')
    expect(lstatSync(file).isFile()).toBe(true)
    expect(readFileSync(file).equals(content)).toBe(true)
  })

  it.each(['symbolic', 'hard'])('does not go on through a %s link', async (kind) => {
    server.breakAfter = 10_000
    await expect(get({ tries: 1 })).rejects.toThrow(FormatError)
    server.breakAfter = Number.POSITIVE_INFINITY
    const part = path.join(cacheDir, 'datasets/a.bin.part')
    const victim = path.join(cacheDir, 'victim')
    writeFileSync(victim, 'keep')
    rmSync(part)
    if (kind === 'hard') linkSync(victim, part)
    else symlinkSync(victim, part)
    expect(readFileSync(await get()).equals(content)).toBe(true)
    expect(readFileSync(victim, 'utf8')).toBe('keep')
  })
})

describe('getFile and another call for the same file', () => {
  it('does not take it with a sum of its own unread', async () => {
    const [right, wrong] = await Promise.allSettled([
      get({ fileHash: sum('md5') }),
      get({ fileHash: '0'.repeat(32) }),
    ])
    expect(right.status).toBe('fulfilled')
    expect(wrong).toMatchObject({ status: 'rejected', reason: { code: 'ERR_FILE_FORMAT' } })
  })

  it('goes on when the other is aborted, and can be aborted alone', async () => {
    server.breakAfter = 50_000
    const [first, second] = [new AbortController(), new AbortController()]
    const calls = [get({ signal: first.signal }), get({ signal: second.signal }), get()]
    setTimeout(() => {
      second.abort(new Error('second'))
      first.abort(new Error('first'))
    }, 20)
    const [one, two, three] = await Promise.allSettled(calls)
    expect(one).toMatchObject({ status: 'rejected', reason: { message: 'first' } })
    expect(two).toMatchObject({ status: 'rejected', reason: { message: 'second' } })
    expect(three?.status).toBe('fulfilled')
  })
})

describe('getFile and a hostile server', () => {
  let http: Server
  let requests: number
  let answer: (response: ServerResponse) => unknown
  beforeEach(async () => {
    requests = 0
    http = createServer((_, response) => {
      requests++
      answer(response)
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => {
    http.closeAllConnections()
    http.close()
  })
  const ask = (options: object) => {
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/x`
    return getFile('x', url, { cacheDir, verbose: 0, ...options })
  }
  /** As many bytes as the other side takes. */
  const pour = (response: ServerResponse): void => {
    const chunk = Buffer.alloc(2 ** 16)
    while (!response.destroyed && response.write(chunk)) {}
    response.once('drain', () => pour(response))
  }

  it('that always answers 416 is asked once, and once more where there was a part', async () => {
    answer = (response) => response.writeHead(416).end()
    await expect(ask({})).rejects.toThrow(/answer must be 200, got 416/)
    expect(requests).toBe(1)
    mkdirSync(path.join(cacheDir, 'datasets'), { recursive: true })
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/x`
    writeFileSync(path.join(cacheDir, 'datasets/x.part'), 'some bytes')
    writeFileSync(
      path.join(cacheDir, 'datasets/x.part.json'),
      JSON.stringify({ url, validator: '"tag"' }),
    )
    await expect(ask({})).rejects.toThrow(/answer must be 200, got 416/)
    expect(requests).toBe(3)
    expect(files()).toEqual([])
  })

  it('that never ends is left at maxBytes, and nothing is kept', async () => {
    answer = pour
    await expect(ask({ maxBytes: 1_000_000 })).rejects.toThrow(
      /length must be at most 1000000 bytes, got more. getFile's option `maxBytes` allows more/,
    )
    expect(requests).toBe(1)
    expect(files()).toEqual([])
  })

  it('that announces too much is left before a byte is written', async () => {
    answer = (response) => response.writeHead(200, { 'Content-Length': 2 ** 50 }).flushHeaders()
    await expect(ask({})).rejects.toThrow(
      /length must be at most 1073741824 bytes, got 1125899906842624 bytes/,
    )
    expect(files()).toEqual([])
  })

  it('that sends a file of maxBytes is trusted', async () => {
    expect(readFileSync(await get({ maxBytes: content.length })).equals(content)).toBe(true)
  })

  it('that says nothing, or stops, is left after idleTimeout', async () => {
    answer = () => {}
    await expect(ask({ idleTimeout: 50 })).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringContaining('got no byte in 50 ms'),
    })
    expect(requests).toBe(1)
    answer = (response) => response.writeHead(200, { 'Content-Length': 10 }).write('x')
    await expect(ask({ idleTimeout: 50, tries: 3 })).rejects.toThrow(/no byte in 50 ms/)
    expect(requests).toBe(4)
  })

  it('that sends a byte now and then is left after the timeout', async () => {
    answer = (response) => {
      const timer = setInterval(() => response.write('x'), 10)
      response.on('close', () => clearInterval(timer))
    }
    await expect(ask({ timeout: 200 })).rejects.toThrow(
      /time must be at most 200 ms, got more. getFile's option `timeout`/,
    )
    expect(requests).toBe(1)
  })

  it('that breaks off is asked `tries` times', async () => {
    answer = (response) =>
      response.writeHead(200).write('x', () => setTimeout(() => response.destroy(), 20))
    await expect(ask({ tries: 2 })).rejects.toThrow(FormatError)
    expect(requests).toBe(2)
  })
})
