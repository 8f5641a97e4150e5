import { FitProgress, type Output, type Verbosity } from '../progress.js'
import { Callback, type Logs } from './callback.js'

/**
 * Prints Keras' progress bar, after `params.verbose`. `fit` prints by itself; this class is for
 * loops of one's own.
 * @param output where to write. Default `process.stdout`.
 * @see keras.callbacks.ProgbarLogger
 */
export class ProgbarLogger extends Callback {
  readonly #output: Output
  #progress: FitProgress | null = null
  #seen = 0

  constructor(output: Output = process.stdout) {
    super()
    this.#output = output
  }

  override get everyRank(): boolean {
    return false
  }

  override onTrainBegin(): void {
    const verbose: Verbosity =
      this.params.verbose === 1 || this.params.verbose === 2 ? this.params.verbose : 0
    this.#progress = new FitProgress(verbose, this.#output)
  }

  override onEpochBegin(epoch: number): void {
    this.#seen = 0
    this.#progress?.epochBegin(epoch, this.params.nbEpoch, this.params.nbSample)
  }

  override onBatchEnd(_batch: number, logs: Logs): void {
    this.#seen += logs.size ?? 0
    this.#progress?.update(this.#seen, this.#reported(logs))
  }

  override onEpochEnd(_epoch: number, logs: Logs): void {
    this.#progress?.epochEnd(this.#seen, Object.fromEntries(this.#reported(logs)))
  }

  #reported(logs: Logs): [string, number][] {
    return this.params.metrics.flatMap((key) =>
      logs[key] === undefined ? [] : [[key, logs[key]] as [string, number]],
    )
  }
}
