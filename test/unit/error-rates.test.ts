/** `wer` and `cer` of hiddenstate/utils. */
import { describe, expect, it } from 'vitest'
import { utils } from '../package.js'

const { cer, wer } = utils

describe('wer', () => {
  it('is edits of words over words of the reference, by hand', () => {
    expect(wer('the cat sat', 'the cat sat')).toBe(0)
    expect(wer('the cat sat', 'the sat')).toBeCloseTo(1 / 3, 12) // one left out
    expect(wer('the cat sat', 'the big cat sat down')).toBeCloseTo(2 / 3, 12) // two put in
    expect(wer('the cat sat', 'a cat sits')).toBeCloseTo(2 / 3, 12) // two changed
    expect(wer('one two three four', 'two one four three')).toBeCloseTo(3 / 4, 12)
    expect(wer('a', 'b c d')).toBe(3)
  })

  it('is of all edits and words of several texts, however spaced', () => {
    expect(wer(['a b c', ' d '], ['a  b\tc', 'x'])).toBe(1 / 4)
    expect(wer(['a', ''], ['a', 'b'])).toBe(1)
  })

  it('of no words is 0 or infinite', () => {
    expect(wer('', '')).toBe(0)
    expect(wer([], [])).toBe(0)
    expect(wer(' ', 'a')).toBe(Infinity)
  })
})

describe('cer', () => {
  it('is of code points, white space as one', () => {
    expect(cer('kitten', 'sitting')).toBe(3 / 6)
    expect(cer('a  b ', 'a b')).toBe(0)
    expect(cer('ab', 'a b')).toBe(1 / 2)
    expect(cer('a😀', 'a')).toBe(1 / 2) // one, of two UTF-16 units
  })
})

describe('what is no text', () => {
  it.each([
    [() => wer(1 as never, 'a'), /wer: reference must be a text or a list of them, got/],
    [() => cer('a', ['b', null] as never), /cer: hypothesis must be a text/],
    [
      () => wer(['a', 'b'], ['a']),
      /number of hypotheses must be 2, as there are references, got 1/,
    ],
  ] as const)('is refused, %#', (call, message) => {
    expect(call).toThrow(message)
  })
})
