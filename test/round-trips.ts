/** What tests of written models share: inputs, and that two models give the same. */
import { expect } from 'vitest'
import type { Model, NDArray } from './package.js'

const grid = <T>(make: (n: number, t: number) => T): T[][] =>
  Array.from({ length: 3 }, (_, n) => Array.from({ length: 5 }, (_v, t) => make(n, t)))

/** Three sequences of five steps: [3, 5, 4]. */
export const waves = grid((n, t) =>
  Array.from({ length: 4 }, (_, d) => Math.cos(n + 2 * t + 3 * d)),
)
/** The same of words, 0 to 8: [3, 5]. */
export const words = grid((n, t) => (3 * n + t) % 9)

/** All outputs of a model for an input. */
export const outputsOf = async (model: Model, x: unknown): Promise<NDArray[]> =>
  [await model.predict(x as never)].flat() as NDArray[]

/** The same shapes, and numbers within 1e-6. */
export function expectSame(got: readonly NDArray[], expected: readonly NDArray[]): void {
  expect(got).toHaveLength(expected.length)
  for (const [i, { shape, data }] of expected.entries()) {
    expect(got[i]!.shape).toEqual(shape)
    for (const [k, value] of data.entries())
      expect(Math.abs(got[i]!.data[k]! - value)).toBeLessThan(1e-6)
  }
}
