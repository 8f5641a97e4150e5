/** Activations that are functions: ops behind those of a layer. */
import type { ActivationName } from '../../activations.js'
import { ConfigError, fail } from '../../errors.js'
import { activation as named } from '../../expressions/activations.js'
import { applied, asData } from '../../expressions/applied.js'
import { sameDims, showDims } from '../../expressions/dims.js'
import { type Expr, Placeholder } from '../../expressions/expr.js'
import { inMemoryOrder, memoryOf } from '../../expressions/lowering/layout.js'
import { refuseShape } from '../../expressions/place.js'
import { activityOf, type Regularizer } from '../../regularizers.js'
import type { Activity, Graph, Shape, Value } from '../../spec.js'
import { Written } from '../../written.js'
import { addExpression, dimsOf } from './expression-ops.js'
import type { Layer } from './layer.js'

/** An activation of a value inside an expression, by its name or as a function. */
export const activate = (x: Expr, activation: ActivationName | Written, where: string): Expr =>
  activation instanceof Written ? appliedTo(x, activation, where) : named(x, activation)

/** @throws ShapeError ERR_SHAPE where the value has another shape than x */
function appliedTo(x: Expr, own: Written, where: string): Expr {
  const place = `${where}: activation`
  const y = applied(own, [x], place)
  if (!sameDims(y.shape, x.shape))
    refuseShape({
      where: place,
      what: 'what the function gives',
      expected: `${showDims(x.shape)}, as it is given`,
      actual: showDims(y.shape),
    })
  return y
}

/** The activation of a value. */
export function activated(
  graph: Graph,
  value: Value,
  own: Written,
  op: { layer: string; className: string; where: string; activity: Activity | null },
): Value {
  const x = new Placeholder(dimsOf([null, ...value.shape]), 'x')
  const memory = memoryOf(x)
  const [root] = inMemoryOrder([appliedTo(x, own, op.where)], new Map([[x, memory]]))
  const y = addExpression(graph, root!, {
    ...op,
    layer: `${op.layer}/activation`,
    inputs: new Map([[memory, value]]),
    params: new Map(),
    mask: { name: value.mask },
  })
  return { ...y, isReversed: value.isReversed }
}

/** The function as a configuration holds it, for values of this shape, with the batch. */
export function activationData(own: Written, shape: Shape, where: string): Written {
  const x = new Placeholder(dimsOf(shape), 'x')
  return asData(own, [x], appliedTo(x, own, where), where)
}

/** A function among a layer's options as configurations hold it: for the layer's first place. */
export function savedFunction(layer: Layer, key: string, own: Written): object {
  const { where, activatedShape } = layer
  if (typeof own.source !== 'function') return own.toJSON()
  if (activatedShape) return activationData(own, activatedShape, where).toJSON()
  return fail(ConfigError, 'ERR_OPTION', {
    where,
    layer: where,
    what: 'layer',
    expected: `part of a model, which gives the function of ${key} its input`,
    actual: 'one of no model',
  })
}

/** An activation as an op knows it: a function comes behind the op. */
export const nativeActivation = (activation: ActivationName | Written): ActivationName =>
  activation instanceof Written ? 'linear' : activation

/** The activity regularizer of a layer. */
export function activity({ options, where }: Layer): Activity | null {
  const { activityRegularizer = null } = options as { activityRegularizer?: Regularizer | null }
  return activityOf(activityRegularizer, where)
}

/** The same for the layer's own op: it is of what an activation behind that gives. */
export const opActivity = (layer: Layer): Activity | null =>
  layer.ownActivation ? null : activity(layer)
