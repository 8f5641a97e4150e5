/** A sweep: trials are claimed in the journal, run, and written down, until there are enough. */
import { createHash, randomInt } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { checkedPath } from '../files/atomic.js'
import { StateError } from '../errors.js'
import { describe } from '../ndarray.js'
import { RandomStream } from '../random.js'
import { Journal } from './journal.js'
import { SweepProgress } from './progress.js'
import { shouldPrune } from './pruners.js'
import { finalTrials, type GrowingTrial, type SweepLine } from './records.js'
import { noObjective, runHere, runInProcess, type Surroundings } from './running.js'
import { suggest } from './samplers.js'
import { type Settings, settingsOf, type TuneOptions } from './settings.js'
import type { Space } from './space.js'
import { Sweep } from './sweep.js'
import { defaultOf, type Objective, type Outcome, type TrialFacts } from './trial.js'

/** How often the lines of other processes are looked for. */
const TICK_MS = 500
/** After so long without a line of its own a process with trials gives a sign of life. */
const BEAT_MS = 15_000

/** A seed below 2^48 for one purpose of one trial. */
const seedOf = (seed: number, trial: number, purpose: string): number =>
  createHash('sha256').update(`${seed}/${trial}/${purpose}`).digest().readUIntBE(0, 6)

/** A trial of this process that runs. */
interface Running {
  readonly trial: GrowingTrial
  readonly attempt: number
  readonly abort: AbortController
  over: Promise<void>
}

class SweepRun {
  readonly #settings: Settings
  readonly #journal: Journal
  readonly #head: SweepLine
  readonly #here: Objective | null
  readonly #progress: SweepProgress
  readonly #shown: Sweep
  readonly #running = new Map<number, Running>()
  /** Trials in a row that have failed here. */
  #failures = 0
  /** What ends the sweep before it has its trials. */
  #fault: { error: unknown } | null = null
  #hasNews = false
  #wake = () => {}

  constructor(
    settings: Settings,
    journal: Journal,
    head: SweepLine,
    /** Null: it runs in processes. */
    objective: Objective | null,
  ) {
    this.#settings = settings
    this.#journal = journal
    this.#head = head
    this.#here = objective
    this.#progress = new SweepProgress(settings.verbose, settings.output)
    this.#shown = new Sweep(head.space, head.direction, journal.trials.all)
  }

