/** Expressions: shapes, messages, and as data. No native code. */
import { describe, expect, it } from 'vitest'
import { fromData, toData } from '../../lib/expressions/data.js'
import type { Placeholder } from '../../lib/expressions/expr.js'
import * as K from '../../lib/functions/index.js'
import { lowerFunction } from '../../lib/functions/lowering.js'
import { setFloatx } from '../../lib/index.js'
import { evaluate, val } from './expression-oracle.js'

const { add, concat, dot, grad, mean, placeholder, scan, shared, square, tanh } = K

const message = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    return (error as Error).message
  }
  return 'no error'
}
const zeros = (...shape: number[]) => K.zeros(shape, 'W')

describe('shapes', () => {
  const x = placeholder(['B', 'T', 4], 'x')
  it.each([
    [() => add(x, placeholder([4], 'b')), ['B', 'T', 4]],
    [() => dot(x, zeros(4, 6)), ['B', 'T', 6]],
    [() => dot(x, zeros(4)), ['B', 'T']],
    [() => K.sum(x, [0, -1]), ['T']],
    [() => K.mean(x, 1, true), ['B', 1, 4]],
    [() => mean(x), []],
    [() => K.slice(x, 1, null, 1), ['B', 'T-1', 4]],
    [() => K.slice(x, -2, null, 1), ['B', 2, 4]],
    [() => K.concatenate([x, x], 1), ['B', 'T+T', 4]],
    [() => K.concatenate([x, zeros(0, 4)], 1), 'no such'],
    [() => K.reshape(x, ['B', -1]), ['B', '4*T']],
    [() => K.reshape(x, ['B', 'T', 2, 2]), ['B', 'T', 2, 2]],
    [() => K.permuteDimensions(x, [1, 0, 2]), ['T', 'B', 4]],
    [() => K.expandDims(x, 1), ['B', 1, 'T', 4]],
    [() => K.gather(zeros(9, 5), K.argmax(x)), ['B', 'T', 5]],
    [() => K.oneHot(K.argmax(x), 4), ['B', 'T', 4]],
    [() => K.pick(x, K.argmax(x)), ['B', 'T']],
    [() => K.repeat(placeholder(['B', 3]), 7), ['B', 7, 3]],
    [() => K.batchDot(x, placeholder(['B', 4, 2], 'y')), ['B', 'T', 2]],
    [() => K.batchDot(x, placeholder(['B', 'T', 2], 'y'), [1, 1]), ['B', 4, 2]],
    [() => K.batchDot(placeholder(['B', 3]), placeholder(['B', 3]), 1), ['B', 1]],
    [() => K.flatten(x), ['4*B*T']],
    [() => x.T, [4, 'T', 'B']],
  ])('%s', (make, shape) => {
    if (shape === 'no such') expect(message(make)).toContain('must be')
    else expect((make() as K.Expr).shape).toEqual(shape)
  })
})

describe('messages', () => {
  const x = placeholder(['B', 4], 'x')
  it('of a step', () => {
    const [Wx, Wh] = [K.zeros([6, 4], 'Rated/Wx'), zeros(6, 6)]
    const xs = placeholder(['T', 'B', 4], 'x')
    const options = {
      sequences: xs,
      outputsInfo: [shared(new Float64Array(6), 'h0')],
      name: 'Rated',
    }
    expect(message(() => scan((x, h) => tanh(add(dot(x, Wx), dot(h, Wh))), options))).toBe(
      'Rated: step: dot(x[t] [B, 4], Rated/Wx [6, 4]): columns of the left must be the rows of the right, 6, got 4. Transposed? Use .T.',
    )
  })
  it('of a state', () => {
    const xs = placeholder(['T', 'B', 4], 'x')
    const options = { sequences: xs, outputsInfo: [shared(new Float64Array(6), 'h0')] }
    expect(message(() => scan((x, h) => [concat(h, x)], options))).toBe(
      'scan: new value of h0[t-1] must be [B, 6] as its initial value, got [B, 10].',
    )
  })
  it.each([
    [
      () => grad(mean(square(x)), [shared([1], 'w')]),
      'grad: w [1] must be part of the cost, got a variable that it does not read.',
    ],
    [
      () => grad(square(x), [x]),
      'grad(square [B, 4]): the cost must be one number, got [B, 4]. Take mean() or sum() of it.',
    ],
    [
      () => grad(K.sum(grad(mean(square(x)), x)), x),
      'grad(sum []): the cost must be free of gradients, got one that reads d x [B, 4]. Second derivatives are not supported.',
    ],
    [
      () => grad(mean(square(x)), tanh(x)),
      'grad: tanh [B, 4] must be a shared variable or a placeholder, got another expression.',
    ],
    [
      () => add(x, placeholder(['B', 3], 'y')),
      'add(x [B, 4], y [B, 3]): extents must be equal or 1 from the last axis on, got 4 and 3.',
    ],
    [
      () => add(x, '2' as never),
      "add: an argument must be an expression or a number, got the string '2'.",
    ],
    [() => K.sum(x, 2), 'sum(x [B, 4]): axis must be from -2 to 1, got 2.'],
    [
      () => K.activation(x, 'tanhh' as never),
      "activation: activation must be one of softmax, elu, softplus, softsign, relu, tanh, sigmoid, hard_sigmoid, linear, selu, exponential, swish, got the string 'tanhh'. Did you mean 'tanh'?",
    ],
    [
      () => K.reshape(x, ['B', 3]),
      'reshape(x [B, 4]): the new shape must be of 4*B numbers, as x [B, 4] has, got [B, 3].',
    ],
    [
      () => K.reshape(x, ['T', 4]),
      'reshape(x [B, 4]): a letter of the new shape must be one of B, got T. Write -1 for one extent that follows from the others.',
    ],
    [
      () =>
        scan(() => scan((y) => y, { sequences: x, outputsInfo: [null] })[0], {
          sequences: x,
          outputsInfo: [null],
        }),
      'scan: step: scan: it must be outside of a step, got a call inside of one, which is not supported.',
    ],
    [
      () => scan((y) => [y, y] as never, { sequences: x, outputsInfo: [null] }),
      'scan: step: its result: it must be 1 values, one for each of outputsInfo, got 2.',
    ],
    [
      () => placeholder([2.5]),
      'placeholder x: an extent must be an integer from 0 on, a letter or null, got 2.5.',
    ],
    [
      () =>
        K.fn([], shared([[1, 2]], 'Wo'), {
          updates: [[shared([[1, 2]], 'Wo'), shared([1, 2], 'v')]],
        }),
      'fn: update of Wo [1, 2] must be [1, 2], got [2].',
    ],
    [
      () => K.fn([], tanh(x)),
      'fn: the inputs must be all that the outputs and updates read, x [B, 4] too, got none.',
    ],
    [() => shared([1, 2], 'v').setValue([1, 2, 3]), 'setValue(v [2]): value must be [2], got [3].'],
  ])('%#', (make, expected) => {
    expect(message(make)).toBe(expected)
  })
  it('of two costs and two precisions', () => {
    const [w, x] = [shared([1, 2], 'w'), placeholder([2], 'x')]
    const [a, b] = [mean(w.mul(x)), mean(square(w))]
    const lower = (outputs: K.Expr[]) => () =>
      lowerFunction({ inputs: [x], outputs, updates: [] }, 'train')
    expect(message(lower([grad(a, w), grad(b, w)]))).toBe(
      'train: gradients must be those of one cost, got those of mean [] and of mean []. Make a function of each, or take the gradient of their sum.',
    )
    setFloatx('float64')
    const wide = shared([1], 'wide')
    setFloatx('float32')
    expect(message(lower([w.mul(wide)]))).toBe(
      'train: precision of wide [1] must be float32, as that of w [2], got float64.',
    )
  })
})

