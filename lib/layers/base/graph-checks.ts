/** What must hold of tensors for what lies between them to be a model. */
import { ConfigError, fail, ShapeError } from '../../errors.js'
import type { Shape } from '../../spec.js'
import { showShape } from './names.js'
import type { Network } from './network.js'
import { Tensor } from './tensor.js'
import { describe } from '../../ndarray.js'

/**
 * The tensors of an option of `Model`.
 *
 * @param what 'input' or 'output'
 * @throws ConfigError ERR_OPTION for anything but a tensor or a list of them
 */
export function tensorList(where: string, what: string, value: unknown): readonly Tensor[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const wrong = list.find((each) => !(each instanceof Tensor))
  if (list.length > 0 && list.every((each) => each instanceof Tensor)) return [...list]
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    what,
    expected: 'a tensor, as Input() and calls of layers give, or a list of tensors',
    actual: list.length === 0 ? 'an empty list' : describe(wrong),
  })
}

/**
 * @throws ConfigError ERR_OPTION for inputs that are none, that are twice there or lead nowhere,
 *   and for outputs that need another
 */
export function checkGraph(where: string, { inputs, missing, nodes, outputs }: Network): void {
  const refuse = (expected: string, actual: string, hint?: string): never =>
    fail(ConfigError, 'ERR_OPTION', { where, what: 'input', expected, actual, hint })
  for (const [i, input] of inputs.entries()) {
    const { layer } = input.node
    if (input.node.inputs.length > 0)
      refuse('a tensor of Input()', `what ${layer.where} gives`, 'Make an Input of its shape.')
    if (inputs.indexOf(input) !== i)
      refuse('tensors that differ', `${layer.where} twice`, 'Each input is there once.')
  }
  const [first] = missing
  if (first)
    refuse(
      'all that the outputs need',
      `none for ${first.node.layer.where}`,
      'Add that tensor to `input`.',
    )
  const used = new Set([...outputs, ...nodes.flatMap((node) => node.inputs)])
  const idle = inputs.find((input) => !used.has(input))
  if (idle) refuse('one that an output depends on', `${idle.node.layer.where}, which leads to none`)
}

/**
 * @param where the model, for errors
 * @param own shapes that it was made for
 * @throws ShapeError ERR_SHAPE where it is called on others
 */
export function checkInputs(where: string, own: readonly Shape[], shapes: readonly Shape[]): void {
  const fits = (shape: Shape, i: number) =>
    shape.length === own[i]!.length &&
    own[i]!.every((extent, axis) => extent === null || extent === shape[axis])
  if (shapes.length === own.length && shapes.every(fits)) return
  fail(ShapeError, 'ERR_SHAPE', {
    where,
    layer: where,
    what: own.length === 1 ? 'input' : 'inputs',
    expected:
      own.length === 1
        ? showShape(own[0]!)
        : `${own.length} tensors, ${own.map(showShape).join(' and ')}`,
    actual: shapes.map(showShape).join(' and '),
  })
}
