import type { ActivationFunction, ActivationName } from '../activations.js'
import type { Graph, Shape, Value } from '../spec.js'
import { Layer, type LayerOptions } from './base/layer.js'
import { checkSoftmaxInput } from './base/softmax-input.js'
import { nativeActivation } from './base/written-activation.js'

/**
 * Applies an activation function: any shape → the same.
 * Passes masks on. Softmax works on the last axis.
 * @param activation a name, or a function written with `hiddenstate/backend`
 * @throws ConfigError `ERR_UNKNOWN_NAME`;
 *   ShapeError `ERR_SHAPE` for softmax of other than two or three axes
 * @example
 * const model = new Sequential([new Dense(1, { inputDim: 4 }), new Activation('sigmoid')])
 * @see keras.layers.Activation
 */
export class Activation extends Layer<
  LayerOptions & { activation: ActivationName | ActivationFunction }
> {
  static override readonly written = { options: ['activation'], instead: '' }
  static override readonly className = 'Activation'
  static override readonly positional = ['activation']
  override readonly supportsMasking = true

  constructor(activation: ActivationName | ActivationFunction, options?: LayerOptions) {
    super([activation], options)
  }

  protected override checkInput(inputShape: Shape): void {
    super.checkInput(inputShape)
    checkSoftmaxInput(this, this.options.activation, inputShape)
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
    if (this.ownActivation) return x
    const { activation } = this.options
    return graph.op('activation', [x], x.shape, {
      ...this.opName(),
      options: { activation: nativeActivation(activation) },
      mask: 'pass',
    })
  }
}
