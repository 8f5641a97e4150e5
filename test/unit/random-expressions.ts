/** Random graphs of expressions; a shape that does not fit is refused, and left out. */
import fs from 'node:fs'
import { expect } from 'vitest'
import * as K from '../../lib/functions/index.js'
import { random } from '../arrays.js'
import { type Val, val } from './expression-oracle.js'

const { add, dot, mul, placeholder, scan, shared, slice, sub, tanh } = K
type Expr = K.Expr

export const numbers = (seed: number, s: readonly number[]): Val => {
  const next = random(seed)
  return val(
    s,
    Float64Array.from({ length: s.reduce((a, b) => a * b, 1) }, () => next() * 2 - 1),
  )
}

export const matrix = (seed: number, rows: number, columns: number, name: string) => {
  const { d } = numbers(seed, [rows, columns])
  return shared({ data: d, shape: [rows, columns] }, name)
}

export const letters = { T: 4, B: 3 }
const D = 2

/** Those of 1 to `count`, or HS_GRAPHS, '501-1000' (scripts/fuzz-expressions.mjs). */
export function graphSeeds(count: number): number[] {
  const [first, last] = (process.env.HS_GRAPHS ?? `1-${count}`).split('-').map(Number)
  return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i)
}

let refusals = 0

/** Tells the campaign what a test has seen. */
export function reportGraphs(what: string, seen: Readonly<Record<string, number>>): void {
  const file = process.env.HS_GRAPHS_REPORT
  if (file) fs.appendFileSync(file, `${JSON.stringify({ what, ...seen, refusals })}\n`)
  refusals = 0
}

const pick = <V>(next: () => number, list: readonly V[]): V =>
  list[Math.floor(next() * list.length)]!
/** One more value, made of those that there are. */
function grown(next: () => number, values: readonly Expr[]): Expr {
  const [a, b] = [pick(next, values), pick(next, values)]
  const makers: (() => Expr)[] = [
    () => tanh(a),
    () => add(a, b),
    () => mul(a, b),
    () => sub(a, 1),
    () => K.maximum(a, b),
    () => K.where(K.less(a, b), a, b),
    () => K.mean(a, -1),
    () => K.sum(a, 0, true),
    () => K.softmax(a),
    () => dot(a, b),
    () => dot(a, K.transpose(b)),
    () => K.concat(a, b),
    () => slice(a, 0, 1),
    () => slice(a, -1, null, 0),
    () => K.transpose(a),
    () => K.expandDims(a, 0),
    () => K.cumsum(a, 0),
    () => K.at(a, -1),
    () => K.flatten(a),
    () => K.repeatElements(a, 2, 0),
    () => K.oneHot(K.minimum(K.argmax(a), D - 1), D),
    () => K.pick(a, K.argmax(a)),
    () => K.gather(b, K.minimum(K.argmax(a), Number(b.shape[0] === D))),
    () => K.zerosLike(a).add(0.5),
    () => K.broadcastTo(a, b),
    () => K.batchDot(a, b),
    () => K.l2Normalize(add(a, 2)),
    () => scanOf(next, a, b),
    () => scanOf(next, b, a),
    () => scanOf(next, values[0]!, b),
  ]
  return pick(next, makers)()
}
/** Whether gradients of some loops go through the last steps alone. */
let mayTruncate = true

function scanOf(next: () => number, a: Expr, b: Expr): Expr {
  const outputs = scan(
    (x: Expr, h: Expr) => {
      const values = [x, h, b]
      for (let i = 0; i < 6; i++) tryGrow(next, values)
      const fits = values.filter(({ shape }) => String(shape) === String(h.shape))
      return [mul(0.5, pick(next, fits)), values.at(-1)!]
    },
    {
      sequences: a,
      outputsInfo: [K.zerosLike(K.at(a, 0)), null],
      goBackwards: next() < 0.3,
      truncateGradient: next() < 0.2 && mayTruncate ? 2 : null,
    },
  ) as readonly Expr[]
  return pick(next, outputs)
}
/** What a shape refuses is left out. */
function tryGrow(next: () => number, values: Expr[]): void {
  try {
    const made = grown(next, values)
    if (made.ndim <= 4) values.push(made)
  } catch (error) {
    refusals++
    expect(['ERR_SHAPE', 'ERR_OPTION']).toContain((error as { code?: string }).code)
    const { message } = error as Error
    expect(message).toMatch(/: .* must be .*, got .*\./)
    // It names expressions with their shapes, but where a loop in a loop is refused.
    expect(message).toMatch(/\[|outside of a step/)
  }
}

/**
 * A graph: inputs with values, and some of what is made of them.
 *
 * @param truncates whether gradients of some loops are cut, so that they are no differences
 */
export function randomGraph(seed: number, truncates = true) {
  mayTruncate = truncates
  const next = random(seed)
  const inputs = [placeholder(['T', 'B', D], 'x'), placeholder(['B', D], 'y')]
  const params = [matrix(seed, D, D, 'W'), shared([0.5, -0.5], 'b')]
  const values: Expr[] = [...inputs, ...params]
  for (let i = 0; i < 25; i++) tryGrow(next, values)
  const outputs = values.slice(4).filter(() => next() < 0.4)
  const sizes = (shape: K.Dims) =>
    shape.map((e) => (typeof e === 'number' ? e : letters[e as 'T' | 'B']))
  const data = inputs.map(({ shape }, i) => numbers(seed * 10 + i, sizes(shape)))
  return { inputs, params, outputs, data }
}
