/** Zeros at masked steps. */
import { where as choose } from '../../expressions/elementwise.js'
import { Placeholder } from '../../expressions/expr.js'
import type { Graph, Value } from '../../spec.js'
import { addValue, dimsOf } from './expression-ops.js'

/**
 * A sequence with 0 at masked steps.
 *
 * @param y [T, H]; its steps may lie backwards (`isReversed`)
 * @param mask its name; its steps lie forwards
 */
export function zeroed(
  graph: Graph,
  y: Value,
  mask: string,
  { layer, className, where }: { layer: string; className: string; where: string },
): Value {
  const flags = graph.op('mask_value', [y], [y.shape[0]!, 1], {
    layer: `${layer}/mask`,
    className,
    reads: mask,
  })
  const aligned = y.isReversed
    ? graph.op('reverse', [flags], flags.shape, { layer: `${layer}/mask_reversed`, className })
    : flags
  const [steps, real] = [y, aligned].map(
    ({ shape }) => new Placeholder(dimsOf([null, ...shape]), 'steps'),
  ) as [Placeholder, Placeholder]
  const own = addValue(
    graph,
    choose(real, steps, 0),
    new Map([
      [steps, y],
      [real, aligned],
    ]),
    { layer: `${layer}/zeroed`, owner: layer, className, where, params: new Map() },
  )
  return {
    ...own,
    mask: y.mask,
    ...(y.isReversed === undefined ? {} : { isReversed: y.isReversed }),
  }
}
