/** Whose weights a runner takes into its plan, and what they are trained with. */
import { ConfigError, fail } from '../errors.js'
import type { LayerNames, ParameterOwner } from '../layers/base/weights.js'
import type { Spec } from '../spec.js'
import type { World } from '../world/distribute.js'

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
  /** The ranks that train it together; null, or absent: this process alone. */
  world?(): World | null
  /** What messages call it. Default: a model, whose calls are its methods. */
  readonly noun?: 'function'
}

/** How messages call the owner, and one of its calls. */
export function ownerNames({ noun }: Owner, call: string): { owner: string; place: string } {
  return noun ? { owner: noun, place: call } : { owner: 'model', place: `model.${call}` }
}

/**
 * For a call that ranks cannot share out.
 * @throws ConfigError ERR_OPTION where they train it together
 */
export function checkAlone(owner: Owner, call: string): void {
  if (!owner.world?.()) return
  fail(ConfigError, 'ERR_OPTION', {
    where: ownerNames(owner, call).place,
    what: 'model',
    expected: 'compiled without `distribute`',
    actual: 'one that ranks train together',
    hint: 'Ranks share out `fit` and `evaluate` on arrays in memory alone, as yet.',
  })
}
