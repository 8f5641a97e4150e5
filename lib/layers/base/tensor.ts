/** What calls of layers make: tensors without numbers, and the graph that they are of. */
import { setConsoleText } from '../../console-text.js'
import type { Shape } from '../../spec.js'
import type { Layer } from './layer.js'
import { showShape } from './names.js'

/** One call of a layer: Keras' `Node`. */
export class Node {
  /** What the call made. */
  outputs: readonly Tensor[] = []

  constructor(
    readonly layer: Layer,
    /** What the layer was called on; none for an `Input`. */
    readonly inputs: readonly Tensor[],
  ) {}
}

/**
 * What `Input` gives, and what a layer or a model gives that is called on tensors: a shape, and
 * where it comes from. It holds no numbers: those come when a `Model` of it is run.
 *
 * @example
 * import { Dense, Input, Model } from 'hiddenstate'
 * const x = Input({ shape: [4] })
 * const y = new Dense(2).call(x)
 * console.log(y.shape, new Model({ input: x, output: y }).countParams()) // [ null, 2 ] 10
 */
export class Tensor {
  static {
    setConsoleText(Tensor, (tensor) => {
      const { layer } = tensor.node
      return `Tensor(${showShape(tensor.shape)} of ${layer.where})`
    })
  }

  /** @internal */
  constructor(
    /** @internal The call that made it. */
    readonly node: Node,
    /** Which of the call's outputs it is, from 0. */
    readonly index: number,
    /** With the batch: `[null, 28, 64]`. */
    readonly shape: Shape,
    /** Whether a mask comes with it. */
    readonly isMasked: boolean,
  ) {}
}
