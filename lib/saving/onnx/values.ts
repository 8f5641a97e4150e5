/**
 * What flows through an ONNX graph while it is read. A graph moves axes about (time first, a
 * direction as an axis of its own); layers have the batch first and features last. So a tensor is
 * the output of a layer and where its axes are now, and only what needs another order makes a
 * layer.
 */
import type { Constant } from './model.js'

/** An extent; a letter, or a product with letters, where it is not known. */
export type Size = number | string

/** An axis of a layer's output, or one of those that were joined into it. */
export interface Factor {
  readonly size: Size
  readonly isBatch?: boolean
}

/** Factors that lie in one axis, the slowest first; none: an axis of extent 1. */
export type Axis = readonly Factor[]

/** What a layer gives. */
export interface Output {
  readonly axes: readonly Axis[]
  /** The layer's name; makes the layer when it is asked for the first time. */
  layer(): string
  /** Of an output that is one of the parts along a factor of another: which. */
  readonly part?: { readonly of: Output; readonly factor: Factor; readonly index: number }
}

export interface Tensor {
  readonly kind: 'tensor'
  readonly output: Output
  /** The axes as ONNX has them now. */
  readonly axes: readonly Axis[]
}

/** Extents that a graph computes with. */
export interface Sizes {
  readonly kind: 'sizes'
  readonly sizes: readonly Size[]
  readonly isScalar: boolean
}

/** A tensor of any shape that is one number everywhere. */
export interface Fill {
  readonly kind: 'fill'
  readonly value: number
}

/** Tensors one after the other along the first axis, which is that of their directions. */
export interface Pieces {
  readonly kind: 'pieces'
  readonly parts: readonly Tensor[]
}

export type Value = Constant | Tensor | Sizes | Fill | Pieces

/** Most numbers of a constant that graphs compute extents with. */
export const MAX_SIZES = 64

export function product(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  return a === 1 ? b : b === 1 ? a : `${a}*${b}`
}
export const extent = (axis: Axis): Size => axis.reduce<Size>((n, f) => product(n, f.size), 1)

export const tensor = (output: Output, axes: readonly Axis[] = output.axes): Tensor => ({
  kind: 'tensor',
  output,
  axes,
})
export const sizes = (list: readonly Size[], isScalar = false): Sizes => ({
  kind: 'sizes',
  sizes: list,
  isScalar,
})

/** Extents that a value holds; null where it holds others. */
export function asSizes(value: Value | undefined): Sizes | null {
  if (value?.kind === 'sizes') return value
  if (value?.kind !== 'constant' || value.shape.length > 1) return null
  if ((value.shape[0] ?? 1) > MAX_SIZES) return null
  const numbers = [...value.read()]
  return numbers.every((n) => Number.isInteger(n)) ? sizes(numbers, !value.shape.length) : null
}

/** Integers that a value holds; null where it holds others. */
export function asIntegers(value: Value | undefined): number[] | null {
  const list = asSizes(value)?.sizes
  return list?.every((n) => typeof n === 'number') ? (list as number[]) : null
}

/** A place counted from the end, as one from the start. */
export const fromStart = (index: number, length: number): number =>
  index < 0 ? index + length : index

/**
 * Factors in the order of `axes`, put together as `target` says; null where that tears one apart.
 *
 * @param target extents; -1: what is left, 0: as it was
 */
export function regrouped(axes: readonly Axis[], target: readonly Size[]): Axis[] | null {
  const wanted = target.map((size, i) => (size === 0 && axes[i] ? extent(axes[i]!) : size))
  const isSame = wanted.every((size, i) => size === extent(axes[i] ?? []))
  if (isSame && wanted.length === axes.length) return [...axes]
  const factors = axes.flat().filter(({ size, isBatch }) => size !== 1 || isBatch)
  const open = wanted.indexOf(-1)
  if (open !== wanted.lastIndexOf(-1)) return null
  const take = (list: readonly Size[], isFromEnd: boolean): Axis[] | null => {
    const out: Axis[] = []
    for (const size of list) {
      const axis: Factor[] = []
      const isShort = () => extent(axis) !== size || (size === 1 && axis.length === 0)
      while (isShort() && factors.length > 0) {
        const next = factors.at(isFromEnd ? -1 : 0) as Factor
        // a batch of one row stands in an axis of extent 1
        if (extent(axis) === size && next.size !== 1) break
        if (isFromEnd) axis.unshift(factors.pop() as Factor)
        else axis.push(factors.shift() as Factor)
      }
      if (extent(axis) !== size) return null
      out.push(axis)
    }
    return out
  }
  if (open < 0) {
    const out = take(wanted, false)
    return out && factors.every((factor) => factor.size === 1) ? withBatch(out, factors) : null
  }
  const before = take(wanted.slice(0, open), false)
  const after = take(wanted.slice(open + 1).reverse(), true)
  return before && after ? [...before, [...factors], ...after.reverse()] : null
}

/** A batch of one row that no extent asked for stands in the first axis. */
const withBatch = (axes: Axis[], left: readonly Factor[]): Axis[] =>
  left.length === 0 ? axes : [[...left, ...(axes[0] ?? [])], ...axes.slice(1)]

/** Whether two lists of axes hold the same factors in the same places. */
export const sameAxes = (a: readonly Axis[], b: readonly Axis[]): boolean =>
  a.length === b.length && a.every((axis, i) => sameFactors(axis, b[i]!))

export const sameFactors = (a: Axis, b: Axis): boolean =>
  a.length === b.length && a.every((factor, i) => factor === b[i])
