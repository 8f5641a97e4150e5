/** Arrays for tests: made from a seed, compared bit by bit or within a bound. */
import { expect } from 'vitest'

export interface Plain {
  data: Float32Array | Float64Array | Int32Array
  shape: number[]
}
interface Readable {
  readonly data: ArrayLike<number>
  readonly shape: readonly number[]
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** mulberry32: independent of the package's own stream, so that data stay when that changes. */
export function random(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Uniform in [low, high); never exactly 0, so that no step looks masked. */
export function uniform(seed: number, shape: number[], low = -1, high = 1): Plain {
  const next = random(seed)
  const data = Float32Array.from(
    { length: sizeOf(shape) },
    () => low + (high - low) * next() || 1e-3,
  )
  return { data, shape }
}

export const filled = (value: number, ...shape: number[]): Plain => ({
  data: new Float32Array(sizeOf(shape)).fill(value),
  shape,
})

/** Integers from `low` to `high - 1`. */
export function integers(seed: number, shape: number[], low: number, high: number): Plain {
  const next = random(seed)
  return {
    data: Int32Array.from({ length: sizeOf(shape) }, () => low + Math.floor(next() * (high - low))),
    shape,
  }
}

/** Rows of a one-hot matrix [n, classes]. */
export function oneHot(labels: ArrayLike<number>, classes: number): Plain {
  const data = new Float32Array(labels.length * classes)
  for (let i = 0; i < labels.length; i++) data[i * classes + (labels[i] as number)] = 1
  return { data, shape: [labels.length, classes] }
}

/** Takes samples in another order (first axis). */
export function take(a: Plain, order: readonly number[]): Plain {
  const width = sizeOf(a.shape.slice(1))
  const data = new (a.data.constructor as Float32ArrayConstructor)(order.length * width)
  for (const [to, from] of order.entries())
    data.set(a.data.subarray(from * width, (from + 1) * width), to * width)
  return { data, shape: [order.length, ...a.shape.slice(1)] }
}

/** Steps `from` to `to` of [B, T, ...]. */
export function steps(a: Plain, from: number, to: number): Plain {
  const [B, T, ...rest] = a.shape as [number, number, ...number[]]
  const width = sizeOf(rest)
  const data = new (a.data.constructor as Float32ArrayConstructor)(B * (to - from) * width)
  for (let b = 0; b < B; b++) {
    data.set(a.data.subarray((b * T + from) * width, (b * T + to) * width), b * (to - from) * width)
  }
  return { data, shape: [B, to - from, ...rest] }
}

/** [B, T, ...] with time running the other way. */
export function reversed(a: Plain): Plain {
  const T = a.shape[1] as number
  return join(Array.from({ length: T }, (_, i) => steps(a, T - 1 - i, T - i)))
}

/** Puts [B, Ti, ...] one after the other in time. */
export function join(parts: Plain[]): Plain {
  const first = parts[0] as Plain
  const [B, , ...rest] = first.shape as [number, number, ...number[]]
  const width = sizeOf(rest)
  const T = parts.reduce((sum, p) => sum + (p.shape[1] as number), 0)
  const data = new (first.data.constructor as Float32ArrayConstructor)(B * T * width)
  let at = 0
  for (const p of parts) {
    const t = p.shape[1] as number
    for (let b = 0; b < B; b++)
      data.set(p.data.subarray(b * t * width, (b + 1) * t * width), (b * T + at) * width)
    at += t
  }
  return { data, shape: [B, T, ...rest] }
}

/** Same shapes and the same bits; NaNs of the same bits are equal. */
export function expectSameBits(actual: Readable, expected: Readable, what = ''): void {
  expect([...actual.shape], `${what} shape`).toEqual([...expected.shape])
  const bytes = (a: Readable): Buffer => {
    const view = a.data as Float32Array
    return Buffer.from(view.buffer, view.byteOffset, view.byteLength)
  }
  if (bytes(actual).equals(bytes(expected))) return
  const at = Array.from(expected.data).findIndex((v, i) => !Object.is(v, actual.data[i]))
  expect.fail(
    `${what}: element ${at} is ${actual.data[at]}, expected the bits of ${expected.data[at]}`,
  )
}

export function expectAllSameBits(
  actual: readonly Readable[],
  expected: readonly Readable[],
  what = '',
): void {
  expect(actual.length, `${what}: number of arrays`).toBe(expected.length)
  for (const [i, a] of actual.entries())
    expectSameBits(a, expected[i] as Readable, `${what} [${i}]`)
}

/** |a - e| <= bound * max(1, |e|) everywhere. */
export function expectClose(actual: Readable, expected: Readable, bound: number, what = ''): void {
  expect([...actual.shape], `${what} shape`).toEqual([...expected.shape])
  for (let i = 0; i < expected.data.length; i++) {
    const [a, e] = [actual.data[i] as number, expected.data[i] as number]
    if (!(Math.abs(a - e) <= bound * Math.max(1, Math.abs(e)))) {
      expect.fail(`${what}: element ${i} is ${a}, expected ${e} within ${bound}`)
    }
  }
}

export function expectAllClose(
  actual: readonly Readable[],
  expected: readonly Readable[],
  bound: number,
  what = '',
): void {
  expect(actual.length, `${what}: number of arrays`).toBe(expected.length)
  for (const [i, a] of actual.entries())
    expectClose(a, expected[i] as Readable, bound, `${what} [${i}]`)
}
