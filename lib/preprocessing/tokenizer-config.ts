/** A Tokenizer as JSON, checked. */
import { FormatError, fail } from '../errors.js'
import { describe } from '../ndarray.js'

/** A word, how often it came, and in how many texts. */
export type TokenizerWord = [word: string, count: number, docs: number]

/** What `Tokenizer.toJson` writes. */
export interface TokenizerConfig {
  className: 'Tokenizer'
  nbWords: number | null
  filters: string
  lower: boolean
  split: string
  charLevel: boolean
  /** Texts or sequences of the last fit. */
  documentCount: number
  /** By index, from 1. */
  words: TokenizerWord[]
  /** `[index, texts or sequences it came in]`. */
  indexDocs: [index: number, docs: number][]
}

const where = 'Tokenizer.fromJson'

function refuse(what: string, expected: string, actual: unknown): never {
  const hint = 'Write it with toJson, or JSON.stringify, of a Tokenizer of this package.'
  return fail(FormatError, 'ERR_FILE_FORMAT', {
    where,
    what,
    expected,
    actual: describe(actual),
    hint,
  })
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): value is string => typeof value === 'string'
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'

const FIELDS: Record<string, [expected: string, fits: (value: unknown) => boolean]> = {
  className: ["'Tokenizer'", (value) => value === 'Tokenizer'],
  nbWords: ['an integer >= 1 or null', (value) => value === null || (isCount(value) && value >= 1)],
  filters: ['a string', isText],
  lower: ['true or false', isFlag],
  split: ['a string that is not empty', (value) => isText(value) && value !== ''],
  charLevel: ['true or false', isFlag],
  documentCount: ['an integer >= 0', isCount],
  words: ['a list', Array.isArray],
  indexDocs: ['a list', Array.isArray],
}

function parse(json: unknown): unknown {
  if (typeof json !== 'string') return json
  try {
    return JSON.parse(json)
  } catch (error) {
    return refuse('text', `JSON (${(error as Error).message})`, json)
  }
}

/** @throws FormatError ERR_FILE_FORMAT */
export function readTokenizer(json: unknown): Omit<TokenizerConfig, 'className'> {
  const document = parse(json)
  if (typeof document !== 'object' || document === null)
    return refuse('document', 'an object', document)
  const config = document as Record<string, unknown>
  for (const [key, [expected, fits]] of Object.entries(FIELDS)) {
    const value = Object.hasOwn(config, key) ? config[key] : undefined
    if (!fits(value)) refuse(key, expected, value)
  }
  const { nbWords, filters, lower, split, charLevel, documentCount, words, indexDocs } =
    config as unknown as TokenizerConfig
  const seen = new Set<unknown>()
  for (const [i, entry] of (words as unknown[]).entries()) {
    const isEntry =
      Array.isArray(entry) && isText(entry[0]) && isCount(entry[1]) && isCount(entry[2])
    if (!isEntry) refuse(`words[${i}]`, '[word, count, texts]', entry)
    else if (seen.size === seen.add(entry[0]).size)
      refuse(`words[${i}]`, 'a word that did not come before', entry[0])
  }
  for (const [i, entry] of (indexDocs as unknown[]).entries()) {
    if (!(Array.isArray(entry) && isCount(entry[0]) && isCount(entry[1])))
      refuse(`indexDocs[${i}]`, '[index, texts]', entry)
  }
  return { nbWords, filters, lower, split, charLevel, documentCount, words, indexDocs }
}
