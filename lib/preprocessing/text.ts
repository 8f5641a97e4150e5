/** Text to numbers: splitting into words, and the Tokenizer. */
import { ConfigError, StateError, fail } from '../errors.js'
import { describe, NDArray } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { atLeast, type Filled, oneOf } from './checks.js'
import { readTokenizer, type TokenizerConfig, type TokenizerWord } from './tokenizer-config.js'

/** Options for splitting a text into words. */
export interface TextOptions {
  /**
   * Characters that separate words; the apostrophe is none of them.
   * Default: ASCII punctuation, tab and newline.
   */
  filters?: string | undefined
  /** Whether letters become small first. Default true. */
  lower?: boolean | undefined
  /** What separates words. Default `' '`. */
  split?: string | undefined
}

const TEXT_DEFAULTS: Filled<TextOptions> = {
  filters: '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n',
  lower: true,
  split: ' ',
}

function checkText(where: string, text: unknown): asserts text is string {
  if (typeof text !== 'string')
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'text',
      expected: 'a string',
      actual: describe(text),
    })
}

function checkSplitting(where: string, { filters, split }: Filled<TextOptions>): void {
  if (typeof filters !== 'string')
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'filters',
      expected: 'a string',
      actual: describe(filters),
    })
  if (typeof split !== 'string' || split === '') {
    fail(ConfigError, 'ERR_OPTION', {
      where,
      what: 'split',
      expected: 'a string that is not empty',
      actual: describe(split),
    })
  }
}

function splitWords(text: string, { filters, lower, split }: Filled<TextOptions>): string[] {
  const separators = new Set(filters)
  let spaced = ''
  for (const character of lower ? text.toLowerCase() : text)
    spaced += separators.has(character) ? split : character
  return spaced.split(split).filter((word) => word !== '')
}

/**
 * The words of a text: every character of `filters` becomes `split`, then the text is cut there.
 *
 * @param text any string
 * @param options see {@link TextOptions};
 *   unlike in Keras on Python 3, `split` may have several characters
 * @throws ConfigError ERR_OPTION
 * @example
 * import { textToWordSequence } from 'hiddenstate/preprocessing'
 * console.log(textToWordSequence("The fox didn't jump!")) // [ 'the', 'fox', "didn't", 'jump' ]
 * @see keras.preprocessing.text.text_to_word_sequence
 */
export function textToWordSequence(text: string, options?: TextOptions): string[] {
  const where = 'textToWordSequence'
  const resolved = resolveOptions(where, TEXT_DEFAULTS, options)
  checkText(where, text)
  checkSplitting(where, resolved)
  return splitWords(text, resolved)
}

