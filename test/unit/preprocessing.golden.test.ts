/** Every case that Keras 1.2.2 recorded of its preprocessing, one test each. */
import { describe, expect, test } from 'vitest'
import {
  makeSamplingTable,
  type MatrixMode,
  oneHot,
  padSequences,
  skipgrams,
  textToWordSequence,
  Tokenizer,
} from '../../lib/preprocessing/index.js'
import { normalize, probasToClasses, toCategorical } from '../../lib/utils.js'
import type { NDArray } from '../../lib/ndarray.js'
import { type Case, type Golden, load } from '../golden/loader.js'

const MODES: MatrixMode[] = ['binary', 'count', 'tfidf', 'freq']
type Pairs = [string | number, number][]
// biome-ignore lint/suspicious/noExplicitAny: the cases are JSON of many forms
type Recorded = Case & Record<string, any>

/** null in the recording is Python's None. */
const given = (o: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(o).filter(([, v]) => v !== null && v !== undefined))
const sorted = (map: ReadonlyMap<string | number, number>): Pairs =>
  [...map].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))

function same(actual: NDArray, expected: Golden, relative = 0): void {
  expect(actual.shape).toEqual(expected.shape)
  for (let i = 0; i < expected.data.length; i++) {
    const e = expected.data[i] as number
    expect(Math.abs((actual.data[i] as number) - e), `[${i}]`).toBeLessThanOrEqual(
      relative * Math.abs(e),
    )
  }
}

const RUN: Record<string, (c: Recorded) => void> = {
  text_to_word_sequence: (c) =>
    expect(
      textToWordSequence(c.text, given({ filters: c.filters, lower: c.lower, split: c.split })),
    ).toEqual(c.result),
  text_to_word_sequence_default_filters: (c) => {
    expect(new Tokenizer().filters).toBe(c.filters)
    expect(textToWordSequence(`a${[...c.filters].join('a')}a'a`)).toEqual([
      ...Array(c.filters.length).fill('a'),
      "a'a",
    ])
  },
  one_hot: (c) => {
    const indices = oneHot(c.text, c.n)
    expect(indices).toHaveLength(c.length)
    expect(indices.every((i) => Number.isInteger(i) && i >= 1 && i < c.n)).toBe(true)
  },
  Tokenizer: (c) => {
    const { nb_words, char_level, lower, filters, split } = c.args
    const tokenizer = new Tokenizer(
      given({ nbWords: nb_words, charLevel: char_level, lower, filters, split }),
    )
    tokenizer.fitOnTexts(c.texts)
    expect([...tokenizer.wordIndex]).toEqual(c.word_index)
    expect(sorted(tokenizer.wordCounts)).toEqual(sorted(new Map(c.word_counts as Pairs)))
    expect(sorted(tokenizer.wordDocs)).toEqual(sorted(new Map(c.word_docs as Pairs)))
    expect(sorted(tokenizer.indexDocs)).toEqual(sorted(new Map(c.index_docs as Pairs)))
    expect(tokenizer.documentCount).toBe(c.document_count)
    expect(tokenizer.textsToSequences(c.texts)).toEqual(c.sequences)
    for (const mode of MODES)
      same(tokenizer.textsToMatrix(c.texts, { mode }), c[`matrix_${mode}`], 1e-15)
  },
  Tokenizer_sequences: (c) => {
    const tokenizer = new Tokenizer({ nbWords: c.nb_words })
    tokenizer.fitOnSequences(c.seqs)
    expect(sorted(tokenizer.indexDocs)).toEqual(c.index_docs)
    // recorded in float32
    for (const mode of MODES)
      same(tokenizer.sequencesToMatrix(c.seqs, { mode }), c[`matrix_${mode}`], 1e-6)
  },
  Tokenizer_fit_twice: (c) => {
    const tokenizer = new Tokenizer()
    for (const texts of c.texts) tokenizer.fitOnTexts(texts)
    expect(tokenizer.documentCount).toBe(c.document_count)
    expect([...tokenizer.wordIndex]).toEqual(c.word_index)
    expect(sorted(tokenizer.wordDocs)).toEqual(sorted(new Map(c.word_docs as Pairs)))
  },
  pad_sequences: (c) => {
    const { maxlen, dtype, padding, truncating, value } = c
    const padded = padSequences(c.sequences, given({ maxlen, dtype, padding, truncating, value }))
    expect(padded.dtype).toBe(dtype)
    same(padded, c.result)
  },
  to_categorical: (c) => same(toCategorical(c.y, { nbClasses: c.nb_classes }), c.result),
  // recorded in float32
  normalize: (c) => same(normalize(c.a, { axis: c.axis, order: c.order }), c.result, 1e-6),
  probas_to_classes: (c) =>
    expect(Array.from(probasToClasses(c.p).data)).toEqual(Array.from((c.result as Golden).data)),
  make_sampling_table: (c) =>
    same(makeSamplingTable(c.size, { samplingFactor: c.sampling_factor }), c.result, 1e-6),
  skipgrams: (c) => {
    const { window_size: windowSize, negative_samples: negativeSamples, shuffle, categorical } = c
    const [couples, labels] = skipgrams(c.sequence, c.vocabulary_size, {
      windowSize,
      negativeSamples,
      shuffle,
      categorical,
    })
    expect(couples).toEqual(c.couples)
    expect(labels).toEqual(c.labels)
  },
  skipgrams_negative: (c) => {
    const options = {
      windowSize: c.window_size,
      negativeSamples: c.negative_samples,
      shuffle: false,
    }
    const [couples, labels] = skipgrams(c.sequence, c.vocabulary_size, options)
    expect(labels).toEqual(c.labels)
    const positive = (c.labels as number[]).filter((v) => v === 1).length
    expect(couples.slice(0, positive)).toEqual(c.couples.slice(0, positive))
    expect(
      couples
        .slice(positive)
        .map(([word]) => word)
        .sort(),
    ).toEqual(
      couples
        .slice(0, positive)
        .map(([word]) => word)
        .sort(),
    )
    expect(couples.every(([, context]) => context >= 1 && context < c.vocabulary_size)).toBe(true)
  },
}

describe('f_preprocessing', () => {
  const cases = load<Recorded>('f_preprocessing', 'float32')
  test('holds as many cases as were recorded, all of known kinds', () => {
    expect(cases).toHaveLength(112)
    expect(cases.filter((c) => !RUN[c.name]).map((c) => c.name)).toEqual([])
  })
  test.each(cases.map((c, i) => [`${i} ${c.name}`, c] as const))('%s', (_, c) => {
    expect.hasAssertions()
    RUN[c.name]?.(c)
  })
})
