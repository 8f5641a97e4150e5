/** Lowering of expressions: programs compute what the expressions mean. No native code. */
import { describe, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import { divided } from '../../lib/expressions/lowering/divide.js'
import { Scan } from '../../lib/expressions/scan.js'
import { split } from '../../lib/expressions/lowering/split.js'
import { lowerFunction } from '../../lib/functions/lowering.js'
import { evaluate, runSpec, val, type Val } from './expression-oracle.js'
import { graphSeeds, matrix, numbers, randomGraph, reportGraphs } from './random-expressions.js'

/** A part of a campaign, not of the suite, may need minutes. */
const LONG = process.env.HS_GRAPHS ? 600_000 : 30_000

const { add, dot, mul, placeholder, relu, scan, shared, sigmoid, slice, softmax, sub, tanh } = K
type Expr = K.Expr

/** That the Spec of `outputs` computes what they mean. */
function expectSame(
  inputs: readonly ReturnType<typeof placeholder>[],
  outputs: readonly Expr[],
  values: readonly Val[],
) {
  const { spec, scopes } = lowerFunction({ inputs, outputs, updates: [] }, 'fn')
  const expected = evaluate(outputs, new Map(inputs.map((input, i) => [input, values[i]!])))
  const params = new Map(
    [...scopes].map(([variable, scope]) => {
      const { data, shape } = variable.getValue()
      return [`${scope}/value`, val(shape, data)]
    }),
  )
  const { outputs: actual } = runSpec(spec, values, params)
  for (const [i, { d, s }] of expected.entries()) {
    expect(actual[i]!.s).toEqual(s)
    for (const [k, x] of d.entries()) {
      const y = actual[i]!.d[k]!
      // Different orders of sums: some roundings of float64, of values up to 1e3.
      if (!Object.is(x, y) && !(Math.abs(x - y) <= 1e-10 * Math.max(1, Math.abs(x))))
        expect(y).toBe(x)
    }
  }
  return spec
}

describe('loops', () => {
  const [D, H] = [300, 6]
  const x = placeholder(['T', 'B', D], 'x')
  const [Wx, Wh, b] = [
    matrix(1, D, H, 'Wx'),
    matrix(2, H, H, 'Wh'),
    shared(new Array(H).fill(0.1), 'b'),
  ]
  const data = numbers(3, [5, 3, D])

  it('products of the sequence leave the loop, and what no state needs', () => {
    const Wo = matrix(4, H, 2, 'Wo')
    const [h, p] = scan(
      (x, h) => {
        const h1 = relu(add(x.dot(Wx), h.dot(Wh), b))
        return [h1, softmax(h1.dot(Wo))]
      },
      { sequences: x, outputsInfo: [shared(new Array(H).fill(0), 'h0'), null] },
    )
    const spec = expectSame([x], [h, p, K.last(h), K.last(p)], [data])
    const loop = spec.ops.find(({ op }) => op === 'scan')!
    const nodes = (loop.options.nodes as unknown as { op: string }[]).filter(
      ({ op }) => op === 'dot',
    )
    expect(nodes).toHaveLength(1)
  })
  it.each([false, true])('goBackwards: %s', (goBackwards) => {
    const [h, y] = scan(
      (x, h) => {
        const h1 = tanh(add(x.dot(Wx), h.dot(Wh)))
        return [h1, add(mul(h1, sigmoid(x.dot(Wx))), h)]
      },
      { sequences: x, outputsInfo: [shared(new Array(H).fill(0.5), 'h0'), null], goBackwards },
    )
    expectSame([x], [y, h, K.last(y)], [data])
  })
})

describe('random graphs', () => {
  it(
    'compute what they mean',
    () => {
      const seeds = graphSeeds(400)
      let loops = 0
      for (const seed of seeds) {
        const { inputs, outputs, data } = randomGraph(seed)
        const spec = expectSame(inputs, outputs, data)
        loops += spec.ops.filter(({ op }) => op === 'scan').length
      }
      reportGraphs('lowering', { graphs: seeds.length, loops })
      expect(loops).toBeGreaterThan(seeds.length / 8)
    },
    LONG,
  )
})

describe('what leaves a step', () => {
  const [D, H] = [300, 6]
  const wide = placeholder(['T', 'B', D], 'x')
  const w = (rows: number, columns: number) => matrix(rows, rows, columns, 'W')
  const dots = (list: readonly Expr[]) => list.filter(({ op }) => op === 'dot').length
  /** Products before the loop, in it, after it. */
  function counts(
    states: number,
    step: (x: Expr, ...s: Expr[]) => Expr[],
    x: Expr = wide,
  ): number[] {
    const outputs = scan(step as never, {
      sequences: x,
      outputsInfo: Array.from({ length: states }, () => shared(new Array(H).fill(0), 'h')),
    }) as readonly Expr[]
    const loop = outputs[0]!.args[0] as Scan
    const { before, after } = split(loop, () => true)
    const inside = divided(outputs)
      .flatMap(({ args }) => args)
      .find((arg) => arg instanceof Scan) as Scan
    const all = new Set<Expr>()
    const walk = (expr: Expr) => {
      if (all.has(expr) || inside.outside.includes(expr)) return
      all.add(expr)
      expr.args.forEach(walk)
    }
    inside.outputs.forEach(walk)
    return [dots(before), dots([...all]), dots(after)]
  }
  it('of a vanilla step 1 product', () => {
    expect(counts(1, (x, h) => [tanh(add(x.dot(w(D, H)), h!.dot(w(H, H))))])).toEqual([1, 1, 0])
  })
  it('of a GRU 3', () => {
    const gru = (x: Expr, h: Expr) => {
      const r = sigmoid(add(x.dot(w(D, H)), h.dot(w(H, H))))
      const z = sigmoid(add(x.dot(w(D, H)), h.dot(w(H, H))))
      const g = tanh(add(x.dot(w(D, H)), r.mul(h).dot(w(H, H))))
      return [add(mul(sub(1, z), h), mul(z, g))]
    }
    expect(counts(1, gru as never)).toEqual([3, 3, 0])
  })
  it('of an LSTM with matrices as peepholes 4', () => {
    const lstm = (x: Expr, h: Expr, c: Expr) => {
      const gate = (...c: Expr[]) =>
        add(x.dot(w(D, H)), h.dot(w(H, H)), ...c.map((one) => one.dot(w(H, H))))
      const [i, f] = [sigmoid(gate(c)), sigmoid(gate(c))]
      const c1 = add(mul(f, c), mul(i, tanh(gate())))
      return [mul(sigmoid(gate(c1)), tanh(c1)), c1]
    }
    expect(counts(2, lstm as never)).toEqual([4, 7, 0])
  })
  it('of a narrow sequence none that joins a product of states', () => {
    const x = placeholder(['T', 'B', 4], 'x')
    const sum = (x: Expr, h: Expr) => [tanh(add(x.dot(w(4, H)), h.dot(w(H, H)), h))]
    expect(counts(1, sum as never, x)).toEqual([0, 2, 0])
    const product = (x: Expr, h: Expr) => [tanh(mul(x.dot(w(4, H)), h.dot(w(H, H))))]
    expect(counts(1, product as never, x)).toEqual([1, 1, 0])
    const sequence = placeholder(['T', 4], 'x') // a step reads a vector: one row
    const row = (x: Expr, h: Expr) => [tanh(add(x.dot(w(4, H)), h.dot(w(H, H))))]
    expect(counts(1, row as never, sequence)).toEqual([1, 1, 0])
  })
  it('a sum of what no state changes', () => {
    const b = shared(new Array(H).fill(0.1), 'b')
    const [h] = scan((x, h) => [tanh(add(mul(x.dot(w(D, H)), 2), h.dot(w(H, H)), b, h))], {
      sequences: wide,
      outputsInfo: [shared(new Array(H).fill(0), 'h')],
    })
    const [root] = divided([h])
    const loop = root!.args[0] as Scan
    expect(loop.sequences.map(({ op }) => op)).toEqual(['add'])
    expectSame([wide], [h], [numbers(3, [5, 3, D])])
  })
  it('with gates side by side 1', () => {
    const gates = (x: Expr, h: Expr) => {
      const a = add(dot(x, w(D, 2 * H)), dot(h, w(H, 2 * H)))
      return [mul(sigmoid(slice(a, 0, H)), tanh(slice(a, H)))]
    }
    expect(counts(1, gates as never)).toEqual([1, 1, 0])
  })
})
