import { describe, expect, it } from 'vitest'
import {
  integer,
  nextSeed,
  normal,
  permutation,
  random,
  randomState,
  setRandomState,
  setSeed,
  uniform,
} from '../../lib/random.js'

describe('setSeed', () => {
  it('gives the same numbers again, and others for another seed', () => {
    const draw = (seed: number) => {
      setSeed(seed)
      return [random(), nextSeed(), ...normal(3), ...permutation(5)]
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
    expect(draw(7)).not.toEqual(draw(7 + 2 ** 32)) // the upper half counts
  })

  it.each([[-1], [0.5], [2 ** 53], [Number.NaN], ['7'], [undefined]])('refuses %s', (seed) => {
    expect(() => setSeed(seed as number)).toThrow(/setSeed: seed must be an integer/)
  })

  it('keeps its bits: a change here changes every seeded run', () => {
    setSeed(1)
    expect([integer(1000), integer(1000), integer(1000)]).toMatchInlineSnapshot(`
      [
        148,
        13,
        91,
      ]
    `)
  })
})

describe('the numbers', () => {
  it('have the moments they should', () => {
    setSeed(3)
    const mean = (a: Float64Array) => a.reduce((s, v) => s + v, 0) / a.length
    const n = 100_000
    const u = uniform(n, -1, 3)
    expect(mean(u)).toBeCloseTo(1, 1)
    expect(u.every((v) => v >= -1 && v < 3)).toBe(true)
    const g = normal(n, 2, 0.5)
    expect(mean(g)).toBeCloseTo(2, 2)
    expect(Math.sqrt(mean(g.map((v) => (v - 2) ** 2)))).toBeCloseTo(0.5, 2)
  })

  it('permutations are uniform', () => {
    setSeed(5)
    const counts = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const key = permutation(3).join()
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    // 5 sigma of 29
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })

  it('go on from a saved state', () => {
    const state = randomState()
    const first = [random(), random()]
    setRandomState(state)
    expect([random(), random()]).toEqual(first)
    expect(() => setRandomState([0, 0, 0, 0])).toThrow(/random state/)
  })
})
