/** Registers the cases of a suite as tests, one each, and counts what became of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setFloatx } from '../package.js'
import { Check } from './compare.js'
import { DEVIATIONS } from './deviations.js'
import { has } from './driver.js'
import { type Case, type FloatX, load } from './loader.js'
import { NOT_YET } from './not-yet.js'

export interface Suite<C extends Case> {
  readonly name: string
  readonly floatx: readonly FloatX[]
  /** Names the package must export for this case. */
  needs(c: C): string[]
  run(c: C, check: Check): Promise<void> | void
}

export const tally = { suites: 0, cases: 0, ran: 0, notYet: 0, differ: 0, failed: 0, worst: 0 }

export function summary(): string {
  const { suites, cases, ran, notYet, differ, failed } = tally
  const red = failed ? `, ${failed} FAILED` : ''
  return `golden: ran ${ran} of ${cases} cases in ${suites} suites; ${notYet} not yet, ${differ} differ on purpose${red}`
}

export function golden<C extends Case>(suite: Suite<C>): void {
  for (const floatx of suite.floatx) {
    const cases = load<C>(suite.name, floatx)
    tally.suites++
    tally.cases += cases.length
    describe(`${suite.name} ${floatx}`, () => {
      beforeAll(() => setFloatx(floatx))
      afterAll(() => setFloatx('float32'))
      for (const [i, c] of cases.entries()) register(suite, c, `${i} ${c.name}`)
    })
  }
}

function register<C extends Case>(suite: Suite<C>, c: C, title: string): void {
  const missing = suite.needs(c).filter((name) => !has(name))
  if (missing.length > 0 && missing.every((name) => NOT_YET.has(name))) {
    tally.notYet++
    it.skip(`${title} (not yet: ${missing.join(', ')}, issue ${NOT_YET.get(missing[0] as string)})`)
    return
  }
  const deviation = DEVIATIONS.find((d) => d.match.test(`${suite.name}/${c.name}`))
  it(title, async () => {
    tally.failed++ // taken back below: a throw on the way leaves it
    const check = new Check()
    await suite.run(c, check)
    if (deviation) {
      expect(
        check.problems,
        `agrees with Keras although deviations.ts says: ${deviation.reason}`,
      ).not.toEqual([])
      expect(check.problems.filter((p) => deviation.only && !deviation.only.test(p))).toEqual([])
      tally.differ++
    } else {
      check.finish()
      tally.ran++
      tally.worst = Math.max(tally.worst, check.used)
    }
    tally.failed--
  })
}
