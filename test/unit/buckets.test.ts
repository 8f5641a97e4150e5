import { describe, expect, it } from 'vitest'
import { RandomStream } from '../../lib/random.js'
import { type BucketOptions, Buckets } from '../../lib/training/buckets.js'

const N = 1000
const lengths = Int32Array.from({ length: N }, (_, i) => 1 + ((i * 7919) % 97))
const buckets = (options: Partial<BucketOptions> = {}) =>
  new Buckets<Int32Array>(
    { lengths, pick: (rows) => rows.slice() },
    { range: [0, N], batchSize: 32, shuffle: true, stream: new RandomStream(1), ...options },
  )

/** The batches of one epoch. */
function epoch(from: Buckets<Int32Array>, samples = N): number[][] {
  const batches: number[][] = []
  for (let seen = 0; seen < samples; ) {
    const rows = Array.from(from.nextRows())
    batches.push(rows)
    seen += rows.length
  }
  return batches
}
const all = Array.from({ length: N }, (_, i) => i)
const sorted = (batches: number[][]) => batches.flat().sort((a, b) => a - b)
/** Steps of all batches, padding included, per real step. */
const padded = (batches: number[][]) => {
  const cost = batches.map((rows) => rows.length * Math.max(...rows.map((row) => lengths[row]!)))
  return cost.reduce((sum, each) => sum + each, 0) / lengths.reduce((sum, each) => sum + each, 0)
}

describe('Buckets', () => {
  it('has each sample once an epoch, near lengths together, in an order that differs', () => {
    const from = buckets()
    const [first, second] = [epoch(from), epoch(from)]
    expect(sorted(first)).toEqual(all)
    expect(sorted(second)).toEqual(all)
    expect(first).not.toEqual(second)
    expect(padded(first)).toBeLessThan(1.1)
    expect(padded(epoch(buckets({ shuffle: false })))).toBeGreaterThan(1.8)
    const longest = first.map((rows) => Math.max(...rows.map((row) => lengths[row]!)))
    expect(longest).not.toEqual([...longest].sort((a, b) => a - b))
  })

  it('keeps the order with false, moves whole batches with "batch", sorts by "length"', () => {
    expect(epoch(buckets({ shuffle: false })).flat()).toEqual(all)
    const moved = buckets({ shuffle: 'batch' })
    for (let i = 0; i < 3; i++) {
      const batches = epoch(moved)
      expect(sorted(batches)).toEqual(all)
      for (const rows of batches) expect(rows).toEqual(rows.map((_, k) => rows[0]! + k))
      expect(batches.at(-1)!.length).toBe(N % 32)
      expect(batches[0]![0]).not.toBe(0)
    }
    const byLength = epoch(buckets({ shuffle: 'length', range: [100, 300] }), 200).flat()
    expect(byLength.map((row) => lengths[row])).toEqual(
      byLength.map((row) => lengths[row]!).sort((a, b) => a - b),
    )
    expect([...byLength].sort((a, b) => a - b)).toEqual(all.slice(100, 300))
  })

  it('goes on from its state', () => {
    for (const shuffle of [true, 'batch', false] as const) {
      const from = buckets({ shuffle })
      for (let i = 0; i < 40; i++) from.nextRows()
      const state = structuredClone(from.state())
      const wanted = epoch(from)
      const other = buckets({ shuffle, stream: new RandomStream(99) })
      other.restore(state)
      expect(epoch(other)).toEqual(wanted)
    }
  })
})
