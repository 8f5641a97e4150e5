/**
 * `node bench/overlap.mjs [--launcher mpirun.openmpi] [--ranks 2] [--units 256] [--batch 64]
 * [--steps 50] [--batches 40]`: how much of what goes between ranks goes while they compute. Trains
 * two LSTM layers and reads the timelines (HIDDENSTATE_TIMELINE) of all ranks. A sum is hidden as
 * far as its rank does not wait; a roll call, which waits for the slowest rank, is no sum. Prints,
 * of each rank, milliseconds a batch: the step, its sums, what of them is hidden, the waits. With
 * --keep NAME the timelines stay: NAME-0.json, …, for ui.perfetto.dev.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { array, Dense, distribute, LSTM, Sequential, setSeed } from 'hiddenstate'
import { machine } from './machine.mjs'

const { values } = parseArgs({
  options: {
    launcher: { type: 'string', default: 'mpirun.openmpi' },
    ranks: { type: 'string', default: '2' },
    units: { type: 'string', default: '256' },
    batch: { type: 'string', default: '64' },
    steps: { type: 'string', default: '50' },
    batches: { type: 'string', default: '40' },
    keep: { type: 'string' },
    rank: { type: 'boolean', default: false },
  },
})
const [ranks, units, batch, steps, batches] = ['ranks', 'units', 'batch', 'steps', 'batches'].map(
  (name) => Number(values[name]),
)

/** A rank of the job. */
async function train() {
  const world = await distribute()
  setSeed(1)
  const inputs = 64
  const model = new Sequential([
    new LSTM(units, { inputShape: [steps, inputs], returnSequences: true }),
    new LSTM(units),
    new Dense(1),
  ])
  model.compile({ loss: 'mse', optimizer: 'sgd', distribute: world })
  const n = batch * batches
  const x = array(
    Float32Array.from({ length: n * steps * inputs }, (_, i) => Math.sin(i)),
    [n, steps, inputs],
  )
  const y = array(
    Float32Array.from({ length: n }, (_, i) => Math.cos(i)),
    [n, 1],
  )
  const started = performance.now()
  await model.fit(x, y, { batchSize: batch, nbEpoch: 1, verbose: 0, shuffle: false })
  if (world.isMain)
    console.log(`step ${((performance.now() - started) / batches).toFixed(2)} ms, ${world.mpi}`)
}

/** The bars of a timeline: its list needs no end. */
export function bars(text) {
  const events = JSON.parse(`${text.trimEnd().replace(/,$/, '')}]`)
  return events
    .filter(({ ph }) => ph === 'X')
    .map(({ name, ts, dur, args }) => ({ name, from: ts, to: ts + dur, bytes: args.bytes }))
}

/** Of the bars of a rank: milliseconds a batch, and how much of its sums is hidden. */
function hidden(all) {
  const named = (name) => all.filter((bar) => bar.name === name)
  const length = (list) => list.reduce((sum, { from, to }) => sum + to - from, 0) / 1000
  const [sums, waits] = [named('sum'), named('waits')]
  const shown = sums.flatMap((sum) =>
    waits.map((wait) => ({
      from: Math.max(sum.from, wait.from),
      to: Math.max(Math.max(sum.from, wait.from), Math.min(sum.to, wait.to)),
    })),
  )
  return {
    sums: length(sums) / batches,
    hidden: 1 - length(shown) / length(sums),
    waits: length(waits) / batches,
    calls: length(named('roll call')) / batches,
  }
}

function measure() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-overlap-'))
  const name = values.keep ?? path.join(folder, 'timeline')
  const asRoot = values.launcher.includes('openmpi')
    ? ['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none']
    : []
  const own = process.argv.slice(2).filter((arg) => arg !== '--rank')
  const script = fileURLToPath(import.meta.url)
  const job = [...asRoot, '-n', String(ranks), process.execPath, script, ...own, '--rank']
  const { status, stdout, stderr } = spawnSync(values.launcher, job, {
    encoding: 'utf8',
    env: { HIDDENSTATE_THREADS: '1', ...process.env, HIDDENSTATE_TIMELINE: name },
  })
  if (status !== 0) throw new Error(`${values.launcher} has failed: ${stderr}`)
  const { processor, cores, commit, loadAverage } = machine()
  console.log(`${processor}, ${cores} cores, load ${loadAverage[0]}, ${commit}`)
  process.stdout.write(stdout)
  for (let rank = 0; rank < ranks; rank++) {
    const of = hidden(bars(fs.readFileSync(`${name}-${rank}.json`, 'utf8')))
    const ms = (value) => value.toFixed(2).padStart(7)
    console.log(
      `rank ${rank}: sums ${ms(of.sums)} ms, ${(100 * of.hidden).toFixed(0)} % of them hidden; ` +
        `waits ${ms(of.waits)} ms, roll calls ${ms(of.calls)} ms`,
    )
  }
  fs.rmSync(folder, { recursive: true })
}

if (values.rank) await train()
else measure()
