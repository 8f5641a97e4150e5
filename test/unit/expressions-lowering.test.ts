/** Lowering of expressions: programs compute what the expressions mean. No native code. */
import { describe, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import { divided } from '../../lib/expressions/lowering/divide.js'
import { Scan } from '../../lib/expressions/scan.js'
import { split } from '../../lib/expressions/lowering/split.js'
import { lowerFunction } from '../../lib/functions/lowering.js'
import { random } from '../arrays.js'
import { evaluate, runSpec, val, type Val } from './expression-oracle.js'

const { add, dot, mul, placeholder, relu, scan, shared, sigmoid, slice, softmax, sub, tanh } = K
type Expr = K.Expr

const numbers = (seed: number, s: number[]): Val => {
  const next = random(seed)
  return val(
    s,
    Float64Array.from({ length: s.reduce((a, b) => a * b, 1) }, () => next() * 2 - 1),
  )
}

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

const matrix = (seed: number, rows: number, columns: number, name: string) => {
  const { d } = numbers(seed, [rows, columns])
  return shared({ data: d, shape: [rows, columns] }, name)
}

describe('loops', () => {
  const [D, H] = [4, 6]
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
  const letters = { T: 4, B: 3 }
  const D = 2
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
      () => K.oneHot(K.argmax(a), D),
      () => K.pick(a, K.argmax(a)),
      () => K.gather(b, K.argmax(a)),
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
        truncateGradient: next() < 0.2 ? 2 : null,
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
      expect(['ERR_SHAPE', 'ERR_OPTION']).toContain((error as { code?: string }).code)
      expect((error as Error).message).toMatch(/: .* must be .*, got .*\./)
    }
  }
  it('compute what they mean', () => {
    let loops = 0
    for (let seed = 1; seed <= 400; seed++) {
      const next = random(seed)
      const inputs = [placeholder(['T', 'B', D], 'x'), placeholder(['B', D], 'y')]
      const values: Expr[] = [...inputs, matrix(seed, D, D, 'W'), shared([0.5, -0.5], 'b')]
      for (let i = 0; i < 25; i++) tryGrow(next, values)
      const outputs = values.slice(4).filter(() => next() < 0.4)
      const sizes = (shape: K.Dims) =>
        shape.map((e) => (typeof e === 'number' ? e : letters[e as 'T' | 'B']))
      const data = inputs.map(({ shape }, i) => numbers(seed * 10 + i, sizes(shape)))
      const spec = expectSame(inputs, outputs, data)
      loops += spec.ops.filter(({ op }) => op === 'scan').length
    }
    expect(loops).toBeGreaterThan(50)
  })
})

describe('what leaves a step', () => {
  const [D, H] = [4, 6]
  const x = placeholder(['T', 'B', D], 'x')
  const w = (rows: number, columns: number) => matrix(rows, rows, columns, 'W')
  const dots = (list: readonly Expr[]) => list.filter(({ op }) => op === 'dot').length
  /** Products before the loop, in it, after it. */
  function counts(states: number, step: (x: Expr, ...s: Expr[]) => Expr[]): number[] {
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
  it('with gates side by side 1', () => {
    const gates = (x: Expr, h: Expr) => {
      const a = add(dot(x, w(D, 2 * H)), dot(h, w(H, 2 * H)))
      return [mul(sigmoid(slice(a, 0, H)), tanh(slice(a, H)))]
    }
    expect(counts(1, gates as never)).toEqual([1, 1, 0])
  })
})
