/** A trial as its objective sees it, and the callback that reports a fit to it. */
import { Callback, type Logs } from '../callbacks/callback.js'
import { ConfigError, fail, HiddenstateError } from '../errors.js'
import { describe } from '../ndarray.js'
import { resolveOptions } from '../options.js'
import type { Params, Space, Values } from './space.js'

/** What a trial is, wherever its objective runs. */
export interface TrialFacts {
  number: number
  params: Values
  seed: number
  attempt: number
}

/** How a trial has ended. */
export type Outcome =
  | { state: 'complete'; value: number }
  | { state: 'pruned' }
  | { state: 'failed'; reason: string }

/** A trial as its objective sees it. */
export class Trial {
  /** Its number, from 0. */
  readonly number: number
  /**
   * For `setSeed`, different for each trial: it follows from the seed of the sweep and the number,
   * so that a trial that is run again draws the same numbers.
   */
  readonly seed: number
  /** 1; one more for each time that it was begun before by a process that has died. */
  readonly attempt: number
  /** Aborted when the sweep is, and at the end of `timeout`: give it to `fit`. */
  readonly signal: AbortSignal
  readonly #tell: (value: number, step: number) => Promise<boolean>
  #step = -1
  #isPruned = false

  /**
   * @param tell hands a report on; true: the trial should end
   * @internal
   */
  constructor(
    { number, seed, attempt }: TrialFacts,
    signal: AbortSignal,
    tell: (value: number, step: number) => Promise<boolean>,
  ) {
    this.number = number
    this.seed = seed
    this.attempt = attempt
    this.signal = signal
    this.#tell = tell
  }

  /**
   * Whether the pruner wants it to end, as it said at the last report. What the objective returns
   * then does not count: the trial has the value that it has reported last.
   */
  get shouldPrune(): boolean {
    return this.#isPruned
  }

  /**
   * Tells how far it is. Await it: {@link shouldPrune} is known then.
   *
   * @param value what the objective would return now; one that is not finite is the worst there is
   * @param step how much was spent by now, epochs for instance: an integer from 0 that grows from
   *   call to call
   * @throws ConfigError ERR_OPTION
   */
  async report(value: number, step: number): Promise<void> {
    if (typeof value !== 'number') this.#wrong('value', 'a number', value)
    if (!Number.isSafeInteger(step) || step <= this.#step)
      this.#wrong('step', `an integer >= ${this.#step + 1}`, step)
    this.#step = step
    if (await this.#tell(value, step)) this.#isPruned = true
  }

  #wrong(what: string, expected: string, value: unknown): never {
    fail(ConfigError, 'ERR_OPTION', {
      ...{ where: 'trial.report', what, expected, actual: describe(value) },
    })
  }
}

/**
 * What a sweep makes small or large: gets the parameters of a trial, gives its value.
 *
 * @param params those whose condition does not hold are undefined
 */
export type Objective<S extends Space = Space> = (
  params: Params<S>,
  trial: Trial,
) => number | undefined | Promise<number | undefined>

/** The default export of a module, also of CommonJS that was compiled from one with such. */
export function defaultOf(module: { readonly default?: unknown }): unknown {
  const { default: found } = module
  const isCompiled = typeof found === 'object' && found !== null && 'default' in found
  return isCompiled ? found.default : found
}

/** What an error says, as the reason of a failed trial. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${describe(error)}`
  // our own errors say what is wrong with a call; of others their place helps
  const isOurs = error instanceof HiddenstateError
  const place = isOurs ? undefined : /^ +at .*$/m.exec(error.stack ?? '')?.[0].trim()
  return `${error.name}: ${error.message}${place === undefined ? '' : ` (${place})`}`
}

/** Runs an objective. */
export async function perform(
  objective: Objective,
  params: Values,
  trial: Trial,
): Promise<Outcome> {
  let value: unknown
  try {
    value = await objective(params as Params, trial)
  } catch (error) {
    return { state: 'failed', reason: reasonOf(error) }
  }
  if (trial.shouldPrune) return { state: 'pruned' }
  if (typeof value === 'number' && Number.isFinite(value)) return { state: 'complete', value }
  const reason = `objective must return a finite number, got ${describe(value)}`
  return { state: 'failed', reason }
}

/** Options of {@link TrialReporter}. */
export interface TrialReporterOptions {
  /** Key of the logs. Default `'val_loss'`. */
  monitor?: string
}

/**
 * The callback that reports each epoch of a fit to a trial (the step is the number of epochs that
 * are over) and stops the training when the pruner wants the trial to end.
 *
 * @throws ConfigError ERR_OPTION; in `fit` too, when the logs do not have the value
 * @example
 * import { tune, logUniform, TrialReporter } from 'hiddenstate/tune'
 * const [x, y] = [[[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 2, 0]]
 * const sweep = await tune({
 *   space: { lr: logUniform(1e-3, 1) },
 *   objective: async ({ lr }, trial) => {
 *     setSeed(trial.seed)
 *     const model = new Sequential([new Dense(1, { inputDim: 2 })])
 *     model.compile({ loss: 'mse', optimizer: new SGD({ lr }) })
 *     const callbacks = [new TrialReporter(trial, { monitor: 'loss' })]
 *     await model.fit(x, y, { nbEpoch: 4, callbacks, verbose: 0, signal: trial.signal })
 *     return model.evaluate(x, y, { verbose: 0 })
 *   },
 *   pruner: 'asha',
 *   trials: 8,
 *   verbose: 0,
 * })
 */
export class TrialReporter extends Callback {
  readonly #trial: Trial
  readonly monitor: string

  constructor(trial: Trial, options?: TrialReporterOptions) {
    super()
    const { monitor } = resolveOptions('TrialReporter', { monitor: 'val_loss' }, options)
    if (typeof monitor !== 'string') this.#wrong('monitor', 'a key of the logs', describe(monitor))
    if (typeof trial?.report !== 'function')
      this.#wrong('trial', 'the second argument of the objective', describe(trial))
    this.#trial = trial
    this.monitor = monitor
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const value = logs[this.monitor]
    if (value === undefined) {
      const isMissing = this.monitor.startsWith('val_')
      const expected = `one of ${Object.keys(logs).join(', ')}`
      const hint = isMissing ? 'Is validationData or validationSplit missing?' : undefined
      this.#wrong('monitor', expected, `'${this.monitor}'`, hint)
    }
    await this.#trial.report(value, epoch + 1)
    if (this.#trial.shouldPrune) this.model.stopTraining = true
  }

  #wrong(what: string, expected: string, actual: string, hint?: string): never {
    fail(ConfigError, 'ERR_OPTION', { where: 'TrialReporter', what, expected, actual, hint })
  }
}
