/** What a training prints: Keras' progress bar on a terminal, one line per epoch elsewhere. */
import { checkVerbose } from './call-options.js'
import { ConfigError, fail } from './errors.js'
import { describe } from './ndarray.js'
import { resolveOptions } from './options.js'

/** 0: silent; 1: a bar on a terminal, else one line per epoch; 2: one line per epoch. */
export type Verbosity = 0 | 1 | 2

/**
 * A {@link Verbosity}, also out of a variable, where TypeScript sees a number; true is 1, false 0.
 * Another number is ERR_OPTION.
 */
export type Verbose = Verbosity | boolean | (number & {})

/** Where progress is written; `process.stdout` fits. */
export interface Output {
  write(text: string): unknown
  /** A terminal, on which a line can be drawn again. */
  readonly isTTY?: boolean
  /** Its width in characters, as it is now. Default: any number fits. */
  readonly columns?: number
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

const pairsText = (pairs: Iterable<Pair>): string =>
  Array.from(pairs, ([k, v]) => ` - ${k}: ${numberText(v)}`).join('')

/**
 * Seconds as Keras prints them, whole ones; below one, where Keras says `0s`, milliseconds.
 * @param ms since the start
 */
const timeText = (ms: number): string =>
  ms < 1000 ? `${Math.floor(ms)}ms` : `${Math.floor(ms / 1000)}s`

/**
 * Whether a line can be drawn over itself: on a terminal, but not on one that cannot go back
 * (`TERM=dumb`) nor in a build whose log keeps every redraw (`CI`). There are no colours, so that
 * `NO_COLOR` changes nothing.
 */
export function isLive({ isTTY }: Output): boolean {
  const { CI, TERM } = process.env
  return isTTY === true && TERM !== 'dumb' && (!CI || CI === 'false' || CI === '0')
}

/**
 * How many characters a line may have without wrapping: the last column stays free. A terminal that
 * does not know its width says 0.
 */
const roomOf = ({ columns }: Output): number =>
  columns === undefined ? Number.POSITIVE_INFINITY : (columns || 80) - 1

/** Milliseconds between two lines where nothing can be redrawn: rare enough for a log of days. */
const HEARTBEAT_MS = 30_000
/** Narrowest bar that is drawn: a narrower one says less than the numbers beside it. */
const LEAST_BAR = 8

/** Options of {@link Progbar}. */
export interface ProgbarOptions {
  /** Characters between the brackets, fewer where the terminal is narrow. Default 30. */
  width?: number
  /**
   * 1: a bar on a terminal, else a line each 30 s and one at the end; 2: one line at the end; 0:
   * silent. Default 1.
   */
  verbose?: Verbosity
  /** Least milliseconds between two redraws. Default 10. */
  interval?: number
  /** Where to write. Default `process.stdout`. */
  output?: Output
  /** The clock, in milliseconds. Default `Date.now`. */
  now?: () => number
}

/**
 * Keras' progress bar, in its text:
 * ` 32/100 [=========>....................] - ETA: 3s - loss: 0.1000`. It takes no more than a line
 * of the terminal, also when that is resized: first the bar shrinks, then it goes, then the last
 * values do; the line that stays at the end has all values. Without a terminal, with `TERM=dumb`
 * and with `CI` set it writes a line each 30 s, and one at the end.
 *
 * @param target units (samples) at the end
 * @throws ConfigError ERR_OPTION
 * @example
 * import { Progbar } from 'hiddenstate/utils'
 * const bar = new Progbar(100)
 * for (let done = 0; done < 100; done += 10) bar.add(10, [['loss', 1 / (done + 1)]])
 * @see keras.utils.generic_utils.Progbar.
 *   The interval is in milliseconds here, and times below a second are.
 */
export class Progbar {
  /** Running sums: name → [sum of value times units, units]. */
  #sums = new Map<string, [sum: number, units: number]>()
  #seen = 0
  #began: number
  #lastUpdate = Number.NEGATIVE_INFINITY
  #lastWidth = 0
  /**
   * Width of the bar in the last line before the end;
   * the end, which may take several lines, keeps it.
   */
  #width = 0
  readonly target: number
  readonly options: Readonly<Required<ProgbarOptions>>
  readonly #redraws: boolean

  constructor(target: number, options?: ProgbarOptions) {
    const defaults = { width: 30, verbose: 1, interval: 10, output: process.stdout, now: Date.now }
    const resolved = resolveOptions<Required<ProgbarOptions>>(
      'Progbar',
      defaults as Required<ProgbarOptions>,
      options,
    )
    const { width, interval, verbose } = resolved
    for (const [what, value] of Object.entries({ target, width, interval })) {
      if (typeof value === 'number' && value >= 0) continue
      fail(ConfigError, 'ERR_OPTION', {
        where: 'Progbar',
        what,
        expected: 'a number >= 0',
        actual: describe(value),
      })
    }
    this.target = target
    this.options = { ...resolved, verbose: checkVerbose('Progbar', verbose) }
    this.#redraws = this.options.verbose === 1 && isLive(resolved.output)
    this.#began = this.#now()
  }

  #now(): number {
    return this.options.now()
  }

