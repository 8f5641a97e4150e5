/** The options of a sweep, checked. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  checkBoolean,
  checkInteger,
  checkOneOf,
  checkSignal,
  checkVerbose,
} from '../call-options.js'
import { ConfigError, fail } from '../errors.js'
import { checkedPath } from '../files/atomic.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { Output, Verbose, Verbosity } from '../progress.js'
import { checkPruner, type Pruner } from './pruners.js'
import type { Direction } from './records.js'
import { checkSampler, type Sampler } from './samplers.js'
import { checkSpace, type Space } from './space.js'
import type { Objective } from './trial.js'

/** Options of tune. */
export interface TuneOptions<S extends Space = Space> {
  /** The parameters, by name: {@link uniform}, {@link logUniform}, {@link int}, {@link choice}. */
  space: S
  /**
   * The path (from the working directory) or `file:` URL of a module whose default export is the
   * objective; each trial imports it in a process of its own. Or a function, for objectives that
   * are quick or for tests: it runs in this process, one trial after the other, since a function
   * cannot cross to another.
   */
  objective: string | URL | Objective<S>
  /** How parameters are chosen: `'tpe'` (the default), `'random'`, or {@link tpe} with options. */
  sampler?: 'random' | 'tpe' | Sampler
  /** Who ends trials early, by their reports: `'none'` (the default), `'asha'`, or {@link asha}. */
  pruner?: 'none' | 'asha' | Pruner
  /** Which values are better. Default `'minimize'`. */
  direction?: Direction
  /**
   * How many trials there shall be in all, those that failed, of earlier calls, and of other
   * processes included. Default 50.
   */
  trials?: number
  /**
   * Processes at a time; 0: trials run in this process. Default: one a core, and 0 for a function.
   */
  workers?: number
  /** Path of the journal, which may exist. Default: none, the sweep ends with the call. */
  journal?: string
  /**
   * Whether processes take turns to append, by a file `<journal>.lock`: where appends of two
   * machines can fall on each other. Default: on Linux, where the journal lies on a network file
   * system (NFS, SMB, FUSE, Lustre, …); elsewhere not.
   */
  lock?: boolean
  /**
   * With the same seed, the same number of the trial and the same lines before it, the same
   * parameters. Default: that of the journal, and any number for a new one.
   */
  seed?: number
  /** Milliseconds after which a trial has failed. Default `Infinity`. */
  timeout?: number
  /** So many failures in a row, of trials that this call runs, end the sweep. Default 10. */
  maxFailures?: number
  /**
   * Ends the sweep: its trials are stopped, and run again by whoever goes on with the journal.
   */
  signal?: AbortSignal
  /**
   * 1: a table on a terminal, else a line a trial; 2: a line a trial; 0: silent. Lines that
   * objectives print are shown too, unless silent. Default 1.
   */
  verbose?: Verbose
  /** Where to write. Default `process.stdout`. */
  output?: Output & { readonly rows?: number }
}

/** {@link TuneOptions}, checked. */
export interface Settings {
  readonly space: Space
  /** `file:` URL of the objective's module; null: it is a function. */
  readonly module: string | null
  readonly objective: Objective | null
  readonly sampler: Sampler
  readonly pruner: Pruner
  readonly direction: Direction
  readonly trials: number
  readonly workers: number
  readonly journal: string | null
  readonly lock: boolean | null
  readonly seed: number | undefined
  readonly timeout: number
  readonly maxFailures: number
  readonly signal: AbortSignal | null
  readonly verbose: Verbosity
  readonly output: Output & { readonly rows?: number }
}

const where = 'tune'
const DEFAULTS: { readonly [K in keyof Required<TuneOptions>]: unknown } = {
  space: undefined,
  objective: undefined,
  sampler: 'tpe',
  pruner: 'none',
  direction: 'minimize',
  trials: 50,
  workers: undefined,
  journal: undefined,
  lock: undefined,
  seed: undefined,
  timeout: Number.POSITIVE_INFINITY,
  maxFailures: 10,
  signal: undefined,
  verbose: 1,
  output: undefined,
}

function wrong(what: string, expected: string, value: unknown, hint?: string): never {
  fail(ConfigError, 'ERR_OPTION', { where, what, expected, actual: describe(value), hint })
}

/**
 * The `file:` URL of a module.
 *
 * @throws ConfigError ERR_OPTION where there is none
 */
export function moduleOf(objective: unknown): string {
  const expected = 'a function, or the path or file: URL of a module'
  const isText = typeof objective === 'string' && objective !== ''
  if (!isText && !(objective instanceof URL)) wrong('objective', expected, objective)
  const text = String(objective)
  const isUrl = /^\w\w+:/.test(text) // one letter is a drive of Windows
  if (isUrl && !text.startsWith('file:')) wrong('objective', expected, text)
  const url = isUrl ? new URL(text) : pathToFileURL(path.resolve(text))
  if (!existsSync(fileURLToPath(url))) wrong('objective', 'a module that exists', text)
  return url.href
}

/** The longest time that a timer knows. */
const LONGEST_TIMER = 2 ** 31 - 1

/** @throws ConfigError ERR_OPTION */
export function settingsOf(options: unknown): Settings {
  const given = resolveOptions(where, DEFAULTS, options)
  const isFunction = typeof given.objective === 'function'
  const module = isFunction ? null : moduleOf(given.objective)
  const workers = given.workers ?? (isFunction ? 0 : availableParallelism())
  checkInteger(where, 'workers', workers, 0)
  if (isFunction && workers !== 0) {
    const hint = 'A function cannot cross to another process: put it into a module of its own.'
    wrong('workers', '0 for an objective that is a function', workers, hint)
  }
  const { timeout, output } = given
  const isTime = timeout === Number.POSITIVE_INFINITY || Number(timeout) <= LONGEST_TIMER
  if (typeof timeout !== 'number' || !(timeout > 0) || !isTime)
    wrong('timeout', `milliseconds, at most ${LONGEST_TIMER}, or Infinity`, timeout)
  if (output !== undefined && typeof (output as Output | null)?.write !== 'function')
    wrong('output', 'a stream', output)
  const settings = {
    ...{ module, objective: isFunction ? given.objective : null, workers, timeout },
    space: checkSpace(where, given.space),
    sampler: checkSampler(where, given.sampler),
    pruner: checkPruner(where, given.pruner),
    direction: checkOneOf(where, 'direction', given.direction, ['minimize', 'maximize']),
    trials: checkInteger(where, 'trials', given.trials, 1),
    journal: given.journal === undefined ? null : checkedPath(where, given.journal),
    lock: given.lock === undefined ? null : checkBoolean(where, 'lock', given.lock),
    seed: given.seed === undefined ? undefined : checkInteger(where, 'seed', given.seed, 0),
    maxFailures: checkInteger(where, 'maxFailures', given.maxFailures, 1),
    signal: checkSignal(where, given.signal),
    verbose: checkVerbose(where, given.verbose),
    output: output ?? process.stdout,
  }
  return settings as Settings
}
