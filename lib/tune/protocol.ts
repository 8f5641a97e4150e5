/** What a sweep and the process of a trial tell each other. */
import type { Outcome, TrialFacts } from './trial.js'

/** From the sweep. */
export type Order =
  | { kind: 'run'; objective: string; facts: TrialFacts }
  | { kind: 'decision'; shouldPrune: boolean }
  | { kind: 'abort'; reason: string }

/** From the trial. */
export type Message =
  | { kind: 'report'; value: number; step: number }
  | { kind: 'outcome'; outcome: Outcome }
  /** The module has no objective: no trial can be run. */
  | { kind: 'refused'; actual: string }
