/**
 * What happens to the process: workers, exits, instruction sets, threads.
 * Each in a child of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ADDON, jsonOf, requireBuild, runChild } from '../child.js'

const LONG = 120_000

beforeAll(requireBuild)

describe('worker_threads', () => {
  it(
    'four workers train, one is terminated in mid-fit, the process ends by itself',
    async () => {
      const { losses } = await jsonOf<{ losses: number[][] }>('behaviour/children/workers.mjs')
      expect(losses).toHaveLength(3)
      for (const one of losses) expect(one).toEqual(losses[0]) // the same seed in each
      expect(losses[0]?.every(Number.isFinite)).toBe(true)
    },
    LONG,
  )

  it(
    'workers that have used the addon may end without taking the process with them',
    async () => {
      expect(await jsonOf('behaviour/children/worker-exit.mjs')).toBe('alive')
    },
    LONG,
  )

  it(
    'a worker that is ended in the middle of a loop leaves the compute thread to others',
    async () => {
      expect(await jsonOf('behaviour/children/terminated-scan.mjs')).toEqual({ sum: 3 })
    },
    LONG,
  )

  it.each([
    ...[
      'fit',
      'fitWithCallbacks',
      'exitInCallback',
      'predict',
      'predictOnBatch',
      'predictOnBatchSync',
      'train',
    ],
    ...['build', 'save', 'getWeights', 'setWeights', 'errors'],
  ])(
    '%s: workers that are ended in the middle of it leave the process alive',
    async (kind) => {
      const { ended } = await jsonOf<{ ended: number }>('behaviour/children/worker-terminate.mjs', {
        args: [kind, '12', '4'],
        timeout: LONG,
      })
      expect(ended).toBe(12)
    },
    LONG,
  )
})

describe('the end of the process during a fit', () => {
  it.each([
    ['exit', 7, null],
    ['throw', 1, null],
    ['signal', null, 'SIGTERM'],
  ] as const)('%s', async (how, code, signal) => {
    const ended = await runChild('behaviour/children/exit-in-fit.mjs', {
      args: [how],
      timeout: 20_000,
    })
    expect([ended.code, ended.signal], ended.stderr).toEqual([code, signal])
  })
})

it('a program that has closed its standard output and error saves and ends as it says', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hs-closed-'))
  try {
    const args = [path.join(folder, 'm.h5')]
    const ended = await runChild('behaviour/children/save-without-output.mjs', { args })
    expect([ended.code, ended.signal]).toEqual([4, null])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

it('a time limit of vm that ends JavaScript inside a native call ends no more than that', async () => {
  expect(await jsonOf('behaviour/children/vm-limit.mjs', { args: [ADDON] })).toEqual([
    'ERR_SCRIPT_EXECUTION_TIMEOUT',
    'ERR_SCRIPT_EXECUTION_TIMEOUT',
  ])
})

interface Run {
  isa: string
  isas: string[]
  threads: number
  threading: string
  losses: number[]
  predictions: number[]
  denormals: boolean[]
}
const run = (env: Record<string, string>) =>
  jsonOf<Run>('behaviour/children/predict.mjs', { env, args: ['1e-310'] })

/** Instruction sets add in other orders: a few units in the last place, grown over nine updates. */
const BETWEEN_ISAS = 2e-4

describe('instruction sets and threads', () => {
  let best: Run
  beforeAll(async () => {
    best = await run({})
  }, LONG)

  it(
    'every instruction set that is there gives the same results within rounding',
    async () => {
      expect(best.isas).toContain('scalar')
      expect(best.isas).toContain(best.isa)
      for (const isa of best.isas) {
        const other = await run({ HIDDENSTATE_ISA: isa })
        expect(other.isa).toBe(isa)
        const worst = Math.max(
          ...other.predictions.map((p, i) => Math.abs(p - (best.predictions[i] as number))),
        )
        expect(worst, `${isa} against ${best.isa}`).toBeLessThan(BETWEEN_ISAS)
      }
    },
    LONG,
  )

  it('an instruction set that is not there is an error that names those that are', async () => {
    const ended = await runChild('behaviour/children/predict.mjs', {
      env: { HIDDENSTATE_ISA: 'mmx' },
    })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('ERR_OPTION')
    expect(ended.stderr).toContain('mmx')
    expect(ended.stderr).toContain('scalar')
  })

  it('both back ends give the same bits', async () => {
    // OpenMP is built in where it is sure to be there
    const wanted = process.platform === 'linux' ? ['team', 'openmp'] : ['team']
    for (const threading of wanted) {
      const other = await run({ HIDDENSTATE_THREADING: threading })
      expect(other.threading).toBe(threading)
      expect(other.predictions).toEqual(best.predictions)
    }
  })

  it('HIDDENSTATE_THREADS sets the number, and changes no bit', async () => {
    for (const n of [1, 3]) {
      const other = await run({ HIDDENSTATE_THREADS: String(n) })
      expect(other.threads).toBe(n)
      expect(other.predictions).toEqual(best.predictions)
    }
  })

  it('plain JavaScript keeps its denormal numbers', () => {
    expect(best.denormals).toEqual([true, true])
  })
})
