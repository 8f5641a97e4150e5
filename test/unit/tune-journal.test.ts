/** Journals: what is in them, what damage they outlive, and what is no journal. */
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { processScope } from '../../lib/files/atomic.js'
import { Journal } from '../../lib/tune/journal.js'
import { FormatError, tune as tuning } from '../package.js'

const { readSweep, tune, uniform } = tuning
let folder: string
let journal: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'hs-journal-'))
  journal = path.join(folder, 'sweep.jsonl')
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  rmSync(folder, { recursive: true, force: true })
})

const space = { x: uniform(0, 1) }
let calls = 0
const objective = ({ x }: { x: number }) => {
  calls++
  return x
}
const run = (trials: number, more: object = {}) =>
  tune({ space, objective, seed: 7, verbose: 0, trials, journal, sampler: 'random', ...more })
const text = () => readFileSync(journal, 'utf8')
const lines = () => text().trimEnd().split('\n')
/** What a process that is gone has signed: pid 1 is another's, the largest pid is nobody's. */
const dead = `${processScope()}.${2 ** 22 - 1}.0`
const signed = (line: object, by = dead, n = 1) =>
  `${JSON.stringify({ ...line, by, n, time: 5 })}\n`
const head = { event: 'sweep', version: 1, space, direction: 'minimize', seed: 7 }

describe('a journal', () => {
  it('is lines of JSON: the sweep, then what becomes of each trial', async () => {
    await run(2)
    expect(lines().map((line) => JSON.parse(line).event)).toEqual([
      'sweep',
      'start',
      'end',
      'start',
      'end',
    ])
    expect(JSON.parse(lines()[0]!)).toMatchObject(head)
  })

  it('is gone on with: nothing that has ended runs again, the parameters are the same', async () => {
    const [whole, first] = [await run(6, { journal: undefined }), await run(4)]
    calls = 0
    const { trials } = await run(6)
    expect(calls).toBe(2)
    expect(trials.map(({ params }) => params)).toEqual(whole.trials.map(({ params }) => params))
    expect(trials.slice(0, 4)).toEqual(first.trials)
    calls = 0
    expect((await run(3)).trials).toHaveLength(6)
    expect(calls).toBe(0)
  })

  it('outlives half a line at its end, wherever that is cut', async () => {
    await run(3)
    const whole = text().replaceAll(/"by":"[^"]+"/g, `"by":"${dead}"`)
    // everywhere in the last line and now and then before it
    const ends = whole.lastIndexOf('\n', whole.length - 2) - 3
    for (let size = 0; size < whole.length; size += size < ends ? 101 : 7) {
      writeFileSync(journal, whole)
      truncateSync(journal, size)
      const { trials } = await run(3)
      expect(
        trials.map(({ state }) => state),
        `${size}`,
      ).toEqual(Array(3).fill('complete'))
      expect(trials.map(({ value, params }) => value === params.x)).toEqual([true, true, true])
      expect((await readSweep(journal)).trials).toEqual(trials)
    }
  })

  it('loses nothing to half a line that another has left just before', async () => {
    const opened = new Journal(journal, false)
    await opened.open({ space, direction: 'minimize', seed: 7, fresh: 7 })
    appendFileSync(journal, '{"event":"st')
    await opened.append({ event: 'start', trial: 0, attempt: 1, params: { x: 0.5 } })
    appendFileSync(journal, '{"event":"re')
    await opened.append({ event: 'end', trial: 0, attempt: 1, state: 'complete', value: 1 })
    expect((await readSweep(journal)).trials[0]).toMatchObject({ state: 'complete', value: 1 })
    expect(lines()).toHaveLength(5)
  })

  it('writes again what fell onto half a line, or was overwritten', async () => {
    const opened = new Journal(journal, false)
    await opened.open({ space, direction: 'minimize', seed: 7, fresh: 7 })
    // as when another machine writes at the same place of a network file system
    const read = opened.read.bind(opened)
    let isSpoilt = false
    vi.spyOn(opened, 'read').mockImplementation(() => {
      if (!isSpoilt) {
        isSpoilt = true
        const whole = text()
        writeFileSync(journal, `${whole.slice(0, -20)}${'x'.repeat(19)}\n`)
      }
      read()
    })
    await opened.append({ event: 'start', trial: 0, attempt: 1, params: { x: 0.5 } })
    expect(lines()).toHaveLength(3)
    expect((await readSweep(journal)).trials).toHaveLength(1)
  })

  it('gives the trial of a dead process to the next, with the same parameters', async () => {
    writeFileSync(
      journal,
      signed(head) +
        signed({ event: 'start', trial: 0, attempt: 1, params: { x: 0.25 } }, dead, 2) +
        signed({ event: 'report', trial: 0, attempt: 1, step: 1, value: 9 }, dead, 3),
    )
    const { trials } = await run(1)
    expect(trials).toEqual([
      expect.objectContaining({ params: { x: 0.25 }, attempt: 2, value: 0.25, reports: [] }),
    ])
  })

  it('waits for one of another machine as long as that gives signs of life', async () => {
    const other = '00000000.1.0'
    const claim = signed({ event: 'start', trial: 0, attempt: 1, params: { x: 0.25 } }, other, 2)
    writeFileSync(journal, signed(head, other) + claim)
    const opened = new Journal(journal, false)
    opened.existing()
    expect(opened.isDead(other)).toBe(false)
    const now = vi.spyOn(performance, 'now')
    now.mockReturnValue(performance.now() + 59_000)
    expect(opened.isDead(other)).toBe(false)
    appendFileSync(journal, signed({ event: 'beat' }, other, 3))
    opened.read()
    now.mockReturnValue(performance.now() + 59_000)
    expect(opened.isDead(other)).toBe(false)
    now.mockReturnValue(performance.now() + 2000)
    expect(opened.isDead(other)).toBe(true)
  })

  it('takes the first of two claims, and nothing of an attempt that is over', async () => {
    const start = (attempt: number, x: number) => ({
      ...{ event: 'start', trial: 0, attempt, params: { x } },
    })
    const end = (attempt: number, value: number) => ({
      ...{ event: 'end', trial: 0, attempt, state: 'complete', value },
    })
    writeFileSync(
      journal,
      signed(head, 'a.1.a', 1) +
        signed(start(1, 0.1), 'a.1.a', 2) +
        signed(start(1, 0.2), 'b.1.b', 1) + // late
        signed(end(1, 5), 'b.1.b', 2) + // not its own
        signed(start(2, 0.1), 'b.1.b', 3) + // took over
        signed(end(1, 6), 'a.1.a', 3) + // awake again
        signed(end(2, 7), 'b.1.b', 4) +
        signed(end(2, 8), 'b.1.b', 5),
    )
    const { trials } = await readSweep(journal)
    expect(trials).toEqual([
      expect.objectContaining({ params: { x: 0.1 }, attempt: 2, state: 'complete', value: 7 }),
    ])
  })
})

