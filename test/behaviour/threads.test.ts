/** How many threads there are, whose they are, and that they rest. By /proc and taskset: Linux. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { jsonOf, requireBuild, ROOT } from '../child.js'

beforeAll(requireBuild)
vi.setConfig({ testTimeout: 120_000 })

/** The processors this process may run on, from a list such as '0-3,6'. */
function allowed(): number[] {
  const list =
    /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/** What the package takes by itself, on these processors. */
function defaultThreads(cpus: number[]): number {
  const { HIDDENSTATE_THREADS: _, ...env } = process.env
  const program = "import('hiddenstate').then(({ info }) => console.log(info().threads))"
  const { stdout, stderr } = spawnSync(
    'taskset',
    ['-c', cpus.join(','), process.execPath, '-e', program],
    {
      cwd: path.join(ROOT, 'test'),
      env: { ...env, NODE_OPTIONS: '' },
      encoding: 'utf8',
    },
  )
  expect(stderr).toBe('')
  return Number(stdout)
}

interface Counts {
  threads: number
  threading: string
  one: number
  several: number
  withWorkers: number
  idleMs: number
}

describe.runIf(process.platform === 'linux')('threads', () => {
  it('as many by default as the affinity mask leaves', () => {
    const cpus = allowed()
    // for the case that a control group allows fewer than the mask
    const quota = os.availableParallelism()
    for (const n of [1, Math.min(2, cpus.length), cpus.length])
      expect(defaultThreads(cpus.slice(0, n))).toBe(Math.min(n, quota))
  })

  it.each([
    ['team', 1],
    ['team', 3],
    ['openmp', 3],
  ])(
    '%s, %d: that many for all models and workers together, and idle ones use no processor',
    async (threading, n) => {
      const env = { HIDDENSTATE_THREADING: threading, HIDDENSTATE_THREADS: String(n) }
      const counts = await jsonOf<Counts>('behaviour/children/threads.mjs', { env })
      expect(counts).toMatchObject({ threads: n, threading, one: n, several: n, withWorkers: n })
      expect(counts.idleMs).toBeLessThan(100) // of a second; spinning would be n * 1000
    },
  )
})
