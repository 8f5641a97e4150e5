/** hiddenstate/preprocessing, where the recorded cases of Keras do not reach. */
import { describe, expect, test } from 'vitest'
import {
  ConfigError,
  FormatError,
  type HiddenstateError,
  ShapeError,
  StateError,
} from '../../lib/errors.js'
import { NDArray } from '../../lib/ndarray.js'
import {
  makeSamplingTable,
  oneHot,
  padSequences,
  skipgrams,
  textToWordSequence,
  Tokenizer,
} from '../../lib/preprocessing/index.js'
import { setSeed } from '../../lib/random.js'

describe('padSequences', () => {
  test('takes typed arrays, NDArrays and any iterable', () => {
    function* sequences() {
      yield Int32Array.of(1, 2)
      yield NDArray.from([3])
      yield [4, 5, 6]
    }
    const padded = padSequences(sequences())
    expect(padded.toArray()).toEqual([
      [0, 1, 2],
      [0, 0, 3],
      [4, 5, 6],
    ])
    expect(padded.dtype).toBe('int32')
  })

  test('maxlen 0 and no sequences have a shape', () => {
    expect(padSequences([[1, 2]], { maxlen: 0 }).shape).toEqual([1, 0])
    expect(padSequences([], { maxlen: 4 }).shape).toEqual([0, 4])
  })

  test('bool counts every number but 0', () => {
    expect(padSequences([[2, 0]], { maxlen: 3, dtype: 'bool' }).toArray()).toEqual([
      [false, true, false],
    ])
  })

  test.each<[string, () => unknown, typeof HiddenstateError, RegExp]>([
    [
      'no sequences',
      () => padSequences([]),
      ShapeError,
      /sequences must be at least one, or a maxlen, got none\./,
    ],
    [
      'numbers',
      () => padSequences([1, 2] as never),
      ShapeError,
      /sequences\[0\]: sequence must be a list of numbers, got 1\./,
    ],
    [
      'features of two shapes',
      () => padSequences([[[1, 2]], [[1]]]),
      ShapeError,
      /sequences\[1\]: shape of an element must be \[2\] as in the first sequence, got \[1\]\./,
    ],
    [
      'NaN among integers',
      () => padSequences([[1, Number.NaN]]),
      ConfigError,
      /sequences\[0\]: number for dtype int32 must be finite, got NaN\./,
    ],
    [
      'an unknown side',
      () => padSequences([[1]], { padding: 'left' as never }),
      ConfigError,
      /padding must be 'pre' or 'post', got the string 'left'\./,
    ],
    [
      'half a length',
      () => padSequences([[1]], { maxlen: 1.5 }),
      ConfigError,
      /maxlen must be an integer >= 0, got 1\.5\./,
    ],
    [
      'a later name',
      () => padSequences([[1]], { maxLen: 3 } as never),
      ConfigError,
      /Did you mean `maxlen`\?/,
    ],
  ])('%s: refused', (_, call, Class, message) => {
    expect(call).toThrow(Class)
    expect(call).toThrow(message)
  })
})

describe('words', () => {
  test('a separator of several characters, and characters beyond 16 bits as filters', () => {
    expect(textToWordSequence('a😀b', { filters: '😀', split: '--' })).toEqual(['a', 'b'])
    expect(textToWordSequence('a--b-c', { filters: '', split: '--' })).toEqual(['a', 'b-c'])
  })

  test('oneHot is the same in every process', () => {
    expect(oneHot('fox dog über', 1000)).toMatchInlineSnapshot(`
      [
        759,
        311,
        926,
      ]
    `)
    expect(oneHot('fox', 2)).toEqual([1])
  })

  test.each<[string, () => unknown]>([
    ['no string', () => textToWordSequence(3 as never)],
    ['an empty separator', () => textToWordSequence('a', { split: '' })],
    ['a vocabulary of one', () => oneHot('a', 1)],
    ['one text instead of many', () => new Tokenizer().fitOnTexts('one text')],
    ['numbers for texts', () => new Tokenizer().fitOnTexts([1] as never)],
    ['no words at all', () => new Tokenizer({ nbWords: 0 })],
    ['a later name', () => new Tokenizer({ numWords: 3 } as never)],
    [
      'an unknown mode',
      () => new Tokenizer({ nbWords: 3 }).sequencesToMatrix([[1]], { mode: 'idf' as never }),
    ],
    ['a word index that is none', () => new Tokenizer({ nbWords: 3 }).sequencesToMatrix([[-1]])],
  ])('%s: refused', (_, call) => expect(call).toThrow(ConfigError))
})

describe('Tokenizer', () => {
  test('words like constructor and 14 are words', () => {
    const tokenizer = new Tokenizer()
    tokenizer.fitOnTexts(['14 constructor __proto__ 14'])
    expect([...tokenizer.wordIndex]).toEqual([
      ['14', 1],
      ['constructor', 2],
      ['proto', 3],
    ])
    expect(tokenizer.textsToSequences(['toString 14'])).toEqual([[1]])
  })

  test('a text that is none leaves the counts as they were', () => {
    const tokenizer = new Tokenizer()
    tokenizer.fitOnTexts(['a b'])
    expect(() => tokenizer.fitOnTexts(['a', null as never])).toThrow(ConfigError)
    expect(tokenizer.wordCounts.get('a')).toBe(1)
    expect(tokenizer.documentCount).toBe(1)
  })

  test('a matrix needs a width, and tfidf a fit', () => {
    expect(() => new Tokenizer().sequencesToMatrix([[1]])).toThrow(StateError)
    expect(() => new Tokenizer({ nbWords: 4 }).sequencesToMatrix([[1]], { mode: 'tfidf' })).toThrow(
      /Call fitOnTexts or fitOnSequences\./,
    )
  })

  test('texts one by one', () => {
    const tokenizer = new Tokenizer()
    tokenizer.fitOnTexts(['a b b'])
    const generator = tokenizer.textsToSequencesGenerator(['b a', 'a'])
    expect(generator.next().value).toEqual([1, 2])
    expect(generator.next().value).toEqual([2])
  })
})