describe('what is no journal of this sweep', () => {
  it.each<[string, string, RegExp]>([
    [
      'another file',
      'a,b\n1,2\n',
      /^\S+: journal must be that of a sweep, got a file with the line "a,b"\.$/,
    ],
    [
      'JSON lines of others',
      '{"a":1}\n',
      /must be that of a sweep, got a file with the line "{\\"a\\":1}"\.$/,
    ],
    [
      'one of a later version',
      signed({ ...head, version: 2 }),
      /^\S+: journal must be of version 1, got version 2\.$/,
    ],
    [
      'one of a space that is none',
      signed({ ...head, space: { x: { kind: 'y' } } }),
      /space\.x must be of uniform/,
    ],
    [
      'one that skips a trial',
      signed(head) + signed({ event: 'start', trial: 3, attempt: 1, params: { x: 0.5 } }),
      /what it was when it was written, got another line 2\.$/,
    ],
    [
      'one with parameters of elsewhere',
      signed(head) + signed({ event: 'start', trial: 0, attempt: 1, params: { x: 5 } }),
      /got another line 2\.$/,
    ],
    ['one endless line', 'x'.repeat(2 ** 20 + 1), /of lines of at most 1048576 bytes/],
  ])('%s is a FormatError, and stays as it is', async (_, content, message) => {
    writeFileSync(journal, content)
    const ended = run(2)
    await expect(ended).rejects.toBeInstanceOf(FormatError)
    await expect(ended).rejects.toThrow(message)
    expect(text()).toBe(content)
  })

  it.each<[object, RegExp]>([
    [
      { space: { x: uniform(0, 2) } },
      /^tune: space must be that of \S+, {"x":.*}, got {"x":.*}\. Another sweep needs a journal of its own\.$/,
    ],
    [
      { direction: 'maximize' },
      /^tune: direction must be that of \S+, 'minimize', got 'maximize'\./,
    ],
    [{ seed: 8 }, /^tune: seed must be that of \S+, 7, got 8\./],
  ])('another sweep is a ConfigError: %j', async (more, message) => {
    await run(1)
    await expect(run(2, more)).rejects.toThrow(message)
    expect((await run(2, { seed: undefined })).trials).toHaveLength(2)
  })

  it('one that cannot be written is a FormatError', async () => {
    journal = path.join(folder, 'nowhere', 'sweep.jsonl')
    await expect(run(1)).rejects.toMatchObject({ code: 'ERR_FILE_SYSTEM' })
    await expect(readSweep(journal)).rejects.toMatchObject({ code: 'ERR_FILE_SYSTEM' })
  })

  it('one that was cut while it was in use is a FormatError', async () => {
    const cut = () => {
      truncateSync(journal, 10)
      return 1
    }
    await expect(run(2, { objective: cut })).rejects.toThrow(/must be at least \d+ bytes long/)
  })
})

describe('a lock', () => {
  const lock = () => `${journal}.lock`
  it('of a dead process is taken away', async () => {
    writeFileSync(lock(), `${processScope()}.${2 ** 22 - 1}.000000000000.tmp`)
    expect((await run(2, { lock: true })).trials).toHaveLength(2)
    expect(() => readFileSync(lock())).toThrow(/ENOENT/)
  })

  it('of a process that runs is waited for', async () => {
    writeFileSync(lock(), `${processScope()}.${process.pid}.000000000000.tmp`)
    const ended = run(1, { lock: true })
    const first = await Promise.race([ended, new Promise((r) => setTimeout(r, 300, 'waits'))])
    expect(first).toBe('waits')
    rmSync(lock())
    expect((await ended).trials).toHaveLength(1)
  })
})

it("the pid of nobody, which stands for dead processes here, is nobody's", () => {
  expect(() => process.kill(2 ** 22 - 1, 0)).toThrow(/ESRCH/)
})
