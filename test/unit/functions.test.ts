/** Functions of expressions, run by native code, beside the interpreter of the tests. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import * as K from '../../lib/functions/index.js'
import { setFloatx } from '../../lib/index.js'
import { evaluate } from './expression-oracle.js'
import { graphSeeds, randomGraph, reportGraphs } from './random-expressions.js'

/** A part of a campaign, not of the suite, may need minutes. */
const LONG = process.env.HS_GRAPHS ? 600_000 : 30_000

/** 1e-6 but for roundings of the cost where it is large beside its difference. */
const BOUND = 2e-5

beforeAll(() => setFloatx('float64'))
afterAll(() => setFloatx('float32'))

it(
  'values of random graphs are those of the interpreter',
  () => {
    let numbers = 0
    for (const seed of graphSeeds(300)) {
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
          numbers++
        }
      }
    }
    reportGraphs('values', { numbers })
  },
  LONG,
)

it(
  'gradients of random graphs are differences of their cost',
  async () => {
    const seeds = graphSeeds(120)
    const wrong: string[] = []
    let [checked, kinks, error] = [0, 0, 0]
    for (const seed of seeds) {
      const { inputs, params, outputs, data } = randomGraph(seed, false)
      const parts = outputs.map((output) => K.mean(K.tanh(output)))
      if (parts.length === 0) continue
      const cost = parts.reduce((a, b) => a.add(b))
      const read = params.filter((param) => reads(cost, param))
      if (read.length === 0) continue
      const arrays = data.map(({ d, s }) => ({ data: d, shape: s }))
      let worst = await K.checkGradient(cost, read, inputs, arrays)
      if (!(worst.error < BOUND)) {
        // Where two numbers are equal by chance, differences are none: what is wrong is so nearby.
        kinks++
        for (const param of read) {
          const { data, shape } = param.getValue()
          param.setValue({ data: Float64Array.from(data, (v, i) => v + 0.0123 * (i + 1)), shape })
        }
        worst = await K.checkGradient(cost, read, inputs, arrays)
      }
      if (!(worst.error < BOUND)) wrong.push(`seed ${seed}: ${JSON.stringify(worst)}`)
      checked++
      error = Math.max(error, worst.error)
    }
    reportGraphs('gradients', { checked, kinks, error })
    expect(wrong).toEqual([])
    expect(checked).toBeGreaterThan(seeds.length / 2)
  },
  LONG,
)

function reads(cost: K.Expr, param: K.Expr): boolean {
  try {
    K.grad(cost, param)
    return true
  } catch {
    return false
  }
}
