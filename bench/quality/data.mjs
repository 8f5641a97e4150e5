/** The data of the quality tasks as the bars had them, and the fingerprints that prove it. */
import fs from 'node:fs'
import path from 'node:path'
import { naiveBayesAccuracy, prepareReviews } from '../../examples/sentiment/reviews.mjs'
import { makeWaves } from '../../examples/sine/waves.mjs'

const sum = (values, f = (v) => v) => Array.prototype.reduce.call(values, (total, v) => total + f(v), 0)
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

/** Japanese vowels from the folder with JapaneseVowels_TRAIN.ts and _TEST.ts: `x` [N, 29, 12] standardised, `y` [N, 9]. */
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
 * JSB chorales from a JSON file `{ train, valid, test }`: lists of sequences of frames of sounding keys 0-87.
 * Input frames 0..L-2, target frames 1..L-1; padded at the end, input with -1, target with 0.
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

/** Sentences about every entry of `expected` that `actual` does not have, numbers within 1e-5 relative (the bars are rounded). */
export function fingerprintProblems(actual, expected, where = '') {
  return Object.entries(expected).flatMap(([key, wanted]) => {
    const got = actual?.[key]
    const name = where ? `${where}.${key}` : key
    if (got === undefined) return name === 'top10' ? [] : [`${name}: missing`]
    if (typeof wanted === 'object') return fingerprintProblems(got, wanted, name)
    const same =
      typeof wanted === 'number' ? Math.abs(got - wanted) <= 1e-5 * Math.max(1, Math.abs(wanted)) : got === wanted
    return same ? [] : [`${name}: must be ${wanted}, got ${got}`]
  })
}
