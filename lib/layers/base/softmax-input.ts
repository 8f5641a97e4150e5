import type { ActivationName } from '../../activations.js'
import { fail, ShapeError } from '../../errors.js'
import type { Shape } from '../../spec.js'
import type { Written } from '../../written.js'
import type { Layer } from './layer.js'
import { showShape } from './names.js'

/**
 * Softmax is defined for [B, K] and [B, T, K], as in Keras.
 * @throws ShapeError `ERR_SHAPE`
 */
export function checkSoftmaxInput(
  layer: Layer,
  activation: ActivationName | Written,
  inputShape: Shape,
): void {
  if (activation !== 'softmax' || inputShape.length === 2 || inputShape.length === 3) return
  fail(ShapeError, 'ERR_SHAPE', {
    where: layer.where,
    layer: layer.where,
    what: 'input of softmax',
    expected: '[B, K] or [B, T, K]',
    actual: showShape(inputShape),
  })
}
