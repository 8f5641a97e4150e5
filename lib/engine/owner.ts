/** Whose weights a runner takes into its plan, and what they are trained with. */
import type { LayerNames, ParameterOwner } from '../layers/base/weights.js'
import type { Spec } from '../spec.js'

/** What weights belong to: a layer, or a function of expressions. */
export type WeightHolder = Pick<ParameterOwner, 'variables' | 'attach' | 'detach' | 'isIn'>

/** What a runner asks its model, or its function, before each chunk. */
export interface Owner {
  layers(): readonly WeightHolder[]
  /** The Spec that the next run needs. */
  spec(): Spec
  /** What the layers were called when it was made. */
  names(): LayerNames
  /** Hyper-parameters as they are now; null when not compiled. */
  hyper(): Readonly<Record<string, unknown>> | null
  /** What messages call it. Default: a model, whose calls are its methods. */
  readonly noun?: 'function'
}

/** How messages call the owner, and one of its calls. */
export function ownerNames({ noun }: Owner, call: string): { owner: string; place: string } {
  return noun ? { owner: noun, place: call } : { owner: 'model', place: `model.${call}` }
}
