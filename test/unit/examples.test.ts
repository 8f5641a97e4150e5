/**
 * What the examples share: texts by path, windows of characters, sums;
 * and that the list of them is whole.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decode, encode, makeAdditions } from '../../examples/keras/additions.mjs'
import { readTexts, splitTexts } from '../../examples/keras/texts.mjs'
import {
  encode as encodeTags,
  makeCorpus,
  parseConll,
  readFolder,
} from '../../examples/tagging/corpus.mjs'
import { frequentTags, scoresOf } from '../../examples/tagging/taggers.mjs'
import {
  alphabetOf,
  draw,
  encodeWindows,
  startsOf,
} from '../../examples/text-generation/characters.mjs'
import { examples } from '../../scripts/examples.mjs'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'hiddenstate-examples-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Writes `files` below the folder and says where. */
function write(name: string, files: Record<string, string>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name, file)), { recursive: true })
    writeFileSync(path.join(folder, name, file), text)
  }
  return path.join(folder, name)
}

describe('labelled texts', () => {
  const both = [
    { text: 'dull', label: 0 },
    { text: 'good', label: 1 },
  ]

  it('are read from two files, from two folders and from lines with a label', () => {
    expect(readTexts(write('files', { 'rt.neg': 'dull\n\n', 'rt.pos': 'good\n' }))).toEqual(both)
    expect(readTexts(write('folders', { 'neg/1.txt': 'dull', 'pos/1.txt': 'good' }))).toEqual(both)
    expect(
      readTexts(path.join(write('lines', { 'all.tsv': '0\tdull\n1\tgood\n' }), 'all.tsv')),
    ).toEqual(both)
  })

  it('keep the split they come with; of others every fifth is held out', () => {
    const files = (text: string) => ({ [`${text}/neg/1.txt`]: text, [`${text}/pos/1.txt`]: text })
    const { train, test } = splitTexts(write('split', { ...files('train'), ...files('test') }))
    expect([train, test].map((list) => list.map(({ text }: { text: string }) => text))).toEqual([
      ['train', 'train'],
      ['test', 'test'],
    ])
    const lines = Array.from({ length: 10 }, (_, i) => `1\t${i}\n`).join('')
    const other = splitTexts(path.join(write('whole', { 'all.tsv': lines }), 'all.tsv'))
    expect(other.test.map(({ text }: { text: string }) => text)).toEqual(['0', '5'])
    expect(other.train).toHaveLength(8)
  })

  it('say which line or folder is wrong', () => {
    const file = path.join(write('wrong', { 'all.tsv': '1\tgood\ngood\n' }), 'all.tsv')
    expect(() => readTexts(file)).toThrow('line 2: must be 0 or 1, a tab and the text, got "good"')
    expect(() => readTexts(write('half', { 'rt.neg': 'dull\n' }))).toThrow(
      'must hold a folder pos or a file *.pos',
    )
  })
})

describe('characters', () => {
  const alphabet = alphabetOf('abca')

  it('become one-hot windows with the character that follows', () => {
    expect(startsOf('abcab', 2, 1)).toEqual([0, 1, 2])
    expect(startsOf('abcab', 2, 2)).toEqual([0, 2])
    const { x, y } = encodeWindows('abca', alphabet, [1], 2)
    expect([...x.data, ...y.data]).toEqual([0, 1, 0, 0, 0, 1, 1, 0, 0])
    expect([x.shape, y.shape]).toEqual([
      [1, 2, 3],
      [1, 3],
    ])
  })

  it('are drawn in proportion, and the likeliest alone when it is cold', () => {
    const p = [0.2, 0.5, 0.3]
    expect([0.1, 0.6, 0.9].map((r) => draw(p, 1, () => r))).toEqual([0, 1, 2])
    expect([0.01, 0.5, 0.99].map((r) => draw(p, 0.01, () => r))).toEqual([1, 1, 1])
  })
})

describe('sums', () => {
  it('are the 5,000 that Keras was trained on, each once', () => {
    const sums = makeAdditions(5000, 2, 1) as [string, string][]
    expect([sums[0], sums[4500], sums[4999]]).toEqual([
      ['89+29', '190'],
      ['32+25', '75 '],
      ['33+84', '81 '],
    ])
    expect(new Set(sums.map(([question]) => question)).size).toBe(5000)
  })

  it('come back from one-hot', () => {
    expect(encode(['1+ 2']).shape).toEqual([1, 4, 12])
    expect(decode(encode(['75 ', '190']))).toEqual(['75 ', '190'])
  })
})

describe('sentences with tags', () => {
  it('are read from CoNLL files, the word first and the tag last', () => {
    const text = '-DOCSTART- -X- O O\n\nAda NNP I-PER\nsang VBD O\n\nRome NNP I-LOC\r\n'
    expect(parseConll(text, 'a.txt')).toEqual([
      { words: ['Ada', 'sang'], tags: ['I-PER', 'O'] },
      { words: ['Rome'], tags: ['I-LOC'] },
    ])
    expect(() => parseConll('Ada B-PER\nsang\n', 'a.txt')).toThrow(
      'a.txt, line 2: must be a word and its tag, got "sang".',
    )
    const parts = write('conll', { 'ner.train': 'a O\n', 'ner.test': 'b O\n\nc O\n' })
    expect(readFolder(parts).test.map(({ words }: { words: string[] }) => words)).toEqual([
      ['b'],
      ['c'],
    ])
  })

  it('are made alike from a seed, with spans of all types', () => {
    const sizes = { train: 40, test: 20 }
    expect(makeCorpus(3, sizes)).toEqual(makeCorpus(3, sizes))
    expect(makeCorpus(4, sizes)).not.toEqual(makeCorpus(3, sizes))
    const { test } = makeCorpus(3, sizes)
    const { spans } = scoresOf(
      test,
      test.map(({ tags }: { tags: string[] }) => tags),
    )
    expect(spans?.f1).toBe(1)
    expect(Object.keys(spans!.types)).toEqual(['LOC', 'ORG', 'PER'])
  })

  it('words met once are unknown; the baseline takes the most frequent tag', () => {
    const sentence = (words: string, tags: string) => ({
      words: words.split(' '),
      tags: tags.split(' '),
    })
    const train = [sentence('a b a', 'O B-X O'), sentence('a a c', 'B-X O B-X')]
    const test = [sentence('a c d', 'O B-X O')]
    const { tags, words, test: part } = encodeTags({ train, test })
    expect([tags, words]).toEqual([['B-X', 'O'], 3])
    expect(Array.from(part.x.at(0).data)).toEqual([2, 1, 1])
    expect(frequentTags({ train, test })).toEqual([['O', 'B-X', 'O']])
    expect(() => encodeTags({ train, test: [sentence('a', 'B-Y')] })).toThrow('The tag B-Y')
  })
})

it('every example is in the list', () => {
  const readme = readFileSync(new URL('../../examples/README.md', import.meta.url), 'utf8')
  expect(examples.size).toBeGreaterThan(12)
  const commands = new Set(
    Array.from(readme.matchAll(/`npm start ?([\w/-]*)/g), ([, name]) => name || 'sentiment'),
  )
  expect([...commands].sort()).toEqual([...examples.keys()].sort())
})
