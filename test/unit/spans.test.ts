/** Span F1 beside the rules of conlleval.pl (Sang and Buchholz 2000, version of 2004-01-26). */
import { describe, expect, it } from 'vitest'
import { NDArray, Ragged } from '../../lib/index.js'
import { spanF1 } from '../../lib/utils.js'
import { random } from '../arrays.js'

const words = (text: string) => text.split(' ')

describe('spanF1', () => {
  it('counts a span as found where both ends and the type are right', () => {
    const yTrue = [words('B-PER I-PER O B-LOC'), words('B-ORG I-ORG I-ORG O'), words('B-LOC O')]
    const yPred = [words('B-PER I-PER O B-PER'), words('B-ORG I-ORG O O'), words('B-LOC O')]
    // right: PER 0-1, LOC 3; ORG 0-2; LOC 0. found: PER 0-1, LOC 0 of 4 predicted
    const scores = spanF1(yTrue, yPred)
    expect(scores).toEqual({
      precision: 0.5,
      recall: 0.5,
      f1: 0.5,
      support: 4,
      types: {
        LOC: { precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
        ORG: { precision: 0, recall: 0, f1: 0, support: 1 },
        PER: { precision: 0.5, recall: 1, f1: 2 / 3, support: 1 },
      },
    })
  })

  it.each([
    // [tags, spans as start-end-type], as conlleval reads them
    ['I-PER I-PER O', 'B-PER I-PER O'], // I- behind nothing begins a span
    ['O I-LOC', 'O B-LOC'], // behind O
    ['B-PER I-LOC', 'B-PER B-LOC'], // behind another type
    ['I-PER I-LOC I-LOC', 'B-PER B-LOC I-LOC'],
  ])('reads %s as %s', (broken, proper) => {
    expect(spanF1([words(broken)], [words(proper)]).f1).toBe(1)
  })

  it('B- behind the same type begins another span', () => {
    const { precision, recall } = spanF1([words('B-PER B-PER')], [words('B-PER I-PER')])
    expect([precision, recall]).toEqual([0, 0])
  })

  it.each([
    ['S-PER B-LOC E-LOC', 'B-PER B-LOC I-LOC'],
    ['B-LOC I-LOC E-LOC E-LOC', 'B-LOC I-LOC I-LOC B-LOC'], // E- behind E- is a span of its own
    ['S-LOC I-LOC E-LOC', 'B-LOC B-LOC I-LOC'],
    ['E-PER O I-PER S-PER', 'B-PER O B-PER B-PER'],
  ])('reads %s with IOBES as BIO reads %s', (given, bio) => {
    const other = words(bio).map((tag, t, all) => {
      const [prefix, type] = [tag[0], tag.slice(2)]
      if (prefix === 'O') return 'O'
      const goesOn = all[t + 1] === `I-${type}`
      if (prefix === 'B') return `${goesOn ? 'B' : 'S'}-${type}`
      return `${goesOn ? 'I' : 'E'}-${type}`
    })
    expect(spanF1([words(given)], [other], { scheme: 'IOBES' }).f1).toBe(1)
  })

  it('finds the spans that conlleval.pl finds', () => {
    const next = random(5)
    const tags = ['O', 'B-X', 'I-X', 'B-Y', 'I-Y']
    const draw = () => Array.from({ length: 7 }, () => tags[Math.floor(next() * tags.length)]!)
    for (let n = 0; n < 2000; n++) {
      const [right, guess] = [draw(), draw()]
      const [own, other] = [conlleval(right), conlleval(guess)]
      const found = [...other].filter((span) => own.has(span)).length
      const scores = spanF1([right], [guess])
      expect(scores.support).toBe(own.size)
      expect(scores.precision).toBe(other.size === 0 ? 0 : found / other.size)
      expect(scores.recall).toBe(own.size === 0 ? 0 : found / own.size)
    }
  })

  it('takes numbers: lists, arrays, sequences of any length', () => {
    const tags = ['O', 'B-X', 'I-X']
    const array = new NDArray(Float32Array.of(1, 2, 0, 1), [2, 2])
    expect(spanF1([[1, 2], Int32Array.of(0, 1)], array, { tags }).f1).toBe(1)
    const ragged = Ragged.from([[1, 2, 0], [1]])
    expect(spanF1(ragged, [[1, 2, 0], [0]], { tags }).recall).toBe(0.5)
  })

  it('is 0 where there are no spans', () => {
    expect(spanF1([['O']], [['O']])).toEqual({
      precision: 0,
      recall: 0,
      f1: 0,
      support: 0,
      types: {},
    })
  })

  it.each([
    [[['B-X']], [['B-X'], ['O']], {}, 'number of sequences must be 1'],
    [[['B-X']], [['B-X', 'O']], {}, 'yPred[0]: length must be 1'],
    [[['B-X']], [['E-X']], {}, 'yPred[0][0]: tag must be O, or B-TYPE, I-TYPE'],
    [[['B_X']], [['O']], {}, "yTrue[0][0]: tag must be O, or B-TYPE, I-TYPE, got 'B_X'"],
    [[[3]], [[0]], { tags: ['O', 'B-X'] }, 'yTrue[0][0]: tag must be 0 to 1'],
    [[[0]], [[0]], {}, 'a text, or a number with the option tags'],
    [[['O']], [['O']], { scheme: 'IOB' }, "scheme must be 'BIO' or 'IOBES'"],
    [3, [['O']], {}, 'a list of sequences of tags'],
    [['O'], [['O']], {}, 'yTrue[0]: it must be a list of tags'],
  ])('refuses %j, %j, %j', (yTrue, yPred, options, text) => {
    expect(() => spanF1(yTrue as never, yPred as never, options as never)).toThrow(text as string)
  })
})

/** The rules of endOfChunk and startOfChunk in conlleval.pl, for B, I and O. */
function conlleval(tags: readonly string[]): Set<string> {
  const spans = new Set<string>()
  let [before, typeBefore] = ['O', '']
  let start = -1
  for (const [t, text] of [...tags, 'O'].entries()) {
    const [tag, type] = [text[0]!, text.slice(2)]
    const pair = `${before}${tag}`
    const isEnd = ['BB', 'BO', 'IB', 'IO'].includes(pair) || (before !== 'O' && typeBefore !== type)
    const isStart = ['BB', 'IB', 'OB', 'OI'].includes(pair) || (tag !== 'O' && typeBefore !== type)
    if (isEnd && start >= 0) spans.add(`${start}-${t - 1}-${typeBefore}`)
    if (isEnd) start = -1
    if (isStart) start = t
    ;[before, typeBefore] = [tag, type]
  }
  return spans
}
