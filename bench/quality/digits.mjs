/**
 * `node bench/quality/digits.mjs --data DIR [--task isolated --task strings …] [--seeds 3]
 *    [--out FILE]`: what is learnt from recordings of people, the Free Spoken Digit Dataset by path
 * (examples/speech/recordings.mjs). Tasks:
 *
 * - isolated: one digit; GRU(128) and a softmax; the data set's own split. Bar: 99 %.
 * - speakers: the same, a speaker held out at a time; reported.
 * - nearest: both again by the nearest template (dynamic time warping); once.
 * - strings: 3 to 7 digits of one speaker, drawn anew each epoch; CTC; own split. Bar: WER 3 %.
 * - string-speakers: the same, a speaker held out at a time; reported.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Adam, Dense, GRU, Ragged, Sequential, setSeed } from 'hiddenstate'
import { specAugment } from 'hiddenstate/audio'
import {
  bySpeaker,
  isTest,
  joinStrings,
  readRecordings,
} from '../../examples/speech/recordings.mjs'
import * as recogniser from '../../examples/speech/recogniser.mjs'
import { mulberry32 } from '../../examples/sine/waves.mjs'
import { machine } from '../machine.mjs'
import { nearestAccuracy } from './nearest.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    task: { type: 'string', multiple: true },
    seeds: { type: 'string', default: '3' },
    out: { type: 'string', default: path.join(here, '..', 'out', 'digits.json') },
  },
})
if (!values.data) throw new Error('--data must name the folder with the recordings.')
const seeds = Array.from({ length: Number(values.seeds) }, (_, seed) => seed)
const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length
const percent = (share) => `${(100 * share).toFixed(2)} %`

const recordings = await readRecordings(values.data)
const own = {
  train: recordings.filter((each) => !isTest(each)),
  test: recordings.filter(isTest),
}
/** One split for each speaker, who is held out. */
const splits = [...bySpeaker(recordings).keys()].map((speaker) => ({
  speaker,
  train: recordings.filter((each) => each.speaker !== speaker),
  test: recordings.filter((each) => each.speaker === speaker),
}))

/** `x` of both parts: features, normalised by those of the training. */
function withFeatures({ train, test }) {
  const made = (part) => part.map((each) => ({ ...each, x: recogniser.features(each) }))
  const parts = { train: made(train), test: made(test) }
  const bands = recogniser.statistics(parts.train.map(({ x }) => x))
  for (const { x } of [...parts.train, ...parts.test]) recogniser.normalise(x, bands)
  return { ...parts, bands }
}

const oneHot = (list) =>
  list.map(({ digit }) => Array.from({ length: 10 }, (_, k) => Number(k === digit)))
const sequences = (list) => Ragged.from(list.map(({ x }) => x))

/** Share of the test recordings that are named rightly. */
async function isolated(split, seed) {
  const { train, test } = withFeatures(split)
  setSeed(seed)
  const model = new Sequential([
    new GRU(128, { inputShape: [null, recogniser.BANDS] }),
    new Dense(10, { activation: 'softmax' }),
  ])
  model.compile({
    loss: 'categorical_crossentropy',
    optimizer: new Adam({ lr: 0.003, clipnorm: 1 }),
    metrics: ['accuracy'],
  })
  for (let epoch = 0; epoch < 20; epoch++) {
    if (epoch === 14) model.optimizer.lr = 0.001
    const x = train.map(({ x }) =>
      specAugment(x, { timeMasks: 1, timeWidth: 8, frequencyMasks: 1, frequencyWidth: 3 }),
    )
    await model.fit(Ragged.from(x), oneHot(train), { batchSize: 64, nbEpoch: 1, verbose: 0 })
  }
  const [, accuracy] = await model.evaluate(sequences(test), oneHot(test), { verbose: 0 })
  model.dispose()
  return accuracy
}

/** Word error rate on 200 strings. */
async function strings(split, seed) {
  const { bands } = withFeatures(split)
  const random = mulberry32(seed + 1)
  const draw = (part, count) =>
    joinStrings(part, count, random).map((string) => ({
      ...string,
      x: recogniser.normalise(recogniser.features(string), bands),
    }))
  setSeed(seed)
  const model = recogniser.makeModel({ units: 96, lr: 0.003 })
  const epochs = 25
  for (let epoch = 0; epoch < epochs; epoch++) {
    if (epoch === Math.ceil(epochs * 0.7)) model.optimizer.lr = 0.001
    const drawn = draw(split.train, 1000)
    const x = drawn.map(({ x }) =>
      recogniser.stacked(specAugment(x, { timeWidth: 10, frequencyWidth: 4 })),
    )
    await model.fit(
      Ragged.from(x),
      drawn.map(({ digits }) => digits),
      { batchSize: 16, nbEpoch: 1, verbose: 0 },
    )
  }
  const { wer } = await recogniser.errors(model, draw(split.test, 200))
  model.dispose()
  return wer
}

const overSeeds = async (run, split) => {
  const all = []
  for (const seed of seeds) all.push(await run(split, seed))
  return all
}
const overSpeakers = async (run) => {
  const all = {}
  for (const split of splits) all[split.speaker] = await overSeeds(run, split)
  return all
}
const nearest = (split) => {
  const { train, test } = withFeatures(split)
  return nearestAccuracy(train, test)
}
const tasks = {
  isolated: () => overSeeds(isolated, own),
  speakers: () => overSpeakers(isolated),
  nearest: () => ({
    own: nearest(own),
    ...Object.fromEntries(splits.map((split) => [split.speaker, nearest(split)])),
  }),
  strings: () => overSeeds(strings, own),
  'string-speakers': () => overSpeakers(strings),
}
const bars = { isolated: (m) => m >= 0.99, strings: (m) => m <= 0.03 }

const report = fs.existsSync(values.out) ? JSON.parse(fs.readFileSync(values.out, 'utf8')) : {}
fs.mkdirSync(path.dirname(values.out), { recursive: true })
let missed = 0
for (const name of values.task ?? Object.keys(tasks)) {
  if (!tasks[name])
    throw new Error(`--task must be one of ${Object.keys(tasks).join(', ')}, got ${name}.`)
  const result = await tasks[name]()
  const shown = Object.entries(Array.isArray(result) ? { all: result } : result).map(
    ([key, list]) => `${key} ${percent(mean([list].flat()))}`,
  )
  console.log(`${name}: ${shown.join(', ')}`)
  if (bars[name] && !bars[name](mean(result))) {
    missed += 1
    console.log(`${name}: the bar is NOT met`)
  }
  report[name] = { machine: machine(), result }
  fs.writeFileSync(values.out, `${JSON.stringify(report, null, 1)}\n`)
}
process.exit(missed === 0 ? 0 : 1)
