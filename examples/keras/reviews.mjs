/** Reviews as rows of word numbers, for the three ports that tell praise from complaint. */
import { imdb } from 'hiddenstate/datasets'
import { padSequences } from 'hiddenstate/preprocessing'
import { prepareReviews, readReviews } from '../sentiment/reviews.mjs'
import { splitTexts } from './texts.mjs'

/**
 * `{ xTrain: [N, maxlen], yTrain: [N], xTest: [M, maxlen], yTest: [M] }` of Keras' own file of IMDB
 * (.npz or .pkl), of texts at a path (texts.mjs says how they may lie), or of the 3,000 sentences
 * of the npm package `sentiment`. `limit`: at most so many of each.
 */
export async function loadReviews(path, { nbWords, maxlen, limit }) {
  console.log('Loading data...')
  const reviews = /\.(npz|pkl)$/.test(path ?? '')
    ? await loadImdb(path, nbWords)
    : loadTexts(path, nbWords)
  const [xTrain, xTest] = [reviews.train, reviews.test].map((x) =>
    padSequences(x.slice(0, limit), { maxlen }),
  )
  const [yTrain, yTest] = [reviews.yTrain, reviews.yTest].map((y) => y.slice(0, limit))
  console.log(`${yTrain.length} train sequences, ${yTest.length} test sequences of ${maxlen} words`)
  return { xTrain, yTrain, xTest, yTest }
}

async function loadImdb(path, nbWords) {
  const [[train, yTrain], [test, yTest]] = await imdb.loadData({ path, nbWords })
  return { train, yTrain, test, yTest }
}

function loadTexts(path, nbWords) {
  const { sequences, yTrain, yTest } = prepareReviews(path ? splitTexts(path) : readReviews(), {
    nbWords,
  })
  return { ...sequences, yTrain, yTest }
}
