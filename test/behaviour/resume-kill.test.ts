/**
 * Processes that train are killed, or get a signal, and the next one goes on to the same bits.
 * scripts/kill-resume.mjs is the long form: all kinds of trainings, at hundreds of instants, and at
 * the file calls of a checkpoint.
 */
import type { ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ChildOptions, type Ended, requireBuild, runChild } from '../child.js'

const LONG = 300_000 // a busy machine takes ten times as long as a free one

let folder: string
beforeAll(requireBuild)
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-resume-kill-'))
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

/** Trains in a folder of `folder`; see the child for what a case is. */
const train = (c: object, name: string, options: ChildOptions = {}): Promise<Ended> =>
  runChild('behaviour/children/resume.mjs', {
    ...options,
    args: [JSON.stringify(c), inFolder(name)],
    timeout: LONG,
  })

function inFolder(name: string): string {
  const at = path.join(folder, name)
  fs.mkdirSync(at, { recursive: true })
  return at
}

const resultOf = (name: string) =>
  JSON.parse(fs.readFileSync(path.join(folder, name, 'result.json'), 'utf8'))
const checkpointsOf = (name: string) => fs.readdirSync(path.join(folder, name)).sort()

/** Calls `use` when a child has printed something for the n-th time. */
const whenPrinted =
  (text: string, times: number, use: (child: ChildProcess) => void) => (child: ChildProcess) => {
    let out = ''
    let isUsed = false
    child.stdout!.on('data', (data) => {
      out += data
      if (isUsed || out.split(text).length <= times) return
      isUsed = true
      use(child)
    })
  }

it(
  'killed ten times, it ends as if it had never been killed, and leaves nothing unfinished',
  async () => {
    const c = { dropout: true, callbacks: true, validation: true, nbEpoch: 4 }
    const resumed = { ...c, checkpoint: { everyBatches: 1 } }
    expect((await train(c, 'plain')).code).toBe(0)
    for (let i = 0; i < 10; i++) {
      const started = whenPrinted('fit', 1, (child) =>
        setTimeout(() => child.kill('SIGKILL'), 20 + 37 * i),
      )
      const { code, stderr } = await train({ ...resumed, threads: 1 + (i % 2) }, 'killed', {
        started,
      })
      expect([0, null], stderr).toContain(code)
    }
    const { code, stderr } = await train(resumed, 'killed')
    expect(code, stderr).toBe(0)
    expect(resultOf('killed')).toEqual(resultOf('plain'))
    expect(checkpointsOf('killed/checkpoints').filter((name) => name.endsWith('.tmp'))).toEqual([])
  },
  LONG,
)

describe('signals', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s has a checkpoint written and ends with %i; it goes on to the same bits',
    async (signal, status) => {
      const c = { dropout: true, nbEpoch: 2, slow: 20 }
      const resumed = { ...c, checkpoint: {} }
      expect((await train(c, 'plain')).code).toBe(0)
      const started = whenPrinted('batch', 4, (child) => child.kill(signal))
      const ended = await train(resumed, 'stopped', { started })
      expect([ended.code, ended.signal], ended.stderr).toEqual([status, null])
      expect(checkpointsOf('stopped/checkpoints')).toEqual([
        'checkpoint-000001',
        'checkpoint-000002',
      ])
      const rest = await train(resumed, 'stopped')
      expect(rest.code, rest.stderr).toBe(0)
      expect(rest.stdout.split('batch').length).toBeLessThan(10) // not from the beginning
      expect(resultOf('stopped')).toEqual(resultOf('plain'))
    },
    LONG,
  )

  it(
    'during a validation, one cuts that short; the epoch ends with a whole validation after it',
    async () => {
      const c = {
        source: 'resumable',
        stateful: true,
        dropout: true,
        nbEpoch: 3,
        slowValidation: 30,
      }
      const resumed = { ...c, checkpoint: {} }
      expect((await train(c, 'plain')).code).toBe(0)
      // five batches a validation; this is the third of the second one
      const started = whenPrinted('validates', 8, (child) => child.kill('SIGTERM'))
      const ended = await train({ ...resumed, slowValidation: 300 }, 'stopped', { started })
      expect([ended.code, ended.signal], ended.stderr).toEqual([143, null])
      expect(ended.stdout.split('validates').length - 1).toBeLessThan(10)
      const rest = await train(resumed, 'stopped')
      expect(rest.code, rest.stderr).toBe(0)
      expect(resultOf('stopped')).toEqual(resultOf('plain'))
    },
    LONG,
  )

  it(
    'a second one ends the process at once',
    async () => {
      const started = whenPrinted('batch', 1, (child) => {
        child.kill('SIGINT')
        setTimeout(() => child.kill('SIGINT'), 500)
      })
      const ended = await train({ slow: 20_000, checkpoint: {} }, 'stopped', { started })
      expect([ended.code, ended.signal], ended.stderr).toEqual([null, 'SIGINT'])
    },
    LONG,
  )

  it(
    'signals: false leaves them to others',
    async () => {
      const started = whenPrinted('batch', 2, (child) => child.kill('SIGTERM'))
      const ended = await train({ slow: 50, checkpoint: { signals: false } }, 'stopped', {
        started,
      })
      expect([ended.code, ended.signal], ended.stderr).toEqual([null, 'SIGTERM'])
      expect(checkpointsOf('stopped/checkpoints')).toEqual(['checkpoint-000001'])
    },
    LONG,
  )

  it(
    'two trainings at once both write their checkpoint before the process ends',
    async () => {
      const started = whenPrinted('listening 2', 4, (child) => child.kill('SIGTERM'))
      const ended = await runChild('behaviour/children/resume-signals.mjs', {
        args: ['two', folder],
        started,
      })
      expect([ended.code, ended.signal], ended.stderr).toEqual([143, null])
      for (const name of ['a', 'b'])
        expect(checkpointsOf(name), name).toEqual(['checkpoint-000001', 'checkpoint-000002'])
    },
    LONG,
  )

  it(
    'in a worker thread nothing is listened for',
    async () => {
      const started = whenPrinted('listening 0', 2, (child) => child.kill('SIGTERM'))
      const ended = await runChild('behaviour/children/resume-signals.mjs', {
        args: ['worker', folder],
        started,
      })
      expect([ended.code, ended.signal], ended.stdout + ended.stderr).toEqual([null, 'SIGTERM'])
    },
    LONG,
  )
})
