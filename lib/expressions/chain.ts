/**
 * Linear chains of tags (Lafferty, McCallum, Pereira 2001), in users' order. The score of tags
 * y_1 … y_T is start[y_1] + e_1[y_1] + U[y_1, y_2] + e_2[y_2] + … + end[y_T]; steps that a mask
 * leaves out are not there, wherever they lie.
 *
 * a_t[k] is log(sum(exp(score))) over what may come before tag k of step t, its own score included
 * and what comes after left out, less a number of its step. Such a number changes nothing of what
 * is read off, differences and argmax over k; so numbers stay small however long a sequence is.
 *   a_1 = start + e_1      a_t[j] = e_t[j] + logsumexp_i(a_{t-1}[i] + U[i, j])
 *   -log p(y_t | y_{t+1}, x) = logsumexp_i(a_t[i] + U[i, y_{t+1}]) - a_t[y_t] - U[y_t, y_{t+1}],
 *   of the last step with end[i] for U[i, y_{t+1}];  -log p(y | x) is the sum of those
 * With a maximum for logsumexp, argmax of the same from the last step to the first is the best
 * path.
 */
import {
  concatenate,
  expandDims,
  gather,
  oneHot,
  onesLike,
  permuteDimensions,
} from './arranging.js'
import { broadcastTo, pick, reshape, slice, squeeze } from './arranging.js'
import {
  add,
  div,
  equal,
  exp,
  greater,
  log,
  maximum,
  mul,
  stopGradient,
  sub,
  where,
} from './elementwise.js'
import { type Expr, make } from './expr.js'
import { dot } from './products.js'
import { argmax, cumsum, logSumExp, max, sum } from './reductions.js'
import { filledLike, scan } from './scan.js'

/** What scores the tags of a sequence. */
export interface Chain {
  /** U[i, j] of tag j behind tag i: [K, K]. */
  readonly transitions: Expr
  /** Of the first tag and of the last: [K]; null: zeros. */
  readonly start: Expr | null
  readonly end: Expr | null
}

/** A step: of each sequence its place, [B, …], and the state → the state after it, outputs. */
type Step = (args: readonly Expr[], state: Expr) => readonly [next: Expr, ...outputs: Expr[]]

const timeFirst = (x: Expr): Expr => permuteDimensions(x, [1, 0, 2])

/**
 * A loop in which masked steps leave the state as it was: [B, T, …] → `count` values [B, T, …], in
 * the order of the steps as they are taken.
 */
function loop(
  sequences: readonly Expr[],
  mask: Expr | null,
  initial: Expr,
  { goBackwards = false, count = 1 },
  step: Step,
): Expr[] {
  const masks = mask === null ? [] : [timeFirst(mask)]
  const outputs = scan(
    (...args) => {
      const state = args.pop()!
      const real = mask === null ? null : args.pop()!
      const [next, ...values] = step(args, state)
      return [...values, real === null ? next : where(real, next, state)]
    },
    {
      sequences: [...sequences.map(timeFirst), ...masks],
      outputsInfo: [...new Array<null>(count).fill(null), initial],
      goBackwards,
    },
  ) as readonly Expr[]
  return outputs.slice(0, count).map(timeFirst)
}

/** Nothing, or the same of each sample: [B, K]. */
const initially = (x: Expr, given: Expr | null): Expr =>
  given ?? filledLike(x, [x.shape[0]!, x.shape[2]!])

/** Less the largest of each row, so that numbers do not grow with the steps. */
const levelled = (x: Expr): Expr => sub(x, stopGradient(max(x, -1, true)))

/** What a share may not be below: float32 has no smaller normal numbers. */
const LEAST = 1e-37

/**
 * log(sum_i(exp(a[i] + U[i, j]))) of a [B, K], as a product: K exponentials a row where the sum
 * itself would have K². Shares below 1e-37 of what is largest count as that.
 *
 * @returns it, and it less a number of its row
 */
function summed(a: Expr, U: Expr, axis: 0 | 1): [all: Expr, levelled: Expr] {
  const most = stopGradient(max(U, axis, true))
  const ofPairs = exp(sub(U, most)) // [K, K]
  const top = stopGradient(max(a, -1, true)) // [B, 1]
  const ofTags = exp(sub(a, top))
  const all = dot(ofTags, axis === 0 ? ofPairs : permuteDimensions(ofPairs, [1, 0]))
  const less = add(log(maximum(all, LEAST)), reshape(most, [a.shape[1]!]))
  return [add(less, top), less]
}

/**
 * Scores of all that may come before each tag, a_t above, and what they sum to before each next
 * tag: logsumexp_i(a_t[i] + U[i, j]).
 *
 * @param e scores of tags [B, T, K]
 * @param mask [B, T, 1]; null: all steps are real
 * @returns [B, T, K] both
 */
export function scoresBefore(
  e: Expr,
  mask: Expr | null,
  { transitions, start }: Chain,
): [a: Expr, sums: Expr] {
  const [a, sums] = loop([e], mask, initially(e, start), { count: 2 }, ([scores], before) => {
    const own = add(scores!, before)
    const [all, next] = summed(own, transitions, 0)
    return [next, own, all]
  })
  return [a!, sums!]
}

/** The first with a maximum in place of the sums: [B, T, K]. */
export function bestBefore(e: Expr, mask: Expr | null, { transitions, start }: Chain): Expr {
  const [a] = loop([e], mask, initially(e, start), {}, ([scores], before) => {
    const own = add(scores!, before)
    return [levelled(max(add(expandDims(own, -1), transitions), 1)), own]
  })
  return a!
}

