/** A trial that runs: in a process of its own, or here. */
import { type ChildProcess, fork } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError, InternalError, StateError } from '../errors.js'
import { packageRoot } from '../package-root.js'
import type { Message, Order } from './protocol.js'
import { type Objective, type Outcome, perform, Trial, type TrialFacts } from './trial.js'

/** What a trial that runs needs of its sweep. */
export interface Surroundings {
  /** Takes a report; true: the trial should end. */
  report: (value: number, step: number) => Promise<boolean>
  /** Takes a line that the objective has printed. */
  print: (line: string) => void
  /** Milliseconds until it is ended; Infinity: it is not. */
  timeout: number
  /** Ends it. */
  signal: AbortSignal
}

/** Milliseconds that an objective has for its end after its signal is aborted. */
const GRACE_MS = 2000
/** Characters of the last output that the reason of a failure may quote. */
const QUOTED = 200

const inSeconds = (ms: number): string => `${ms / 1000} s`
const late = (timeout: number): Outcome => ({
  state: 'failed',
  reason: `no result within ${inSeconds(timeout)} (timeout)`,
})

/**
 * Runs an objective in this process. One that does not heed its signal is left running: nothing
 * but the end of the process ends it.
 */
export async function runHere(
  objective: Objective,
  facts: TrialFacts,
  { report, timeout, signal }: Surroundings,
): Promise<Outcome> {
  const abort = new AbortController()
  const { promise, resolve, reject } = withResolvers<Outcome>()
  // what keeps a report from being written ends the sweep, not this trial alone
  const tell = (value: number, step: number) => {
    const told = report(value, step)
    told.catch(reject)
    return told
  }
  const trial = new Trial(facts, abort.signal, tell)
  const stop = () => {
    abort.abort(signal.reason)
    reject(signal.reason)
  }
  const timer = timerOf(timeout, () => {
    abort.abort(new StateError('ERR_CANCELLED', `tune: trial ${facts.number} takes too long`))
    resolve(late(timeout))
  })
  signal.addEventListener('abort', stop, { once: true })
  perform(objective, facts.params, trial).then(resolve, reject)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/** setTimeout, which knows no Infinity. */
const timerOf = (ms: number, use: () => void): NodeJS.Timeout | undefined =>
  ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(use, ms)

/** Promise.withResolvers, which Node 20 has not. */
function withResolvers<T>() {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]))
  return { promise, resolve, reject }
}

/** The file of a trial's process: beside this one, or in dist/, where the build puts it. */
function processFile(): string {
  const name = 'tune-trial.js'
  const beside = path.join(path.dirname(fileURLToPath(import.meta.url)), name)
  return fs.existsSync(beside) ? beside : path.join(packageRoot(), 'dist', name)
}

/** Whole lines of a stream, as they come. */
function eachLine(stream: NodeJS.ReadableStream | null, use: (line: string) => void): void {
  let rest = ''
  stream?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) use(line)
  })
  stream?.on('end', () => rest !== '' && use(rest))
}

/** How a process has ended before its objective did. */
function endOf(code: number | null, signal: string | null, lastWords: string): Outcome {
  const how = signal === null ? `has exited with ${code}` : `was killed by ${signal}`
  const words = lastWords === '' ? '' : `: ${lastWords.slice(0, QUOTED)}`
  return { state: 'failed', reason: `its process ${how}${words}` }
}

/**
 * Runs the default export of a module in a process of its own, with one thread.
 *
 * @throws ConfigError ERR_OPTION for a module without an objective; the signal's reason;
 *   what `report` throws
 */
export async function runInProcess(
  objective: string,
  facts: TrialFacts,
  { report, print, timeout, signal }: Surroundings,
): Promise<Outcome> {
  signal.throwIfAborted()
  const child = fork(processFile(), [], {
    // the flags of `node -e` are those of a program that is no file
    execArgv: process.execArgv.filter((flag) => !flag.startsWith('--input-type')),
    env: { ...process.env, HIDDENSTATE_THREADS: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced', // JSON knows no NaN
  })
  let lastWords = ''
  eachLine(child.stdout, print)
  eachLine(child.stderr, (line) => {
    if (line.trim() !== '') lastWords = line.trim()
    print(line)
  })
  const { promise, resolve, reject } = withResolvers<Outcome>()
  let isAnswered = false
  const answer = (give: () => void) => {
    isAnswered = true
    give()
  }
  const order = (what: Order) => child.connected && child.send(what, () => {}) // it may have ended
  child.on('message', (message: Message) => {
    if (message.kind === 'report')
      report(message.value, message.step).then(
        (shouldPrune) => order({ kind: 'decision', shouldPrune }),
        (error) => answer(() => reject(error)),
      )
    else if (message.kind === 'outcome') answer(() => resolve(message.outcome))
    else answer(() => reject(noObjective(objective, message.actual)))
  })
  const timer = timerOf(timeout, () => {
    order({ kind: 'abort', reason: `tune: trial ${facts.number} takes too long` })
    answer(() => resolve(late(timeout)))
  })
  const stop = () => {
    order({ kind: 'abort', reason: 'tune: the sweep was aborted' })
    answer(() => reject(signal.reason))
  }
  signal.addEventListener('abort', stop, { once: true })
  const ended = endedOf(child)
  ended.then(({ code, killer }) => {
    if (!isAnswered) resolve(endOf(code, killer, lastWords))
  }, reject)
  order({ kind: 'run', objective, facts })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    // One that has answered ends by itself; the next trial waits for its core.
    const killer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    await ended.catch(() => {})
    clearTimeout(killer)
  }
}

/** When a process has ended and all it has sent was received. */
async function endedOf(child: ChildProcess) {
  type End = { code: number | null; killer: string | null }
  const exit = new Promise<End>((resolve, reject) => {
    child.on('exit', (code, killer) => resolve({ code, killer }))
    child.on('error', (error) => {
      if (child.pid === undefined) reject(notStarted(error))
    })
  })
  const silent = new Promise<void>((resolve) => child.on('disconnect', resolve))
  const end = await exit
  await silent
  return end
}

const notStarted = (cause: Error): InternalError =>
  new InternalError('ERR_INTERNAL', `tune: process of a trial must start, got: ${cause.message}.`, {
    ...{ expected: 'a process', actual: cause.message, cause },
  })

/** The error for a module whose default export is something else. */
export function noObjective(objective: string, actual: string): ConfigError {
  const expected = 'the objective, a function'
  const message = `tune: the default export of ${objective} must be ${expected}, got ${actual}.`
  return new ConfigError('ERR_OPTION', message, { expected, actual })
}
