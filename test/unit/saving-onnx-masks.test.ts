/**
 * Masks in ONNX: the operators that are written are computed here, by their definitions
 * (onnx/docs/Operators.md), and compared with what a mask of Keras does.
 */
import { describe, expect, it } from 'vitest'
import { masked, maskOfSteps, maskOfWords } from '../../lib/saving/onnx/write-masks.js'
import { Graph } from '../../lib/saving/onnx/written.js'
import { random } from '../arrays.js'

interface Array_ {
  shape: readonly number[]
  data: readonly number[]
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
/** The places of an array, and the number at one; axes of extent 1 are shared. */
function* places(shape: readonly number[]): Generator<number[]> {
  for (let i = 0; i < sizeOf(shape); i++)
    yield shape.map((_, axis) => Math.floor(i / sizeOf(shape.slice(axis + 1))) % shape[axis]!)
}
function at({ shape, data }: Array_, place: readonly number[]): number {
  const own = place.slice(place.length - shape.length)
  return data[own.reduce((sum, p, axis) => sum * shape[axis]! + (shape[axis] === 1 ? 0 : p), 0)]!
}
const made = (shape: readonly number[], of: (place: number[]) => number): Array_ => ({
  shape,
  data: Array.from(places(shape), of),
})
function broadcast(arrays: readonly Array_[]): number[] {
  const rank = Math.max(...arrays.map(({ shape }) => shape.length))
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...arrays.map(({ shape }) => shape[axis - rank + shape.length] ?? 1)),
  )
}
const each =
  (of: (...values: number[]) => number) =>
  (inputs: readonly Array_[]): Array_ =>
    made(broadcast(inputs), (place) => of(...inputs.map((one) => at(one, place))))
const replaced = (place: readonly number[], axis: number, by: number): number[] =>
  place.map((p, i) => (i === axis ? by : p))

type Attributes = Record<string, number>
const OPERATORS: Record<string, (inputs: readonly Array_[], attributes: Attributes) => Array_> = {
  Add: each((a, b) => a + b),
  Sub: each((a, b) => a - b),
  Mul: each((a, b) => a * b),
  Max: each(Math.max),
  Min: each(Math.min),
  Equal: each((a, b) => Number(a === b)),
  Not: each((a) => Number(!a)),
  Cast: ([x], { to }) => each((a) => (to === 9 ? Number(a !== 0) : a))([x!]),
  Shape: ([x]) => ({ shape: [x!.shape.length], data: x!.shape }),
  Gather: ([x, i]) => made(i!.shape, (place) => x!.data[at(i!, place)]!),
  Unsqueeze: ([x, axes]) => {
    const shape = [...x!.shape]
    shape.splice(axes!.data[0]!, 0, 1)
    return { ...x!, shape }
  },
  Expand: ([x, to]) =>
    made(broadcast([x!, { shape: to!.data, data: [] }]), (place) => at(x!, place)),
  CumSum: ([x, axis]) =>
    made(x!.shape, (place) => {
      const a = axis!.data[0]!
      const upTo = Array.from({ length: place[a]! + 1 }, (_, i) => at(x!, replaced(place, a, i)))
      return upTo.reduce((sum, value) => sum + value, 0)
    }),
  ReduceSum: ([x]) =>
    made(x!.shape.slice(0, 1), ([n]) =>
      Array.from({ length: x!.shape[1]! }, (_, t) => at(x!, [n!, t])).reduce((a, b) => a + b, 0),
    ),
  ReduceMax: ([x]) =>
    made(x!.shape.slice(0, -1), (place) =>
      Math.max(...Array.from({ length: x!.shape.at(-1)! }, (_, d) => at(x!, [...place, d]))),
    ),
  TopK: ([x]) => {
    const rows = Array.from({ length: x!.shape[0]! }, (_, n) =>
      Array.from({ length: x!.shape[1]! }, (_v, t) => t).sort(
        (a, b) => at(x!, [n, b]) - at(x!, [n, a]),
      ),
    )
    return { shape: x!.shape, data: rows.flat() }
  },
  GatherElements: ([x, i], { axis }) =>
    made(i!.shape, (place) => at(x!, replaced(place, axis!, at(i!, place)))),
  Concat: (all, { axis }) => {
    const [first] = all as [Array_]
    const shape = replaced(
      first.shape,
      axis!,
      all.reduce((sum, one) => sum + one.shape[axis!]!, 0),
    )
    return made(shape, (place) => {
      let [i, p] = [0, place[axis!]!]
      while (p >= all[i]!.shape[axis!]!) p -= all[i++]!.shape[axis!]!
      return at(all[i]!, replaced(place, axis!, p))
    })
  },
}

