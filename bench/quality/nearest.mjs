/** Nearest templates by dynamic time warping: what speech was recognised with before nets. */

/** Frames are taken every so many: the paths stay, the work is a quarter. */
const EVERY = 2

const thinned = ({ data, shape: [frames, D] }) => {
  const rows = Math.ceil(frames / EVERY)
  const out = new Float32Array(rows * D)
  for (let r = 0; r < rows; r++) out.set(data.subarray(r * EVERY * D, (r * EVERY + 1) * D), r * D)
  return { data: out, rows, D }
}

/**
 * Cost of the best path between two sequences of frames, per step (Sakoe and Chiba 1978, symmetric
 * form without slope limits: a step along both axes counts twice); `most` ends it early.
 */
function distance(a, b, most, line) {
  const { D } = a
  const width = b.rows
  const limit = most * (a.rows + b.rows)
  line.fill(Number.POSITIVE_INFINITY, 0, width)
  for (let i = 0; i < a.rows; i++) {
    let [left, diagonal, least] = [
      Number.POSITIVE_INFINITY,
      i === 0 ? 0 : Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]
    for (let j = 0; j < width; j++) {
      let sum = 0
      for (let k = 0, p = i * D, q = j * D; k < D; k++, p++, q++) {
        const difference = a.data[p] - b.data[q]
        sum += difference * difference
      }
      const local = Math.sqrt(sum)
      const up = line[j]
      const best = Math.min(left + local, up + local, diagonal + 2 * local)
      diagonal = up
      line[j] = best
      left = best
      if (best < least) least = best
    }
    if (least > limit) return Number.POSITIVE_INFINITY
  }
  return line[width - 1] / (a.rows + b.rows)
}

/**
 * Share of the samples whose nearest template has their class.
 * @param {{ x: { data: Float32Array, shape: number[] }, digit: number }[]} templates
 * @param samples of the same form; `x` is [frames, D]
 */
export function nearestAccuracy(templates, samples) {
  const known = templates.map(({ x, digit }) => ({ ...thinned(x), digit }))
  const line = new Float64Array(Math.max(...known.map(({ rows }) => rows)))
  let right = 0
  for (const { x, digit } of samples) {
    const sample = thinned(x)
    let [least, nearest] = [Number.POSITIVE_INFINITY, -1]
    for (const template of known) {
      const own = distance(sample, template, least, line)
      if (own < least) [least, nearest] = [own, template.digit]
    }
    if (nearest === digit) right++
  }
  return right / samples.length
}
