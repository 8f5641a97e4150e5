/** What a training prints: Keras' progress bar on a terminal, one line per epoch elsewhere. */

/** 0: silent; 1: a bar on a terminal, else one line per epoch; 2: one line per epoch. */
export type Verbosity = 0 | 1 | 2

/** A {@link Verbosity}, also out of a variable, where TypeScript sees a number; true is 1, false 0. Another number is ERR_OPTION. */
export type Verbose = Verbosity | boolean | (number & {})

/** Where progress is written; `process.stdout` fits. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
}

type Pair = readonly [name: string, value: number]

/** A number as Keras prints it: `0.6931`, `1.2000e-04`, `nan`. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Math.abs(value) > 1e-3) return value.toFixed(4)
  const [digits, exponent] = value.toExponential(4).split('e') as [string, string]
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`
}

const pairsText = (pairs: Iterable<Pair>): string => Array.from(pairs, ([k, v]) => ` - ${k}: ${numberText(v)}`).join('')

/** Options of {@link Progbar}. */
export interface ProgbarOptions {
  /** Characters between the brackets. Default 30. */
  width?: number
  /** 1: a bar; 2: one line at the end; 0: silent. Default 1. */
  verbose?: Verbosity
  /** Least milliseconds between two redraws. Default 10. */
  interval?: number
  /** Where to write. Default `process.stdout`. */
  output?: Output
  /** The clock, in milliseconds. Default `Date.now`. */
  now?: () => number
}

/**
 * Keras' progress bar, in its exact text: ` 32/100 [=========>....................] - ETA: 3s - loss: 0.1000`.
 *
 * @example
 * import { Progbar } from 'hiddenstate/utils'
 * const bar = new Progbar(100)
 * for (let done = 0; done < 100; done += 10) bar.add(10, [['loss', 1 / (done + 1)]])
 * @see keras.utils.generic_utils.Progbar. The interval is in milliseconds here.
 */
export class Progbar {
  /** Running sums: name → [sum of value times units, units]. */
  #sums = new Map<string, [sum: number, units: number]>()
  #seen = 0
  #start: number
  #lastUpdate = Number.NEGATIVE_INFINITY
  #lastWidth = 0

  /** @param target units (samples) at the end */
  constructor(
    readonly target: number,
    readonly options: ProgbarOptions = {},
  ) {
    this.#start = this.#now()
  }

  #now(): number {
    return (this.options.now ?? Date.now)()
  }

  /** Averages so far, by units. */
  averages(): Pair[] {
    return Array.from(this.#sums, ([k, [sum, units]]) => [k, sum / Math.max(1, units)])
  }

  /** Seconds since the bar was made, whole ones. */
  seconds(): number {
    return Math.floor((this.#now() - this.#start) / 1000)
  }

  /**
   * Counts and redraws.
   *
   * @param current units done by now
   * @param values means over the units since the last call
   * @param force redraws even if the last time was just now
   */
  update(current: number, values: Iterable<Pair> = [], force = false): void {
    this.count(current, values)
    const { verbose = 1, output = process.stdout } = this.options
    if (verbose !== 1) {
      if (verbose === 2 && current >= this.target) output.write(`${this.seconds()}s${pairsText(this.averages())}\n`)
      return
    }
    const now = this.#now()
    if (!force && current < this.target && now - this.#lastUpdate < (this.options.interval ?? 10)) return
    this.#lastUpdate = now
    const line = this.line(current)
    const padding = ' '.repeat(Math.max(0, this.#lastWidth - line.length))
    this.#lastWidth = line.length
    output.write(`\r${line}${padding}${current >= this.target ? '\n' : ''}`)
  }

  /** Counts `n` units more and redraws. */
  add(n: number, values: Iterable<Pair> = []): void {
    this.update(this.#seen + n, values)
  }

  /** Counts without drawing. */
  count(current: number, values: Iterable<Pair>): void {
    const units = current - this.#seen
    for (const [k, v] of values) {
      const entry = this.#sums.get(k)
      if (entry) {
        entry[0] += v * units
        entry[1] += units
      } else {
        this.#sums.set(k, [v * Math.max(1, units), Math.max(1, units)])
      }
    }
    this.#seen = current
  }

  /** The line as it stands at `current` units. */
  line(current: number): string {
    const { target } = this
    const width = this.options.width ?? 30
    const digits = String(target).length
    const filled = Math.min(width, Math.floor((width * current) / target))
    const arrow = filled > 0 ? '='.repeat(filled - 1) + (current < target ? '>' : '=') : ''
    const elapsed = (this.#now() - this.#start) / 1000
    const eta = current > 0 ? (elapsed / current) * (target - current) : 0
    const time = current < target ? `ETA: ${Math.floor(eta)}s` : `${Math.floor(elapsed)}s`
    return `${String(current).padStart(digits)}/${target} [${arrow}${'.'.repeat(width - filled)}] - ${time}${pairsText(this.averages())}`
  }
}

/** Prints a fit as it goes on. */
export class FitProgress {
  readonly #output: Output
  readonly #verbose: Verbosity
  readonly #hasBar: boolean
  #epochText = ''
  #bar: Progbar | null = null

  constructor(verbose: Verbosity, output: Output = process.stdout) {
    this.#verbose = verbose
    this.#output = output
    this.#hasBar = verbose === 1 && output.isTTY === true
  }

  /** Whether anything is drawn within an epoch. */
  get isLive(): boolean {
    return this.#hasBar
  }

  trainBegin(samples: number, validationSamples: number | null): void {
    if (this.#verbose && validationSamples !== null)
      this.#output.write(`Train on ${samples} samples, validate on ${validationSamples} samples\n`)
  }

  /** @param epoch from 0 */
  epochBegin(epoch: number, nbEpoch: number, samples: number): void {
    if (!this.#verbose) return
    this.#epochText = `Epoch ${epoch + 1}/${nbEpoch}`
    if (this.#hasBar) this.#output.write(`${this.#epochText}\n`)
    this.#bar = new Progbar(samples, { output: this.#output })
  }

  /** Within an epoch. @param values means over the samples since the last call */
  update(seen: number, values: readonly Pair[]): void {
    if (!this.#bar) return
    // the last redraw belongs to epochEnd, which knows the validation too
    if (this.#hasBar && seen < this.#bar.target) this.#bar.update(seen, values)
    else this.#bar.count(seen, values)
  }

  /** @param logs the epoch's: metrics of training and validation */
  epochEnd(seen: number, logs: Readonly<Record<string, number>>): void {
    if (!this.#bar) return
    const known = new Set(this.#bar.averages().map(([k]) => k))
    const rest = Object.entries(logs).filter(([k, v]) => !known.has(k) && typeof v === 'number')
    if (this.#hasBar) this.#bar.update(Math.max(seen, this.#bar.target), rest, true)
    else this.#output.write(`${this.#epochText} - ${this.#bar.seconds()}s${pairsText(Object.entries(logs))}\n`)
    this.#bar = null
  }

  /** Ends a line that is only half drawn: the fit was aborted or failed. */
  interrupt(): void {
    if (this.#bar && this.#hasBar) this.#output.write('\n')
    this.#bar = null
  }
}
