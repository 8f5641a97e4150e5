import type { NativeArray, NativePlan } from '../native.js'
import { isOfDevice } from '../errors.js'
import type { WeightHolder } from './owner.js'

type Value = ReturnType<NativePlan['read']>

const copyOf = ({ data, shape }: Value): Value => ({ data: data.slice(), shape: [...shape] })

/**
 * The host's copy of the weights of a plan on a card: what is left of them when the card fails, as
 * it does for the rest of the process after an error in a kernel (decision 0042). It is made when
 * the weights have come to the card, when a fit begins, and at the end of each of its epochs.
 */
export class KeptWeights {
  readonly #plan: NativePlan
  #values = new Map<string, Value>() // by their names in the plan

  constructor(plan: NativePlan) {
    this.#plan = plan
  }

  /**
   * Copies them all as they are now, or none.
   *
   * @param layerPlan the plan as the layers have it
   * @throws InternalError ERR_DEVICE
   */
  keep(layerPlan: NativePlan, layers: readonly WeightHolder[]): void {
    const variables = layers.flatMap((layer) => layer.variables)
    const names = variables.filter((v) => v.isIn(layerPlan)).map((v) => v.planPath)
    this.#values = new Map(names.map((name) => [name, this.#plan.read(name)]))
  }

  /** One of them has been replaced. */
  written(name: string, { data }: NativeArray): void {
    const value = this.#values.get(name)
    value?.data.set(data)
  }

  /** As that of the plan; where the card has failed, the copy. */
  read(name: string): Value {
    try {
      return this.#plan.read(name)
    } catch (error) {
      const value = isOfDevice(error) ? this.#values.get(name) : undefined
      if (!value) throw error
      return copyOf(value)
    }
  }
}
