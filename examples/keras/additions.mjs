/** Sums of two numbers written out, as Keras' addition_rnn has them: '535+61' and '596'. */
import { mulberry32 } from '../sine/waves.mjs'

const CHARACTERS = ' +0123456789'

/**
 * `count` different questions of numbers with up to `digits` digits, shuffled:
 * `[question, answer]`, filled up with spaces. Questions are written backwards, so that the digits
 * which decide come last.
 */
export function makeAdditions(count, digits, seed) {
  const random = mulberry32(seed)
  const number = () =>
    Number(
      Array.from({ length: 1 + Math.floor(digits * random()) }, () =>
        Math.floor(10 * random()),
      ).join(''),
    )
  const seen = new Set()
  const sums = []
  while (sums.length < count) {
    const [a, b] = [number(), number()]
    const pair = `${Math.min(a, b)}+${Math.max(a, b)}`
    if (seen.has(pair)) continue
    seen.add(pair)
    const question = `${a}+${b}`.padEnd(2 * digits + 1)
    sums.push([[...question].reverse().join(''), String(a + b).padEnd(digits + 1)])
  }
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[sums[i], sums[j]] = [sums[j], sums[i]]
  }
  return sums
}

/** Texts of one length as one-hot rows [N, T, 12]. */
export function encode(texts) {
  const T = texts[0].length
  const data = new Uint8Array(texts.length * T * CHARACTERS.length)
  texts.forEach((text, n) => {
    for (let t = 0; t < T; t++)
      data[(n * T + t) * CHARACTERS.length + CHARACTERS.indexOf(text[t])] = 1
  })
  return { data, shape: [texts.length, T, CHARACTERS.length] }
}

/** The likeliest character of each step of `probabilities` [N, T, 12], as texts. */
export function decode({ data, shape: [N, T, K] }) {
  const likeliest = (from) => {
    const p = data.subarray(from, from + K)
    return CHARACTERS[p.indexOf(Math.max(...p))]
  }
  return Array.from({ length: N }, (_, n) =>
    Array.from({ length: T }, (_, t) => likeliest((n * T + t) * K)).join(''),
  )
}
