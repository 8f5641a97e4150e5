/** Three taggers of the same sentences: the tag that a word has most often, and two nets. */
import {
  Adam,
  Bidirectional,
  CRF,
  Dense,
  Embedding,
  LSTM,
  Sequential,
  setSeed,
  TimeDistributed,
} from 'hiddenstate'
import { spanF1 } from 'hiddenstate/utils'

/** A BiLSTM that ends in a CRF, or in a softmax of each word's own. */
export function makeTagger(end, { words, tags }, units = 32) {
  const model = new Sequential([
    new Embedding(words, 32, { maskZero: true, inputShape: [null], dropout: 0.2 }),
    new Bidirectional(new LSTM(units, { returnSequences: true })),
  ])
  const isCrf = end === 'crf'
  if (isCrf) model.add(new CRF(tags.length))
  else model.add(new TimeDistributed(new Dense(tags.length, { activation: 'softmax' })))
  const loss = isCrf ? 'sparse_crf' : 'sparse_categorical_crossentropy'
  model.compile({ loss, optimizer: new Adam({ lr: 0.005 }) })
  return model
}

/** `{ model, predicted }`: trained, and its tags of the test as texts. */
export async function trainTagger(end, data, { epochs, seed, units }) {
  setSeed(seed)
  const model = makeTagger(end, data, units)
  await model.fit(data.train.x, data.train.y, { batchSize: 32, nbEpoch: epochs, verbose: 0 })
  const paths = await model.predictClasses(data.test.x)
  const textsOf = ({ data: numbers }) => Array.from(numbers, (k) => data.tags[k])
  const count = data.test.x.lengths.length
  return { model, predicted: Array.from({ length: count }, (_, n) => textsOf(paths.at(n))) }
}

/** The tag that each word has most often in training; of others, the most frequent of all. */
export function frequentTags({ train, test }) {
  const counts = new Map()
  const count = (key, tag) => {
    const tags = counts.get(key) ?? new Map()
    counts.set(key, tags.set(tag, (tags.get(tag) ?? 0) + 1))
  }
  for (const { words, tags } of train)
    for (const [t, tag] of tags.entries()) {
      count(words[t], tag)
      count(null, tag)
    }
  const best = new Map(
    [...counts].map(([key, tags]) => [key, [...tags].sort((a, b) => b[1] - a[1])[0][0]]),
  )
  return test.map(({ words }) => words.map((word) => best.get(word) ?? best.get(null)))
}

/** `{ accuracy, f1 }`; f1 is null where tags are not B-, I- and O. */
export function scoresOf(test, predicted) {
  const pairs = test.flatMap(({ tags }, n) => tags.map((tag, t) => tag === predicted[n][t]))
  const accuracy = pairs.filter(Boolean).length / pairs.length
  const right = test.map(({ tags }) => tags)
  const isOfSpans = right.flat().every((tag) => tag === 'O' || /^[BIES]-/.test(tag))
  return { accuracy, spans: isOfSpans ? spanF1(right, predicted, { scheme: 'IOBES' }) : null }
}
