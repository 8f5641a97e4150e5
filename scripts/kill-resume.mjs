/**
 * Kills trainings and lets them go on until they end by themselves. They must end with the bits of
 * one that was never killed.
 *
 *   node scripts/kill-resume.mjs [--instants 300] [--seed 1] [--only optimizer=Adam,source=rows]
 *   [--jobs 2] [--calls N] [--seconds S]
 *
 * Kills (SIGKILL) fall at random instants; with --calls also at file calls of a checkpoint, each of
 * them N times, by strace. Needs `npm run build:all`. Case and seed of a failure are printed, and
 * the folder is left. A short form: test/behaviour/resume-kill.test.ts.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { capture, root } from './process.mjs'
import { randomNumbers } from './random.mjs'

const CHILD = path.join(root, 'test/behaviour/children/resume.mjs')
const TOO_LONG = 120_000

/** The values that a case is drawn from. */
const CHOICES = {
  optimizer: ['SGD', 'momentum', 'RMSprop', 'Adagrad', 'Adadelta', 'Adam', 'Adamax', 'Nadam'],
  source: ['arrays', 'arrays', 'rows', 'generator', 'resumable'],
  shuffle: [true, 'batch', false],
  dropout: [false, true],
  stateful: [false, true],
  validation: [false, true],
  callbacks: [false, true],
  everyBatches: [1, 1, 1, 12], // 12: the second epoch's files are there before a checkpoint is
}
/** System calls of a checkpoint. */
const CALLS = ['rename', 'mkdir', 'unlink', 'rmdir', 'openat', 'write', 'fsync', 'close']

const pick = (random, list) => list[Math.floor(random() * list.length)]

function drawCase(random, fixed) {
  const c = {}
  for (const [name, choices] of Object.entries(CHOICES)) c[name] = pick(random, choices)
  Object.assign(c, fixed)
  // single rows of a file are refused
  if (c.source === 'rows' && c.shuffle === true) c.shuffle = 'batch'
  return c
}

/**
 * Runs the child once.
 *
 * @param started called when its training begins; its promise is the kill
 * @returns `'killed'`, or the milliseconds of its training
 */
function train(c, folder, started = async () => {}) {
  fs.mkdirSync(folder, { recursive: true })
  const child = spawn(process.execPath, [CHILD, JSON.stringify(c), folder], {
    cwd: root,
    env: { ...process.env, UV_THREADPOOL_SIZE: c.waits ? '1' : '4', NODE_NO_WARNINGS: '1' },
  })
  const limit = setTimeout(() => child.kill('SIGABRT'), TOO_LONG)
  let out = ''
  let err = ''
  let isStarted = false
  child.stderr.on('data', (data) => (err += data))
  child.stdout.on('data', (data) => {
    out += data
    if (isStarted || !out.startsWith('fit\n')) return
    isStarted = true
    started(child)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      if (signal === 'SIGKILL') resolve('killed')
      else if (code === 0) resolve(JSON.parse(out.trim().split('\n').at(-1)).milliseconds)
      else reject(new Error(`the training ended with ${signal ?? code}:\n${err}`))
    })
  })
}

const resultOf = (folder) => JSON.parse(fs.readFileSync(path.join(folder, 'result.json'), 'utf8'))

/** Names of the parts that differ. */
function differences(got, wanted) {
  return Object.keys(wanted).filter(
    (name) => JSON.stringify(got[name]) !== JSON.stringify(wanted[name]),
  )
}

/** Kills a training at random instants until it ends. @returns how often */
async function atRandom(c, folder, random) {
  let kills = 0
  for (;;) {
    const threads = pick(random, [1, 2])
    // mostly before the end, and never for ever
    const after = random() * 1000 * (1 + kills / (c.everyBatches > 1 ? 3 : 30))
    const ended = await train({ ...c, threads }, folder, (child) =>
      setTimeout(() => child.kill('SIGKILL'), after),
    )
    if (ended !== 'killed') return kills
    kills++
  }
}

