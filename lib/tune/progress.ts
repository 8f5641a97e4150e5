/** What a sweep prints: a table that is drawn again on a terminal, a line a trial elsewhere. */
import { isLive, type Output, type Verbosity } from '../progress.js'
import type { Sweep } from './sweep.js'
import { durationText, lineOf, summaryOf } from './table.js'
import type { TrialRecord } from './records.js'

/** Milliseconds between two redraws at least. */
const INTERVAL_MS = 100
/** Rows of a terminal that does not know its height. */
const ROWS = 24
/** Trials that the table shows at most. */
const MOST = 20

/** A place where a sweep is shown as it goes on. */
export class SweepProgress {
  readonly #output: Output & { readonly rows?: number }
  readonly #verbose: Verbosity
  readonly #redraws: boolean
  readonly #began = performance.now()
  /** Trials that were told, by number. */
  readonly #told = new Set<number>()
  /** Lines of the table that stand on the terminal. */
  #drawn = 0
  #drawnAt = Number.NEGATIVE_INFINITY

  constructor(verbose: Verbosity, output: Output) {
    this.#verbose = verbose
    this.#output = output
    this.#redraws = verbose === 1 && isLive(output)
  }

  /** Trials that ended before this sweep went on are not told again. */
  begin(sweep: Sweep, trials: number): void {
    const done = sweep.trials.filter(({ state }) => state !== 'running')
    for (const { number } of done) this.#told.add(number)
    if (this.#verbose > 0 && done.length > 0)
      this.#output.write(`${summaryOf(sweep, trials)}; going on\n`)
  }

  /** Shows how it stands. @param isLast draws whatever the time */
  update(sweep: Sweep, trials: number, isLast = false): void {
    if (this.#verbose === 0) return
    for (const trial of sweep.trials) {
      // the table has no room for why a trial has failed
      const isShown = trial.state === 'failed' || (!this.#redraws && trial.state !== 'running')
      if (!isShown || this.#told.has(trial.number)) continue
      this.#told.add(trial.number)
      this.#line(`${lineOf(trial, trials)}${bestText(sweep, trial)}`)
    }
    if (this.#redraws) this.#draw(sweep, trials, isLast)
    else if (isLast) this.#output.write(`${this.#title(sweep, trials)}\n`)
  }

  /** A line that an objective has printed. */
  print(number: number, line: string): void {
    if (this.#verbose > 0) this.#line(`[trial ${number}] ${line}`)
  }

  /** A line of its own, above the table. */
  #line(text: string): void {
    this.#erase()
    this.#output.write(`${text}\n`)
    this.#drawnAt = Number.NEGATIVE_INFINITY // the table is drawn again at the next chance
  }

  #title(sweep: Sweep, trials: number): string {
    return `${summaryOf(sweep, trials)} - ${durationText(performance.now() - this.#began)}`
  }

  #draw(sweep: Sweep, trials: number, isLast: boolean): void {
    const now = performance.now()
    if (!isLast && now - this.#drawnAt < INTERVAL_MS) return
    this.#drawnAt = now
    const { rows, columns } = this.#output
    const room = Math.max(1, Math.min(MOST, (rows || ROWS) - 3))
    const table = sweep.trials.length === 0 ? '' : sweep.table({ top: room, running: true })
    const width = (columns || 80) - 1
    const lines = [this.#title(sweep, trials), ...table.split('\n')].filter((line) => line !== '')
    this.#erase()
    this.#output.write(lines.map((line) => `${line.slice(0, width)}\n`).join(''))
    this.#drawn = isLast ? 0 : lines.length
  }

  /** Takes the table away. */
  #erase(): void {
    if (this.#drawn > 0) this.#output.write(`\x1b[${this.#drawn}A\r\x1b[J`)
    this.#drawn = 0
  }
}

const bestText = ({ best }: Sweep, { number }: TrialRecord): string =>
  best === null ? '' : best.number === number ? ' - best so far' : ` - best: trial ${best.number}`