  /** Averages so far, by units. */
  averages(): Pair[] {
    return Array.from(this.#sums, ([k, [sum, units]]) => [k, sum / Math.max(1, units)])
  }

  /** Milliseconds since the bar was made. */
  elapsed(): number {
    return this.#now() - this.#began
  }

  /**
   * Counts, and redraws or writes a line when it is time for one.
   *
   * @param current units done by now
   * @param values means over the units since the last call
   * @param force redraws even if the last time was just now
   */
  update(current: number, values: Iterable<Pair> = [], force = false): void {
    this.count(current, values)
    const { verbose, output } = this.options
    if (this.#redraws) this.#redraw(current, force)
    else if (verbose === 1)
      current < this.target ? this.beat(current) : output.write(`${this.line(current)}\n`)
    else if (verbose === 2 && current >= this.target)
      output.write(`${timeText(this.elapsed())}${pairsText(this.averages())}\n`)
  }

  #redraw(current: number, force: boolean): void {
    const { output, interval } = this.options
    const now = this.#now()
    const isLast = current >= this.target
    if (!force && !isLast && now - this.#lastUpdate < interval) return
    this.#lastUpdate = now
    const room = roomOf(output)
    const [line = '', ...more] = this.line(current, room).split('\n')
    const whole = [line.padEnd(Math.min(this.#lastWidth, room)), ...more].join('\n')
    this.#lastWidth = line.length
    output.write(`\r${whole}${isLast ? '\n' : ''}`)
  }

  /**
   * Writes how far it is, in a line of its own, when the last line is 30 s old.
   *
   * @internal
   * @param title in front of it
   */
  beat(current: number, title = ''): void {
    if (current < this.target)
      this.tell(() => `${title}${current}/${this.target}${this.#time(current)}`)
  }

  /** Writes a line of its own, with the averages, when the last is 30 s old. @internal */
  tell(text: () => string): void {
    const now = this.#now()
    if (now - Math.max(this.#lastUpdate, this.#began) < HEARTBEAT_MS) return
    this.#lastUpdate = now
    this.options.output.write(`${text()}${pairsText(this.averages())}\n`)
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

  #time(current: number): string {
    const elapsed = this.elapsed()
    if (current >= this.target) return ` - ${timeText(elapsed)}`
    const left = current > 0 ? (elapsed / current) * (this.target - current) : 0
    return ` - ETA: ${Math.floor(left / 1000)}s`
  }

  /**
   * The line as it stands at `current` units.
   * @param room characters it may take. Default: any number
   */
  line(current: number, room = Number.POSITIVE_INFINITY): string {
    const { target } = this
    const count = `${String(current).padStart(String(target).length)}/${target}`
    const values = [this.#time(current), ...this.averages().map((pair) => pairsText([pair]))]
    const left = Math.min(
      this.options.width,
      room - count.length - ' []'.length - values.join('').length,
    )
    const hasBar = left >= Math.min(LEAST_BAR, this.options.width)
    if (current < target) {
      this.#width = hasBar ? left : 0
      return cut([this.#start(current, count, this.#width), ...values], room)
    }
    return wrap([this.#start(current, count, hasBar ? left : this.#width), ...values], room)
  }

  #start(current: number, count: string, width: number): string {
    return width > 0 ? `${count} [${this.#bar(current, width)}]` : count
  }

  #bar(current: number, width: number): string {
    const filled = Math.min(width, Math.floor((width * current) / this.target))
    const arrow = filled > 0 ? '='.repeat(filled - 1) + (current < this.target ? '>' : '=') : ''
    return arrow.padEnd(width, '.')
  }
}

/** As many of the parts as have room. */
function cut(parts: readonly string[], room: number): string {
  const line = parts.join('')
  if (line.length <= room) return line
  return parts.length > 1 ? cut(parts.slice(0, -1), room) : line.slice(0, Math.max(0, room))
}

/** All parts, on as many lines as that takes. */
function wrap(parts: readonly string[], room: number): string {
  let [line = '', ...rest] = parts
  let lines = ''
  for (const part of rest) {
    if (line.length + part.length > room) {
      lines += `${line}\n`
      line = ''
    }
    line += part
  }
  return lines + line
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
    this.#hasBar = verbose === 1 && isLive(output)
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
    else {
      this.#bar.count(seen, values)
      if (this.#verbose === 1 && !this.#hasBar) this.#bar.beat(seen, `${this.#epochText} - `)
    }
  }

  /** Writes a line while the epoch is validated, which may take as long as training did. */
  validating(): void {
    const bar = this.#bar
    if (bar && this.#verbose === 1 && !this.#hasBar)
      bar.tell(() => `${this.#epochText} - validating - ${timeText(bar.elapsed())}`)
  }

  /** @param logs the epoch's: metrics of training and validation */
  epochEnd(seen: number, logs: Readonly<Record<string, number>>): void {
    if (!this.#bar) return
    const known = new Set(this.#bar.averages().map(([k]) => k))
    const rest = Object.entries(logs).filter(([k, v]) => !known.has(k) && typeof v === 'number')
    if (this.#hasBar) this.#bar.update(Math.max(seen, this.#bar.target), rest, true)
    else
      this.#output.write(
        `${this.#epochText} - ${timeText(this.#bar.elapsed())}${pairsText(Object.entries(logs))}\n`,
      )
    this.#bar = null
  }

  /** Ends a line that is only half drawn: the fit was aborted or failed. */
  interrupt(): void {
    if (this.#bar && this.#hasBar) this.#output.write('\n')
    this.#bar = null
  }
}
