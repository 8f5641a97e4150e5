/** Resident memory stays flat over many fits, models and files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { H5Builder, writeH5 } from '../../lib/hdf5/file.js'
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
 * Megabytes by which the last value may lie above the first half. Long runs level off, but the
 * allocator wanders by some 10 MB on the way; one leaked plan a model would be 60 MB and more.
 */
const BOUND = 20
/**
 * One heap for all threads: freed memory is found again, and the curve is steadier.
 * AddressSanitizer keeps freed memory aside, 256 MB of it by default, to catch late uses: that
 * would look like a leak.
 */
const env = {
  MALLOC_ARENA_MAX: '1',
  ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1`,
}

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
    curves = await jsonOf<Curves>('leak/memory.mjs', {
      node: ['--expose-gc'],
      args: [file],
      env,
      timeout: 170_000,
    })
  }, 180_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([
    ['120 fits of one model', 'fits'],
    ['300 models made, trained and dropped', 'dropped'],
    ['180 models made, trained and disposed of', 'disposed'],
    ['30 files saved and loaded', 'loads'],
  ] as const)('%s', (_, name) => {
    expect(growth(curves[name]), curves[name].map((v) => v.toFixed(0)).join(' ')).toBeLessThan(
      BOUND,
    )
  })

  it('models that are kept are seen to grow', () => {
    expect((curves.held.at(-1) as number) - (curves.held[0] as number)).toBeGreaterThan(BOUND)
  })
})

it('a call frees its data when it ends, not when they are collected', async () => {
  // A batch that a generator has made in advance may be there: 4 MB
  for (const [call, left] of Object.entries(
    await jsonOf<Record<string, number>>('leak/calls.mjs', { node: ['--expose-gc'], env }),
  ))
    expect(left, call).toBeLessThan(9)
})

it('training from a file takes less memory than the file', async () => {
  const [rows, columns] = [98_304, 1024] // 384 MB
  const folder = mkdtempSync(path.join(tmpdir(), 'hs-larger-'))
  try {
    const file = new H5Builder()
    const data = new Float32Array(rows * columns)
    for (let i = 0; i < rows; i++) data[i * columns] = i % 2
    file.dataset('x', { shape: [rows, columns], data })
    file.dataset('y', {
      shape: [rows, 1],
      data: Float32Array.from({ length: rows }, (_, i) => i % 2),
    })
    const large = path.join(folder, 'large.h5')
    await writeH5(large, file)
    const told = await jsonOf<{ most: number; size: number; loss: number[] }>('leak/matrix.mjs', {
      args: [large],
      env,
    })
    expect(told.loss[1]).toBeLessThan(told.loss[0] as number)
    expect(told.most).toBeLessThan(told.size)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 120_000)
