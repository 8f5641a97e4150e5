/**
 * Names of people, places and firms: a bidirectional LSTM that ends in a CRF beside the same net
 * with a softmax, and beside the tag that each word has most often.
 *
 *   npm start tagging [-- --data DIR --epochs 8 --units 32 --seed 1 --smoke]
 *
 * DIR holds files *train* and *test* in CoNLL's format (a word and, last, its tag a line; an empty
 * line between sentences). Without it the sentences are made by corpus.mjs.
 */
import '../one-sentence.mjs'
import { percent, readOptions } from '../keras/options.mjs'
import { encode, makeCorpus, readFolder } from './corpus.mjs'
import { frequentTags, scoresOf, trainTagger } from './taggers.mjs'

const { data, epochs, units, seed, train, test } = readOptions(
  { data: '', epochs: 8, units: 32, seed: 1, train: 1500, test: 600 },
  { epochs: 1, train: 64, test: 32 },
)
const sentences = data ? readFolder(data) : makeCorpus(seed, { train, test })
const numbers = encode(sentences)
console.log(
  `${sentences.train.length} sentences to learn from, ${sentences.test.length} held out, ${numbers.words} words, ${numbers.tags.length} tags`,
)

function report(name, predicted) {
  const { accuracy, spans } = scoresOf(sentences.test, predicted)
  const f1 = spans ? `, F1 of spans ${percent(spans.f1)}` : ''
  console.log(`${name.padEnd(18)} tags right ${percent(accuracy)}${f1}`)
  return spans
}

report('most frequent tag', frequentTags(sentences))
const settings = { epochs, seed, units }
const softmax = await trainTagger('softmax', numbers, settings)
report('BiLSTM, softmax', softmax.predicted)
const crf = await trainTagger('crf', numbers, settings)
const spans = report('BiLSTM, CRF', crf.predicted)
for (const [type, { precision, recall, f1, support }] of Object.entries(spans?.types ?? {}))
  console.log(
    `  ${type.padEnd(6)} precision ${percent(precision)}, recall ${percent(recall)}, F1 ${percent(f1)}, of ${support}`,
  )

const n = sentences.test.findIndex(({ tags }, i) => {
  const isRight = (predicted) => tags.every((tag, t) => tag === predicted[i][t])
  return isRight(crf.predicted) && !isRight(softmax.predicted)
})
if (n >= 0) {
  console.log('\nA sentence that the CRF has right and the softmax has not:')
  for (const [t, word] of sentences.test[n].words.entries()) {
    const other = softmax.predicted[n][t]
    const own = crf.predicted[n][t]
    console.log(`  ${word.padEnd(14)} ${own.padEnd(7)} ${own === other ? '' : other}`)
  }
}