  async toEnd(): Promise<Sweep> {
    const { signal, trials: wanted, workers } = this.#settings
    const stop = () => this.#endBy(signal!.reason)
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    this.#progress.begin(this.#shown, wanted)
    try {
      while (this.#fault === null) {
        this.#journal.read()
        this.#leaveLost()
        while (this.#running.size < Math.max(1, workers) && this.#fault === null)
          if (!(await this.#startOne())) break
        this.#progress.update(this.#shown, wanted)
        if (this.#running.size === 0 && this.#ended >= wanted) break
        await this.#news()
        await this.#beat()
      }
    } catch (error) {
      this.#endBy(error)
    }
    signal?.removeEventListener('abort', stop)
    await this.#leaveAll()
    this.#progress.update(this.#shown, wanted, true)
    if (this.#fault) throw this.#fault.error
    return this.#shown
  }

  /** Trials that are over, whoever ran them. */
  get #ended(): number {
    const { all, open } = this.#journal.trials
    return all.length - open.size
  }

  #endBy(error: unknown): void {
    this.#fault ??= { error }
    this.#tellNews()
  }

  #tellNews(): void {
    this.#hasNews = true
    this.#wake()
  }

  /** Waits until something has happened here, or may have elsewhere. */
  async #news(): Promise<void> {
    await setImmediate() // objectives that never wait must not keep timers and signals waiting
    if (!this.#hasNews)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, TICK_MS)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    this.#hasNews = false
  }

  async #beat(): Promise<void> {
    if (this.#running.size > 0 && performance.now() - this.#journal.wrote > BEAT_MS)
      await this.#journal.append({ event: 'beat' })
  }

  /** Claims a trial and starts it; false where there is none to begin. */
  async #startOne(): Promise<boolean> {
    for (;;) {
      const claim = this.#claim()
      if (claim === null) return false
      await this.#journal.append({ event: 'start', ...claim })
      const trial = this.#journal.trials.all[claim.trial]
      if (trial?.owner === this.#journal.by && trial.attempt === claim.attempt) {
        this.#start(trial)
        return true
      } // another process was faster
    }
  }

  /** A trial that nobody runs any more, else a new one; null: there are enough. */
  #claim(): { trial: number; attempt: number; params: GrowingTrial['params'] } | null {
    const { all, open } = this.#journal.trials
    const { trials: wanted, sampler } = this.#settings
    if (this.#ended >= wanted) return null
    for (const { number, owner, attempt, params } of open)
      if (owner === null || this.#journal.isDead(owner))
        return { trial: number, attempt: attempt + 1, params }
    if (all.length >= wanted) return null
    const { space, direction, seed } = this.#head
    const random = new RandomStream(seedOf(seed, all.length, 'suggest'))
    const params = suggest(sampler, space, direction, all, random)
    return { trial: all.length, attempt: 1, params }
  }

  #start(trial: GrowingTrial): void {
    const { attempt, number } = trial
    const abort = new AbortController()
    const running: Running = { trial, attempt, abort, over: Promise.resolve() }
    this.#running.set(number, running)
    running.over = this.#run(running)
      .catch((error) => {
        if (!abort.signal.aborted) this.#endBy(error)
      })
      .finally(() => {
        this.#running.delete(number)
        this.#tellNews()
      })
  }

  async #run(running: Running): Promise<void> {
    const { trial, attempt, abort } = running
    const { number, params } = trial
    const seed = seedOf(this.#head.seed, number, 'objective')
    const facts: TrialFacts = { number, params, seed, attempt }
    const around: Surroundings = {
      report: (value, step) => this.#report(running, value, step),
      print: (line) => this.#progress.print(number, line),
      timeout: this.#settings.timeout,
      signal: abort.signal,
    }
    const outcome =
      this.#here === null
        ? await runInProcess(this.#settings.module!, facts, around)
        : await runHere(this.#here, facts, around)
    if (abort.signal.aborted) return
    const last = trial.reports.at(-1)?.[1]
    const value = outcome.state === 'complete' ? outcome.value : last
    await this.#journal.append(
      {
        ...{ event: 'end', trial: number, attempt, ...outcome },
        ...(Number.isFinite(value) ? { value: value! } : {}),
      },
      { durable: true },
    )
    this.#count(outcome, number)
  }

  #count(outcome: Outcome, number: number): void {
    this.#failures = outcome.state === 'failed' ? this.#failures + 1 : 0
    const { maxFailures } = this.#settings
    if (outcome.state !== 'failed' || this.#failures < maxFailures) return
    const expected = `fewer than ${maxFailures} trials in a row that fail (maxFailures)`
    const actual = `${this.#failures}, the last of them trial ${number}: ${outcome.reason}`
    const message = `tune: sweep must have ${expected}, got ${actual}.`
    this.#endBy(new StateError('ERR_TRIALS', message, { expected, actual }))
  }

  async #report({ trial, attempt }: Running, value: number, step: number): Promise<boolean> {
    const { number } = trial
    const written = Number.isFinite(value) ? value : null
    await this.#journal.append({ event: 'report', trial: number, attempt, step, value: written })
    this.#progress.update(this.#shown, this.#settings.trials)
    const { all } = this.#journal.trials
    return shouldPrune(this.#settings.pruner, this.#head.direction, all, trial)
  }

  /** Ends those that other processes have taken over: this one was silent for too long. */
  #leaveLost(): void {
    for (const { trial, attempt, abort } of this.#running.values())
      if (trial.state === 'running' && trial.attempt !== attempt)
        abort.abort(new StateError('ERR_CANCELLED', 'tune: another process runs this trial'))
  }

  /** Ends what runs, and gives it to whoever goes on with the sweep. */
  async #leaveAll(): Promise<void> {
    const left = [...this.#running.values()]
    for (const { abort } of left) abort.abort(this.#fault?.error)
    await Promise.all(left.map(({ over }) => over))
    try {
      for (const { trial, attempt } of left)
        if (trial.state === 'running' && trial.attempt === attempt)
          await this.#journal.append({ event: 'release', trial: trial.number, attempt })
    } catch (error) {
      this.#endBy(error)
    }
  }
}

/**
 * Searches for the parameters with which an objective is smallest, or largest: a sweep. Each trial
 * is a process of its own with one thread, `workers` of them at a time; what they report and reach
 * is appended to a journal, which outlives them and this process, and which other processes, on
 * other machines too, may work on at the same time. A sweep with a journal that exists goes on
 * with it: what has ended is not run again, what was under way in a process that has died is.
 *
 * A trial whose objective throws, gives anything but a finite number, ends its process, is killed
 * or takes longer than `timeout` has failed, with the reason; the sweep goes on.
 *
 * @param options see {@link TuneOptions}
 * @returns the trials, those of other processes and of earlier calls included
 * @throws ConfigError ERR_OPTION for a wrong option, a journal of another sweep, and a module
 *   without an objective; StateError ERR_TRIALS after `maxFailures` failures in a row; FormatError
 *   ERR_FILE_FORMAT, ERR_FILE_SYSTEM; the signal's reason (all as rejections)
 * @example
 * import { logUniform, tune, uniform } from 'hiddenstate/tune'
 * const sweep = await tune({
 *   space: { x: uniform(-5, 10), lr: logUniform(1e-4, 1) },
 *   objective: ({ x, lr }) => (x - 1) ** 2 + Math.log10(lr / 0.01) ** 2,
 *   trials: 40,
 *   seed: 1,
 *   verbose: 0,
 * })
 * console.log(sweep.best.params, sweep.best.value)
 */
export async function tune<const S extends Space>(options: TuneOptions<S>): Promise<Sweep<S>> {
  const settings = settingsOf(options)
  const objective = await objectiveOf(settings)
  const journal = new Journal(settings.journal, settings.lock)
  const { space, direction, seed } = settings
  const head = await journal.open({ space, direction, seed, fresh: randomInt(2 ** 47) })
  await new SweepRun(settings, journal, head, objective).toEnd()
  return sweepOf(journal, head) as Sweep<S>
}

const sweepOf = ({ trials }: Journal, { space, direction }: SweepLine): Sweep =>
  new Sweep(space, direction, finalTrials(trials.all))

/** The objective of trials that run here; null: they run in processes. */
async function objectiveOf({ module, objective, workers }: Settings): Promise<Objective | null> {
  if (workers > 0) return null
  if (objective !== null) return objective
  const loaded = defaultOf(await import(module!))
  if (typeof loaded !== 'function') throw noObjective(module!, describe(loaded))
  return loaded as Objective
}

/**
 * The sweep of a journal as it stands, of one that is still under way too.
 *
 * @param journal path of the file
 * @throws FormatError ERR_FILE_FORMAT, ERR_FILE_SYSTEM (as rejections)
 * @example
 * import { readSweep, tune, uniform } from 'hiddenstate/tune'
 * const space = { x: uniform(-5, 5) }
 * const objective = ({ x }) => x * x
 * await tune({ space, objective, trials: 5, journal: 'read-me.jsonl', verbose: 0 })
 * const sweep = await readSweep('read-me.jsonl')
 * console.log(sweep.trials.length) // 5
 */
export async function readSweep(journal: string): Promise<Sweep> {
  const opened = new Journal(checkedPath('readSweep', journal), false)
  return sweepOf(opened, opened.existing())
}
