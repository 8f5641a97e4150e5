/**
 * Masks as `sequence_lens`. ONNX skips steps at the end of a row; a mask of Keras may skip any. So
 * the steps that count are moved to the front, in their order, and `sequence_lens` says how many
 * they are. Each step of the output is that of the last step that counts up to there (backwards: of
 * the next one), which is what a masked step of Keras 1 hands on.
 */
import type { Graph } from './written.js'

/** What a layer does with a mask: its name in the graph, int64 [N, T], 1 at steps that count. */
export interface Masked {
  /** The input with the steps that count in front: [N, T, D]. */
  readonly x: string
  /** How many steps count: int32 [N]. */
  readonly lengths: string
  /** Steps of an output, [N, T, directions*H], where they belong. */
  spread(y: string): string
}

/** Types of Cast. */
const [FLOAT, INT32, INT64, BOOL] = [1, 6, 7, 9] as const

/** Larger than any number of steps. */
const MANY = 2 ** 40

/** The mask of an Embedding: words that are not 0. @param words [N, T] */
export function maskOfWords(graph: Graph, layer: string, words: string): string {
  const isWord = graph.add(layer, 'Cast', [words], { to: BOOL })
  return graph.add(layer, 'Cast', [isWord], { to: INT64 })
}

/**
 * The mask of Masking: steps that have a number other than `value`; and the input, 0 elsewhere.
 *
 * @param x [N, T, D]
 */
export function maskOfSteps(
  graph: Graph,
  layer: string,
  x: string,
  value: number,
): { mask: string; x: string } {
  const padding = graph.tensor(layer, 'value', [1], Float32Array.of(value))
  const isPadding = graph.add(layer, 'Equal', [x, padding])
  const others = graph.add(layer, 'Cast', [graph.add(layer, 'Not', [isPadding])], { to: INT64 })
  const mask = graph.add(layer, 'ReduceMax', [others], { axes: [2], keepdims: 0 })
  return { mask, x: graph.add(layer, 'Mul', [x, weights(graph, layer, mask)]) }
}

/** int64 [N, T] → float32 [N, T, 1] */
function weights(graph: Graph, layer: string, flags: string): string {
  const floats = graph.add(layer, 'Cast', [flags], { to: FLOAT })
  return graph.add(layer, 'Unsqueeze', [floats, graph.extents(layer, [2])])
}

/**
 * @param x [N, T, D]
 * @param mask int64 [N, T]
 * @param units H
 * @param ends of each direction, whether it goes backwards
 */
export function masked(
  graph: Graph,
  layer: string,
  { x, mask, features, units }: { x: string; mask: string; features: number; units: number },
  ends: readonly boolean[],
): Masked {
  const add = graph.add.bind(graph, layer)
  const whole = (value: number): string => graph.extents(layer, [value])
  /** [N, T] of places → [N, T, width], as GatherElements wants them. */
  const wide = (places: string, width: number): string =>
    add('Expand', [add('Unsqueeze', [places, whole(2)]), graph.extents(layer, [1, 1, width])])
  const ones = add('Add', [add('Mul', [mask, whole(0)]), whole(1)])
  const axis = graph.scalar(layer, 1)
  const place = add('CumSum', [ones, axis])
  // those that count before the others, each in the order of time
  const key = add('Sub', [add('Mul', [mask, whole(MANY)]), place])
  const steps = add('Gather', [add('Shape', [mask]), whole(1)])
  const order = add('TopK', [key, steps], { axis: 1, largest: 1, sorted: 1 }, {}, ['keys'])
  const front = add('GatherElements', [x, wide(order, features)], { axis: 1 })
  const count = add('ReduceSum', [mask, whole(1)], { keepdims: 0 })

  const spread = (y: string): string => {
    const upTo = add('CumSum', [mask, axis])
    const before = add('Sub', [upTo, mask])
    const after = add('Sub', [add('Unsqueeze', [count, whole(1)]), before])
    const sides = ends.map((isBackward) =>
      isBackward
        ? { place: before, left: after }
        : { place: add('Max', [add('Sub', [upTo, whole(1)]), whole(0)]), left: upTo },
    )
    const places = joined(sides.map((side) => wide(side.place, units)))
    // before the first step that counts there is nothing to hand on
    const flags = sides.map(({ left }) => add('Min', [left, whole(1)]))
    const known = add('Cast', [joined(flags.map((flag) => wide(flag, units)))], { to: FLOAT })
    return add('Mul', [add('GatherElements', [y, places], { axis: 1 }), known])
  }
  const joined = (parts: readonly string[]): string =>
    parts.length === 1 ? parts[0]! : add('Concat', parts, { axis: 2 })
  return { x: front, lengths: add('Cast', [count], { to: INT32 }), spread }
}
