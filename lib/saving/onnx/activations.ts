/** Activations by ONNX' names: a name of ours, or a function. onnx/docs/Operators.md. */
import type { ActivationFunction } from '../../activations.js'
import { relu, tanh } from '../../expressions/activations.js'
import { clip, exp, less, where } from '../../expressions/elementwise.js'
import { ACTIVATIONS as OF_KERAS_3 } from '../keras3/activations.js'

type Activation = string | ActivationFunction

/** @param alpha, beta as the file has them; undefined: ONNX' defaults */
type Make = (alpha?: number, beta?: number) => Activation

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6

/** Where alpha and beta say what one of ours is, its name. */
const hardSigmoid: Make = (alpha = 0.2, beta = 0.5) => {
  if (isNear(alpha, 0.2) && isNear(beta, 0.5)) return 'hard_sigmoid'
  return (x) => clip(x.mul(alpha).add(beta), 0, 1)
}

const elu: Make =
  (alpha = 1) =>
  (x) =>
    where(
      less(x, 0),
      exp(clip(x, -100, 0))
        .sub(1)
        .mul(alpha),
      x,
    )

/** Those of recurrent nodes, in small letters. */
export const ACTIVATIONS: Readonly<Record<string, Make>> = {
  affine:
    (alpha = 1, beta = 0) =>
    (x) =>
      x.mul(alpha).add(beta),
  elu,
  hardsigmoid: hardSigmoid,
  leakyrelu:
    (alpha = 0.01) =>
    (x) =>
      relu(x, alpha),
  relu: () => 'relu',
  scaledtanh:
    (alpha = 1, beta = 1) =>
    (x) =>
      tanh(x.mul(beta)).mul(alpha),
  sigmoid: () => 'sigmoid',
  softplus: () => 'softplus',
  softsign: () => 'softsign',
  tanh: () => 'tanh',
  thresholdedrelu:
    (alpha = 1) =>
    (x) =>
      where(less(alpha, x), x, x.mul(0)),
}

const SELU = [1.6732631921768188, 1.0507010221481323] as const

/** Nodes that are an activation of one input. */
export const ACTIVATION_OPS: Readonly<Record<string, Make>> = {
  Elu: elu,
  Gelu: () => OF_KERAS_3.gelu as ActivationFunction,
  HardSigmoid: hardSigmoid,
  HardSwish: () => OF_KERAS_3.hard_swish as ActivationFunction,
  LeakyRelu: ACTIVATIONS.leakyrelu as Make,
  Mish: () => OF_KERAS_3.mish as ActivationFunction,
  Relu: ACTIVATIONS.relu as Make,
  Selu: (alpha = SELU[0], gamma = SELU[1]) => {
    const scaled = elu(alpha) as ActivationFunction
    return (x) => scaled(x).mul(gamma)
  },
  Sigmoid: ACTIVATIONS.sigmoid as Make,
  Softplus: ACTIVATIONS.softplus as Make,
  Softsign: ACTIVATIONS.softsign as Make,
  Tanh: ACTIVATIONS.tanh as Make,
  ThresholdedRelu: ACTIVATIONS.thresholdedrelu as Make,
}

/** Which of those that a recurrent node may have take a number of `activation_alpha`. */
const WITH_ALPHA = /^(affine|elu|hardsigmoid|leakyrelu|scaledtanh|thresholdedrelu)$/
const WITH_BETA = /^(affine|hardsigmoid|scaledtanh)$/

/** An activation of a recurrent node. */
export interface Named {
  /** Name and numbers: two with one key compute the same. */
  readonly key: string
  /** Null for a name that is not known. */
  readonly activation: Activation | null
}

/**
 * The activations of a recurrent node.
 *
 * @param alphas, betas of those that have one, in their order; what is left out has its default
 */
export function activationsOf(
  names: readonly string[],
  alphas: readonly number[],
  betas: readonly number[],
): Named[] {
  let [a, b] = [0, 0]
  return names.map((given) => {
    const name = given.toLowerCase()
    const make = Object.hasOwn(ACTIVATIONS, name) ? (ACTIVATIONS[name] as Make) : null
    const alpha = WITH_ALPHA.test(name) ? alphas[a++] : undefined
    const beta = WITH_BETA.test(name) ? betas[b++] : undefined
    return { key: [given, alpha, beta].join(' ').trim(), activation: make?.(alpha, beta) ?? null }
  })
}
