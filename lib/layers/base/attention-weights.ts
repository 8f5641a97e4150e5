/** Attention: from scores to weights. */
import { softmax } from '../../expressions/activations.js'
import { mul, where } from '../../expressions/elementwise.js'
import type { Expr } from '../../expressions/expr.js'

/** What masked steps score: so low that e^score is 0 beside any other. */
const LOWEST = -1e30

/**
 * Softmax over the last axis, of real steps alone; zeros where there are none.
 *
 * @param scores [..., T]
 * @param mask [..., T], 1 where a step is real
 */
export const attentionWeights = (scores: Expr, mask: Expr): Expr =>
  mul(softmax(where(mask, scores, LOWEST)), mask)