/** What the nodes of a graph make of its inputs. */
function run(graph: Graph, inputs: Record<string, Array_>, wanted: string): Array_ {
  const values = new Map(Object.entries(inputs))
  for (const { name, shape, numbers } of graph.tensors)
    values.set(name, { shape, data: [...numbers] })
  for (const { op, inputs: from, outputs, attributes } of graph.nodes) {
    const own = from.map((name) => values.get(name)!)
    values.set(outputs.at(-1)!, OPERATORS[op]!(own, attributes as Attributes))
  }
  return values.get(wanted)!
}

const draw = random(5)
const [N, T, D, H] = [6, 7, 2, 3]
const masks = Array.from({ length: N }, (_, n) =>
  // all, none, at the end, in front, anywhere
  Array.from({ length: T }, (_v, t) =>
    n === 0 ? 1 : n === 1 ? 0 : n === 2 ? Number(t < 3) : n === 3 ? Number(t > 4) : draw() < 0.5,
  ).map(Number),
)
const numbers = (shape: readonly number[]): Array_ => made(shape, () => draw())

describe('masks in ONNX', () => {
  const mask: Array_ = { shape: [N, T], data: masks.flat() }
  const counting = masks.map((row) => row.flatMap((one, t) => (one ? [t] : [])))

  it('put the steps that count in front, and say how many', () => {
    const graph = new Graph()
    const x = numbers([N, T, D])
    const given = { x: 'x', mask: 'mask', features: D, units: H }
    const steps = masked(graph, 'rnn', given, [false])
    const front = run(graph, { x, mask }, steps.x)
    expect(run(graph, { x, mask }, steps.lengths).data).toEqual(counting.map((c) => c.length))
    for (const [n, row] of counting.entries())
      for (const [i, t] of row.entries())
        for (let d = 0; d < D; d++) expect(at(front, [n, i, d])).toBe(at(x, [n, t, d]))
  })

  it.each([[[false]], [[true]], [[false, true]]])('hand outputs on (%j)', (ends) => {
    const graph = new Graph()
    const x = numbers([N, T, D])
    const y = numbers([N, T, ends.length * H])
    const given = { x: 'x', mask: 'mask', features: D, units: H }
    const steps = masked(graph, 'rnn', given, ends)
    const out = run(graph, { x, mask, y }, steps.spread('y'))
    expect(out.shape).toEqual(y.shape)
    for (const [n, row] of counting.entries())
      for (let t = 0; t < T; t++)
        for (let h = 0; h < ends.length * H; h++) {
          const isBackward = ends[Math.floor(h / H)]!
          const step = isBackward
            ? row.findIndex((each_) => each_ >= t)
            : row.filter((each_) => each_ <= t).length - 1
          expect(at(out, [n, t, h])).toBe(step < 0 ? 0 : at(y, [n, step, h]))
        }
  })

  it('are made of words and of steps', () => {
    const graph = new Graph()
    const words: Array_ = { shape: [2, 3], data: [0, 4, 2, 1, 0, 0] }
    const ofWords = maskOfWords(graph, 'words', 'words')
    expect(run(graph, { words }, ofWords).data).toEqual([0, 1, 1, 1, 0, 0])
    const other = new Graph()
    const x: Array_ = { shape: [1, 3, 2], data: [0.5, 0.5, 0.5, 0, 1, 2] }
    const { mask: ofSteps, x: kept } = maskOfSteps(other, 'masking', 'x', 0.5)
    expect(run(other, { x }, ofSteps).data).toEqual([0, 1, 1])
    expect(run(other, { x }, kept).data).toEqual([0, 0, 0.5, 0, 1, 2])
  })
})