describe('skipgrams', () => {
  const text = Array.from({ length: 60 }, (_, i) => (i * 7) % 11)

  test('the seed decides', () => {
    const draw = (seed: number) => {
      setSeed(seed)
      return skipgrams(text, 11)
    }
    expect(draw(3)).toEqual(draw(3))
    expect(draw(3)).not.toEqual(draw(4))
  })

  test('shuffled, couples keep their labels', () => {
    const [couples, labels] = skipgrams(text, 11, { windowSize: 2, negativeSamples: 1 })
    const [positive] = skipgrams(text, 11, { windowSize: 2, negativeSamples: 0, shuffle: false })
    const kept = couples.filter((_, i) => labels[i] === 1)
    expect(kept).not.toEqual(positive)
    expect(kept.map(String).sort()).toEqual(positive.map(String).sort())
    expect(couples).toHaveLength(2 * positive.length)
  })

  test('a sampling table leaves out frequent words; word 0 never comes', () => {
    const table = new Float64Array(11).fill(1)
    table[7] = 0
    const [couples] = skipgrams(text, 11, { samplingTable: table, negativeSamples: 0 })
    expect(couples.some(([word]) => word === 7)).toBe(false)
    expect(couples.some(([, context]) => context === 7)).toBe(true)
    expect(couples.flat()).not.toContain(0)
  })

  test('a text without pairs gives none', () => {
    expect(skipgrams([3], 11)).toEqual([[], []])
  })

  test.each<[string, () => unknown]>([
    ['a word that is no index', () => skipgrams([1.5], 3)],
    ['a word beyond the table', () => skipgrams([3], 4, { samplingTable: [1, 1] })],
    ['a vocabulary of none', () => skipgrams([1], 1)],
    ['less than no negatives', () => skipgrams([1], 3, { negativeSamples: -1 })],
    ['a table of no words', () => makeSamplingTable(0)],
    ['a factor of nothing', () => makeSamplingTable(3, { samplingFactor: 0 })],
  ])('%s: refused', (_, call) => expect(call).toThrow(ConfigError))
})

describe('a Tokenizer as JSON', () => {
  const texts = ['The fox, the dog', 'fox __proto__ constructor', 'é 狐']
  const fitted = () => {
    const tokenizer = new Tokenizer({ nbWords: 6, lower: true })
    tokenizer.fitOnTexts(texts)
    return tokenizer
  }

  test.each([
    ['toJson', (tokenizer: Tokenizer) => tokenizer.toJson()],
    ['JSON.stringify', (tokenizer: Tokenizer) => JSON.stringify(tokenizer)],
    [
      'an object around it',
      (tokenizer: Tokenizer) => JSON.parse(JSON.stringify({ tokenizer })).tokenizer,
    ],
  ])('%s: the restored one is the same in all it does', (_, write) => {
    const tokenizer = fitted()
    const again = Tokenizer.fromJson(write(tokenizer))
    expect(again).toEqual(tokenizer)
    expect([...again.wordIndex]).toEqual([...tokenizer.wordIndex])
    expect(again.textsToSequences(texts)).toEqual(tokenizer.textsToSequences(texts))
    for (const mode of ['binary', 'count', 'freq', 'tfidf'] as const)
      expect(again.textsToMatrix(texts, { mode })).toEqual(tokenizer.textsToMatrix(texts, { mode }))
    for (const each of [tokenizer, again]) each.fitOnTexts(['dog dog dog dog'])
    expect(again).toEqual(tokenizer)
  })

  test('one without a fit, and one fitted on sequences', () => {
    expect(() => Tokenizer.fromJson(new Tokenizer().toJson()).textsToSequences(['a'])).toThrow(
      StateError,
    )
    const tokenizer = new Tokenizer({ nbWords: 4 })
    tokenizer.fitOnSequences([[1, 2], [2]])
    const again = Tokenizer.fromJson(tokenizer.toJson())
    expect(again.sequencesToMatrix([[2, 1]], { mode: 'tfidf' })).toEqual(
      tokenizer.sequencesToMatrix([[2, 1]], { mode: 'tfidf' }),
    )
  })

  test('anything else is ERR_FILE_FORMAT', () => {
    const right = JSON.parse(fitted().toJson())
    const wrong: unknown[] = [
      '',
      'null',
      '[]',
      '{}',
      null,
      undefined,
      3,
      { ...right, words: undefined },
      { ...right, words: {} },
      { ...right, words: [['a', 1]] },
      { ...right, words: [['a', -1, 1]] },
      {
        ...right,
        words: [
          ['a', 1, 1],
          ['a', 1, 1],
        ],
      },
      { ...right, indexDocs: [[1]] },
      { ...right, nbWords: 0 },
      { ...right, split: '' },
      { ...right, documentCount: '3' },
      { ...right, className: 'Sequential' },
      { class_name: 'Tokenizer', config: {} },
    ]
    for (const each of wrong)
      expect(() => Tokenizer.fromJson(each as string), JSON.stringify(each)).toThrow(FormatError)
  })
})
