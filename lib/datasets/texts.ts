/** Texts as lists of word indices, by falling frequency: reviews of films, and news. */
import { checkInteger } from '../call-options.js'
import { ConfigError, fail, FormatError } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import { RandomStream } from '../random.js'
import type { Pickled } from '../files/pickle.js'
import {
  contents,
  type DatasetOptions,
  find,
  integers,
  type KerasFile,
  sequences,
  sourceDefaults,
} from './source.js'

/** Options of data sets of texts. */
export interface TextOptions extends DatasetOptions {
  /**
   * Words of this index (before the shift: of this rank) and above become `oovChar`. Default
   * `null`: the largest index.
   */
  nbWords?: number | null
  /** The most frequent words, of an index below this, become `oovChar`. Default 0. */
  skipTop?: number
  /** Texts of this length and longer are left out. Default `null`: none. */
  maxlen?: number | null
  /** Seed of the order of the texts. Default 113. */
  seed?: number
  /** Put before every text. Default 1; `null`: nothing. */
  startChar?: number | null
  /** Stands for words that are left out; `null`: they are dropped. Default 2. */
  oovChar?: number | null
  /** Added to every index. Default 3. */
  indexFrom?: number
}

/** Options of {@link imdb}. */
export type ImdbOptions = TextOptions

/** Options of {@link reuters}. */
export interface ReutersOptions extends TextOptions {
  /** Share of the texts that are for testing: the last ones. Default 0.2. */
  testSplit?: number
}

/** Options of `getWordIndex`. */
export type WordIndexOptions = DatasetOptions

/** Training and test texts: lists of word indices, and a label each. */
export type Split = [[xTrain: number[][], yTrain: number[]], [xTest: number[][], yTest: number[]]]

const FILES = {
  imdb: {
    name: 'imdb.npz',
    hash: '69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f',
  },
  imdbWords: { name: 'imdb_word_index.json', hash: 'bfafd718b763782e994055a2d397834f' },
  reuters: {
    name: 'reuters.npz',
    hash: 'd6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916',
  },
  reutersWords: { name: 'reuters_word_index.json', hash: '4d44cc38712099c9e383dc6e5f11a921' },
} satisfies Record<string, KerasFile>

const defaults: Record<string, unknown> = {
  ...sourceDefaults,
  nbWords: null,
  skipTop: 0,
  maxlen: null,
  seed: 113,
  startChar: 1,
  oovChar: 2,
  indexFrom: 3,
}

interface Texts {
  x: number[][]
  y: number[]
}

type Resolved = Readonly<Record<'skipTop' | 'seed' | 'indexFrom', number>> &
  Readonly<Record<'nbWords' | 'maxlen' | 'startChar' | 'oovChar', number | null>>

function checked(where: string, options: Readonly<Record<string, unknown>>): Resolved {
  for (const key of ['skipTop', 'seed', 'indexFrom']) checkInteger(where, key, options[key], 0)
  for (const key of ['nbWords', 'maxlen', 'startChar', 'oovChar'])
    if (options[key] !== null) checkInteger(where, key, options[key], 0)
  return options as unknown as Resolved
}

/** Texts and labels in a new order, the same for both. */
function shuffled({ x, y }: Texts, seed: number): Texts {
  const order = new RandomStream(seed).shuffle(Int32Array.from({ length: x.length }, (_, i) => i))
  return { x: Array.from(order, (i) => x[i]!), y: Array.from(order, (i) => y[i]!) }
}

/** Keras' steps: start mark and shift, then length, then the words that are left out. */
function prepare(where: string, parts: readonly Texts[], options: Resolved): Texts[] {
  const { skipTop, startChar, oovChar, indexFrom, maxlen } = options
  const shifted = parts.map(({ x, y }) => {
    const marked = x.map((words) => [
      ...(startChar === null ? [] : [startChar]),
      ...words.map((w) => w + indexFrom),
    ])
    const kept = marked
      .map((words, i) => [words, y[i]!] as const)
      .filter(([words]) => maxlen === null || words.length < maxlen)
    return { x: kept.map(([words]) => words), y: kept.map(([, label]) => label) }
  })
  if (shifted.every(({ x }) => x.length === 0)) {
    const actual = maxlen === null ? 'none' : `none shorter than maxlen ${maxlen}`
    fail(ConfigError, 'ERR_OPTION', { where, what: 'texts', expected: 'one at least', actual })
  }
  let nbWords = options.nbWords ?? 0
  if (!nbWords)
    for (const { x } of shifted)
      for (const words of x) for (const w of words) if (w > nbWords) nbWords = w
  const isOut = (w: number): boolean => w >= nbWords || w < skipTop
  const limited = (words: number[]): number[] =>
    oovChar === null ? words.filter((w) => !isOut(w)) : words.map((w) => (isOut(w) ? oovChar : w))
  return shifted.map(({ x, y }) => ({ x: x.map(limited), y }))
}

/** Texts and labels that belong together. */
function pair(where: string, x: Pickled | undefined, y: Pickled | undefined): Texts {
  const texts = { x: sequences(where, x), y: integers(where, y) }
  if (texts.x.length !== texts.y.length) {
    const expected = `${texts.x.length}, one for each text`
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where,
      what: 'labels',
      expected,
      actual: `${texts.y.length}`,
    })
  }
  return texts
}