/** FNV-1a (Fowler, Noll, Vo), 32 bits, over UTF-8: h = (h xor byte) * 16777619 from 2166136261. */
function fnv1a(word: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(word)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/**
 * Word indices by hashing: 1 … n - 1, where different words may share one ("hashing trick").
 * Needs no vocabulary.
 *
 * Keras takes Python's `hash`, which differs from process to process; here it is FNV-1a of the
 * word's UTF-8 bytes: `fnv1a(word) % (n - 1) + 1`. So an index is the same in every process, on
 * every machine and in every release.
 *
 * @param text any string
 * @param n size of the vocabulary, with the unused index 0; at least 2
 * @param options see {@link TextOptions}
 * @throws ConfigError ERR_OPTION
 * @example
 * import { oneHot } from 'hiddenstate/preprocessing'
 * const [a, b, c] = oneHot('fox dog fox', 100)
 * console.log(a === c, a >= 1 && a < 100) // true true
 * @see keras.preprocessing.text.one_hot
 */
export function oneHot(text: string, n: number, options?: TextOptions): number[] {
  atLeast('oneHot', 'n', n, 2)
  return textToWordSequence(text, options).map((word) => (fnv1a(word) % (n - 1)) + 1)
}

/** Options of a {@link Tokenizer}. */
export interface TokenizerOptions extends TextOptions {
  /**
   * Only words with an index below this are used, so the `nbWords - 1` most frequent. Default: all.
   */
  nbWords?: number | null | undefined
  /** Every character is a word; then `lower`, `filters` and `split` do nothing. Default false. */
  charLevel?: boolean | undefined
}

/**
 * What a row of a matrix says about a word: whether it is there, how often, its share of the text,
 * its tf-idf weight.
 */
export type MatrixMode = 'binary' | 'count' | 'freq' | 'tfidf'
const MODES: readonly MatrixMode[] = ['binary', 'count', 'freq', 'tfidf']

/**
 * Turns texts into lists of word indices, or into a matrix with a row per text.
 *
 * Indices count from 1 by falling frequency over everything fitted so far, equally frequent words
 * in the order in which they came; index 0 is no word. Words that were not fitted are left out.
 *
 * As in Keras: `documentCount` is that of the last fit alone while all else adds up; `nbWords: n`
 * keeps n - 1 words, since index 0 counts; a character-level Tokenizer keeps capitals; in mode
 * `'freq'` a text's words that are not among the `nbWords` do not count as its length,
 * but a sequence's do.
 *
 * @throws ConfigError ERR_OPTION
 * @example
 * import { Tokenizer } from 'hiddenstate/preprocessing'
 * const tokenizer = new Tokenizer()
 * tokenizer.fitOnTexts(['The fox, the dog', 'The fox'])
 * console.log(tokenizer.wordIndex) // Map(3) { 'the' => 1, 'fox' => 2, 'dog' => 3 }
 * console.log(tokenizer.textsToSequences(['a fox the'])) // [ [ 2, 1 ] ]
 * const counts = tokenizer.textsToMatrix(['fox fox'], { mode: 'count' })
 * console.log(counts.toArray()) // [ [ 0, 0, 2, 0 ] ]
 * @see keras.preprocessing.text.Tokenizer
 */
export class Tokenizer {
  readonly nbWords: number | null
  readonly filters: string
  readonly lower: boolean
  readonly split: string
  readonly charLevel: boolean
  /** How often each word came, over all fits. */
  readonly wordCounts = new Map<string, number>()
  /** In how many texts each word came, over all fits. */
  readonly wordDocs = new Map<string, number>()
  /** Index of each word, from 1; all words, also those beyond `nbWords`. */
  wordIndex: ReadonlyMap<string, number> = new Map()
  /** In how many texts the word of each index came. */
  indexDocs: ReadonlyMap<number, number> = new Map()
  /** Number of texts or sequences of the last fit. */
  documentCount = 0

  constructor(options?: TokenizerOptions) {
    const defaults: Filled<TokenizerOptions> = { nbWords: null, ...TEXT_DEFAULTS, charLevel: false }
    const resolved = resolveOptions('Tokenizer', defaults, options)
    const { nbWords } = resolved
    checkSplitting('Tokenizer', resolved)
    if (nbWords !== null) atLeast('Tokenizer', 'nbWords', nbWords, 1)
    this.nbWords = nbWords
    this.filters = resolved.filters
    this.lower = Boolean(resolved.lower)
    this.split = resolved.split
    this.charLevel = Boolean(resolved.charLevel)
  }

  /**
   * All it knows, for `JSON.stringify`: the options, and the words by falling frequency as `[word,
   * times, texts it came in]`.
   */
  toJSON(): TokenizerConfig {
    const { nbWords, filters, lower, split, charLevel, documentCount } = this
    const words = Array.from(this.wordIndex.keys(), (word): TokenizerWord => {
      return [word, this.wordCounts.get(word)!, this.wordDocs.get(word)!]
    })
    const options = { nbWords, filters, lower, split, charLevel }
    return {
      className: 'Tokenizer',
      ...options,
      documentCount,
      words,
      indexDocs: [...this.indexDocs],
    }
  }

  /** The same as a text, which {@link Tokenizer.fromJson} reads. */
  toJson(): string {
    return JSON.stringify(this)
  }

  /**
   * The Tokenizer that `toJson` or `JSON.stringify` wrote.
   *
   * @param json a text, or what `JSON.parse` makes of it
   * @throws FormatError ERR_FILE_FORMAT for anything else
   * @example
   * import { Tokenizer } from 'hiddenstate/preprocessing'
   * const tokenizer = new Tokenizer({ nbWords: 100 })
   * tokenizer.fitOnTexts(['The fox, the dog'])
   * const again = Tokenizer.fromJson(tokenizer.toJson())
   * console.log(again.textsToSequences(['a fox the'])) // [ [ 2, 1 ] ]
   */
  static fromJson(json: string | object): Tokenizer {
    const { documentCount, words, indexDocs, ...options } = readTokenizer(json)
    const tokenizer = new Tokenizer(options)
    for (const [word, count, docs] of words) {
      tokenizer.wordCounts.set(word, count)
      tokenizer.wordDocs.set(word, docs)
    }
    tokenizer.wordIndex = new Map(words.map(([word], i) => [word, i + 1]))
    tokenizer.indexDocs = new Map(indexDocs)
    tokenizer.documentCount = documentCount
    return tokenizer
  }

  /**
   * Counts the words of texts and numbers them anew.
   *
   * @param texts any iterable of strings
   * @throws ConfigError ERR_OPTION
   */
  fitOnTexts(texts: Iterable<string>): void {
    // a bad text changes nothing
    const all = Array.from(this.#checked('fitOnTexts', texts), (text) => this.#words(text))
    this.documentCount = all.length
    for (const words of all) {
      for (const word of words) this.wordCounts.set(word, (this.wordCounts.get(word) ?? 0) + 1)
      for (const word of new Set(words)) this.wordDocs.set(word, (this.wordDocs.get(word) ?? 0) + 1)
    }
    const byCount = [...this.wordCounts].sort((a, b) => b[1] - a[1]) // stable
    this.wordIndex = new Map(byCount.map(([word], i) => [word, i + 1]))
    this.indexDocs = new Map(
      [...this.wordDocs].map(([word, count]) => [this.wordIndex.get(word) as number, count]),
    )
  }

  /**
   * Counts in how many sequences each index comes, for mode `'tfidf'` without texts.
   *
   * @param sequences lists of word indices
   */
  fitOnSequences(sequences: Iterable<ArrayLike<number>>): void {
    const docs = new Map<number, number>()
    let count = 0
    for (const sequence of sequences) {
      count++
      for (const i of new Set(Array.from(sequence))) docs.set(i, (docs.get(i) ?? 0) + 1)
    }
    this.indexDocs = docs
    this.documentCount = count
  }

  /** The word indices of each text. @throws StateError ERR_NOT_BUILT before fitOnTexts */
  textsToSequences(texts: Iterable<string>): number[][] {
    return [...this.textsToSequencesGenerator(texts)]
  }

  /** The same one by one, for texts that do not fit into memory. */
  *textsToSequencesGenerator(texts: Iterable<string>): Generator<number[], void, undefined> {
    const below = this.nbWords ?? Number.POSITIVE_INFINITY
    if (this.wordIndex.size === 0 && this.documentCount === 0) {
      fail(StateError, 'ERR_NOT_BUILT', {
        where: 'Tokenizer.textsToSequences',
        what: 'Tokenizer',
        expected: 'fitted on texts',
        actual: 'one without a fit',
        hint: 'Call fitOnTexts first.',
      })
    }
    for (const text of this.#checked('textsToSequences', texts)) {
      const indices = this.#words(text).map((word) => this.wordIndex.get(word))
      yield indices.filter((i): i is number => i !== undefined && i < below)
    }
  }

  /**
   * A row per text.
   *
   * @param options `mode`: default `'binary'`
   * @returns shape [N, nbWords], or [N, number of words + 1] without `nbWords`;
   *   float64; column 0 is empty
   * @throws as {@link sequencesToMatrix}
   */
  textsToMatrix(texts: Iterable<string>, options?: { mode?: MatrixMode | undefined }): NDArray {
    return this.sequencesToMatrix(this.textsToSequences(texts), options)
  }

  /**
   * A row per sequence of word indices. With c the number of times a word comes in it: `'binary'`
   * 1, `'count'` c, `'freq'` c / length, `'tfidf'`
   * `(1 + ln c) * ln(1 + documentCount / (1 + indexDocs(word)))`.
   *
   * @param options `mode`: default `'binary'`
   * @returns shape [N, nbWords], or [N, number of words + 1] without `nbWords`; float64
   * @throws StateError ERR_NOT_BUILT without `nbWords` before a fit on texts, and for `'tfidf'`
   *   before any fit; ConfigError ERR_OPTION for another mode or an index that is no integer from 0
   */
  sequencesToMatrix(
    sequences: Iterable<ArrayLike<number>>,
    options?: { mode?: MatrixMode | undefined },
  ): NDArray {
    const where = 'Tokenizer.sequencesToMatrix'
    const { mode } = resolveOptions(where, { mode: 'binary' as MatrixMode }, options)
    oneOf(where, 'mode', mode, MODES)
    if (this.nbWords === null && this.wordIndex.size === 0) {
      fail(StateError, 'ERR_NOT_BUILT', {
        where,
        what: 'width',
        expected: 'known',
        actual: 'neither nbWords nor fitted texts',
        hint: 'Set nbWords, or call fitOnTexts first.',
      })
    }
    if (mode === 'tfidf' && this.documentCount === 0) {
      fail(StateError, 'ERR_NOT_BUILT', {
        where,
        what: 'Tokenizer',
        expected: "fitted before mode 'tfidf'",
        actual: 'one without a fit',
        hint: 'Call fitOnTexts or fitOnSequences.',
      })
    }
    const V = this.nbWords ?? this.wordIndex.size + 1
    const list = Array.from(sequences)
    const out = new Float64Array(list.length * V) // [N, V]
    for (const [n, sequence] of list.entries()) {
      const row = out.subarray(n * V, (n + 1) * V) // [V]
      for (let k = 0; k < sequence.length; k++) {
        const i = sequence[k] as number
        if (!Number.isSafeInteger(i) || i < 0)
          atLeast(`${where}: sequences[${n}][${k}]`, 'word index', i, 0)
        if (i < V) row[i] = (row[i] as number) + 1
      }
      for (let i = 0; i < V; i++)
        if (row[i] !== 0) row[i] = this.#weight(mode, i, row[i] as number, sequence.length)
    }
    return new NDArray(out, [list.length, V])
  }

  #weight(mode: MatrixMode, index: number, count: number, length: number): number {
    if (mode === 'binary') return 1
    if (mode === 'count') return count
    if (mode === 'freq') return count / length
    return (
      (1 + Math.log(count)) *
      Math.log(1 + this.documentCount / (1 + (this.indexDocs.get(index) ?? 0)))
    )
  }

  #words(text: unknown): string[] {
    checkText('Tokenizer', text)
    return this.charLevel ? Array.from(text) : splitWords(text, this)
  }

  /** A string is iterable, too, but its characters are not texts. */
  #checked(method: string, texts: Iterable<string>): Iterable<string> {
    if (
      typeof texts !== 'string' &&
      typeof (texts as Iterable<string> | null)?.[Symbol.iterator] === 'function'
    )
      return texts
    return fail(ConfigError, 'ERR_OPTION', {
      where: `Tokenizer.${method}`,
      what: 'texts',
      expected: 'a list of strings',
      actual: describe(texts),
      hint: typeof texts === 'string' ? 'Put it into brackets.' : undefined,
    })
  }
}
