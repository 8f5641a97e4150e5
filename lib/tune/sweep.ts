/** What a sweep has found. */
import { checkBoolean, checkInteger, checkOneOf } from '../call-options.js'
import { setConsoleText } from '../console-text.js'
import { resolveOptions } from '../options.js'
import { importancesOf } from './importance.js'
import { pictureOf, type Theme } from './picture.js'
import { type Direction, isBetter, type TrialRecord } from './records.js'
import type { Params, Space } from './space.js'
import { summaryOf, type TableOptions, tableOf } from './table.js'

/** Options of {@link Sweep.toSvg}. */
export interface PictureOptions {
  /** `'auto'`: light or dark as the reader's system has it. Default `'auto'`. */
  theme?: Theme
  /** Above the picture. Default: how many trials there were, and the best value. */
  title?: string
}

/** A trial that has a value. */
export interface CompleteTrial<P> extends TrialRecord<P> {
  readonly value: number
}

const isComplete = <P>(trial: TrialRecord<P>): trial is CompleteTrial<P> =>
  trial.state === 'complete'

/** The trials of a sweep: what tune and readSweep give. */
export class Sweep<S extends Space = Space> {
  /** What was searched. */
  readonly space: S
  /** Which values are better. */
  readonly direction: Direction
  /** In the order of their numbers, those that run elsewhere included. */
  readonly trials: readonly TrialRecord<Params<S>>[]

  /** @internal */
  constructor(space: S, direction: Direction, trials: readonly TrialRecord[]) {
    this.space = space
    this.direction = direction
    this.trials = trials as unknown as readonly TrialRecord<Params<S>>[]
  }

  /** The complete trial with the best value, the first of several; null: none is complete. */
  get best(): CompleteTrial<Params<S>> | null {
    let best: CompleteTrial<Params<S>> | null = null
    for (const trial of this.trials)
      if (isComplete(trial) && (best === null || isBetter(this.direction, trial.value, best.value)))
        best = trial
    return best
  }

  /**
   * How much each parameter matters by itself, from 0 to 1: the share of the variance of the ranks
   * of the values that groups of its values explain (omega squared), over the trials that are
   * complete. What parameters do together is not in it; below some 30 trials it says little.
   */
  importances(): { [K in keyof S]: number } {
    const { space, direction, trials } = this
    return importancesOf(space, direction, trials as unknown as readonly TrialRecord[]) as {
      [K in keyof S]: number
    }
  }

  /**
   * The trials as text, the best ones first, a line each.
   *
   * @throws ConfigError ERR_OPTION
   */
  table(options?: TableOptions): string {
    const defaults = { top: 10, running: false }
    const { top, running } = resolveOptions('sweep.table', defaults, options)
    checkInteger('sweep.table', 'top', top, 1)
    checkBoolean('sweep.table', 'running', running)
    return tableOf(this as unknown as Sweep, { top, running })
  }

  /**
   * A picture: parallel coordinates (an axis a parameter, a line a trial, the better ones in
   * stronger colours), and the importance of each parameter below its axis.
   *
   * @returns the text of an SVG file
   * @throws ConfigError ERR_OPTION
   */
  toSvg(options?: PictureOptions): string {
    const defaults = { theme: 'auto' as Theme, title: '' }
    const { theme, title } = resolveOptions('sweep.toSvg', defaults, options)
    checkOneOf('sweep.toSvg', 'theme', theme, ['auto', 'light', 'dark'])
    const self = this as unknown as Sweep
    return pictureOf(self, { theme, title: String(title) || summaryOf(self, this.trials.length) })
  }
}
setConsoleText(
  Sweep,
  (sweep) => `Sweep(${summaryOf(sweep as Sweep, sweep.trials.length)})`,
  (sweep) => `Sweep: ${summaryOf(sweep as Sweep, sweep.trials.length)}\n${sweep.table()}`,
)
