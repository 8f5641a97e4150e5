/**
 * Kills or stops a rank of a training at random instants, until it has come to its end, by 2 to 4
 * ranks at a time. Each time the job must end within 10 seconds and say why, the next
 * one must go on from the last checkpoint, and the end has the bits of a training without MPI.
 *
 *   node scripts/kill-ranks.mjs [--instants 200] [--launchers openmpi,mpich] [--stops 0.1]
 *     [--epochs 200] [--seed 1]
 *
 * As many instants for each launcher; of them the share `--stops` is SIGSTOP. Linux; needs `npm run
 * build:all`. Seed and folder of a failure are printed, and the folder is left. A short form:
 * test/behaviour/kill-ranks.test.ts.
 */
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { installedLaunchers } from './launchers.mjs'
import { root } from './process.mjs'
import { randomNumbers } from './random.mjs'

const text = (value) => ({ type: 'string', default: value })
const { values } = parseArgs({
  options: {
    instants: text('200'),
    launchers: text('openmpi,mpich'),
    stops: text('0.1'),
    epochs: text('200'),
    seed: text('1'),
  },
})
const CHILD = path.join(root, 'test/behaviour/children/ranks-killed.mjs')
/** Milliseconds within which a job ends that has lost a rank. */
const END = 10_000
/** Batches that may have to be done again: one checkpoint is being written, the next is due. */
const AGAIN = 2 * 3
const environment = { ...process.env, HIDDENSTATE_THREADS: '1', NODE_OPTIONS: '' }

/** What /proc knows of a process; empty when it has ended. */
function read(pid, file) {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Ranks of a job, by the variable that its launcher gives each: rank → process id. */
function ranksOf(mark) {
  const found = new Map()
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const variables = read(name, 'environ').split('\0')
    if (!variables.includes(`HIDDENSTATE_JOB=${mark}`)) continue
    const rank = variables.find((one) => /^(OMPI_COMM_WORLD_RANK|PMI_RANK)=/.test(one))
    if (rank) found.set(Number(rank.split('=')[1]), Number(name))
  }
  return found
}

let jobs = 0

/** Starts ranks; `over` is the end of the job. */
function start(launcher, ranks, folder) {
  const mark = `${process.pid}-${jobs++}`
  const command = [process.execPath, CHILD, values.epochs, path.join(folder, 'checkpoints')]
  const job = spawn(launcher.command, [...launcher.args, '-n', String(ranks), ...command], {
    cwd: root,
    env: { ...environment, HIDDENSTATE_JOB: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  job.stdout.on('data', (data) => (said.out += data))
  job.stderr.on('data', (data) => (said.err += data))
  let isOver = false
  const over = new Promise((resolve, reject) => {
    job.on('error', reject)
    job.on('close', (code, signal) => {
      isOver = true
      resolve(code ?? signal)
    })
  })
  return { job, mark, said, over, isOver: () => isOver }
}

/**
 * How the launcher, or another rank, speaks of a rank that is gone. MPICH's launcher, which kills
 * the others at once, names any process of the job.
 */
function sentenceAbout({ rank, signal, ranks }, { out, err }) {
  const own = new RegExp(`^hiddenstate: rank ${rank} of ${ranks} .*$`, 'm')
  const openMpi = new RegExp(`process rank ${rank} with PID .* exited on signal 9`)
  const mpich = /EXIT STRING: Killed \(signal 9\)/
  const sentences = signal === 'SIGSTOP' ? [own] : [own, openMpi, mpich]
  return sentences.map((one) => one.exec(out + err)?.[0]).find(Boolean)
}

/** Kills trainings of one launcher until there were so many instants. */
async function campaign(launcher, random, wanted) {
  const count = { kills: 0, stops: 0, trainings: 0, longest: 0, again: 0 }
  let folder
  const problem = (what, { out, err }) => {
    throw new Error(`${what} (seed ${values.seed}, ${folder}):\n${out}${err}`)
  }
  const alone = lastBits(
    execFileSync(process.execPath, [CHILD, values.epochs, 'none'], {
      env: environment,
      encoding: 'utf8',
    }),
  )[0]
  while (count.kills + count.stops < wanted) {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-kill-ranks-'))
    for (let attempt = 0; ; attempt++) {
      const ranks = 2 + Math.floor(3 * random())
      const job = start(launcher, ranks, folder)
      const signal = random() < Number(values.stops) ? 'SIGSTOP' : 'SIGKILL'
      const rank = Math.floor(ranks * random())
      const after = 1000 * random() * (1 + attempt / 5) // it comes to its end some time
      // before they have joined each other, ranks are MPI's alone: it waits for one that is
      // stopped, and Open MPI 4.1.4 may stay when one is killed
      while (!job.isOver() && !job.said.out.includes('fit')) await wait(5)
      await wait(after)
      const pid = ranksOf(job.mark).get(rank)
      if (job.isOver() || pid === undefined || !send(pid, signal)) {
        if ((await job.over) !== 0) problem('the job has failed by itself', job.said)
        const bits = lastBits(job.said.out)
        if (bits.length !== ranks || bits.some((one) => one !== alone))
          problem(`the bits must be ${alone}, got ${bits}`, job.said)
        break
      }
      const from = performance.now()
      const late = setTimeout(() => job.job.kill('SIGKILL'), 2 * END)
      const code = await job.over
      clearTimeout(late)
      const took = performance.now() - from
      count.longest = Math.max(count.longest, took)
      if (took > END)
        problem(`${signal} of rank ${rank}: the job took ${took.toFixed()} ms to end`, job.said)
      // one that had done its work is missed by nobody
      if (code !== 0 && !sentenceAbout({ rank, signal, ranks }, job.said))
        problem(`${signal} of rank ${rank}, process ${pid}: nothing is said of it`, job.said)
      count[signal === 'SIGSTOP' ? 'stops' : 'kills']++
      count.again = Math.max(count.again, doneAgain(folder))
      if (count.again > AGAIN) problem(`${count.again} batches were lost`, job.said)
    }
    count.trainings++
    fs.rmSync(folder, { recursive: true })
    console.log(`${launcher.name}: ${JSON.stringify(count)}`)
  }
  return count
}

function send(pid, signal) {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false // it has ended
  }
}

const lastBits = (out) =>
  out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line).bits)

/** The most batches that a job has had to do again. */
function doneAgain(folder) {
  const file = path.join(folder, 'batches')
  if (!fs.existsSync(file)) return 0
  let done = 0
  let most = 0
  for (const line of fs.readFileSync(file, 'utf8').trim().split('\n')) {
    if (line.startsWith('from ')) most = Math.max(most, done - Number(line.slice(5)))
    else done = Number(line)
  }
  return most
}

const wanted = values.launchers.split(',')
const random = randomNumbers(Number(values.seed))
try {
  for (const launcher of installedLaunchers()) {
    if (!wanted.some((name) => launcher.command.endsWith(name))) continue
    const { kills, stops, trainings, longest, again } = await campaign(
      launcher,
      random,
      Number(values.instants),
    )
    console.log(
      `kill-ranks: ${launcher.name}: ${kills} ranks killed, ${stops} stopped; every job ended, the last ` +
        `after ${(longest / 1000).toFixed(1)} s, and said why; at most ${again} batches were ` +
        `done again; ${trainings} trainings came to the bits of an undisturbed one`,
    )
  }
} catch (error) {
  console.error(`kill-ranks: ${error.message}`)
  process.exit(1)
}
