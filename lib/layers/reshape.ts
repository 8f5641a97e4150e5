import { ConfigError, fail, ShapeError } from '../errors.js'
import { describe, shapeText, sizeOf } from '../ndarray.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'

/**
 * The same numbers in another shape: [B, …] → [B, …targetShape]. One extent may be -1 and follows
 * from the others. Takes no mask.
 * @param targetShape without the batch
 * @throws ConfigError `ERR_OPTION` for a bad target; ShapeError `ERR_SHAPE` when the number of
 *   elements would change
 * @example
 * const model = new Sequential([new Reshape([-1, 2], { inputShape: [4, 5] })])
 * model.outputShape // [null, 10, 2]
 * @see keras.layers.Reshape
 */
export class Reshape extends Layer<LayerOptions & { targetShape: readonly number[] }> {
  static override readonly className = 'Reshape'
  static override readonly positional = ['targetShape']

  constructor(targetShape: readonly number[], options?: LayerOptions) {
    super([targetShape], options)
    const given: unknown = this.options.targetShape
    const fits =
      Array.isArray(given) &&
      given.length > 0 &&
      given.every((d) => d === -1 || (Number.isSafeInteger(d) && d > 0))
    if (fits && given.filter((d) => d === -1).length < 2) return
    fail(ConfigError, 'ERR_OPTION', {
      where: this.where,
      what: this.spelled('targetShape'),
      expected: 'a list of positive integers, one of which may be -1',
      actual: describe(given),
    })
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    const { targetShape } = this.options
    const open = targetShape.includes(-1)
    const unknown = inputShape.slice(1).includes(null)
    if (unknown && !open) return [inputShape[0] ?? null, ...targetShape] // checked when data come
    const size = sizeOf(
      inputShape.slice(1).map((_, i) => this.known(inputShape, i + 1, 'every extent')),
    )
    const rest = sizeOf(targetShape.filter((d) => d !== -1))
    if (open ? size % rest !== 0 : size !== rest) {
      fail(ShapeError, 'ERR_SHAPE', {
        where: this.where,
        layer: this.where,
        what: this.spelled('targetShape'),
        expected: `${size} elements, as ${shapeText(inputShape.slice(1))} has`,
        actual: shapeText(targetShape),
      })
    }
    return [inputShape[0] ?? null, ...targetShape.map((d) => (d === -1 ? size / rest : d))]
  }

  protected emit(graph: Graph, x: Value): Value {
    const dims = this.computeOutputShape([null, ...x.shape]).slice(1)
    return graph.op('reshape', [x], dims, { ...this.opName(), options: { dims } })
  }
}
