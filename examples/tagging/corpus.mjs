/** Sentences with tags: of files in CoNLL's format, or made here. */
import fs from 'node:fs'
import path from 'node:path'
import { Ragged } from 'hiddenstate'
import { mulberry32 } from '../sine/waves.mjs'

/** `[{ words, tags }]` of a text in CoNLL's format: a word and, last, its tag a line. */
export function parseConll(text, name) {
  const sentences = []
  let sentence = null
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const columns = line.trim().split(/\s+/)
    if (columns[0] === '' || columns[0] === '-DOCSTART-') {
      sentence = null
      continue
    }
    if (columns.length < 2)
      throw new Error(`${name}, line ${i + 1}: must be a word and its tag, got "${line}".`)
    if (!sentence) sentences.push((sentence = { words: [], tags: [] }))
    sentence.words.push(columns[0])
    sentence.tags.push(columns.at(-1))
  }
  return sentences
}

/** The files train* and test* of a folder; test* alone, where there are several, in one piece. */
export function readFolder(folder) {
  const files = fs.readdirSync(folder).sort()
  const read = (part) => {
    const names = files.filter((file) => file.includes(part))
    if (names.length === 0) throw new Error(`${folder} must hold a file *${part}*, got none.`)
    return names.flatMap((name) =>
      parseConll(fs.readFileSync(path.join(folder, name), 'utf8'), path.join(folder, name)),
    )
  }
  return { train: read('train'), test: read('test') }
}

const TYPES = ['PER', 'LOC', 'ORG']
const BEFORE = {
  PER: ['mr', 'ms', 'met'],
  LOC: ['in', 'near', 'from'],
  ORG: ['at', 'joined', 'sued'],
}
const AFTER = { PER: ['said', 'smiled'], LOC: ['airport', 'harbour'], ORG: ['shares', 'announced'] }
const PLAIN = 'the a then and yesterday again was old new report came while early late it'.split(
  ' ',
)
const SYLLABLES = 'ba ko ru mi te sol nar vin lo hal der qua pe sta gri'.split(' ')

/**
 * Sentences with names of people, places and firms. Each word of a name is of several types, more
 * often of one than of another, and rather stands first or not; names are one to three words, and
 * some follow each other at once. Half of them have a word beside them that tells the type; of the
 * others only the words of the name tell, which may disagree. Many words of names are rare.
 */
export function makeCorpus(seed, { train = 1500, test = 600, names = 600 } = {}) {
  const random = mulberry32(seed)
  const pick = (list) => list[Math.floor(random() * list.length)]
  const lexicon = Array.from({ length: names }, (_, i) => {
    const shares = TYPES.map(() => random() ** 3 + 0.02)
    const word = SYLLABLES[i % 15] + SYLLABLES[Math.floor(i / 15) % 15] + pick(SYLLABLES) + (i % 7)
    return { word, shares, first: random() < 0.5 ? 0.85 : 0.15, often: random() ** 3 + 0.01 }
  })
  /** A word of a name by type and place. */
  const tables = TYPES.map((_, k) =>
    [true, false].map((isFirst) => {
      let sum = 0
      return lexicon.map(({ shares, first, often }) => {
        sum += often * shares[k] * (isFirst ? first : 1 - first)
        return sum
      })
    }),
  )
  const draw = (k, isFirst) => {
    const sums = tables[k][isFirst ? 0 : 1]
    const at = random() * sums.at(-1)
    return lexicon[sums.findIndex((sum) => sum > at)].word
  }
  const sentence = () => {
    const words = []
    const tags = []
    const add = (word, tag) => {
      words.push(word)
      tags.push(tag)
    }
    const slots = 2 + Math.floor(random() * 3)
    for (let n = 0; n < slots; n++) {
      const plain = random() < 0.2 ? 0 : 1 + Math.floor(random() * 3)
      for (let i = 0; i < plain; i++) add(pick(PLAIN), 'O')
      const k = Math.floor(random() * 3)
      const cue = random()
      if (cue < 0.25) add(pick(BEFORE[TYPES[k]]), 'O')
      const length = 1 + Math.floor(random() * 3)
      for (let i = 0; i < length; i++) add(draw(k, i === 0), `${i === 0 ? 'B' : 'I'}-${TYPES[k]}`)
      if (cue > 0.75) add(pick(AFTER[TYPES[k]]), 'O')
    }
    return { words, tags }
  }
  const many = (count) => Array.from({ length: count }, sentence)
  return { train: many(train), test: many(test) }
}

/**
 * Numbers for a net: `{ x, y }` of each part, words from 2 on, 1 for words that were met once or
 * never in training, tags as in `tags`.
 */
export function encode({ train, test }) {
  const counts = new Map()
  for (const { words } of train)
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  const known = [...counts].filter(([, count]) => count > 1).map(([word]) => word)
  const numbers = new Map(known.map((word, i) => [word, i + 2]))
  const tags = [...new Set(train.flatMap((sentence) => sentence.tags))].sort()
  const numberOf = new Map(tags.map((tag, i) => [tag, i]))
  const unknown = test.flatMap((sentence) => sentence.tags).find((tag) => !numberOf.has(tag))
  if (unknown !== undefined)
    throw new Error(`The tag ${unknown} of the test is not in the training.`)
  const part = (sentences) => ({
    x: Ragged.from(sentences.map(({ words }) => words.map((word) => numbers.get(word) ?? 1))),
    y: Ragged.from(sentences.map((each) => each.tags.map((tag) => [numberOf.get(tag)]))),
  })
  return { train: part(train), test: part(test), tags, words: known.length + 2 }
}
