/** Resident memory stays flat over many fits, models and files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jsonOf } from '../child.js'

type Curve = number[]
interface Curves {
  fits: Curve
  dropped: Curve
  disposed: Curve
  loads: Curve
  held: Curve
}

/**
 * Megabytes by which the last value may lie above the first half. Long runs level off, but the allocator wanders by some
 * 10 MB on the way; one leaked plan a model would be 60 MB and more.
 */
const BOUND = 20
/**
 * One heap for all threads: freed memory is found again, and the curve is steadier. AddressSanitizer keeps freed memory
 * aside, 256 MB of it by default, to catch late uses: that would look like a leak.
 */
const env = { MALLOC_ARENA_MAX: '1', ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1` }

const growth = (c: Curve): number => {
  const half = Math.floor(c.length / 2)
  const first = Math.max(...c.slice(0, half + 1))
  return (c.at(-1) as number) - first
}

describe('memory', () => {
  let curves: Curves
  const folder = mkdtempSync(path.join(tmpdir(), 'hs-leak-'))
  beforeAll(async () => {
    const file = path.join(folder, 'm.h5')
    curves = await jsonOf<Curves>('leak/memory.mjs', { node: ['--expose-gc'], args: [file], env, timeout: 170_000 })
  }, 180_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([
    ['120 fits of one model', 'fits'],
    ['300 models made, trained and dropped', 'dropped'],
    ['180 models made, trained and disposed of', 'disposed'],
    ['30 files saved and loaded', 'loads'],
  ] as const)('%s', (_, name) => {
    expect(growth(curves[name]), curves[name].map((v) => v.toFixed(0)).join(' ')).toBeLessThan(BOUND)
  })

  it('models that are kept are seen to grow', () => {
    expect((curves.held.at(-1) as number) - (curves.held[0] as number)).toBeGreaterThan(BOUND)
  })
})
