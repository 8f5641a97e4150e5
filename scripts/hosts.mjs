/**
 * Training on several hosts, which are network namespaces of this machine, over TCP between them.
 *
 *   sudo node scripts/hosts.mjs [--hosts 2,4] [--launchers openmpi,mpich] [--parts bits,cut,steps]
 *     [--mbit 1000] [--delay 0.1] [--loss 0.001] [--workloads W3,W4] [--seconds 6] [--limit 15]
 *
 * - bits: weights and logs of four models are those of one process, to the last bit.
 * - cut: the cable of a host is pulled in a training; within 10 seconds no rank is left on any
 *   host, nor `mpirun`, and a sentence says why.
 * - steps: a step with one batch for each host, beside what bench/cluster-model.mjs expects of this
 *   network; with --limit, exit status 1 where they are more per cent apart.
 *
 * Mbit/s, ms of travel, share of packets lost. Rate alone is the kernel's (tbf); delay and loss are
 * its netem's, or where it has none, those of scripts/hosts/relay.cc. Linux, root, iproute2; needs
 * `npm run build:all`. A short form: test/behaviour/hosts.test.ts.
 */
import { execFileSync, spawn } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { stepMs } from '../bench/cluster-model.mjs'
import { rankCommand, trial } from '../bench/rank-trials.mjs'
import { median } from '../bench/statistics.mjs'
import { workload } from '../bench/workloads.mjs'
import { Network, obstacle } from './hosts/network.mjs'
import { installedLaunchers } from './launchers.mjs'
import { root } from './process.mjs'

const text = (value) => ({ type: 'string', default: value })
const { values } = parseArgs({
  options: {
    hosts: text('2,4'),
    launchers: text('openmpi,mpich'),
    parts: text('bits,cut,steps'),
    mbit: text('1000'),
    delay: text('0'),
    loss: text('0'),
    workloads: text('W3,W4'),
    seconds: text('6'),
    limit: { type: 'string' },
  },
})
const [mbit, delayMs, loss] = [values.mbit, values.delay, values.loss].map(Number)
const EXACT = path.join(root, 'test/behaviour/children/ranks-exact.mjs')
const EXAMPLE = path.join(root, 'examples/distributed/main.mjs')
/** Seconds within which a job ends that has lost a host. */
const END = 10

/** What is wrong, as sentences. */
const problems = []
function say(sentence, isWrong) {
  console.log(`${sentence}${isWrong ? ': WRONG' : ''}`)
  if (isWrong) problems.push(sentence)
}

/** Weights and logs of what a rank of EXACT has printed. */
const modelsOf = (line) => JSON.stringify(JSON.parse(line).models)
const jsonLines = (output) => output.split('\n').filter((line) => line.startsWith('{'))

/** Runs a rank on each host. @returns how they ended, and what they have said */
function together(network, launcher, command, onText = () => {}) {
  const { command: program, args, env } = network.job(launcher, 1, command)
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, HIDDENSTATE_THREADS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => {
    out += data
    onText(out)
  })
  child.stderr.on('data', (data) => (err += data))
  const timer = setTimeout(() => child.kill('SIGKILL'), 300_000)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code: code ?? signal, out, err })
    })
  })
}

async function bits(network, launcher, hosts, where) {
  const alone = jsonLines(
    execFileSync(process.execPath, [EXACT, '8', 'hashes'], {
      encoding: 'utf8',
      env: { ...process.env, HIDDENSTATE_THREADS: '1' },
    }),
  ).map(modelsOf)[0]
  const before = network.sentBy(hosts)
  const command = [process.execPath, EXACT, '8', 'hashes']
  const { code, out, err } = await together(network, launcher, command)
  const sent = network.sentBy(hosts) - before
  const said = jsonLines(out).map(modelsOf)
  const isSame = code === 0 && said.length === hosts && said.every((models) => models === alone)
  const kilobytes = `${(sent / 1e3).toFixed()} kB sent by the last host`
  say(
    `${where}: ${isSame ? 'the bits of one process' : `other bits (${code}) ${err}`}, ${kilobytes}`,
    !isSame,
  )
}

async function cut(network, launcher, hosts, where) {
  let cutAt = 0
  const command = [process.execPath, EXAMPLE, '--epochs', '1000000']
  const { err } = await together(network, launcher, command, (out) => {
    if (cutAt > 0 || !/Epoch 3\//.test(out)) return
    network.cut(hosts)
    cutAt = performance.now()
  })
  if (cutAt === 0) return say(`${where}: no training to cut: ${err}`, true)
  while (network.ranks().length > 0 && performance.now() - cutAt < 1000 * (END + 5))
    await new Promise((resolve) => setTimeout(resolve, 50))
  const seconds = (performance.now() - cutAt) / 1000
  const own = /^hiddenstate: rank \d+ of \d+ has not been heard of.*$/m.exec(err)?.[0]
  const launchers = /lost communication with a remote daemon.*?Remote daemon[^\n]*/s.exec(err)
  const sentence = own ?? launchers?.[0].replace(/\s+/g, ' ')
  const isWrong = seconds > END || sentence === undefined
  say(
    `${where}: cable pulled: all ranks had ended after ${seconds.toFixed(1)} s: ${sentence ?? err}`,
    isWrong,
  )
}

/** Milliseconds of a step of one process, by workload. */
const alone = {}

async function steps(network, launcher, hosts, where) {
  for (const name of values.workloads.split(',')) {
    const { B } = workload(name)
    alone[name] ??= median(trial(rankCommand(name, B, values.seconds, 'plain')).steps)
    const command = rankCommand(name, hosts * B, values.seconds)
    const job = network.job(launcher, 1, command)
    const measured = median(trial([job.command, ...job.args], job.env).steps)
    // hosts share the processors of this machine
    const share = Math.max(1, hosts / os.availableParallelism())
    const expected = stepMs({
      alone: alone[name] * share,
      shape: workload(name),
      ranks: hosts,
      network: network.line,
      jitter: 0,
    })
    const apart = 100 * (measured / expected.overlap - 1)
    say(
      `${where}: ${name}: ${measured.toFixed(1)} ms a step, expected ${expected.overlap.toFixed(1)} ` +
        `(${expected.plain.toFixed(1)} without overlap), ${apart.toFixed()} % apart`,
      values.limit !== undefined && Math.abs(apart) > Number(values.limit),
    )
  }
}

const PARTS = { bits, steps, cut } // a cut cable stays cut

const reason = obstacle()
if (reason) {
  console.error(`hosts: ${reason}.`)
  process.exit(1)
}
let network = null
const leave = () => network?.stop()
process.on('exit', leave)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const wanted = values.launchers.split(',')
const parts = values.parts.split(',')
for (const hosts of values.hosts.split(',').map(Number))
  for (const launcher of installedLaunchers()) {
    if (!wanted.some((name) => launcher.command.endsWith(name))) continue
    network = await Network.start({ hosts, mbit, delayMs, loss })
    const line = `${mbit} Mbit/s, ${delayMs} ms, ${100 * loss} % lost, by ${network.by}`
    const where = `${hosts} hosts (${line}), ${launcher.name}`
    for (const [name, part] of Object.entries(PARTS))
      if (parts.includes(name)) await part(network, launcher, hosts, where)
    network.stop()
  }
for (const sentence of problems) console.error(`hosts: ${sentence}`)
process.exit(problems.length > 0 ? 1 : 0)
