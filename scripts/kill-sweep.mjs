/**
 * Kills sweeps, and lets them go on until they end by themselves. Nothing that had ended may be
 * lost or change, no trial may run twice at a time, and in the end there are all trials.
 *
 *   node scripts/kill-sweep.mjs [--rounds 20] [--kills 10] [--seed 1] [--sweeps 2] [--lock]
 *
 * A round is a journal: `--sweeps` processes with two workers each work on it, and SIGKILL falls at
 * random instants on one of them, on one of its trials, or on all processes at once. Needs `npm run
 * build:all`. Seed and folder of a failure are printed, and the folder is left. A short form:
 * test/behaviour/tune.test.ts.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readSweep } from 'hiddenstate/tune'
import { root } from './process.mjs'
import { randomNumbers } from './random.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    sweeps: { type: 'string', default: '2' },
    lock: { type: 'boolean', default: false },
  },
})
const CHILD = path.join(root, 'test/behaviour/children/tune-sweep.mjs')
const TOO_LONG = 180_000

/** Starts a sweep; `over` is its end. */
function start(folder, trials, isHere) {
  const args = ['--journal', path.join(folder, 'sweep.jsonl'), '--trials', String(trials)]
  if (values.lock) args.push('--lock')
  if (isHere) args.push('--here')
  const child = spawn(process.execPath, [CHILD, ...args], {
    cwd: root,
    env: { ...process.env, TUNE_LOG: path.join(folder, 'runs'), TUNE_MS: '60' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let err = ''
  child.stderr.on('data', (data) => (err += data))
  const over = new Promise((resolve) =>
    child.on('exit', (code, signal) => resolve({ code, signal, err })),
  )
  return { child, over }
}

/** Processes that the sweeps have begun. */
function childrenOf(pids) {
  const found = []
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (pids.includes(parent)) found.push(Number(name))
    } catch {} // it has ended
  }
  return found
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false // it has ended
  }
}

const stateOf = (journal) =>
  fs.existsSync(journal) && fs.statSync(journal).size > 0 ? readSweep(journal) : { trials: [] }

async function round(seed) {
  const random = randomNumbers(seed)
  // trials in the process of their sweep write more lines in the time
  const isHere = seed % 2 === 0
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-kill-sweep-'))
  const journal = path.join(folder, 'sweep.jsonl')
  const problem = (text) => {
    throw new Error(`kill-sweep: ${text} (seed ${seed}, ${folder})`)
  }
  /** Number → the trial as it was when it was first seen to be over. */
  const over = new Map()
  const compare = async () => {
    const { trials } = await stateOf(journal)
    for (const [number, before] of over)
      if (JSON.stringify(trials[number]) !== before) problem(`trial ${number} has changed`)
    for (const trial of trials)
      if (trial.state !== 'running') over.set(trial.number, JSON.stringify(trial))
    return trials
  }
  const count = { all: 0, sweep: 0, trial: 0 }
  let sweeps = []
  for (let i = 0; i < Number(values.kills); i++) {
    sweeps = sweeps.filter(({ child }) => child.exitCode === null && child.signalCode === null)
    while (sweeps.length < Number(values.sweeps)) sweeps.push(start(folder, 1e6, isHere))
    await wait(200 + 1800 * random())
    const pids = sweeps.map(({ child }) => child.pid)
    const trials = childrenOf(pids)
    const kind = ['all', 'sweep', 'trial'][Math.floor(3 * random())]
    const victims =
      kind === 'all'
        ? [...pids, ...trials]
        : kind === 'sweep'
          ? [pids[Math.floor(random() * pids.length)]]
          : trials.slice(0, 1)
    for (const pid of victims) if (kill(pid)) count[kind]++
    await Promise.all(
      sweeps.filter(({ child }) => victims.includes(child.pid)).map((sweep) => sweep.over),
    )
    await compare()
  }
  for (const { child } of sweeps) kill(child.pid)
  await Promise.all(sweeps.map((sweep) => sweep.over))
  const wanted = (await compare()).length + 5
  const last = start(folder, wanted, isHere)
  const timer = setTimeout(() => kill(last.child.pid), TOO_LONG)
  const { code, signal, err } = await last.over
  clearTimeout(timer)
  if (code !== 0) problem(`the last sweep ended with ${signal ?? code}: ${err}`)
  const trials = await compare()
  if (trials.length !== wanted) problem(`${trials.length} of ${wanted} trials`)
  for (const { number, state, reason, value, params } of trials) {
    const isKilled = state === 'failed' && /was killed by SIGKILL/.test(reason)
    if (!isKilled && (state !== 'complete' || value !== params.x ** 2))
      problem(`trial ${number} is ${state} ${value} ${reason}`)
  }
  // each attempt has run once at most
  const runs = fs.readFileSync(path.join(folder, 'runs'), 'utf8').trim().split('\n')
  for (const { number, attempt } of trials) {
    const times = runs.filter((line) => line.startsWith(`${number} `)).length
    if (times > attempt) problem(`trial ${number} ran ${times} times in ${attempt} attempts`)
  }
  const again = trials.filter(({ attempt }) => attempt > 1).length
  fs.rmSync(folder, { recursive: true })
  return { ...count, trials: wanted, again }
}

const total = { all: 0, sweep: 0, trial: 0, trials: 0, again: 0 }
for (let i = 0; i < Number(values.rounds); i++) {
  const seed = Number(values.seed) + i
  const found = await round(seed)
  for (const key of Object.keys(total)) total[key] += found[key]
  console.log(`seed ${seed}: ${JSON.stringify(found)}`)
}
console.log(
  `kill-sweep: ${total.all} processes killed all at once, ${total.sweep} sweeps, ${total.trial} trials; of ${total.trials} trials ${total.again} ran again; nothing lost`,
)
