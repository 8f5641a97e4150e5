/**
 * The table of ops: how many arguments one has, its attributes, and what shape its value has. Names
 * and attributes are those of programs (decision 0037).
 */
import type { Attributes, Kind } from './attributes.js'
import {
  broadcastDims,
  type Dim,
  type Dims,
  productOf,
  sameDims,
  shifted,
  showDims,
} from './dims.js'
import { refuseShape } from './place.js'

/** An argument, as far as shapes and messages go. */
export interface Operand {
  readonly shape: Dims
  /** 'x [B, 4]' */
  readonly label: string
}

export interface Op {
  /** What messages call it, where that is not its name. */
  readonly called?: string
  readonly arguments: readonly [least: number, most: number]
  readonly attributes: Readonly<Record<string, Kind>>
  /**
   * How the value follows from the arguments: `each` number from those at its place (after
   * broadcasting), each `row` of the last axis from a row, or in some `other` way.
   */
  readonly follows: 'each' | 'row' | 'other'
  /** @throws ShapeError ERR_SHAPE */
  shape(where: string, args: readonly Operand[], attributes: Attributes): Dims
}

const MANY = 10_000

const numbers = (attributes: Attributes, key: string) => attributes[key] as readonly number[]
const number = (attributes: Attributes, key: string) => attributes[key] as number

const asFirst: Op['shape'] = (_where, [a]) => a!.shape

const broadcast: Op['shape'] = (where, args) => {
  let out = args[0]!.shape
  for (const { shape } of args.slice(1)) {
    const both = broadcastDims(out, shape)
    if (!('a' in both)) out = both
    else
      refuseShape({
        where,
        what: 'extents',
        expected: 'equal or 1 from the last axis on',
        actual: `${both.a} and ${both.b}`,
      })
  }
  return out
}

const each = (count: number, attributes: Op['attributes'] = {}, called?: string): Op => ({
  arguments: [count, count],
  attributes,
  follows: 'each',
  shape: count === 1 ? asFirst : broadcast,
  ...(called === undefined ? {} : { called }),
})

const reduction = (called?: string): Op => ({
  arguments: [1, 1],
  attributes: { axes: 'axes', keep: 'flag' },
  follows: 'other',
  shape: (_where, [a], attributes) => {
    const axes = numbers(attributes, 'axes')
    return a!.shape.flatMap((extent, axis) =>
      !axes.includes(axis) ? [extent] : attributes.keep ? [1] : [],
    )
  },
  ...(called === undefined ? {} : { called }),
})

/** Needs an axis or more. */
function requireAxes(where: string, what: string, { shape }: Operand, least: number): void {
  if (shape.length >= least) return
  refuseShape({
    where,
    what,
    expected: least === 1 ? 'of one axis or more' : `of ${least} axes or more`,
    actual: showDims(shape),
  })
}

const ofRows: Op['shape'] = (where, [a]) => {
  requireAxes(where, 'its argument', a!, 1)
  return a!.shape
}

const dot: Op['shape'] = (where, [a, b]) => {
  requireAxes(where, 'the left-hand side', a!, 1)
  if (b!.shape.length !== 2)
    refuseShape({
      where,
      what: 'the right-hand side',
      expected: 'a matrix',
      actual: showDims(b!.shape),
    })
  const [rows, columns] = b!.shape
  const own = a!.shape.at(-1)
  if (own !== rows)
    refuseShape({
      where,
      what: 'columns of the left',
      expected: `the rows of the right, ${rows}`,
      actual: String(own),
      hint: own === columns ? 'Transposed? Use .T.' : undefined,
    })
  return [...a!.shape.slice(0, -1), columns!]
}

const batchDot: Op['shape'] = (where, [a, b]) => {
  for (const operand of [a!, b!]) requireAxes(where, operand.label, operand, 3)
  const [left, right] = [a!.shape, b!.shape]
  if (!sameDims(left.slice(0, -2), right.slice(0, -2)))
    refuseShape({
      where,
      what: 'axes before the last two',
      expected: showDims(left.slice(0, -2)),
      actual: showDims(right.slice(0, -2)),
    })
  if (left.at(-1) !== right.at(-2))
    refuseShape({
      where,
      what: 'columns of the left',
      expected: `the rows of the right, ${right.at(-2)}`,
      actual: String(left.at(-1)),
    })
  return [...left.slice(0, -1), right.at(-1)!]
}

