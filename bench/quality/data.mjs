/** The data of the quality tasks as the bars had them, and the fingerprints that prove it. */
import fs from 'node:fs'
import path from 'node:path'
import { encode, makeAdditions } from '../../examples/keras/additions.mjs'
import { readTexts } from '../../examples/keras/texts.mjs'
import { naiveBayesAccuracy, prepareReviews } from '../../examples/sentiment/reviews.mjs'
import { makeWaves, mulberry32 } from '../../examples/sine/waves.mjs'
import { alphabetOf, encodeWindows } from '../../examples/text-generation/characters.mjs'

const sum = (values, f = (v) => v) =>
  Array.prototype.reduce.call(values, (total, v) => total + f(v), 0)
const array = (data, shape) => ({ data, shape })

/** Sentiment: `x` [N, 40] word numbers, `y` [N]. */
export function sentiment() {
  const reviews = prepareReviews()
  const { xTrain, yTrain, xTest, yTest, words } = reviews
  return {
    words,
    train: { x: xTrain, y: yTrain },
    test: { x: xTest, y: yTest },
    baseline: { naiveBayes: naiveBayesAccuracy(reviews) },
    fingerprint: {
      words,
      train_sum: sum(xTrain.data),
      test_sum: sum(xTest.data),
      train_label_sum: sum(yTrain),
      test_label_sum: sum(yTest),
      first_train: Array.from(xTrain.data.slice(0, 40)),
    },
  }
}

/** Sine: `x` [N, 50, 1], `y` [N, 1]. */
export function sine() {
  const [train, test] = [makeWaves(1000, 1), makeWaves(500, 2)]
  return {
    train,
    test,
    fingerprint: {
      X_sum: sum(train.x.data),
      Y_sum: sum(train.y.data),
      Xt_sum: sum(test.x.data),
      Yt_sum: sum(test.y.data),
    },
  }
}

/**
 * Japanese vowels from the folder with JapaneseVowels_TRAIN.ts and _TEST.ts: `x` [N, 29, 12]
 * standardised, `y` [N, 9].
 */
export function vowels(folder) {
  const read = (part) => {
    const text = fs.readFileSync(path.join(folder, `JapaneseVowels_${part}.ts`), 'utf8')
    const rows = text.slice(text.toLowerCase().indexOf('@data')).split('\n').slice(1)
    return rows
      .filter((row) => row.trim())
      .map((row) => row.trim().split(':'))
      .map((fields) => ({
        series: fields.slice(0, -1).map((dimension) => dimension.split(',').map(Number)), // [12, T]
        label: Number(fields.at(-1)) - 1,
      }))
  }
  const [train, test] = [read('TRAIN'), read('TEST')]
  const all = (d) => train.flatMap(({ series }) => series[d])
  const mean = Array.from({ length: 12 }, (_, d) => sum(all(d)) / all(d).length)
  const sd = mean.map((m, d) => Math.sqrt(sum(all(d), (v) => (v - m) ** 2) / all(d).length))
  const pack = (utterances) => {
    const x = new Float32Array(utterances.length * 29 * 12)
    const y = new Float32Array(utterances.length * 9)
    utterances.forEach(({ series, label }, n) => {
      series.forEach((values, d) => {
        values.forEach((value, t) => {
          x[(n * 29 + t) * 12 + d] = (value - mean[d]) / sd[d]
        })
      })
      y[n * 9 + label] = 1
    })
    return { x: array(x, [utterances.length, 29, 12]), y: array(y, [utterances.length, 9]) }
  }
  const parts = { train: pack(train), test: pack(test) }
  return {
    ...parts,
    fingerprint: {
      mean,
      sd,
      train_abs_sum: sum(parts.train.x.data, Math.abs),
      test_abs_sum: sum(parts.test.x.data, Math.abs),
    },
  }
}

/**
 * JSB chorales from a JSON file `{ train, valid, test }`: lists of sequences of frames of sounding
 * keys 0-87. Input frames 0..L-2, target frames 1..L-1;
 * padded at the end, input with -1, target with 0.
 */
export function jsb(file) {
  const parts = JSON.parse(fs.readFileSync(file, 'utf8'))
  const pack = (sequences) => {
    const T = Math.max(...sequences.map((s) => s.length)) - 1
    const N = sequences.length
    const x = new Float32Array(N * T * 88).fill(-1)
    const y = new Float32Array(N * T * 88)
    const lengths = sequences.map((s) => s.length - 1)
    sequences.forEach((frames, n) => {
      for (let t = 0; t < frames.length - 1; t++) {
        x.fill(0, (n * T + t) * 88, (n * T + t + 1) * 88)
        for (const key of frames[t]) x[(n * T + t) * 88 + key] = 1
        for (const key of frames[t + 1]) y[(n * T + t) * 88 + key] = 1
      }
    })
    return { x: array(x, [N, T, 88]), y: array(y, [N, T, 88]), lengths }
  }
  const data = { train: pack(parts.train), valid: pack(parts.valid), test: pack(parts.test) }
  const fingerprint = Object.fromEntries(
    Object.entries(data).map(([name, { x, y, lengths }]) => [
      name,
      {
        input_notes: sum(x.data, (v) => (v > 0 ? 1 : 0)),
        target_notes: sum(y.data),
        frames: sum(lengths),
        shape: x.shape,
      },
    ]),
  )
  return { ...data, fingerprint }
}

/**
 * Addition: 5,000 sums of numbers with up to two digits, the last 500 held out. `x` [N, 5, 12], `y`
 * [N, 3, 12].
 */
