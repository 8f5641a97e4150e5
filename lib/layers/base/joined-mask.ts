import type { Graph, Value } from '../../spec.js'

/**
 * The mask of what is merged; null for none. Keras 1.2.2 topology.py, `Merge.compute_mask`: a step
 * is real where it is so in all inputs that have a mask; joined along the steps, one without has
 * real steps alone.
 *
 * @param concat the axis that is joined, counted with the batch
 */
export function joinedMask(
  graph: Graph,
  layer: string,
  values: readonly Value[],
  concat: number | null,
): string | null {
  const masked = values.filter(({ mask }) => mask !== null)
  const joins = concat === 1
  if (masked.length === 0) return null
  if (!joins && new Set(masked.map(({ mask }) => mask)).size === 1) return masked[0]!.mask
  const op = { layer: `${layer}/mask`, className: 'Merge' }
  const masks = (joins ? values : masked).map((value) =>
    graph.op('mask_value', [value], [value.shape[0] ?? null, 1], { ...op, reads: value.mask }),
  )
  const steps = joins ? null : (masked[0]!.shape[0] ?? null)
  const options = joins ? { mode: 'concat', axis: 0 } : { mode: 'mul', axis: -1 }
  const all = graph.op('merge', masks, [steps, 1], { ...op, options })
  return graph.op('masking', [all], [steps, 1], { ...op, options: { maskValue: 0 }, mask: 'make' })
    .mask
}
