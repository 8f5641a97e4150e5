/**
 * Weights of few bits. An array is in rows or in columns (`Variable.scales`), each of which has a
 * scale of its own: the weights are whole numbers in [-127, 127] times that. A scale has 16
 * significant bits, so that each product is a float32 without rounding: numbers that were rounded
 * once stay what they are, in a file and in the kernels (native/device/cpu/kernels/int8.h), which
 * find the same scale in them.
 */
import type { Floats } from '../../native.js'

/** Which numbers of an array share a scale. */
export interface Lines {
  /** How many lines there are. */
  readonly lines: number
  /** Of the array, but 1 in all axes that share a scale: what scales are multiplied with. */
  readonly shape: readonly number[]
  /** Of a number's position in the array: in which line it is. */
  readonly lineOf: (position: number) => number
}

/** @param shape of two axes or more */
export function linesOf(shape: readonly number[], scales: 'columns' | 'rows'): Lines {
  const lines = (scales === 'columns' ? shape.at(-1) : shape[0]) ?? 1
  const size = shape.reduce((product, extent) => product * extent, 1)
  const row = size / lines
  const lineOf =
    scales === 'columns' ? (i: number) => i % lines : (i: number) => Math.floor(i / row)
  const axis = scales === 'columns' ? shape.length - 1 : 0
  return { lines, shape: shape.map((extent, i) => (i === axis ? extent : 1)), lineOf }
}

/** An array as integers. */
export interface Integers {
  /** Whole numbers, as the array lies. */
  readonly numbers: Int8Array
  /** Of each line. */
  readonly scales: Float32Array
}

/** The least number of 16 significant bits that is not below x >= 0. */
function shortened(x: number): number {
  if (x === 0) return 0
  const unit = 2 ** (Math.floor(Math.log2(x)) - 15)
  return Math.ceil(x / unit) * unit
}

/** To the nearest whole number, halves to the even one. */
function whole(x: number): number {
  const down = Math.floor(x)
  const rest = x - down
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1
  return down % 2 === 0 ? down : down + 1
}

/** The nearest integers to an array of finite numbers. */
export function toIntegers(values: Floats, { lines, lineOf }: Lines): Integers {
  const largest = new Float64Array(lines)
  for (let i = 0; i < values.length; i++) {
    const line = lineOf(i)
    largest[line] = Math.max(largest[line]!, Math.abs(values[i]!))
  }
  const scales = Float32Array.from(largest, (each) => shortened(each / 127))
  const numbers = Int8Array.from(values, (value, i) => {
    const scale = scales[lineOf(i)]!
    return scale === 0 ? 0 : whole(value / scale)
  })
  return { numbers, scales }
}

/** The numbers that integers stand for. */
export const fromIntegers = (
  numbers: ArrayLike<number>,
  scales: ArrayLike<number>,
  { lineOf }: Lines,
): Float32Array => Float32Array.from(numbers, (number, i) => number * scales[lineOf(i)]!)

/** The upper halves of float32 numbers, rounded to nearest, halves to even: bfloat16. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(bits, (each) => (each + 0x7fff + ((each >>> 16) & 1)) >>> 16)
}
