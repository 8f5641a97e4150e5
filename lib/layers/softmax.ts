import { fail, ShapeError } from '../errors.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { showShape } from './base/names.js'

/** Options of {@link Softmax}. */
export interface SoftmaxOptions extends LayerOptions {
  /**
   * The axis whose numbers become shares of 1:
   * counted with the batch, or from the end. Default −1, the last.
   */
  axis?: number
}

/**
 * Softmax along one axis: any shape → the same. Passes masks on; masked steps count all the same.
 * @throws ConfigError `ERR_OPTION` for bad options; ShapeError `ERR_SHAPE` for an axis that the
 *   input does not have, or the batch
 * @example
 * const model = new Sequential([new Dense(4, { inputShape: [7, 3] }), new Softmax({ axis: 1 })])
 * model.outputShape // [null, 7, 4]
 * @see Keras 2, keras.layers.Softmax;
 *   Keras 1.2.2 has `Activation('softmax')` alone, on the last axis.
 */
export class Softmax extends Layer<SoftmaxOptions> {
  static override readonly className = 'Softmax'
  static override readonly defaults = { ...Layer.defaults, axis: -1 }
  override readonly supportsMasking = true

  constructor(options?: SoftmaxOptions) {
    super([], options)
  }

  /** Counted without the batch. @param axes how many there are, with the batch */
  #place(axes: number): number {
    const { axis } = this.options
    return (axis < 0 ? axis + axes : axis) - 1
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    const place = this.#place(inputShape.length)
    if (Number.isInteger(place) && place >= 0 && place < inputShape.length - 1) return
    fail(ShapeError, 'ERR_SHAPE', {
      where: this.where,
      layer: this.where,
      what: 'input',
      expected: `of an axis ${this.options.axis}, other than the batch`,
      actual: showShape(inputShape),
    })
  }

  /** @internal */
  override get perStep(): boolean {
    return this.options.axis === -1
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  protected emit(graph: Graph, x: Value): Value {
    const axes = x.shape.length
    const place = this.#place(axes + 1)
    const softmax = (value: Value) =>
      graph.op('activation', [value], value.shape, {
        ...this.opName(),
        options: { activation: 'softmax' },
        mask: 'pass',
      })
    if (place === axes - 1) return softmax(x)
    // the axis and the last one change places, before and after
    const order = [...x.shape.keys()]
    order[place] = axes - 1
    order[axes - 1] = place
    const swap = (value: Value, stem: string) =>
      graph.op(
        'permute',
        [value],
        order.map((axis) => value.shape[axis] ?? null),
        {
          ...this.opName(),
          layer: `${this.name}/${stem}`,
          options: { dims: order.map((axis) => axis + 1) },
          mask: 'pass',
        },
      )
    return swap(softmax(swap(x, 'axis last')), 'axis back')
  }
}
