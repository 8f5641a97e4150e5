/** Targets that are labels of whole samples, of any length: for the loss 'ctc'. */
import { ConfigError, fail, ShapeError } from '../errors.js'
import type { NativeArray } from '../native.js'
import { contiguous, isArrayObject, shapeText } from '../ndarray.js'
import { Ragged } from '../ragged.js'

/**
 * Labels of any length, a list or a Ragged, as an array [N, L] padded with -1; all else as it is.
 *
 * @param name how messages call it
 * @throws ConfigError ERR_OPTION for a list of something else
 */
export function paddedLabels(y: unknown, name: string): unknown {
  if (y instanceof Ragged && y.stepShape.length === 0) return y.padded(undefined, { value: -1 })
  if (!Array.isArray(y) || y.length === 0) return y
  const rows = y.map(rowOf)
  if (rows.includes(null)) return y
  const labels = rows as ArrayLike<unknown>[]
  const L = labels.reduce((most, row) => Math.max(most, row.length), 1)
  const data = new Float64Array(labels.length * L).fill(-1) // [N, L]
  for (const [n, row] of labels.entries()) {
    for (let i = 0; i < row.length; i++) {
      const label = row[i]
      if (typeof label !== 'number') refuse(name, n, 'a list of integers', typeof label)
      data[n * L + i] = label as number
    }
  }
  return { data, shape: [labels.length, L] }
}

/** The label of one sample; null for what is none. */
function rowOf(row: unknown): ArrayLike<unknown> | null {
  if (isArrayObject(row)) return row.shape.length === 1 ? contiguous(row, 'label').data : null
  const isList = Array.isArray(row) || (ArrayBuffer.isView(row) && !(row instanceof DataView))
  return isList ? (row as unknown as ArrayLike<unknown>) : null
}

function refuse(name: string, n: number, expected: string, actual: string): never {
  return fail(ConfigError, 'ERR_OPTION', {
    where: name,
    what: `label of sample ${n}`,
    expected,
    actual,
  })
}

/**
 * Checks labels [N, L].
 *
 * @throws ShapeError ERR_SHAPE for another shape; ConfigError ERR_OPTION for what is no label
 */
export function checkLabels(
  { data, shape }: NativeArray,
  { where, classes, blank }: { where: string; classes: number; blank: number },
  name: string,
): void {
  if (shape.length !== 2 || shape.includes(0))
    fail(ShapeError, 'ERR_SHAPE', {
      where,
      layer: where,
      what: name,
      expected: 'labels [N, L], padded with -1 at the end, or a list of N lists of any length',
      actual: shapeText(shape),
    })
  const [N, L] = shape as [number, number]
  const others = `integers from 0 to ${classes - 1} other than ${blank}, the blank`
  for (let n = 0; n < N; n++) {
    let hasEnded = false
    for (let i = n * L; i < (n + 1) * L; i++) {
      const label = data[i]!
      hasEnded ||= label === -1
      const isLabel = Number.isInteger(label) && label >= 0 && label < classes && label !== blank
      if (hasEnded ? label !== -1 : !isLabel)
        refuse(name, n, `${others}, then -1 to the end`, `${label} at ${i - n * L}`)
    }
  }
}