/** Kills a training at the n-th call of one kind, for the next n each time. @returns how often */
async function atCall(c, folder, call, random, times) {
  let kills = 0
  while (kills < times) {
    const ended = await train({ ...c, waits: true }, folder, (child) => {
      const when = 1 + Math.floor(random() * 60)
      const inject = [`trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${when}`]
      const strace = spawn('strace', ['-f', '-p', String(child.pid), '-e', ...inject], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      strace.stderr.once('data', () => child.stdin.end('go\n')) // attached
      strace.on('error', () => child.kill('SIGABRT'))
    })
    if (ended !== 'killed') return kills
    kills++
  }
  await train(c, folder)
  return kills
}

function options() {
  const text = (value) => ({ type: 'string', default: value })
  const { values } = parseArgs({
    options: {
      instants: text('300'),
      seed: text('1'),
      only: text(''),
      jobs: text('2'),
      calls: text('0'),
      seconds: text('Infinity'),
    },
  })
  const parsed = (value) => (/^(true|false|\d+)$/.test(value) ? JSON.parse(value) : value)
  const fixed = values.only.split(',').flatMap((one) => (one ? [one.split('=')] : []))
  for (const [name] of fixed)
    if (!(name in CHOICES)) throw new Error(`--only: ${name} is none of ${Object.keys(CHOICES)}`)
  return {
    ...values,
    fixed: Object.fromEntries(fixed.map(([name, value]) => [name, parsed(value)])),
    instants: Number(values.instants),
    seed: Number(values.seed),
    jobs: Number(values.jobs),
    calls: Number(values.calls),
    seconds: Number(values.seconds),
  }
}

const { instants, seed, jobs, calls, seconds, fixed } = options()
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-kill-'))
const begun = performance.now()
const elapsed = () => (performance.now() - begun) / 1000
const counts = { instants: 0, calls: 0, cases: 0, failures: 0 }
let nextCase = 0

const withCheckpoints = (c) => ({ ...c, checkpoint: { everyBatches: c.everyBatches, keep: 2 } })

/** One case: never killed, then killed by `kill`; tells what differs. */
async function one(kind, c, at, kill) {
  const [plain, killed] = [path.join(at, 'plain'), path.join(at, 'killed')]
  try {
    await train(c, plain)
    counts[kind] += await kill(withCheckpoints(c), killed)
    const different = differences(resultOf(killed), resultOf(plain))
    if (different.length > 0) throw new Error(`other ${different.join(', ')}`)
    fs.rmSync(at, { recursive: true })
  } catch (error) {
    counts.failures++
    console.error(`FAILED ${kind} ${at} ${JSON.stringify(c)}: ${error.message}`)
  }
  counts.cases++
}

async function worker() {
  while (counts.instants < instants && elapsed() < seconds) {
    const number = nextCase++
    const random = randomNumbers(seed * 1000 + number)
    const c = drawCase(random, fixed)
    await one('instants', c, path.join(folder, String(number)), (checked, killed) =>
      atRandom(checked, killed, random),
    )
    console.log(
      `${number}: ${counts.instants} instants, ${counts.failures} failures, ${elapsed().toFixed(0)} s`,
    )
  }
}

await Promise.all(Array.from({ length: jobs }, worker))

if (calls > 0 && capture('strace', ['-V']).status !== 0) {
  console.log('No strace: kills at file calls are left out. `apt-get install strace` brings it.')
} else if (calls > 0) {
  for (const [i, call] of CALLS.entries()) {
    if (elapsed() >= seconds) break
    const random = randomNumbers(seed * 1000 + 500 + i)
    const c = { ...drawCase(random, fixed), callbacks: true }
    const kill = (checked, killed) => atCall(checked, killed, call, random, calls)
    await one('calls', c, path.join(folder, call), kill)
    console.log(
      `${call}: ${counts.calls} kills at calls, ${counts.failures} failures, ${elapsed().toFixed(0)} s`,
    )
  }
}

if (counts.failures === 0) fs.rmSync(folder, { recursive: true })
console.log(JSON.stringify({ seed, ...counts, seconds: Math.round(elapsed()) }))
process.exitCode = counts.failures > 0 ? 1 : 0