const withoutAxis: Op['shape'] = (_where, [a], attributes) =>
  a!.shape.filter((_, axis) => axis !== attributes.axis)

const pick: Op['shape'] = (where, [p, index]) => {
  requireAxes(where, 'the numbers to pick from', p!, 1)
  const rows = p!.shape.slice(0, -1)
  if (!sameDims(rows, index!.shape))
    refuseShape({
      where,
      what: 'the indices',
      expected: showDims(rows),
      actual: showDims(index!.shape),
    })
  return index!.shape
}

const gather: Op['shape'] = (where, [table, index]) => {
  requireAxes(where, 'the table', table!, 1)
  return [...index!.shape, ...table!.shape.slice(1)]
}

/** 4 and 'T' make 'T+4'. */
function sumOf(extents: readonly Dim[]): Dim {
  const letters = extents.filter((extent) => typeof extent === 'string')
  const rest = extents.reduce<number>((sum, e) => sum + (typeof e === 'number' ? e : 0), 0)
  return letters.length === 0 ? rest : shifted(letters.join('+'), rest)
}

const concat: Op['shape'] = (where, args, attributes) => {
  const axis = number(attributes, 'axis')
  const [first] = args
  for (const { shape, label } of args.slice(1)) {
    const fits =
      shape.length === first!.shape.length &&
      shape.every((extent, k) => k === axis || extent === first!.shape[k])
    if (!fits)
      refuseShape({
        where,
        what: `${label}: axes other than ${axis}`,
        expected: `as those of ${first!.label}`,
        actual: showDims(shape),
      })
  }
  return first!.shape.map((extent, k) =>
    k === axis ? sumOf(args.map(({ shape }) => shape[k]!)) : extent,
  )
}

/** What is left of an extent between `from` and `to`, which count from the end where negative. */
function sliced(extent: Dim, from: number, to: number | null): Dim {
  if (typeof extent === 'number') {
    const place = (at: number) => Math.min(extent, Math.max(0, at < 0 ? at + extent : at))
    return Math.max(0, (to === null ? extent : place(to)) - place(from))
  }
  if (from < 0) return (to ?? 0) <= 0 ? (to ?? 0) - from : shifted(extent, 0)
  return to !== null && to >= 0 ? to - from : shifted(extent, (to ?? 0) - from)
}

const slice: Op['shape'] = (where, [a], attributes) => {
  const { from, to } = attributes as { from: number; to: number | null }
  const [axis, step] = [number(attributes, 'axis'), number(attributes, 'step')]
  if (to !== null && from < 0 !== to < 0 && from < 0)
    refuseShape({ where, what: 'to', expected: 'negative or null, as from is', actual: `${to}` })
  return a!.shape.map((extent, k) => {
    if (k !== axis) return extent
    const length = sliced(extent, from, to)
    if (step === 1) return length
    return typeof length === 'number' ? Math.ceil(length / step) : `(${length})/${step}`
  })
}

/** -1 is what is left, -2-k the extent of axis k of the argument. */
const reshape: Op['shape'] = (where, [a], attributes) => {
  const dims = numbers(attributes, 'dims')
  const wrong = (expected: string, actual: string) =>
    refuseShape({ where, what: 'the new shape', expected, actual })
  const left = [...a!.shape]
  const out = dims.map((extent): Dim => {
    if (extent >= -1) return extent
    const own = a!.shape[-2 - extent]
    return own ?? wrong(`of axes that ${a!.label} has`, `its axis ${-2 - extent}`)
  })
  if (dims.filter((extent) => extent === -1).length > 1)
    wrong('given but for one axis', `[${dims.join(', ')}]`)
  for (const extent of out) {
    if (typeof extent !== 'string') continue
    const at = left.indexOf(extent)
    if (at < 0) wrong(`of ${a!.label} in other axes`, showDims(out))
    left.splice(at, 1)
  }
  const known = out.reduce<number>((n, e) => n * (typeof e === 'number' && e >= 0 ? e : 1), 1)
  const rest = left.filter((extent) => typeof extent === 'number')
  const size = rest.reduce<number>((n, extent) => n * (extent as number), 1)
  const letters = left.filter((extent) => typeof extent === 'string')
  const open = out.indexOf(-1)
  const fits = open < 0 ? size === known && letters.length === 0 : known > 0 && size % known === 0
  if (!fits) wrong(`of ${productOf(a!.shape)} numbers, as ${a!.label} has`, showDims(out))
  if (open >= 0) out[open] = productOf([size / known, ...letters])
  return out
}

