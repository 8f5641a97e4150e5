/** Means of loss and metrics over the samples seen so far. */
import type { RunResult } from '../native.js'

/**
 * Means over several runs. The loss leaves out a batch whose loss is a mean over nothing (all steps
 * masked, all weights 0).
 */
export class Means {
  #sums: readonly number[]
  readonly #counted: number[]

  /**
   * @param logs how many there are: the loss and the metrics
   * @param from the sums to go on from; default: nothing seen
   */
  constructor(
    logs: number,
    from?: { readonly sums: readonly number[]; readonly counted: readonly number[] },
  ) {
    const zeros = () => Array.from({ length: logs }, () => 0)
    this.#sums = from ? [...from.sums] : zeros()
    this.#counted = from ? [...from.counted] : zeros()
  }

  /** Samples that count, for each log. */
  get counted(): readonly number[] {
    return this.#counted
  }

  /** What the next run goes on from: its `sums`. */
  get sums(): readonly number[] {
    return this.#sums
  }

  /**
   * Adds a run that went on from {@link sums}.
   *
   * @returns the means over this run alone; undefined: no sample of it counts
   */
  add({ sums, counted }: RunResult): (number | undefined)[] {
    const before = this.#sums
    this.#sums = sums
    return sums.map((sum, i) => {
      const samples = counted[i]!
      this.#counted[i]! += samples
      if (samples === 0) return undefined
      // infinity less infinity is NaN
      return Number.isFinite(before[i]) ? (sum - before[i]!) / samples : sum
    })
  }

  /** The mean of each log; NaN where no sample has counted. */
  values(): number[] {
    return this.#sums.map((sum, i) => sum / this.#counted[i]!)
  }
}

/** Names and means as a progress bar takes them, without those that are undefined. */
export function pairsOf(
  names: readonly string[],
  means: readonly (number | undefined)[],
): [name: string, mean: number][] {
  return names.flatMap((name, i) =>
    means[i] === undefined ? [] : [[name, means[i]] as [string, number]],
  )
}