describe('as data', () => {
  const x = placeholder(['T', 'B', 3], 'x')
  const [h, y] = scan(
    (x, h) => {
      const h1 = tanh(add(mean(x, -1, true), h.mul(0.5), 0.25))
      return [h1, K.softmax(concat(h1, x))]
    },
    {
      sequences: x,
      outputsInfo: [K.zerosLike(K.slice(K.at(x, 0), 0, 1)), null],
      goBackwards: true,
    },
  )
  const data = JSON.parse(JSON.stringify(toData({ inputs: [x], outputs: [h, y] }, 'Lambda')))
  const input = (name: string, shape: K.Dim[]) => placeholder(shape, name)
  it('comes back', () => {
    const { inputs, outputs } = fromData(data, 'Lambda', input)
    const value = val(
      [4, 2, 3],
      Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    )
    const before = evaluate([h, y], new Map([[x as K.Expr, value]]))
    const after = evaluate(outputs, new Map([[inputs[0] as K.Expr, value]]))
    expect(after).toEqual(before)
    expect(toData({ inputs: inputs as Placeholder[], outputs }, 'Lambda')).toEqual(data)
  })
  it('holds no variable', () => {
    const outputs = [shared([1], 'w').mul(2)]
    expect(message(() => toData({ inputs: [], outputs }, 'Lambda'))).toBe(
      'Lambda: the expression must be made of what it is given alone, got one that reads w [1].',
    )
  })
  const node = (one: object) => ({
    inputs: [{ name: 'x', shape: [2] }],
    nodes: [one],
    outputs: [0],
  })
  it.each([
    null,
    {},
    { inputs: [], nodes: {}, outputs: [] },
    node({ op: 'eval' }),
    node({ op: '__proto__' }),
    node({ op: 'constructor', args: [] }),
    node({ op: 'add', args: [0, 0] }),
    node({ op: 'add', args: 'length' }),
    node({ op: 'input', index: -1 }),
    node({ op: 'input', index: 'length' }),
    node({ op: 'number', attributes: { value: 'x' } }),
    node({ op: 'number', attributes: { value: 1, more: 2 } }),
    node({ op: 'full', attributes: { value: 1, dims: [-1] } }),
    node({ op: 'full', attributes: { value: 1, dims: [2 ** 53, 2 ** 53] } }),
    node({ op: 'scan', args: [] }),
    node({
      op: 'scan',
      args: [],
      sequences: 0,
      states: [],
      loop: {},
      length: 3,
      step: { nodes: [], outputs: [] },
    }),
    node({
      op: 'scan',
      args: [],
      sequences: 1e9,
      states: [],
      loop: {},
      step: { nodes: [], outputs: [] },
    }),
    { inputs: [{ name: 'x', shape: ['T', -3] }], nodes: [], outputs: [] },
    { inputs: [], nodes: new Array(30_000).fill({ op: 'phase' }), outputs: [0] },
  ])('hostile %#', (hostile) => {
    try {
      fromData(hostile, 'file', input)
      expect.fail('no error')
    } catch (error) {
      expect(String((error as { code?: string }).code)).toMatch(
        /^ERR_(FILE_FORMAT|LIMIT|OPTION|SHAPE|UNKNOWN_NAME)$/,
      )
      expect((error as Error).message).toMatch(/^file: .*must be .*, got .*\.$/)
    }
  })
})
