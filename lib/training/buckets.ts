/** Batches of sequences of near lengths, in an order that differs from epoch to epoch. */
import type { Model } from '../model/model.js'
import type { NDArray } from '../ndarray.js'
import type { Ragged } from '../ragged.js'
import type { RandomStream } from '../random.js'
import type { Arrays } from './data.js'
import { predictOnBatch } from './evaluate.js'
import type { Triple } from './fit.js'
import type { Plain } from './plain-data.js'
import { joinedOutputs, predictionList, type Predictions } from './results.js'

/** Sequences in memory: how long each is, and some of them as a batch. */
export interface Sequences<Batch = Triple> {
  /** Steps of each sample. */
  readonly lengths: Int32Array
  pick(rows: Int32Array): Batch
}

/** Batches whose samples are sorted by length together: more makes batches more even, and less
 * random. torchtext's BucketIterator takes 100. */
const BATCHES_OF_A_RUN = 50

/** How the samples of an epoch become batches. */
export interface BucketOptions {
  /** Samples `[first, last)`. */
  range: readonly [first: number, last: number]
  batchSize: number
  /**
   * True: in a new order each epoch, near lengths together; 'batch': batches of the given order in
   * a new one; false: the given order; 'length': sorted by length.
   */
  shuffle: boolean | 'batch' | 'length'
  /** Where the order is drawn from; for `true` and 'batch'. */
  stream?: RandomStream | null
}

/** Batches of sequences, again and again. */
export class Buckets<Batch = Triple> implements AsyncIterableIterator<Batch> {
  readonly #stream: RandomStream | null
  /** The samples of this round, batch after batch. */
  readonly #order: Int32Array
  /** Where the batches of this round begin; then the end of the last. */
  #cuts: Int32Array
  #place = 0

  constructor(
    readonly data: Sequences<Batch>,
    readonly options: BucketOptions,
  ) {
    const [first, last] = options.range
    this.#stream = options.stream ?? null
    this.#order = Int32Array.from({ length: last - first }, (_, i) => first + i)
    if (options.shuffle === 'length') this.#sort(0, last - first)
    this.#cuts = this.#evenCuts()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Batch>> {
    return { done: false, value: this.data.pick(this.nextRows()) }
  }

  /** The samples of the next batch. */
  nextRows(): Int32Array {
    if (this.#place === 0) this.#shuffle()
    const rows = this.#order.subarray(this.#cuts[this.#place]!, this.#cuts[this.#place + 1]!)
    this.#place = (this.#place + 1) % (this.#cuts.length - 1)
    return rows
  }

  #evenCuts(): Int32Array {
    const { length } = this.#order
    const { batchSize } = this.options
    return Int32Array.from({ length: Math.ceil(length / batchSize) + 1 }, (_, i) =>
      Math.min(i * batchSize, length),
    )
  }

  #shuffle(): void {
    const { shuffle, batchSize } = this.options
    if (!this.#stream || shuffle === false || shuffle === 'length') return
    if (shuffle === true) {
      this.#stream.shuffle(this.#order)
      const run = batchSize * BATCHES_OF_A_RUN
      for (let from = 0; from < this.#order.length; from += run) this.#sort(from, from + run)
      this.#cuts = this.#evenCuts()
    }
    this.#moveBatches(this.#stream, shuffle === 'batch')
  }

  /** Sorts a part of the order by length; of one length, samples stay in their order. */
  #sort(from: number, to: number): void {
    const { lengths } = this.data
    const part = Array.from(this.#order.subarray(from, to))
    this.#order.set(
      part.sort((a, b) => lengths[a]! - lengths[b]!),
      from,
    )
  }

  /** Puts the batches in a new order. @param keepsRest a last batch that is smaller stays last */
  #moveBatches(stream: RandomStream, keepsRest: boolean): void {
    const before = this.#order.slice()
    const cuts = this.#cuts
    const batches = cuts.length - 1
    const places = Int32Array.from({ length: batches }, (_, i) => i)
    const rest = keepsRest && this.#order.length % this.options.batchSize > 0 ? 1 : 0
    stream.shuffle(places.subarray(0, batches - rest))
    const moved = new Int32Array(cuts.length)
    for (const [i, place] of places.entries()) {
      const part = before.subarray(cuts[place]!, cuts[place + 1]!)
      this.#order.set(part, moved[i]!)
      moved[i + 1] = moved[i]! + part.length
    }
    this.#cuts = moved
  }

  /** @see Resumable */
  state(): Plain {
    const stream = this.#stream?.state ?? null
    return { at: this.#place, order: this.#order.slice(), cuts: this.#cuts.slice(), stream }
  }

  restore(state: Plain): void {
    const { at, order, cuts, stream } = state as {
      at: number
      order: Int32Array
      cuts: Int32Array
      stream: number[] | null
    }
    this.#place = at
    this.#order.set(order)
    this.#cuts = cuts
    if (this.#stream && stream) this.#stream.state = stream
  }
}

/** Outputs for sequences, in their order; those of a sequence per step without the padding. */
export async function predictSequences(
  model: Model,
  call: string,
  data: Sequences<Arrays>,
  batchSize: number,
  signal: AbortSignal | null,
): Promise<Predictions> {
  const samples = data.lengths.length
  const shuffle = model.stateful ? false : 'length'
  const buckets = new Buckets(data, { range: [0, samples], batchSize, shuffle })
  const rows = new Array<readonly (NDArray | Ragged)[]>(samples)
  for (let seen = 0; seen < samples; ) {
    signal?.throwIfAborted()
    const batch = buckets.nextRows()
    const outputs = predictionList(await predictOnBatch(model, data.pick(batch), call))
    for (const [i, row] of batch.entries())
      rows[row] = outputs.map((output) => output.slice(i, i + 1))
    seen += batch.length
  }
  return joinedOutputs(call, rows, samples)
}
