import { Callback, type Logs } from './callback.js'

/**
 * Averages the batches' values, weighted by batch size, into the epoch's logs. `fit` does the same
 * by itself; this class is for loops of one's own.
 * @see keras.callbacks.BaseLogger
 */
export class BaseLogger extends Callback {
  #seen = 0
  #totals = new Map<string, number>()

  override getState(): { seen: number; totals: [string, number][] } {
    return { seen: this.#seen, totals: [...this.#totals] }
  }

  override setState({ seen, totals }: { seen: number; totals: [string, number][] }): void {
    this.#seen = seen
    this.#totals = new Map(totals)
  }

  override onEpochBegin(): void {
    this.#seen = 0
    this.#totals.clear()
  }

  override onBatchEnd(_batch: number, logs: Logs): void {
    const size = logs.size ?? 0
    this.#seen += size
    for (const [key, value] of Object.entries(logs))
      this.#totals.set(key, (this.#totals.get(key) ?? 0) + value * size)
  }

  override onEpochEnd(_epoch: number, logs: Logs): void {
    for (const key of this.params.metrics) {
      const total = this.#totals.get(key)
      if (total !== undefined) logs[key] = total / this.#seen
    }
  }
}