const permute: Op['shape'] = (where, [a], attributes) => {
  const axes = numbers(attributes, 'axes')
  if (axes.length !== a!.shape.length)
    refuseShape({
      where,
      what: 'the order of axes',
      expected: `of ${a!.shape.length} axes`,
      actual: `of ${axes.length}`,
    })
  return axes.map((axis) => a!.shape[axis]!)
}

const asSecond: Op['shape'] = (where, [a, like]) => {
  const both = broadcastDims(a!.shape, like!.shape)
  if ('a' in both || !sameDims(both, like!.shape))
    refuseShape({
      where,
      what: a!.label,
      expected: `one that can be broadcast to ${showDims(like!.shape)}`,
      actual: showDims(a!.shape),
    })
  return like!.shape
}

const full: Op['shape'] = (where, args, attributes) =>
  numbers(attributes, 'dims').map((extent) => {
    if (extent >= 0) return extent
    const own = args[0]?.shape[-1 - extent]
    return (
      own ??
      refuseShape({ where, what: 'an axis', expected: 'one of the argument', actual: `${extent}` })
    )
  })

const other = (
  count: number | readonly [number, number],
  attributes: Op['attributes'],
  shape: Op['shape'],
  called?: string,
): Op => ({
  arguments: typeof count === 'number' ? [count, count] : count,
  attributes,
  follows: 'other',
  shape,
  ...(called === undefined ? {} : { called }),
})

const TABLE = {
  number: other(0, { value: 'number' }, () => []),
  full: other([0, 1], { value: 'number', dims: 'integers' }, full),
  phase: other(0, {}, () => [], 'learningPhase'),
  // each number for itself
  activation: {
    ...each(1, { name: 'activation' }),
    shape: (where, args, attributes) =>
      attributes.name === 'softmax' ? ofRows(where, args, attributes) : args[0]!.shape,
  },
  exp: each(1),
  log: each(1),
  sqrt: each(1),
  square: each(1),
  abs: each(1),
  sign: each(1),
  reciprocal: each(1),
  power: each(1, { exponent: 'number' }, 'pow'),
  clip: each(1, { min: 'number', max: 'number' }),
  dropout: each(1, { p: 'share', seed: 'seed' }),
  stop_gradient: each(1, {}, 'stopGradient'),
  add: each(2),
  sub: each(2),
  mul: each(2),
  div: each(2),
  max: each(2, {}, 'maximum'),
  min: each(2, {}, 'minimum'),
  equal: each(2),
  less: each(2),
  less_equal: each(2, {}, 'lessEqual'),
  where: each(3),
  // over axes
  log_softmax: { ...each(1, {}, 'logSoftmax'), follows: 'row', shape: ofRows },
  sum: reduction(),
  mean: reduction(),
  max_of: reduction('max'),
  min_of: reduction('min'),
  prod: reduction(),
  argmax: other(1, { axis: 'axis' }, withoutAxis),
  cumsum: other(1, { axis: 'axis' }, asFirst),
  // products
  dot: { ...other(2, {}, dot), follows: 'row' },
  batch_dot: other(2, {}, batchDot, 'batchDot'),
  // by indices
  gather: other(2, {}, gather),
  pick: other(2, {}, pick),
  one_hot: other(
    1,
    { classes: 'positive' },
    (_where, [a], { classes }) => [...a!.shape, classes as number],
    'oneHot',
  ),
  // the same numbers in another shape
  concat: other([1, MANY], { axis: 'axis' }, concat),
  slice: other(1, { axis: 'axis', from: 'integer', to: 'bound', step: 'positive' }, slice),
  reshape: other(1, { dims: 'integers' }, reshape),
  permute: other(1, { axes: 'axes' }, permute),
  broadcast: other(2, {}, asSecond),
  repeat: other(1, { axis: 'axis', count: 'positive' }, (_where, [a], attributes) =>
    a!.shape.map((extent, k) =>
      k === attributes.axis ? productOf([number(attributes, 'count'), extent]) : extent,
    ),
  ),
} satisfies Record<string, Op>

export type OpName = keyof typeof TABLE

/** Every op by its name. */
export const ops: Readonly<Record<OpName, Op>> = TABLE

/** What messages call an op. */
export function calledOp(name: string, attributes: Attributes): string {
  if (name === 'activation')
    return String(attributes.name).replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
  return Object.hasOwn(ops, name) ? (ops[name as OpName].called ?? name) : name
}
