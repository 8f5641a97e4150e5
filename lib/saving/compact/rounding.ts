/**
 * Weights of few bits. Numbers of an array that share a scale are whole numbers in [-127, 127]
 * times that. A scale has 16 significant bits, so that each product is a float32 without rounding:
 * numbers that were rounded once stay what they are, in a file and in the kernels, which find the
 * same scale in them (native/device/cpu/kernels/int8.h).
 */
import type { Scales } from '../../layers/base/variable.js'
import type { Floats } from '../../native.js'

/** An array as [outer, depth, inner]: numbers along depth share a scale, [outer, inner]. */
export interface Lines {
  readonly outer: number
  readonly depth: number
  readonly inner: number
  /** Of the array, but 1 in all axes that share a scale: what scales are multiplied with. */
  readonly shape: readonly number[]
}

/** @param shape of two axes or more */
export function linesOf(shape: readonly number[], scales: Scales): Lines {
  const outer = scales === 'columns' ? 1 : shape[0]!
  const inner = scales === 'rows' ? 1 : shape.at(-1)!
  const size = shape.reduce((product, extent) => product * extent, 1)
  const last = shape.length - 1
  const own = shape.map((extent, i) =>
    (i === 0 && outer > 1) || (i === last && inner > 1) ? extent : 1,
  )
  return { outer, depth: size / (outer * inner), inner, shape: own }
}

/** An array as integers. */
export interface Integers {
  /** Whole numbers, as the array lies. */
  readonly numbers: Int8Array
  /** [outer, inner] */
  readonly scales: Float32Array
}

const LARGEST = 127
const MAX_FLOAT = 3.4028234663852886e38
/** Below, scales would not be normal numbers: all that is smaller becomes 0. */
const LEAST = 1e-33

/** The least scale of 16 significant bits that takes numbers up to `largest`, or the next below. */
function scaleOf(largest: number): number {
  if (largest < LEAST) return 0
  const least = largest / LARGEST
  const unit = 2 ** (Math.floor(Math.log2(least)) - 15)
  const scale = Math.ceil(least / unit) * unit
  return scale * LARGEST > MAX_FLOAT ? scale - unit : scale
}

/** To the nearest whole number in [-127, 127], halves to the even one. */
function whole(x: number): number {
  const down = Math.floor(x)
  const rest = x - down
  const near = rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down
  return Math.min(Math.max(near, -LARGEST), LARGEST)
}

/** The nearest integers to an array of finite numbers. */
export function toIntegers(values: Floats, { outer, depth, inner }: Lines): Integers {
  const scales = new Float32Array(outer * inner)
  const numbers = new Int8Array(values.length)
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const first = o * depth * inner + i
      const end = first + depth * inner
      let largest = 0
      for (let at = first; at < end; at += inner) {
        const size = Math.abs(values[at]!)
        if (size > largest) largest = size
      }
      const scale = scaleOf(largest)
      scales[o * inner + i] = scale
      if (scale > 0)
        for (let at = first; at < end; at += inner) numbers[at] = whole(values[at]! / scale)
    }
  return { numbers, scales }
}

/** The numbers that integers stand for. */
export function fromIntegers(
  numbers: ArrayLike<number>,
  scales: ArrayLike<number>,
  { outer, depth, inner }: Lines,
): Float32Array {
  const values = new Float32Array(outer * depth * inner)
  let at = 0
  for (let o = 0; o < outer; o++)
    for (let d = 0; d < depth; d++)
      for (let i = 0; i < inner; i++, at++) values[at] = numbers[at]! * scales[o * inner + i]!
  return values
}

/**
 * The upper halves of finite float32 numbers, rounded to nearest, halves to even: bfloat16. What
 * would become infinite is cut off instead.
 */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(bits.length)
  for (let i = 0; i < bits.length; i++) {
    const each = bits[i]!
    const near = (each + 0x7fff + ((each >>> 16) & 1)) >>> 16
    halves[i] = (near & 0x7fff) === 0x7f80 ? each >>> 16 : near
  }
  return halves
}
