/** What a journal says: its lines, and the trials that they make. */
import type { Space, Values } from './space.js'

/** Which values are better. */
export type Direction = 'minimize' | 'maximize'

/** How a trial stands. */
export type TrialState = 'running' | 'complete' | 'pruned' | 'failed'

/** A trial of a sweep, as its journal has it. */
export interface TrialRecord<P = Values> {
  /** From 0, in the order in which they began. */
  readonly number: number
  readonly params: P
  readonly state: TrialState
  /**
   * What the objective returned; of one that was pruned, its last report; undefined while it runs,
   * and where it has failed before it reported any.
   */
  readonly value?: number
  /** Why it has failed. */
  readonly reason?: string
  /** `[step, value]` in the order in which they were reported; NaN where it was not finite. */
  readonly reports: readonly (readonly [step: number, value: number])[]
  /** How often it was begun: 1, and one more for each process that died while it ran it. */
  readonly attempt: number
  /** When it began, in milliseconds since 1970 by the clock of its machine. */
  readonly began: number
  /** How long it took, in milliseconds; undefined while it runs. */
  readonly took?: number
}

/** Begins a journal: what every process that takes part must agree on. */
export interface SweepLine {
  event: 'sweep'
  version: 1
  space: Space
  direction: Direction
  seed: number
}
interface StartLine {
  event: 'start'
  trial: number
  attempt: number
  params: Values
}
interface ReportLine {
  event: 'report'
  trial: number
  attempt: number
  step: number
  /** null: not finite, which JSON cannot say. */
  value: number | null
}
interface EndLine {
  event: 'end'
  trial: number
  attempt: number
  state: 'complete' | 'pruned' | 'failed'
  value?: number
  reason?: string
}
/** Gives a trial that was stopped to whoever wants it. */
interface ReleaseLine {
  event: 'release'
  trial: number
  attempt: number
}
/** A sign of life. */
interface BeatLine {
  event: 'beat'
}
/** What a line says. */
export type Line = SweepLine | StartLine | ReportLine | EndLine | ReleaseLine | BeatLine

/** Who wrote a line, as its how manieth, and when. */
export interface Signed {
  by: string
  n: number
  /** Milliseconds since 1970 by the writer's clock. */
  time: number
}

/** A trial as it grows. */
export interface GrowingTrial extends TrialRecord {
  state: TrialState
  value?: number
  reason?: string
  reports: [step: number, value: number][]
  attempt: number
  began: number
  took?: number
  /** Who runs it; null: nobody does. */
  owner: string | null
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value)

/**
 * The trials that lines make, each taken in its turn. The first line that begins an attempt of a
 * trial owns it; lines of attempts that are over or belong to others say nothing.
 */
export class Trials {
  readonly all: GrowingTrial[] = []
  /** Those of {@link all} that run. */
  readonly open = new Set<GrowingTrial>()

  /** Takes a line in; false where it is damaged. */
  take(
    line: Exclude<Line, SweepLine | BeatLine> & Signed,
    fits: (params: unknown) => boolean,
  ): boolean {
    if (!isCount(line.trial) || !isCount(line.attempt) || !isCount(line.time)) return false
    if (line.event === 'start') return !fits(line.params) ? false : this.#start(line)
    const trial = this.all[line.trial]
    const isOwn = trial?.owner === line.by && trial.attempt === line.attempt
    if (!isOwn || trial.state !== 'running') return true // late: the trial has gone on without it
    if (line.event === 'report') {
      const value = line.value ?? Number.NaN
      if (!isCount(line.step) || typeof value !== 'number') return false
      trial.reports.push([line.step, value])
    } else if (line.event === 'release') {
      trial.owner = null
    } else {
      return this.#end(trial, line)
    }
    return true
  }

  #start({ trial: number, attempt, params, by, time }: StartLine & Signed): boolean {
    const known = this.all[number]
    if (known === undefined) {
      if (number !== this.all.length || attempt !== 1) return false
      const trial: GrowingTrial = {
        ...{ number, params: Object.freeze(params), state: 'running', reports: [] },
        ...{ attempt, began: time, owner: by },
      }
      this.all.push(trial)
      this.open.add(trial)
    } else if (known.state === 'running' && attempt === known.attempt + 1) {
      Object.assign(known, { attempt, began: time, owner: by, reports: [] })
    }
    return true
  }

  #end(trial: GrowingTrial, { state, value, reason, time }: EndLine & Signed): boolean {
    if (state !== 'complete' && state !== 'pruned' && state !== 'failed') return false
    if (state === 'complete' && !isNumber(value)) return false
    trial.state = state
    if (isNumber(value)) trial.value = value
    if (typeof reason === 'string') trial.reason = reason
    trial.took = Math.max(0, time - trial.began)
    trial.owner = null
    this.open.delete(trial)
    return true
  }
}

/** Whether `a` is better than `b`; a number is better than NaN. */
export const isBetter = (direction: Direction, a: number, b: number): boolean =>
  Number.isNaN(b) ? !Number.isNaN(a) : direction === 'minimize' ? a < b : a > b

/** The best first; NaN last. */
export const byValue =
  (direction: Direction) =>
  (a: number, b: number): number =>
    isBetter(direction, a, b) ? -1 : isBetter(direction, b, a) ? 1 : 0

/** Copies that do not change any more. */
export const finalTrials = (trials: readonly GrowingTrial[]): readonly TrialRecord[] =>
  trials.map(({ owner: _, ...trial }) => {
    const reports = trial.reports.map(([step, value]) => Object.freeze([step, value] as const))
    return Object.freeze({ ...trial, reports: Object.freeze(reports) })
  })