/**
 * Scores of all that may come after each tag, its own left out: [B, T, K], from the last step to
 * the first.
 */
export function scoresAfter(e: Expr, mask: Expr | null, { transitions, end }: Chain): Expr {
  const back = { goBackwards: true }
  const [b] = loop([e], mask, initially(e, end), back, ([scores], after) => {
    const [, next] = summed(add(scores!, after), transitions, 1)
    return [next, after]
  })
  return b!
}

const endOf = ({ end, transitions }: Chain): Expr =>
  end ?? make('full', [], { value: 0, dims: [transitions.shape[0] as number] })

/** Scores of tag i before each tag j, and in a last column before the end: [K, K + 1]. */
const withEnd = (chain: Chain): Expr =>
  concatenate([chain.transitions, expandDims(endOf(chain), -1)], -1)

/**
 * The best path, from the last step to the first: a [B, T, K] of {@link bestBefore} → [B, T, K],
 * ones at the tags.
 */
export function bestPath(a: Expr, mask: Expr | null, chain: Chain): Expr {
  const K = a.shape[2] as number
  const rows = permuteDimensions(withEnd(chain), [1, 0]) // [K + 1, K]
  const end = add(filledLike(a, [a.shape[0]!, 1]), K) // [B, 1], which comes after the last
  const [path] = loop([a], mask, end, { goBackwards: true }, ([scores], after) => {
    const tag = argmax(add(scores!, gather(rows, squeeze(after, 1)))) // [B]
    return [expandDims(tag, -1), oneHot(tag, K)]
  })
  return path!
}

/**
 * For each step the place of the next real one among all steps of the batch, from 1 on; 0: none. In
 * users' order, [B, T, 1] → [B, T, 1], from the last step to the first.
 */
export function nextSteps(mask: Expr): Expr {
  const ones = onesLike(mask)
  const steps = sum(ones, 1, true)
  const places = add(mul(sub(cumsum(ones, 0), 1), steps), cumsum(ones, 1))
  const none = filledLike(mask, [mask.shape[0]!, 1])
  const [next] = loop([places], mask, none, { goBackwards: true }, ([place], after) => [
    place!,
    after,
  ])
  return next!
}

/**
 * What the loss is taken of: a_t, what it sums to before each next tag and before the end, and,
 * where there is a mask, {@link nextSteps}: [B, T, 2 K + 1], or [B, T, 2 K + 2].
 */
export function scored(e: Expr, next: Expr | null, mask: Expr | null, chain: Chain): Expr {
  const [a, sums] = scoresBefore(e, mask, chain)
  const last = expandDims(logSumExp(add(a, endOf(chain))), -1) // [B, T, 1]
  return concatenate(next === null ? [a, sums, last] : [a, sums, last, next], -1)
}

/** Scores of pairs, the same for each sample: [B, K * (K + 1)]. @param like [B, …] */
export function pairScores(like: Expr, chain: Chain): Expr {
  const K = chain.transitions.shape[0] as number
  const pairs = reshape(withEnd(chain), [1, K * (K + 1)])
  return broadcastTo(pairs, filledLike(like, [like.shape[0]!, K * (K + 1)]))
}

/**
 * -log p(y_t | y_{t+1}, x) of each step.
 *
 * @param y ones at the tags [B, T, K], or their numbers [B, T, 1]
 * @param of what {@link scored} gives
 * @param pairs what {@link pairScores} gives
 * @returns [B, T]
 */
export function chainLoss(y: Expr, of: Expr, pairs: Expr, K: number): Expr {
  const tags = y.shape[2] === 1 ? squeeze(y, 2) : argmax(y) // [B, T]
  const isMasked = of.shape[2] !== 2 * K + 1
  const next = isMasked ? atPlaces(tags, slice(of, 2 * K + 1), K) : behind(tags, K)
  const all = pick(slice(of, K, 2 * K + 1), next)
  const table = reshape(slice(pairs, 0, 1, 0), [K * (K + 1), 1])
  const pair = gather(table, add(mul(tags, K + 1), next)) // [B, T, 1]
  return sub(all, add(pick(slice(of, 0, K), tags), squeeze(pair, 2)))
}

/** The next tag of each, K behind the last: [B, T] → [B, T]. */
function behind(tags: Expr, K: number): Expr {
  const end = add(filledLike(tags, [tags.shape[0]!, 1]), K)
  return slice(concatenate([tags, end], 1), 1, null, 1)
}

/** The same by places of {@link nextSteps}, [B, T, 1]. */
function atPlaces(tags: Expr, places: Expr, K: number): Expr {
  const end = make('full', [], { value: K, dims: [1] })
  const all = concatenate([end, reshape(tags, [-1])], 0)
  return gather(all, squeeze(places, 2))
}

/**
 * The share of real steps with the right tag; masked steps are rows of zeros.
 *
 * @param y as in {@link chainLoss}
 * @param p [B, T, K]
 */
export function tagAccuracy(y: Expr, p: Expr): Expr {
  const tags = y.shape[2] === 1 ? squeeze(y, 2) : argmax(y)
  const real = greater(sum(p, -1), 0) // [B, T]
  return div(sum(mul(equal(tags, argmax(p)), real)), maximum(sum(real), 1))
}