const split = ([train, test]: readonly Texts[]): Split => [
  [train!.x, train!.y],
  [test!.x, test!.y],
]

async function wordIndex(
  where: string,
  file: KerasFile,
  given: WordIndexOptions | undefined,
): Promise<Map<string, number>> {
  const options = resolveOptions(where, sourceDefaults, given)
  const path = await find(where, file, options)
  const found = (await contents(path, where, options)).get('')
  const isGood =
    found instanceof Map &&
    [...found].every(([word, i]) => typeof word === 'string' && typeof i === 'number')
  if (!isGood)
    fail(FormatError, 'ERR_FILE_FORMAT', {
      where: path,
      what: 'content',
      expected: 'words with their index',
      actual: describe(found),
    })
  return found as Map<string, number>
}

/**
 * 50,000 reviews of films, good (1) or bad (0), as lists of word indices.
 * @see keras.datasets.imdb
 */
export const imdb = {
  /**
   * The reviews. Indices are shifted by `indexFrom`: 0 is for padding, 1 begins a review, 2 stands
   * for words left out.
   *
   * Reads Keras' `imdb.npz` and Keras 1's pickle (`imdb_full.pkl`), both as data: what a pickle
   * would execute is an error. Unlike Keras, `oovChar: null` drops the words that are left out
   * (1.2.2 keeps just those), and with `maxlen` no review moves from test to training.
   *
   * @returns `[[xTrain, yTrain], [xTest, yTest]]`; `padSequences` makes arrays of them
   * @throws FormatError `ERR_FILE_FORMAT`, ConfigError `ERR_OPTION`; as a rejection
   * @example
   * import { imdb } from 'hiddenstate/datasets'
   * const train = async () => {
   *   const [[xTrain, yTrain], [xTest, yTest]] = await imdb.loadData({ nbWords: 20000 })
   * }
   * @see keras.datasets.imdb.load_data
   */
  async loadData(options?: ImdbOptions): Promise<Split> {
    const where = 'imdb.loadData'
    const given = resolveOptions(where, defaults, options)
    const resolved = checked(where, given)
    const path = await find(where, FILES.imdb, given)
    const found = await contents(path, where, given)
    const pairs = found.get('')
    const [train = [], test = []] = (Array.isArray(pairs) ? pairs : []) as Pickled[][]
    const list =
      pairs === undefined
        ? ['x_train', 'y_train', 'x_test', 'y_test'].map((key) => found.get(key))
        : [...train, ...test]
    const parts = [
      pair(`${path}: x_train`, list[0], list[1]),
      pair(`${path}: x_test`, list[2], list[3]),
    ]
    const mixed = parts.map((part, i) => shuffled(part, resolved.seed * (i + 1)))
    return split(prepare(where, mixed, resolved))
  },

  /**
   * Index of each word, from 1, not shifted.
   *
   * @throws FormatError `ERR_FILE_FORMAT`, as a rejection
   * @see keras.datasets.imdb.get_word_index
   */
  async getWordIndex(options?: WordIndexOptions): Promise<Map<string, number>> {
    return wordIndex('imdb.getWordIndex', FILES.imdbWords, options)
  },
}

/**
 * 11,228 news of Reuters about 46 topics, as lists of word indices.
 * @see keras.datasets.reuters
 */
export const reuters = {
  /**
   * The news. Indices as in {@link imdb}.
   *
   * @returns `[[xTrain, yTrain], [xTest, yTest]]`, labels 0 to 45
   * @throws FormatError `ERR_FILE_FORMAT`, ConfigError `ERR_OPTION`; as a rejection
   * @see keras.datasets.reuters.load_data
   */
  async loadData(options?: ReutersOptions): Promise<Split> {
    const where = 'reuters.loadData'
    const given = resolveOptions(
      where,
      { ...defaults, testSplit: 0.2 } as Record<string, unknown>,
      options,
    )
    const { testSplit } = given
    if (typeof testSplit !== 'number' || !(testSplit >= 0 && testSplit <= 1))
      fail(ConfigError, 'ERR_OPTION', {
        where,
        what: 'testSplit',
        expected: 'a number from 0 to 1',
        actual: describe(testSplit),
      })
    const resolved = checked(where, given)
    const path = await find(where, FILES.reuters, given)
    const found = await contents(path, where, given)
    const pickled = found.get('')
    const [x, y] =
      pickled === undefined
        ? [found.get('x'), found.get('y')]
        : ((Array.isArray(pickled) ? pickled : []) as Pickled[])
    const [all] = prepare(where, [shuffled(pair(path, x, y), resolved.seed)], resolved) as [Texts]
    const at = Math.trunc(all.x.length * (1 - (testSplit as number)))
    return split(
      [0, 1].map((i) => ({
        x: i ? all.x.slice(at) : all.x.slice(0, at),
        y: i ? all.y.slice(at) : all.y.slice(0, at),
      })),
    )
  },

  /**
   * Index of each word, from 1, not shifted.
   *
   * @throws FormatError `ERR_FILE_FORMAT`, as a rejection
   * @see keras.datasets.reuters.get_word_index
   */
  async getWordIndex(options?: WordIndexOptions): Promise<Map<string, number>> {
    return wordIndex('reuters.getWordIndex', FILES.reutersWords, options)
  },
}
