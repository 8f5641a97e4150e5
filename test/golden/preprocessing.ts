/** f_preprocessing: text and sequence preprocessing, and the array utilities. */
import type { Check } from './compare.js'
import { find, give, options } from './driver.js'
import type { Case, Golden } from './loader.js'
import { type Suite, golden } from './suite.js'

type Run = (c: never, check: Check) => void
type Pairs = [string | number, number][]
type Call = (...args: unknown[]) => unknown

const MODES = ['binary', 'count', 'tfidf', 'freq'] as const

interface Fitted {
  wordIndex: unknown
  wordCounts: unknown
  wordDocs: unknown
  indexDocs: unknown
  documentCount: number
  fitOnTexts(texts: unknown): void
  fitOnSequences(sequences: unknown): void
  textsToSequences(texts: unknown): number[][]
  textsToMatrix(texts: unknown, o: { mode: string }): unknown
  sequencesToMatrix(sequences: unknown, o: { mode: string }): unknown
}
const tokenizer = (args: Record<string, unknown>): Fitted =>
  new (find<new (o: Record<string, unknown>) => Fitted>('Tokenizer'))(options(args))

/** A dictionary in Keras, an object or a Map here: pairs sorted by key. */
function dictionary(value: unknown): Pairs {
  const pairs =
    value instanceof Map
      ? [...value]
      : Array.isArray(value)
        ? value
        : Object.entries(value as object)
  return pairs
    .map(([k, v]) => [String(k), Number(v)] as [string, number])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Nested plain arrays, whatever comes. */
const plain = (v: unknown): unknown => {
  if (ArrayBuffer.isView(v)) return Array.from(v as Int32Array)
  if (Array.isArray(v)) return v.map(plain)
  return v && typeof v === 'object' && 'toArray' in v ? (v as { toArray(): unknown }).toArray() : v
}

/** The fields of a case that are keyword arguments of the call. */
function keywords(c: Case, ...names: string[]): Record<string, unknown> {
  return options(Object.fromEntries(names.map((n) => [n, c[n]])))
}

function matrices(c: Case, check: Check, make: (mode: string) => unknown): void {
  for (const mode of MODES) {
    const expected = c[`matrix_${mode}`]
    if (expected) check.close(`matrix ${mode}`, make(mode), expected as Golden, 1e-6, 1e-6)
  }
}

const RUN: Record<string, Run> = {
  text_to_word_sequence: (c: Case & { text: string; result: string[] }, check) => {
    const words = find<Call>('textToWordSequence')(c.text, keywords(c, 'filters', 'lower', 'split'))
    check.equal('words', words, c.result)
  },
  text_to_word_sequence_default_filters: (c: Case & { filters: string }, check) => {
    const text = `a${[...c.filters].join('a')}a'a`
    check.equal('words', find<Call>('textToWordSequence')(text), [
      ...Array(c.filters.length).fill('a'),
      "a'a",
    ])
  },
  one_hot: (c: Case & { text: string; n: number; length: number }, check) => {
    const ids = find<Call>('oneHot')(c.text, c.n) as number[]
    check.equal('length', ids.length, c.length)
    check.ok(
      `ids in 1..${c.n - 1}: ${ids}`,
      ids.every((v) => Number.isInteger(v) && v >= 1 && v < c.n),
    )
  },
  Tokenizer: (
    c: Case & { args: Record<string, unknown>; texts: unknown; sequences: unknown },
    check,
  ) => {
    const t = tokenizer(c.args)
    t.fitOnTexts(c.texts)
    check.equal('wordIndex', dictionary(t.wordIndex), dictionary(c.word_index))
    check.equal('wordCounts', dictionary(t.wordCounts), dictionary(c.word_counts))
    check.equal('wordDocs', dictionary(t.wordDocs), dictionary(c.word_docs))
    check.equal('indexDocs', dictionary(t.indexDocs), dictionary(c.index_docs))
    check.equal('documentCount', t.documentCount, c.document_count)
    check.equal('textsToSequences', plain(t.textsToSequences(c.texts)), c.sequences)
    matrices(c, check, (mode) => t.textsToMatrix(c.texts, { mode }))
  },
  Tokenizer_sequences: (c: Case & { nb_words: number; seqs: unknown }, check) => {
    const t = tokenizer({ nb_words: c.nb_words })
    t.fitOnSequences(c.seqs)
    check.equal('indexDocs', dictionary(t.indexDocs), dictionary(c.index_docs))
    matrices(c, check, (mode) => t.sequencesToMatrix(c.seqs, { mode }))
  },
  Tokenizer_fit_twice: (c: Case & { texts: unknown[] }, check) => {
    const t = tokenizer({})
    for (const texts of c.texts) t.fitOnTexts(texts)
    check.equal('documentCount', t.documentCount, c.document_count)
    check.equal('wordIndex', dictionary(t.wordIndex), dictionary(c.word_index))
    check.equal('wordDocs', dictionary(t.wordDocs), dictionary(c.word_docs))
  },
  pad_sequences: (c: Case & { sequences: unknown; result: Golden }, check) => {
    const o = keywords(c, 'maxlen', 'dtype', 'padding', 'truncating', 'value')
    check.close('padded', find<Call>('padSequences')(c.sequences, o), c.result, 1e-6, 1e-6)
  },
  to_categorical: (c: Case & { y: number[]; result: Golden }, check) => {
    check.close(
      'classes',
      find<Call>('toCategorical')(c.y, keywords(c, 'nb_classes')),
      c.result,
      0,
      0,
    )
  },
  normalize: (c: Case & { a: Golden; result: Golden }, check) => {
    check.close(
      'rows',
      find<Call>('normalize')(give(c.a), keywords(c, 'axis', 'order')),
      c.result,
      1e-6,
      1e-6,
    )
  },
  probas_to_classes: (c: Case & { p: number[][]; result: Golden }, check) => {
    check.equal(
      'classes',
      plain(find<Call>('probasToClasses')(c.p)),
      Array.from(c.result.data as Int32Array),
    )
  },
  make_sampling_table: (c: Case & { size: number; result: Golden }, check) => {
    const table = find<Call>('makeSamplingTable')(c.size, keywords(c, 'sampling_factor'))
    check.close('probabilities', table, c.result, 1e-7, 1e-6)
  },
  skipgrams: (c: Case & { sequence: number[]; vocabulary_size: number }, check) => {
    const o = keywords(c, 'window_size', 'negative_samples', 'shuffle', 'categorical')
    const [couples, labels] = find<Call>('skipgrams')(c.sequence, c.vocabulary_size, o) as [
      unknown,
      unknown,
    ]
    check.equal('couples', plain(couples), c.couples)
    check.equal('labels', plain(labels), c.labels)
  },
  // Negative samples are drawn: the positive half is exact, the other half must keep the rules.
  skipgrams_negative: (
    c: Case & {
      sequence: number[]
      vocabulary_size: number
      couples: number[][]
      labels: number[]
    },
    check,
  ) => {
    const o = { ...keywords(c, 'window_size', 'negative_samples'), shuffle: false }
    const drawn = find<Call>('skipgrams')(c.sequence, c.vocabulary_size, o) as [unknown, unknown]
    const [couples, labels] = drawn.map(plain) as [number[][], number[]]
    const positive = c.labels.filter((label) => label === 1).length
    check.equal('labels', labels, c.labels)
    check.equal('number of couples', couples.length, c.couples.length)
    check.equal('positive couples', couples.slice(0, positive), c.couples.slice(0, positive))
    for (const [word, context] of couples.slice(positive) as [number, number][]) {
      check.ok(
        `negative couple ${word} ${context}`,
        c.sequence.includes(word) && context >= 1 && context < c.vocabulary_size,
      )
    }
  },
}

/** Case name -> the export it is about. */
const ABOUT: Record<string, string> = {
  text_to_word_sequence: 'textToWordSequence',
  text_to_word_sequence_default_filters: 'textToWordSequence',
  one_hot: 'oneHot',
  Tokenizer: 'Tokenizer',
  Tokenizer_sequences: 'Tokenizer',
  Tokenizer_fit_twice: 'Tokenizer',
  pad_sequences: 'padSequences',
  to_categorical: 'toCategorical',
  normalize: 'normalize',
  probas_to_classes: 'probasToClasses',
  make_sampling_table: 'makeSamplingTable',
  skipgrams: 'skipgrams',
  skipgrams_negative: 'skipgrams',
}

const suite: Suite<Case> = {
  name: 'f_preprocessing',
  floatx: ['float32'],
  needs: (c) => [ABOUT[c.name] as string],
  run(c, check) {
    const run = RUN[c.name]
    if (!run) throw new Error(`no driver for ${c.name}`)
    run(c as never, check)
  },
}

export const register = (): void => golden(suite)
