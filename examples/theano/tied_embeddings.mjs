/**
 * A language model whose words come out by the matrix by which they went in (Press, Wolf 2017),
 * beside one with two matrices.
 *
 *   npm start theano/tied_embeddings [-- --epochs 20 --words 1000 --seed 1 --smoke]
 */
import '../one-sentence.mjs'
import { Dense, Dropout, Embedding, GRU, Sequential, setSeed, TimeDistributed } from 'hiddenstate'
import { readOptions } from '../keras/options.mjs'
import { encodeSentences, readSentences } from './sentences.mjs'

const { epochs, words, seed } = readOptions({ epochs: 20, words: 1000, seed: 1 }, { epochs: 1 })
const sentences = readSentences({ words })
const [train, test] = [sentences.train, sentences.test].map(encodeSentences)

for (const isTied of [false, true]) {
  setSeed(seed)
  const V = sentences.words
  const embedding = new Embedding(V, 96, { maskZero: true, inputShape: [null] })
  const tiedTo = isTied ? embedding : null
  const model = new Sequential([
    embedding,
    new GRU(96, { returnSequences: true, dropoutW: 0.3 }),
    new TimeDistributed(new Dropout(0.3)),
    new TimeDistributed(new Dense(V, { activation: 'softmax', tiedTo })),
  ])
  model.compile({ loss: 'sparse_categorical_crossentropy', optimizer: 'adam' })
  await model.fit(train.x, train.y, {
    batchSize: 32,
    nbEpoch: epochs,
    verbose: 0,
  })
  const loss = await model.evaluate(test.x, test.y, { verbose: 0 })
  const weights = model.countParams().toLocaleString('en')
  console.log(
    `${isTied ? 'One matrix' : 'Two matrices'}: ${weights} weights, perplexity ${Math.exp(loss).toFixed(1)}`,
  )
}
