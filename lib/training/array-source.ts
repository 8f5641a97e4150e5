/** Batches of arrays that lie in native memory. Keras 1.2.2 engine/training.py, `_fit_loop`. */
import type { LoadedData } from '../engine/loaded-data.js'
import type { RunResult } from '../native.js'
import type { Model } from '../model/model.js'
import { RandomStream } from '../random.js'
import type { Plain } from './plain-data.js'
import type { BatchSource } from './source.js'
import { teamOf } from './teams.js'

export class ArraySource implements BatchSource {
  readonly isSingle = false
  /** Training samples, in the order of the epoch; shuffled in place, again and again. */
  readonly #order: Int32Array
  readonly #stream: RandomStream

  /**
   * @param own what belongs to this training alone, its stream of random numbers among it
   * @param own.samples the first ones of the data
   */
  constructor(
    readonly model: Model,
    readonly data: LoadedData,
    readonly own: {
      samples: number
      batchSize: number
      shuffle: boolean | 'batch'
      seed: number
      signal: AbortSignal | null
    },
  ) {
    this.#order = Int32Array.from({ length: own.samples }, (_, i) => i)
    this.#stream = new RandomStream(own.seed)
  }

  get samples(): number {
    return this.#order.length
  }

  beginEpoch(): void {
    const { shuffle, batchSize } = this.own
    if (shuffle === 'batch') shuffleBatches(this.#stream, this.#order, batchSize)
    else if (shuffle) this.#stream.shuffle(this.#order)
  }

  ready(seen: number): number {
    return Math.min(this.own.batchSize, this.samples - seen)
  }

  train(
    seen: number,
    request: { maxBatches?: number; sums: readonly number[] },
  ): Promise<RunResult> {
    const { model, data } = this
    const { batchSize, signal } = this.own
    const order = this.#order.subarray(seen)
    const team = teamOf(model, 'fit: train')
    const whole = { ...request, mode: 'train', data: data.set, order, batchSize, ...team } as const
    return model.runner.run('fit', whole, signal)
  }

  state(): Plain {
    return { order: this.own.shuffle ? this.#order.slice() : null, stream: this.#stream.state }
  }

  restore(state: Plain): void {
    const { order, stream } = state as { order: Int32Array | null; stream: number[] }
    if (order) this.#order.set(order)
    this.#stream.state = stream
  }

  close(): void {
    this.data.dispose()
  }
}

/** Shuffles whole batches; what is left over stays at the end (Keras' `batch_shuffle`). */
function shuffleBatches(stream: RandomStream, order: Int32Array, batchSize: number): void {
  const batches = Math.floor(order.length / batchSize)
  const before = order.slice()
  const places = stream.shuffle(Int32Array.from({ length: batches }, (_, i) => i))
  for (let i = 0; i < batches; i++)
    order.set(before.subarray(places[i]! * batchSize, (places[i]! + 1) * batchSize), i * batchSize)
}
