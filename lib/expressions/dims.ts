/** Extents of expressions: numbers, and letters for what is known only with the data. */

/** A number, or a letter for an extent that only the data tell: 'B', 'T'. */
export type Dim = number | string
/** Extents with all axes, batch and time included. */
export type Dims = readonly Dim[]

export const showDims = (dims: Dims): string => `[${dims.join(', ')}]`

export const sameDims = (a: Dims, b: Dims): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis])

/**
 * Extents of what comes of two values, by NumPy's rules; or the two extents that do not fit each
 * other.
 */
export function broadcastDims(a: Dims, b: Dims): Dims | { a: Dim; b: Dim } {
  const out: Dim[] = []
  for (let back = 1; back <= Math.max(a.length, b.length); back++) {
    const [p, q] = [a.at(-back) ?? 1, b.at(-back) ?? 1]
    if (p !== q && p !== 1 && q !== 1) return { a: p, b: q }
    out.unshift(p === 1 ? q : p)
  }
  return out
}

/** 'T', -1 → 'T-1': an extent that is another one with a number added. */
export function shifted(extent: Dim, by: number): Dim {
  if (typeof extent === 'number') return extent + by
  const [, letter, sign, number] = /^(.*?)(?:([+-])(\d+))?$/.exec(extent)!
  const sum = (number === undefined ? 0 : Number(`${sign}${number}`)) + by
  return sum === 0 ? letter! : `${letter}${sum < 0 ? '' : '+'}${sum}`
}

/** The product of extents; with letters among them a text, the same for the same letters. */
export function productOf(dims: Dims): Dim {
  let number = 1
  const letters: string[] = []
  for (const extent of dims)
    if (typeof extent === 'number') number *= extent
    else letters.push(extent)
  if (letters.length === 0 || number === 0) return number
  return [...(number === 1 ? [] : [number]), ...letters.sort()].join('*')
}
