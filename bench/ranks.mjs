/**
 * `npm run bench:ranks [-- W2 W3 W4 W5 --rounds 5 --seconds 8 --launcher openmpi --check]`: what
 * training over MPI costs and gains on this machine. By turns, each rank with one thread and on a
 * processor of its own: one process without `distribute`, one with it, and two ranks, with twice
 * the batch (weak scaling) and with the same one (strong). Prints a table and writes JSON; with
 * --check, exit status 1 where a goal is missed. Linux: taskset.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LAUNCHERS, isInstalled } from '../scripts/launchers.mjs'
import { machine } from './machine.mjs'
import { rankCommand, trial } from './rank-trials.mjs'
import { median, summary } from './statistics.mjs'
import { workload } from './workloads.mjs'

const RANKS = 2
/** Of a step of one process: what two ranks with twice the batch must reach. */
const WEAK_GOALS = { W2: 0.85, W3: 0.92, W4: 0.92, W5: 0.92 }
/** How many times as long a step may take in a world of one. */
const ALONE_GOAL = 1.01

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '8' },
    launcher: { type: 'string', default: 'openmpi' },
    check: { type: 'boolean', default: false },
    out: {
      type: 'string',
      default: path.join(path.dirname(fileURLToPath(import.meta.url)), 'out', 'ranks.json'),
    },
  },
})
const names = positionals.length > 0 ? positionals : Object.keys(WEAK_GOALS)
const launcher = LAUNCHERS.find(({ command }) => command.endsWith(values.launcher))
if (!launcher || !isInstalled(launcher)) {
  console.error(`ranks: there is no mpirun.${values.launcher}: see --launcher.`)
  process.exit(1)
}
// ranks pin themselves: a launcher that binds them, too, would bind both to one processor
const unbound = launcher.name === 'Open MPI' ? ['--bind-to', 'none'] : []
const together = (command) => [
  ...[launcher.command, ...launcher.args, ...unbound, '-n', String(RANKS)],
  ...command,
]

/** The commands that take turns; each gives milliseconds of a step. */
function racersOf(name) {
  const { B } = workload(name)
  const command = (batch, ...how) => rankCommand(name, batch, values.seconds, ...how)
  return {
    plain: command(B, 'plain'),
    alone: command(B),
    weak: together(command(RANKS * B)),
    strong: together(command(B)),
  }
}

const text = (ms) => ms.toPrecision(3)
const rows = []
for (const name of names) {
  const racers = Object.entries(racersOf(name))
  const rounds = Object.fromEntries(racers.map(([key]) => [key, []]))
  for (let round = 0; round < Number(values.rounds); round++)
    for (const i of racers.keys()) {
      const [key, command] = racers[(i + round) % racers.length] // nobody always follows the same
      rounds[key].push(summary(trial(command).steps))
    }
  const middle = (key, of) => median(rounds[key].map((round) => round[of]))
  /** The middle of what neighbours in time give. */
  const times = (key, of) => median(rounds[key].map((round, i) => round[of] / rounds.plain[i][of]))
  rows.push({
    workload: name,
    rounds,
    aloneTimes: times('alone', 'least'),
    weak: 1 / times('weak', 'median'),
    strong: 1 / times('strong', 'median'),
    milliseconds: Object.fromEntries(racers.map(([key]) => [key, middle(key, 'median')])),
  })
  process.stderr.write('.')
}
process.stderr.write('\n')

const heads = [
  'one process',
  'with `distribute`',
  '2 ranks, 2 batches',
  'weak',
  '2 ranks',
  'strong',
]
console.log(JSON.stringify(machine()))
console.log(`| ms of a step | ${heads.join(' | ')} |\n|---|${heads.map(() => '--:').join('|')}|`)
for (const { workload: name, milliseconds: ms, aloneTimes, weak, strong } of rows) {
  const alone = `${text(ms.alone)} (least: ${aloneTimes.toFixed(3)} times)`
  const cells = [text(ms.plain), alone, text(ms.weak), weak.toFixed(2), text(ms.strong)]
  console.log(`| ${[name, ...cells, `${strong.toFixed(2)} times as fast`].join(' | ')} |`)
}
fs.mkdirSync(path.dirname(values.out), { recursive: true })
const { name: family } = launcher
fs.writeFileSync(values.out, `${JSON.stringify({ machine: machine(), family, rows }, null, 1)}\n`)

const missed = rows.flatMap(({ workload: name, aloneTimes, weak }) => [
  ...(weak < (WEAK_GOALS[name] ?? 0)
    ? [`${name}: weak scaling must be at least ${WEAK_GOALS[name]}, got ${weak.toFixed(3)}`]
    : []),
  ...(aloneTimes > ALONE_GOAL
    ? [`${name}: a world of one may take ${ALONE_GOAL} times as long, got ${aloneTimes.toFixed(3)}`]
    : []),
])
for (const sentence of missed) console.error(`ranks: ${sentence}`)
process.exit(values.check && missed.length > 0 ? 1 : 0)
