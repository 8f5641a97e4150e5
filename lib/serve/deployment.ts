/** A model that is served, until its last user has gone. */
import { Batcher } from '../model/batcher.js'
import type { GatheredBatch } from '../model/batcher-options.js'
import type { Model } from '../model/model.js'
import { loadModel } from '../model/models.js'
import type { ResolvedServeOptions } from './options.js'

export class Deployment {
  readonly model: Model
  readonly batcher: Batcher
  readonly since = new Date()
  /** Whether it was loaded here, and is to be disposed of here. */
  readonly #isOurs: boolean
  #users = 0
  #isRetired = false

  private constructor(
    model: Model,
    isOurs: boolean,
    { maxBatch, maxDelayMs, maxQueue }: ResolvedServeOptions,
    onBatch: (batch: GatheredBatch) => void,
  ) {
    this.model = model
    this.batcher = new Batcher(model, { maxBatch, maxDelayMs, maxQueue, onBatch })
    this.#isOurs = isOurs
  }

  /**
   * @param from a model, which stays its owner's, or a file of one
   * @throws what `loadModel` and `Batcher` throw
   */
  static async of(
    from: Model | string,
    options: ResolvedServeOptions,
    onBatch: (batch: GatheredBatch) => void,
  ): Promise<Deployment> {
    const isOurs = typeof from === 'string'
    const model = isOurs ? await loadModel(from) : from
    try {
      return new Deployment(model, isOurs, options, onBatch)
    } catch (error) {
      if (isOurs) model.dispose()
      throw error
    }
  }

  /** Keeps it until the function that is returned is called. */
  use(): () => void {
    this.#users++
    let isUsed = true
    return () => {
      if (!isUsed) return
      isUsed = false
      this.#users--
      this.#end()
    }
  }

  /** Another has taken its place: it goes with its last user. */
  retire(): void {
    this.#isRetired = true
    this.#end()
  }

  #end(): void {
    if (!this.#isRetired || this.#users > 0) return
    this.batcher.dispose()
    if (this.#isOurs) this.model.dispose()
  }
}