export function addition() {
  const sums = makeAdditions(5000, 2, 1)
  const part = (list) => ({
    x: encode(list.map(([question]) => question)),
    y: encode(list.map(([, answer]) => answer)),
  })
  return {
    train: part(sums.slice(0, 4500)),
    test: { ...part(sums.slice(4500)), answers: sums.slice(4500).map(([, answer]) => answer) },
    fingerprint: { first3: sums.slice(0, 3), last: sums.at(-1), validation_first: sums[4500] },
  }
}

/**
 * Characters of Nietzsche, small letters: windows of 40, every third, the first 60,000 of them to
 * learn from, 10,000 from character 480,000 on held out. `x` [N, 40, 57], `y` [N, 57].
 */
export function chars(file) {
  const text = fs.readFileSync(file, 'utf8').toLowerCase()
  const alphabet = alphabetOf(text)
  const windows = (from, count) => {
    const starts = Array.from({ length: count }, (_, i) => from + 3 * i)
    return {
      ...encodeWindows(text, alphabet, starts, 40),
      targets: starts.map((s) => alphabet.number.get(text[s + 40])),
    }
  }
  const [train, test] = [windows(0, 60_000), windows(480_000, 10_000)]
  return {
    train,
    test,
    fingerprint: {
      chars: alphabet.characters.join(''),
      first_targets: train.targets.slice(0, 10),
      validation_first_targets: test.targets.slice(0, 10),
    },
  }
}

/**
 * Monthly sunspots from a CSV file of months and numbers: windows of 36 months and what follows,
 * standardised over the months before 2032. `differences`: square roots, and the network answers by
 * how much the next one differs from the last. Of each part `x` [N, 36, 1], `y` [N, 1], and
 * `rmse(answers)` [N, 1] in the units of the series.
 */
export function sunspots(file) {
  const rows = fs.readFileSync(file, 'utf8').trim().split('\n').slice(1)
  const series = rows.map((row) => Number(row.split(',')[1]))
  const [window, split, held] = [36, 2032, 2256]
  const scale = (values) => {
    const past = values.slice(0, split)
    const mean = sum(past) / split
    return { mean, sd: Math.sqrt(sum(past, (v) => (v - mean) ** 2) / split) }
  }
  const plain = scale(series)
  const roots = scale(series.map(Math.sqrt))
  const parts = (differences) => {
    const { mean, sd } = differences ? roots : plain
    const z = series.map((v) => ((differences ? Math.sqrt(v) : v) - mean) / sd)
    const value = (t, answer) =>
      differences ? Math.max(0, mean + sd * (z[t - 1] + answer)) ** 2 : mean + sd * answer
    const part = (from, to) => {
      const months = Array.from({ length: to - from }, (_, i) => from + i)
      return {
        x: array(Float32Array.from(months.flatMap((t) => z.slice(t - window, t))), [
          months.length,
          window,
          1,
        ]),
        y: array(
          Float32Array.from(months, (t) => (differences ? z[t] - z[t - 1] : z[t])),
          [months.length, 1],
        ),
        rmse: (answers) =>
          Math.sqrt(
            sum(months.map((t, i) => (value(t, answers[i]) - series[t]) ** 2)) / months.length,
          ),
      }
    }
    return { train: part(window, split), valid: part(split, held), test: part(held, series.length) }
  }
  const persistence = Math.sqrt(
    sum(series.slice(held).map((v, i) => (v - series[held + i - 1]) ** 2)) / (series.length - held),
  )
  const data = { LSTM: parts(false), 'LSTM on differences': parts(true) }
  const count = (name) => data.LSTM[name].y.shape[0]
  return {
    ...data,
    baseline: { persistence },
    fingerprint: { ...plain, train: count('train'), valid: count('valid'), test: count('test') },
  }
}

/**
 * Sentences about films, 5,331 that praise and as many that complain, in ten seeded folds with as
 * many of each. Of fold k: the words and labels to learn from (eight folds), to stop by (the next
 * one) and to be held against.
 */
export function polarity(folder) {
  const random = mulberry32(1)
  const folds = Array.from({ length: 10 }, () => [])
  const texts = readTexts(folder)
  for (const label of [0, 1]) {
    const list = texts.filter((text) => text.label === label)
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1))
      ;[list[i], list[j]] = [list[j], list[i]]
    }
    for (const [i, text] of list.entries()) folds[i % 10].push(text)
  }
  const fold = (k) => {
    const others = (...left) => folds.filter((_, i) => !left.includes(i)).flat()
    const next = (k + 1) % 10
    const bayes = naiveBayesAccuracy(prepareReviews({ train: others(k), test: folds[k] }))
    const reviews = prepareReviews({ train: others(k, next), test: folds[k] }, { maxlen: 50 })
    const valid = {
      x: reviews.encode(folds[next].map(({ text }) => text)),
      y: folds[next].map(({ label }) => label),
    }
    return { ...reviews, valid, bayes }
  }
  return {
    folds: Array.from({ length: 10 }, (_, k) => fold(k)),
    fingerprint: { texts: texts.length },
  }
}

/**
 * Sentences about every entry of `expected` that `actual` does not have, numbers within 1e-5
 * relative (the bars are rounded).
 */
export function fingerprintProblems(actual, expected, where = '') {
  return Object.entries(expected).flatMap(([key, wanted]) => {
    const got = actual?.[key]
    const name = where ? `${where}.${key}` : key
    if (got === undefined) return name === 'top10' ? [] : [`${name}: missing`]
    if (typeof wanted === 'object') return fingerprintProblems(got, wanted, name)
    const same =
      typeof wanted === 'number'
        ? Math.abs(got - wanted) <= 1e-5 * Math.max(1, Math.abs(wanted))
        : got === wanted
    return same ? [] : [`${name}: must be ${wanted}, got ${got}`]
  })
}
