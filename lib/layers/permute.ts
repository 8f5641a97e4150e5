import { ConfigError, fail, ShapeError } from '../errors.js'
import { describe } from '../ndarray.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { showShape } from './base/names.js'

/**
 * Permutes the axes behind the batch:
 * `new Permute([2, 1])` makes [B, D, T] of [B, T, D]. Takes no mask.
 * @param dims the axes of the input in their new order, counted from 1
 * @throws ConfigError `ERR_OPTION` when `dims` is no permutation; ShapeError `ERR_SHAPE` when the
 *   input has another number of axes
 * @example
 * const model = new Sequential([new Permute([2, 1], { inputShape: [4, 5] })])
 * model.outputShape // [null, 5, 4]
 * @see keras.layers.Permute
 */
export class Permute extends Layer<LayerOptions & { dims: readonly number[] }> {
  static override readonly className = 'Permute'
  static override readonly positional = ['dims']

  constructor(dims: readonly number[], options?: LayerOptions) {
    super([dims], options)
    const given: unknown = this.options.dims
    if (Array.isArray(given) && given.length > 0 && given.every((_, i) => given.includes(i + 1)))
      return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what: 'dims',
      expected: 'a permutation of 1, 2, …',
      actual: describe(given),
    })
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const { dims } = this.options
    if (inputShape.length !== dims.length + 1) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: 'input',
        expected: `of ${dims.length} axes behind the batch, as dims [${dims.join(', ')}]`,
        actual: showShape(inputShape),
      })
    }
    return [inputShape[0] ?? null, ...dims.map((axis) => inputShape[axis] ?? null)]
  }

  protected emit(graph: Graph, x: Value): Value {
    const { dims } = this.options
    return graph.op('permute', [x], this.computeOutputShape([null, ...x.shape]).slice(1), {
      ...this.opName(),
      options: { dims: [...dims] },
    })
  }
}
