/** Chains of tags by going through all paths: what the layer CRF is held against. */

/** Of one sample: scores e [T, K] of its real steps, U [K, K], start [K], end [K]. */
export interface Scores {
  e: readonly (readonly number[])[]
  U: readonly (readonly number[])[]
  start: readonly number[]
  end: readonly number[]
}

export function pathScore({ e, U, start, end }: Scores, path: readonly number[]): number {
  let score = start[path[0]!]! + end[path.at(-1)!]!
  for (const [t, tag] of path.entries()) {
    score += e[t]![tag]!
    if (t > 0) score += U[path[t - 1]!]![tag]!
  }
  return score
}

/** Every path of T steps over K tags. */
export function* allPaths(T: number, K: number): Generator<number[]> {
  const path = new Array<number>(T).fill(0)
  for (let n = 0; n < K ** T; n++) {
    let rest = n
    for (let t = 0; t < T; t++) {
      path[t] = rest % K
      rest = Math.floor(rest / K)
    }
    yield [...path]
  }
}

/** All that there is to know of a sample. */
export function bruteForce(scores: Scores) {
  const [T, K] = [scores.e.length, scores.end.length]
  const all = [...allPaths(T, K)].map((path) => ({ path, score: pathScore(scores, path) }))
  const top = Math.max(...all.map(({ score }) => score))
  const logZ = top + Math.log(all.reduce((sum, { score }) => sum + Math.exp(score - top), 0))
  const marginals = scores.e.map(() => new Array<number>(K).fill(0))
  for (const { path, score } of all)
    for (const [t, tag] of path.entries()) marginals[t]![tag]! += Math.exp(score - logZ)
  const best = all.find(({ score }) => score === top)!.path
  return { logZ, marginals, best }
}
