/** How the suites on a card are compared with those on the processor (scripts/card-suites.mjs). */
import { describe, expect, it } from 'vitest'

const { complaints } = await import('../../scripts/card-suites.mjs' as string)

describe('suites on a card', () => {
  const known = [{ tests: /rounds$/, why: 'it rounds' }]
  const of = (got: Record<string, string>, wanted = Object.keys(got)): string[] =>
    complaints(wanted, new Map(Object.entries(got)), known)

  it('are in order where all pass but those that are known to differ', () => {
    expect(of({ 'a > b': 'passed', 'a > rounds': 'failed' })).toEqual([])
    expect(of({ 'a > b': 'passed' })).toEqual([])
  })

  it('are not where one fails, passes after all, is missing, or is there on a card alone', () => {
    expect(of({ 'a > b': 'failed' })).toEqual(['fails on a card: a > b'])
    expect(of({ 'a > rounds': 'passed' })).toEqual(['passes after all: /rounds$/'])
    expect(of({ 'a > b': 'passed' }, ['a > b', 'a > c'])).toEqual(['is not there on a card: a > c'])
    expect(of({ 'a > b': 'passed' }, [])).toEqual(['is there on a card alone: a > b'])
  })
})
