/** What happens to the process: workers, exits, instruction sets, threads, the loader. Each in a child of its own. */
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { jsonOf, requireBuild, ROOT, runChild } from '../child.js'

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
})

describe('the end of the process during a fit', () => {
  it.each([
    ['exit', 7, null],
    ['throw', 1, null],
    ['signal', null, 'SIGTERM'],
  ] as const)('%s', async (how, code, signal) => {
    const ended = await runChild('behaviour/children/exit-in-fit.mjs', { args: [how], timeout: 20_000 })
    expect([ended.code, ended.signal], ended.stderr).toEqual([code, signal])
  })
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
const run = (env: Record<string, string>) => jsonOf<Run>('behaviour/children/predict.mjs', { env, args: ['1e-310'] })

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
        const worst = Math.max(...other.predictions.map((p, i) => Math.abs(p - (best.predictions[i] as number))))
        expect(worst, `${isa} against ${best.isa}`).toBeLessThan(BETWEEN_ISAS)
      }
    },
    LONG,
  )

  it('an instruction set that is not there is an error that names those that are', async () => {
    const ended = await runChild('behaviour/children/predict.mjs', { env: { HIDDENSTATE_ISA: 'mmx' } })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('ERR_OPTION')
    expect(ended.stderr).toContain('mmx')
    expect(ended.stderr).toContain('scalar')
  })

  it('the std::thread back end gives the same bits', async () => {
    const team = await run({ HIDDENSTATE_THREADING: 'team' })
    expect(team.threading).toBe('team')
    expect(team.predictions).toEqual(best.predictions)
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

describe('the loader', () => {
  /** A run under a sanitizer names its own build to the loader; these look for one beside the package alone. */
  const nowhereElse = { HIDDENSTATE_PREBUILD: '' }
  /** The built package somewhere else, without a binary. */
  function elsewhere(): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'hs-loader-'))
    cpSync(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true })
    cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'))
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
    const script = "import { info } from './dist/index.js'\ninfo()\n"
    writeFileSync(path.join(folder, 'use.mjs'), script)
    return folder
  }

  it('without a binary the error names the platform, the place and the command', async () => {
    const folder = elsewhere()
    try {
      const ended = await runChild(path.join(folder, 'use.mjs'), { cwd: folder, env: nowhereElse })
      expect(ended.code).toBe(1)
      expect(ended.stderr).toContain(`${process.platform}`)
      expect(ended.stderr).toContain(process.arch)
      expect(ended.stderr).toMatch(/npx hiddenstate build|npm run compile/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('a damaged binary is an error, not a crash', async () => {
    const folder = elsewhere()
    try {
      cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'build/Release/hiddenstate.node'))
      const ended = await runChild(path.join(folder, 'use.mjs'), { cwd: folder, env: nowhereElse })
      expect(ended.signal).toBeNull()
      expect(ended.code).toBe(1)
      expect(ended.stderr).toMatch(/hiddenstate/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('require and import give the same names', async () => {
    const [esm, cjs] = await jsonOf<[string[], string[]]>('behaviour/children/names.mjs')
    expect(cjs).toEqual(esm)
    expect(esm).toContain('Sequential')
  })
})
