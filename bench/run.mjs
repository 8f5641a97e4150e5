/**
 * `npm run bench [-- --workload W1,W2 --threads 1,2 --mode train,infer --seconds 3 --rounds 1 --force --out FILE]`
 *
 * The workloads through the public API: ms a step (least, median) and the share of this machine's own fp32 FMA peak, measured
 * in the same run. Trials run in processes of their own and take turns over the rounds. Refuses on a busy machine, unless forced.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { buildWith } from '../scripts/build.mjs'
import { executable } from '../scripts/native-tests.mjs'
import { capture, root } from '../scripts/process.mjs'
import { machine } from './machine.mjs'
import { flops, workloads } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    workload: { type: 'string', default: Object.keys(workloads).join(',') },
    threads: { type: 'string', default: os.availableParallelism() > 1 ? '1,2' : '1' },
    mode: { type: 'string', default: 'train,infer' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    force: { type: 'boolean', default: false },
    out: {
      type: 'string',
      default: path.join(root, 'bench', 'out', `bench-${new Date().toISOString().slice(0, 16).replace(/:/g, '')}.json`),
    },
  },
})
const load = os.loadavg()[0]
if (load > 0.3 * os.availableParallelism()) {
  console.error(
    `bench: the machine is busy (load ${load.toFixed(2)}): timings would mean little.${values.force ? '' : ' Wait, or --force.'}`,
  )
  if (!values.force) process.exit(1)
}
const threadCounts = values.threads.split(',').map(Number)

/** GFLOP/s by thread count. */
function measurePeak() {
  if (buildWith('build', { HS_TESTS: 'ON' }, 'bench_peak') !== 0) process.exit(1)
  const { status, output, stdout } = capture(executable('build', 'bench_peak'), threadCounts.map(String))
  if (status !== 0) {
    console.error(output)
    process.exit(1)
  }
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ threads, gflops }) => [threads, gflops]),
  )
}

const before = measurePeak()
const trials = []
for (let round = 0; round < Number(values.rounds); round++)
  for (const name of values.workload.split(','))
    for (const mode of name === 'W6' ? ['infer'] : values.mode.split(','))
      for (const threads of threadCounts) {
        const { status, output, stdout } = capture(process.execPath, [
          'bench/trial.mjs',
          name,
          mode,
          String(threads),
          values.seconds,
        ])
        if (status !== 0) {
          console.error(`bench: ${name} ${mode} ${threads}: ${output}`)
          process.exit(1)
        }
        trials.push(JSON.parse(stdout.trim().split('\n').at(-1)))
        process.stderr.write('.')
      }
process.stderr.write('\n')
// Before and after: a neighbour must not make the yardstick short.
const after = measurePeak()
const peak = Object.fromEntries(Object.entries(before).map(([t, g]) => [t, Math.max(g, after[t])]))

const rows = new Map()
for (const trial of trials) {
  const key = `${trial.workload} ${trial.mode} ${trial.threads}`
  const row = rows.get(key) ?? { ...trial, peakShare: 0 }
  row.msMin = Math.min(row.msMin, trial.msMin)
  row.msMedian = Math.min(row.msMedian, trial.msMedian)
  row.gflops = flops(workloads[trial.workload], trial.mode) / row.msMin / 1e6
  row.peakShare = row.gflops / peak[trial.threads]
  rows.set(key, row)
}
const description = machine()
console.log(
  `${description.processor}, ${description.cores} cores, node ${description.node}, kernels ${description.isa}, commit ${description.commit}, load ${description.loadAverage[0]}`,
)
console.log(
  `fp32 FMA peak: ${Object.entries(peak)
    .map(([t, g]) => `${g} GFLOP/s with ${t} thread${t === '1' ? '' : 's'}`)
    .join(', ')}\n`,
)
console.log('| workload | mode | threads | ms least | ms median | GFLOP/s | share of peak |')
console.log('|---|---|--:|--:|--:|--:|--:|')
for (const row of rows.values())
  console.log(
    `| ${row.workload} ${workloads[row.workload].note} | ${row.mode} | ${row.threads} | ${row.msMin.toPrecision(4)} | ${row.msMedian.toPrecision(4)} | ` +
      `${row.gflops.toFixed(1)} | ${(100 * row.peakShare).toFixed(0)} % |`,
  )
fs.mkdirSync(path.dirname(values.out), { recursive: true })
fs.writeFileSync(
  values.out,
  `${JSON.stringify({ machine: description, peak, rows: [...rows.values()], trials }, null, 1)}\n`,
)
console.log(`\n${path.relative(process.cwd(), values.out)}`)
