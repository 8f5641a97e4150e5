/**
 * A word-level language model of rated recurrent units with a learnt first state.
 *
 *   npm start theano/rrnn_language [-- --epochs 20 --words 1000 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import {
  Dense,
  Dropout,
  Embedding,
  RatedRecurrentUnit,
  Sequential,
  TimeDistributed,
} from 'hiddenstate'
import { readOptions } from '../keras/options.mjs'
import { bigramPerplexity, encodeSentences, readSentences } from './sentences.mjs'

const { epochs, words } = readOptions({ epochs: 20, words: 1000, seed: 1 }, { epochs: 1 })
const sentences = readSentences({ words })
const V = sentences.words

const model = new Sequential([
  new Embedding(V, 64, { maskZero: true, inputShape: [null] }),
  new RatedRecurrentUnit(128, { initialState: 'learned', returnSequences: true, dropoutW: 0.3 }),
  new TimeDistributed(new Dropout(0.3)),
  new TimeDistributed(new Dense(V, { activation: 'softmax' })),
])
model.compile({ loss: 'sparse_categorical_crossentropy', optimizer: 'adam' })

const [train, test] = [sentences.train, sentences.test].map(encodeSentences)
await model.fit(train.x, train.y, {
  batchSize: 32,
  nbEpoch: epochs,
  validationData: [test.x, test.y],
  verbose: 2,
})
const loss = await model.evaluate(test.x, test.y, { verbose: 0 })
console.log(`\nPerplexity of a new word: ${Math.exp(loss).toFixed(1)}`)
console.log(`Pairs of words, smoothed: ${bigramPerplexity(sentences).toFixed(1)}`)
