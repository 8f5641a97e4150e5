/** Functions of expressions, run by native code, beside the interpreter of the tests. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import { setFloatx } from '../../lib/index.js'
import { evaluate } from './expression-oracle.js'
import { randomGraph } from './random-expressions.js'

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

it('values of random graphs are those of the interpreter', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { inputs, outputs, data } = randomGraph(seed)
    const given = new Map(inputs.map((input, i) => [input as K.Expr, data[i]!]))
    const expected = evaluate(outputs, given)
    using f = K.fn(inputs, outputs)
    const actual = f.sync(...data.map(({ d, s }) => ({ data: d, shape: s })))
    for (const [i, { d, s }] of expected.entries()) {
      expect(actual[i]!.shape).toEqual(s)
      for (const [k, x] of d.entries()) {
        const y = actual[i]!.data[k]!
        if (!Object.is(x, y) && !(Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x))))
          expect.fail(`seed ${seed}, ${outputs[i]!.label}: ${y} instead of ${x}`)
      }
    }
  }
})

it('gradients of random graphs are differences of their cost', async () => {
  let checked = 0
  for (let seed = 1; seed <= 120; seed++) {
    const { inputs, params, outputs, data } = randomGraph(seed)
    const parts = outputs.map((output) => K.mean(K.tanh(output)))
    if (parts.length === 0) continue
    const cost = parts.reduce((a, b) => a.add(b))
    const read = params.filter((param) => reads(cost, param))
    if (read.length === 0) continue
    const arrays = data.map(({ d, s }) => ({ data: d, shape: s }))
    const worst = await K.checkGradient(cost, read, inputs, arrays)
    // 1e-6 but for roundings of the cost where it is large beside its difference
    if (!(worst.error < 2e-5)) expect.fail(`seed ${seed}: ${JSON.stringify(worst)}`)
    checked++
  }
  expect(checked).toBeGreaterThan(80)
})

function reads(cost: K.Expr, param: K.Expr): boolean {
  try {
    K.grad(cost, param)
    return true
  } catch {
    return false
  }
}
