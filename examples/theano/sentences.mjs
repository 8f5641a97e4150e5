/** Sentences as numbers of words, for language models. */
import { padSequences } from 'hiddenstate/preprocessing'
import { readReviews } from '../sentiment/reviews.mjs'

/**
 * `{ train, test, words }`: of the 3,000 review sentences of the npm package `sentiment`, every
 * fifth held out, lists of numbers: 0 is padding, 1 the border of a sentence, which begins and ends
 * with it, 2 any word that is not among the `words - 3` most frequent of the training sentences.
 */
export function readSentences({ words = 1000, most = 25 } = {}) {
  const { train, test } = readReviews()
  const split = ({ text }) => (text.toLowerCase().match(/[a-z']+|[.!?]/g) ?? []).slice(0, most)
  const counts = new Map()
  for (const word of train.flatMap(split)) counts.set(word, (counts.get(word) ?? 0) + 1)
  const ranked = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
  const number = new Map(ranked.slice(0, words - 3).map(([word], i) => [word, i + 3]))
  const numbers = (sentence) => [1, ...split(sentence).map((word) => number.get(word) ?? 2), 1]
  return { train: train.map(numbers), test: test.map(numbers), words }
}

/** Perplexity of a new word by counts: of the word, and of it behind the one before. */
export function bigramPerplexity({ train, test, words }) {
  const singles = new Float64Array(words).fill(1)
  const pairs = new Map()
  const before = new Float64Array(words)
  for (const sentence of train)
    for (const [i, word] of sentence.entries()) {
      if (i === 0) continue
      singles[word]++
      const key = sentence[i - 1] * words + word
      pairs.set(key, (pairs.get(key) ?? 0) + 1)
      before[sentence[i - 1]]++
    }
  const all = singles.reduce((a, b) => a + b)
  let [nats, count] = [0, 0]
  for (const sentence of test)
    for (const [i, word] of sentence.entries()) {
      if (i === 0) continue
      const previous = sentence[i - 1]
      const seen = before[previous]
      const ofPair = seen > 0 ? (pairs.get(previous * words + word) ?? 0) / seen : 0
      const weight = seen / (seen + 20) // how far the pairs are trusted
      nats -= Math.log(weight * ofPair + ((1 - weight) * singles[word]) / all)
      count++
    }
  return Math.exp(nats / count)
}

/** `{ x: [N, T], y: [N, T, 1] }`: words, and for each the one that follows. */
export function encodeSentences(list) {
  const x = padSequences(
    list.map((sentence) => sentence.slice(0, -1)),
    { padding: 'post' },
  )
  const y = padSequences(
    list.map((sentence) => sentence.slice(1)),
    { padding: 'post' },
  )
  return { x, y: { data: y.data, shape: [...y.shape, 1] } }
}
