/**
 * Texts as characters: the alphabet, one-hot windows with the character that follows, and drawing
 * one from probabilities.
 */

/**
 * `{ characters, number }`: the distinct characters of a text by code point, and the place of each.
 */
export function alphabetOf(text) {
  const characters = [...new Set(text)].sort()
  return { characters, number: new Map(characters.map((character, i) => [character, i])) }
}

/**
 * `{ x: [N, length, K], y: [N, K] }`, one-hot:
 * the characters from each of `starts` on, and the one that follows.
 */
export function encodeWindows(text, { characters, number }, starts, length) {
  const [N, K] = [starts.length, characters.length]
  const x = new Uint8Array(N * length * K) // [N, T, K]
  const y = new Uint8Array(N * K) // [N, K]
  starts.forEach((start, n) => {
    for (let t = 0; t < length; t++) x[(n * length + t) * K + number.get(text[start + t])] = 1
    y[n * K + number.get(text[start + length])] = 1
  })
  return { x: { data: x, shape: [N, length, K] }, y: { data: y, shape: [N, K] } }
}

/**
 * Where windows of `length` characters begin, every `step` characters,
 * as long as another character follows.
 */
export const startsOf = (text, length, step) =>
  Array.from({ length: Math.ceil((text.length - length) / step) }, (_, i) => i * step)

/**
 * A place drawn from p^(1/temperature):
 * below 1 the likely ones become likelier, above 1 all become alike.
 */
export function draw(probabilities, temperature, random) {
  const weights = Array.from(probabilities, (p) =>
    Math.exp(Math.log(Math.max(p, 1e-30)) / temperature),
  )
  let rest = random() * weights.reduce((a, b) => a + b, 0)
  const drawn = weights.findIndex((weight) => (rest -= weight) <= 0)
  return drawn < 0 ? weights.length - 1 : drawn
}
