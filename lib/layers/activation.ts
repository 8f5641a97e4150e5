import type { ActivationName } from '../activations.js'
import { fail, ShapeError } from '../errors.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './layer.js'
import { showShape } from './names.js'

/**
 * Softmax is defined for [B, K] and [B, T, K], as in Keras.
 * @throws ShapeError `ERR_SHAPE`
 */
export function checkSoftmax(layer: Layer, activation: ActivationName, inputShape: Shape): void {
  if (activation !== 'softmax' || inputShape.length === 2 || inputShape.length === 3) return
  fail(ShapeError, 'ERR_SHAPE', {
    where: layer.where,
    layer: layer.where,
    what: 'input of softmax',
    expected: '[B, K] or [B, T, K]',
    actual: showShape(inputShape),
  })
}

/**
 * Applies an activation function: any shape → the same. Passes masks on. Softmax works on the last
 * axis.
 * @throws ConfigError `ERR_UNKNOWN_NAME`; ShapeError `ERR_SHAPE` for softmax of other than two or
 *   three axes
 * @example
 * const model = new Sequential([new Dense(1, { inputDim: 4 }), new Activation('sigmoid')])
 * @see keras.layers.Activation
 */
export class Activation extends Layer<LayerOptions & { activation: ActivationName }> {
  static override readonly className = 'Activation'
  static override readonly positional = ['activation']
  override readonly supportsMasking = true

  constructor(activation: ActivationName, options?: LayerOptions) {
    super([activation], options)
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    checkSoftmax(this, this.options.activation, inputShape)
  }

  /** @internal */
  override get perStep(): boolean {
    return true
  }

  /** @internal */
  computeOutputShape(inputShape: Shape): Shape {
    return inputShape
  }

  protected emit(graph: Graph, x: Value): Value {
    const { activation } = this.options
    return graph.op('activation', [x], x.shape, {
      ...this.opName(),
      options: { activation },
      mask: 'pass',
    })
  }
}
