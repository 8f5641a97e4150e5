/** Trials as text. */
import { numberText } from '../progress.js'
import { byValue, type Direction, type TrialRecord } from './records.js'
import type { Space, Value } from './space.js'

/** What the texts are made of. */
interface Source {
  readonly space: Space
  readonly direction: Direction
  readonly trials: readonly TrialRecord[]
  readonly best: TrialRecord | null
}

/** A parameter, short: four digits of a number that is no integer. */
export function valueText(value: Value | undefined): string {
  if (value === undefined) return '-'
  if (typeof value !== 'number') return String(value).replace(/\p{Cc}/gu, '\ufffd')
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value)
  const size = Math.abs(value)
  const text = size >= 1e-3 && size < 1e5 ? value.toPrecision(4) : value.toExponential(3)
  return text.replace(/\.?0+(e|$)/, '$1')
}

/** `2 h 5 min`, `34 s`, `250 ms`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.floor(ms)} ms`
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** What a trial has: its value, or while it runs its last report. */
const shownValue = ({ value, reports }: TrialRecord): number | undefined =>
  value ?? reports.at(-1)?.[1]

const orDash = (value: number | undefined) => (value === undefined ? '-' : numberText(value))

/** A trial in one line. */
export function lineOf(trial: TrialRecord, trials: number): string {
  const { number, state, reason, params, took } = trial
  const value = shownValue(trial)
  const parts = [
    `trial ${String(number).padStart(String(Math.max(0, trials - 1)).length)} ${state}`,
    ...(value === undefined ? [] : [`value: ${numberText(value)}`]),
    ...Object.entries(params).map(([name, param]) => `${name}: ${valueText(param)}`),
    ...(took === undefined ? [] : [durationText(took)]),
    ...(reason === undefined ? [] : [reason]),
  ]
  return parts.join(' - ')
}

/** `12/50 trials, 2 running, 1 pruned, 3 failed - best 0.1200 (trial 7)`. */
export function summaryOf({ trials, best }: Source, wanted: number): string {
  const count = (state: string) => trials.filter((trial) => trial.state === state).length
  const parts = ['running', 'pruned', 'failed'].flatMap((state) =>
    count(state) === 0 ? [] : [`${count(state)} ${state}`],
  )
  const done = `${trials.length - count('running')}/${wanted} trials`
  const end = best === null ? '' : ` - best ${numberText(best.value!)} (trial ${best.number})`
  return `${[done, ...parts].join(', ')}${end}`
}

/** Options of the table. */
export interface TableOptions {
  /** Trials at most, the best ones. Default 10. */
  top?: number
  /** Puts those that run first. Default `false`. */
  running?: boolean
}

const RANK = { running: 0, complete: 1, pruned: 2, failed: 3 } as const

/** A line a trial, below a line of headings. */
export function tableOf(source: Source, { top = 10, running = false }: TableOptions): string {
  const { space, direction, trials } = source
  const better = byValue(direction)
  const shown = trials
    .filter(({ state }) => running || state !== 'running')
    .sort(
      (a, b) =>
        RANK[a.state] - RANK[b.state] ||
        (a.state === 'running'
          ? a.number - b.number
          : better(shownValue(a) ?? Number.NaN, shownValue(b) ?? Number.NaN) ||
            a.number - b.number),
    )
    .slice(0, top)
  const names = Object.keys(space)
  const rows = [
    ['trial', 'state', 'value', 'step', 'time', ...names],
    ...shown.map((trial) => [
      ...[String(trial.number), trial.state, orDash(shownValue(trial))],
      String(trial.reports.at(-1)?.[0] ?? '-'),
      trial.took === undefined ? '-' : durationText(trial.took),
      ...names.map((name) => valueText(trial.params[name])),
    ]),
  ]
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const isText = (i: number) => i === 1 || space[names[i - 5] ?? '']?.kind === 'choice'
  const pad = (cell: string, i: number) =>
    isText(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}
