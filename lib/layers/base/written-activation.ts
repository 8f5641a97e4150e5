/** Activations that are functions: ops behind those of a layer. */
import type { ActivationName } from '../../activations.js'
import { ConfigError, fail } from '../../errors.js'
import { activation as named } from '../../expressions/activations.js'
import { applied, asData } from '../../expressions/applied.js'
import { sameDims, showDims } from '../../expressions/dims.js'
import { type Expr, Placeholder } from '../../expressions/expr.js'
import { refuseShape } from '../../expressions/place.js'
import { activityOf, type Regularizer } from '../../regularizers.js'
import type { Activity, Graph, Shape, Value } from '../../spec.js'
import { Written } from '../../written.js'
import { addValue, dimsOf } from './expression-ops.js'
import type { Layer } from './layer.js'
import { serializeOption } from './option-rules.js'
import { outputPenaltyData, paramFunctionData } from './written-penalty.js'

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
function activated(
  graph: Graph,
  value: Value,
  own: Written,
  op: { layer: string; className: string; where: string; activity: Activity | null },
): Value {
  const x = new Placeholder(dimsOf([null, ...value.shape]), 'x')
  const y = addValue(graph, appliedTo(x, own, op.where), new Map([[x, value]]), {
    ...op,
    layer: `${op.layer}/activation`,
    params: new Map(),
    mask: { name: value.mask },
  })
  return { ...y, isReversed: value.isReversed }
}

/** The function as a configuration holds it, for values of this shape, with the batch. */
function activationData(own: Written, shape: Shape, where: string): Written {
  const x = new Placeholder(dimsOf(shape), 'x')
  return asData(own, [x], appliedTo(x, own, where), where)
}

/** One of a layer's options as configurations hold it. */
export const savedOption = (
  layer: Layer,
  key: string,
  value: unknown = (layer.options as Readonly<Record<string, unknown>>)[key],
): unknown =>
  value instanceof Written
    ? savedFunction(layer, key, value)
    : serializeOption(key, value, layer.layerClass.defaults[key])

/** A function among a layer's options: what it computes in the layer's first place. */
function savedFunction(layer: Layer, key: string, own: Written): object | null {
  if (typeof own.source !== 'function') return own.toJSON()
  const built = layer.built ? layer : ((layer.standIn as Layer | undefined) ?? layer)
  const { activatedShape, outputShape, where } = built
  if (activatedShape && /^activation$|Activation$/.test(key))
    return activationData(own, activatedShape, where).toJSON()
  if (outputShape && key === 'activityRegularizer')
    return outputPenaltyData(own, outputShape, where).toJSON()
  if (outputShape) return paramFunctionData(own, built.writtenParams)?.toJSON() ?? null
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

const activityRegularizer = ({ options }: Layer): Regularizer | Written | null =>
  (options as { activityRegularizer?: Regularizer | Written | null }).activityRegularizer ?? null

/** The activity regularizer of a layer, where it is none of functions. */
const activity = (layer: Layer): Activity | null =>
  activityOf(activityRegularizer(layer), layer.where)

/** The activity regularizer of a layer, where it is a function. */
function ownActivity(layer: Layer): Written | null {
  const regularizer = activityRegularizer(layer)
  return regularizer instanceof Written ? regularizer : null
}

/** The output of a layer: its activation behind its op, where that is a function, and penalized. */
export function withOutputFunctions(
  graph: Graph,
  layer: Layer,
  made: Value,
  name: { layer: string; className: string },
): Value {
  const { ownActivation, where } = layer
  const op = { ...name, where, activity: activity(layer) }
  const value = ownActivation ? activated(graph, made, ownActivation, op) : made
  const penalty = ownActivity(layer)
  if (penalty) graph.activities.push({ value, penalty, where })
  return value
}

/** Whether functions are given what the layer computes: steps or rows make a difference to them. */
export const hasOutputFunctions = (layer: Layer): boolean =>
  layer.ownActivation !== null || ownActivity(layer) !== null

/** @throws ShapeError, ConfigError, FormatError where a function does not fit the output */
export function checkOutputFunctions(layer: Layer, outputShape: Shape): void {
  const { ownActivation, where } = layer
  const penalty = ownActivity(layer)
  if (ownActivation) activationData(ownActivation, outputShape, where)
  if (penalty) outputPenaltyData(penalty, outputShape, where)
}

/** The same for the layer's own op: it is of what an activation behind that gives. */
export const opActivity = (layer: Layer): Activity | null =>
  layer.ownActivation ? null : activity(layer)
