/** Functions of expressions: updates, calls that meet, and programs as written in Theano. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import { setFloatx, setSeed } from '../../lib/index.js'
import { random } from '../arrays.js'

const { add, checkGradient, div, fn, grad, last, log, mean, mul, neg, pick, placeholder } = K
const { relu, scan, shared, softmax, sqrt, square, sub, sum, tanh } = K

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

const next = random(12345)
const rnd = () => next() - 0.5
const matrix = (rows: number, columns: number) =>
  Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => (2 * rnd()) / Math.sqrt(rows + columns)),
  )
const cube = (...[T, B, D]: [number, number, number]) =>
  Array.from({ length: T }, () => Array.from({ length: B }, () => Array.from({ length: D }, rnd)))

describe('updates', () => {
  it('read old values and take effect together', async () => {
    const [a, b] = [shared([1, 2], 'a'), shared([10, 20], 'b')]
    const swap = fn([], [a, b], {
      updates: [
        [a, b],
        [b, a.mul(2)],
      ],
    })
    const [before] = await swap()
    expect(before.toArray()).toEqual([1, 2])
    expect([a, b].map((v) => v.getValue().toArray())).toEqual([
      [10, 20],
      [2, 4],
    ])
    expect(await fn([], [], { updates: [] })()).toEqual([])
    swap.sync()
    expect([a, b].map((v) => v.getValue().toArray())).toEqual([
      [2, 4],
      [20, 40],
    ])
  })
  it('take no effect when one of them is not finite', async () => {
    const [a, b] = [shared([1, 2], 'a'), shared(1, 'b')]
    const x = placeholder([], 'x')
    const updates = [
      [a, a.mul(3)],
      [b, div(b, x)],
    ] as const
    const f = fn([x], b.div(x), { updates, onNaN: 'throw', name: 'train' })
    await expect(f(0)).rejects.toThrow(
      'train: new values of variables must be finite, got a number that is not.',
    )
    expect(() => f.sync(0)).toThrow(expect.objectContaining({ code: 'ERR_NAN' }))
    expect(a.getValue().toArray()).toEqual([1, 2])
    expect(b.getValue().data[0]).toBe(1)
    await f(2)
    expect(a.getValue().toArray()).toEqual([3, 6])
    expect(b.getValue().data[0]).toBe(0.5)
  })
  it('of variables that several functions use', async () => {
    const w = shared([1, 1], 'w')
    const [x, y] = [placeholder([2], 'x'), placeholder([2], 'y')]
    const double = fn([x], sum(w.mul(x)), { updates: [[w, w.mul(2)]] })
    const other = fn([y], sum(w.add(y)))
    const [a, b, c] = await Promise.all([double([1, 1]), other([0, 0]), double([1, 1])])
    expect([a, b, c].map((v) => v.data[0])).toEqual([2, 4, 4])
    expect(w.getValue().toArray()).toEqual([4, 4])
    double.dispose()
    expect((await other([0, 0])).data[0]).toBe(8)
    other.dispose()
    expect(w.getValue().toArray()).toEqual([4, 4])
  })
})

describe('calls', () => {
  const w = shared(
    [
      [1, 0],
      [0, 1],
    ],
    'w',
  )
  const x = placeholder(['B', 2], 'x')
  const f = fn([x], x.dot(w), { name: 'f' })
  it('queue; sync and values refuse while one runs', async () => {
    const running = f([[1, 2]])
    expect(() => f.sync([[1, 2]])).toThrow(
      'f: the function must be idle, got one that another call works on. Await the call under way.',
    )
    expect((await running).toArray()).toEqual([[1, 2]])
    expect(f.sync([[3, 4]]).toArray()).toEqual([[3, 4]])
  })
  it('check what they are given', () => {
    expect(() => f.sync([1, 2])).toThrow('f: input x: shape must be [B, 2], got [2].')
    expect(() => f.sync()).toThrow('f: arguments must be 1 (x), got 0.')
    const y = placeholder(['B'], 'y')
    expect(() => fn([x, y], sum(x.T.add(y))).sync([[1, 2]], [1, 2])).toThrow(
      'fn: input y: shape must be [B] with B = 1, as in x, got [2].',
    )
  })
  it('end when they are aborted or disposed of', async () => {
    const reason = new Error('enough')
    const run = f.run([[[1, 2]]], { signal: AbortSignal.abort(reason) })
    await expect(run).rejects.toBe(reason)
    const g = fn([x], x.dot(w), { name: 'g' })
    await g([[1, 2]])
    g.dispose()
    await expect(g([[1, 2]])).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(() => g.sync([[1, 2]])).toThrow('g: function must be in use, got one that was disposed.')
  })
  it('a sequence that a step also reads as a whole has both gradients', async () => {
    const a = placeholder(['T', 'B', 2], 'a')
    const b = shared([0.51, -0.47], 'b')
    const s = add(b, a)
    const data = [cube(4, 3, 2)]
    const step = (read: (x: K.Expr) => K.Expr) =>
      scan((x, h) => [add(mul(0.5, h), x), read(x)], {
        sequences: s,
        outputsInfo: [K.zerosLike(K.at(s, 0)), null],
      })[1]
    for (const output of [
      step((x) => K.slice(K.broadcastTo(x, s), -1, null, 0)),
      step((x) => add(x, K.cumsum(square(s), 0))),
    ])
      expect((await checkGradient(mean(tanh(output)), [b], [a], data)).error).toBeLessThan(1e-6)
  })
  it('stop in the middle of a loop, and change nothing', async () => {
    // Some milliseconds a step, minutes in all: a call that went on to its end would be too late.
    const A = shared(matrix(400, 400), 'A')
    const counter = shared(0, 'counter')
    const n = placeholder(['T'], 'n')
    const [h] = scan((n: K.Expr, h: K.Expr) => [tanh(add(h, n, mean(add(A, h).dot(A))))], {
      sequences: n,
      outputsInfo: [shared(0, 'start')],
    })
    const updates = [[counter, counter.add(1)]] as const
    const long = { data: new Float64Array(50_000), shape: [50_000] }
    const g = fn([n], last(h), { updates, name: 'g' })
    const expected = (await g([1, 2])).data[0]
    const stop = new AbortController()
    const run = g.run([long], { signal: stop.signal })
    setTimeout(() => stop.abort(), 50)
    await expect(run).rejects.toMatchObject({ name: 'AbortError' })
    expect((await g([1, 2])).data[0]).toBe(expected)
    expect(counter.getValue().data[0]).toBe(2)
    const disposed = g(long)
    setTimeout(() => g.dispose(), 50)
    await expect(disposed).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(counter.getValue().data[0]).toBe(2)
    using h2 = fn([n], h)
    expect((await h2([1, 2])).data[1]).toBe(expected)
  })
  it('know whether they train', async () => {
    const phase = K.learningPhase()
    const y = K.inTrainPhase(x.mul(2), x)
    const told = fn([x, phase], y)
    expect((await told([[1, 2]], 1)).toArray()).toEqual([[2, 4]])
    expect((await told([[1, 2]], 0)).toArray()).toEqual([[1, 2]])
    setSeed(1)
    const drops = fn([x], K.dropout(x, 0.5), { training: true })
    const ones = Array.from({ length: 200 }, () => [1, 1])
    const [a, b] = [await drops(ones), await drops(ones)]
    const zeros = Array.from(a.data).filter((v) => v === 0).length
    expect(zeros).toBeGreaterThan(150)
    expect(zeros).toBeLessThan(250)
    expect(a.data).not.toEqual(b.data)
  })
})

describe('programs', () => {
  it('a step with a learnt first state, and truncateGradient', async () => {
    const [Wh, h0] = [shared(matrix(3, 3), 'Wh'), shared([0.1, 0.2, 0.3], 'h0')]
    const x = placeholder(['T', 3], 'x')
    const data = Array.from({ length: 6 }, () => [rnd(), rnd(), rnd()])
    const loop = (truncateGradient: number | null) =>
      scan((x, h) => [tanh(add(x, h.dot(Wh)))], {
        sequences: x,
        outputsInfo: [h0],
        truncateGradient,
      })
    const { error } = await checkGradient(mean(loop(null)[0]), [Wh, h0], [x], [data])
    expect(error).toBeLessThan(1e-6)
    // Through the last two steps: as if the state before them were given.
    const [cut] = loop(2)
    const g = await fn([x], grad(K.sum(last(cut)), Wh))(data)
    const before = (await fn([x], K.at(loop(null)[0], 3))(data)).toArray()
    const start = shared(before, 'start')
    const [tail] = scan((x, h) => [tanh(add(x, h.dot(Wh)))], { sequences: x, outputsInfo: [start] })
    const expected = await fn([x], grad(K.sum(last(tail)), Wh))(data.slice(4))
    for (const [i, v] of expected.data.entries()) expect(g.data[i]).toBeCloseTo(v, 12)
  })
  it('weights tied between embedding and output', async () => {
    const [V, H] = [7, 6]
    const [E, Wh] = [shared(matrix(V, H), 'E'), shared(matrix(H, H), 'Wh')]
    const [h0, b] = [shared([0.1, -0.2, 0.3, 0, 0.1, 0.2], 'h0'), shared(new Array(V).fill(0), 'b')]
    const [words, nexts] = [placeholder(['T'], 'words'), placeholder(['T'], 'next')]
    const [h] = scan((e, h) => [tanh(add(e, h.dot(Wh)))], {
      sequences: K.gather(E, words),
      outputsInfo: [h0],
    })
    const cost = neg(mean(log(pick(softmax(add(h.dot(E.T), b)), nexts))))
    const data = [
      [0, 3, 2, 6, 1],
      [3, 2, 6, 1, 4],
    ]
    expect((await checkGradient(cost, [E, Wh, h0, b], [words, nexts], data)).error).toBeLessThan(
      1e-6,
    )
  })
  it('a loss of one own, and the gradient of an input', async () => {
    const w = shared(matrix(4, 2), 'w')
    const [x, y] = [placeholder(['T', 'B', 4], 'x'), placeholder(['T', 'B', 2], 'y')]
    const loss = (t: K.Expr, p: K.Expr) => mean(sub(sqrt(add(1, square(sub(t, p)))), 1), -1)
    const cost = mean(loss(y, x.dot(w)))
    const [X, Y] = [cube(5, 3, 4), cube(5, 3, 2)]
    expect((await checkGradient(cost, [w], [x, y], [X, Y])).error).toBeLessThan(1e-6)
    const slope = fn([x, y], grad(cost, x))
    const value = fn([x, y], cost)
    const g = await slope(X, Y)
    const moved = structuredClone(X)
    moved[2]![1]![3]! += 1e-6
    const difference = ((await value(moved, Y)).data[0]! - (await value(X, Y)).data[0]!) / 1e-6
    expect(g.data[(2 * 3 + 1) * 4 + 3]).toBeCloseTo(difference, 6)
  })
  it('srn_parity.py learns the parity of 8 bits', async () => {
    const M = 20
    const normal = () => Array.from({ length: 12 }, () => next()).reduce((a, b) => a + b) - 6
    const start = (rows: number, columns: number) =>
      Array.from({ length: rows }, () =>
        Array.from({ length: columns }, () => normal() / Math.sqrt(rows + columns)),
      )
    const [Wx, Wh, bh] = [shared(start(1, M), 'Wx'), shared(start(M, M), 'Wh'), K.zeros([M], 'bh')]
    const [h0, Wo, bo] = [K.zeros([M], 'h0'), shared(start(M, 2), 'Wo'), K.zeros([2], 'bo')]
    const params = [Wx, Wh, bh, h0, Wo, bo]
    const [X, Y] = [placeholder(['T', 1], 'X'), placeholder(['T'], 'Y')]
    const [, y] = scan(
      (x, h) => {
        const h1 = relu(add(x.dot(Wx), h.dot(Wh), bh))
        return [h1, softmax(add(h1.dot(Wo), bo))]
      },
      { sequences: X, outputsInfo: [h0, null] },
    )
    const cost = neg(mean(log(pick(y, Y))))
    const grads = grad(cost, params)
    const updates = params.flatMap((p, i) => {
      const dp = K.zeros(p.getValue().shape, `d${p.name}`)
      const v = sub(mul(0.99, dp), mul(16e-4, grads[i]!))
      return [
        [p, add(p, v)],
        [dp, v],
      ] as const
    })
    const train = fn([X, Y], [cost, y], { updates })
    const strings = Array.from({ length: 256 }, (_, i) => {
      const bits = Array.from({ length: 8 }, (_, j) => (i >> j) & 1)
      let odd = 0
      return [bits.map((bit) => [bit]), bits.map((bit) => (odd ^= bit))] as const
    })
    let rate = 0
    for (let epoch = 0; epoch < 30 && rate < 1; epoch++) {
      strings.sort(() => next() - 0.5)
      let right = 0
      for (const [xs, ys] of strings) {
        const [, p] = train.sync(xs, ys)
        right += Number(p.data.at(-1)! > p.data.at(-2)! === (ys.at(-1) === 1))
      }
      rate = right / strings.length
    }
    expect(rate).toBe(1)
    const { error } = await checkGradient(cost, params, [X, Y], [...strings[5]!])
    expect(error).toBeLessThan(1e-6)
  })
})
