/**
 * The seed of dropout and noise, and the count of training batches:
 * together they say what is drawn.
 */
import type { NativePlan } from '../native.js'
import { nextSeed, seedingCount } from '../random.js'

export interface DropoutState {
  readonly seed: number
  /** Training batches so far. */
  readonly step: number
}

/** Seed and count of one model; `compile` keeps them. */
export class DropoutSeed {
  #seed: number | null = null
  #step = 0
  /** The count of `setSeed` at which the seed was drawn; -1: never. */
  #seedings = -1
  /** The plan that has them; null: none. */
  isIn: NativePlan | null = null

  get state(): DropoutState {
    return { seed: (this.#seed ??= nextSeed()), step: this.#step }
  }

  set state({ seed, step }: DropoutState) {
    this.#seed = seed
    this.#step = step
    this.#seedings = seedingCount()
    this.isIn = null
  }

  /** Draws a new seed, unless one was drawn since the last `setSeed`. @returns whether it has */
  draw(): boolean {
    if (this.#seedings === seedingCount()) return false
    if (this.#seed === null || this.#seedings >= 0) {
      this.#seed = nextSeed()
      this.#step = 0
    }
    this.#seedings = seedingCount()
    this.isIn = null
    return true
  }

  /** Gives seed and count to a plan that does not have them. */
  push(plan: NativePlan): void {
    if (this.isIn === plan) return
    const { seed, step } = this.state
    plan.set('seed', seed)
    plan.set('step', step)
    this.isIn = plan
  }

  /**
   * Takes over the count of a plan: a run that fails in one batch has trained on those before it.
   *
   * @returns whether it has trained since.
   *   Nothing where the plan was disposed or seeded anew meanwhile
   */
  recount(plan: NativePlan): boolean {
    if (this.isIn !== plan) return false
    const step = plan.read('random/step').data[0]!
    const hasTrained = step > this.#step
    this.#step = step
    return hasTrained
  }
}
