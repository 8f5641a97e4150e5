/**
 * `npm run quality -- --vowels DIR --jsb FILE --nietzsche FILE --sunspots FILE --rt-polarity DIR
 *    [--task sentiment --task sine …] [--layer LSTM] [--seeds 5] [--out FILE]`
 *
 * Trains every task over seeds, checks the data's fingerprints first, judges by the rule of
 * judge.mjs and writes JSON. Without --task: all tasks whose data are there. Exit status 1 when a
 * result is not accepted.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setSeed, setThreads } from 'hiddenstate'
import { machine } from '../machine.mjs'
import { fingerprintProblems } from './data.mjs'
import { judge } from './judge.mjs'
import { tasks } from './tasks.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const { values } = parseArgs({
  options: {
    task: { type: 'string', multiple: true },
    layer: { type: 'string', multiple: true },
    seeds: { type: 'string' },
    threads: { type: 'string' },
    vowels: { type: 'string' },
    jsb: { type: 'string' },
    nietzsche: { type: 'string' },
    sunspots: { type: 'string' },
    'rt-polarity': { type: 'string' },
    out: { type: 'string', default: path.join(here, '..', 'out', 'quality.json') },
  },
})
const bars = JSON.parse(fs.readFileSync(path.join(here, 'bars.json'), 'utf8'))
const names =
  values.task ??
  Object.keys(tasks).filter((name) => !tasks[name].needs || values[tasks[name].needs])
for (const name of names) {
  if (!tasks[name])
    throw new Error(`--task must be one of ${Object.keys(tasks).join(', ')}, got ${name}.`)
  const { needs } = tasks[name]
  if (needs && !values[needs])
    throw new Error(`Task ${name} needs --${needs} with the path of its data.`)
}
for (const name of Object.keys(tasks)) if (!names.includes(name)) console.log(`${name}: not run`)
if (values.threads) setThreads(Number(values.threads))

fs.mkdirSync(path.dirname(values.out), { recursive: true })
// Results of other tasks and layers in the same file stay.
const report = fs.existsSync(values.out) ? JSON.parse(fs.readFileSync(values.out, 'utf8')) : {}
/** Curves are drawn, not judged: six digits do. */
const rounded = (curve) =>
  Object.fromEntries(
    Object.entries(curve).map(([key, list]) => [key, list.map((v) => Number(v.toPrecision(6)))]),
  )
let refused = 0
for (const name of names) {
  const task = tasks[name]
  const data = task.data(values)
  const problems = fingerprintProblems(data.fingerprint, bars[name].fingerprint)
  if (problems.length > 0)
    throw new Error(
      `${name}: the data are not those of the bars: ${problems.slice(0, 3).join('; ')}`,
    )
  if (data.baseline) console.log(`${name}: baseline ${JSON.stringify(data.baseline)}`)
  for (const layer of task.layers.filter((l) => values.layer?.includes(l) ?? true)) {
    const { against = { name: 'Keras' } } = task
    const bar = against.runs ? { runs: against.runs(data) } : bars[name][layer]
    const finals = []
    for (let seed = 0; seed < Number(values.seeds ?? task.seeds); seed++) {
      setSeed(seed)
      const from = performance.now()
      const cpu = process.cpuUsage()
      const { model, curve, final } = await task.train(layer, data, seed)
      const used = process.cpuUsage(cpu)
      const seconds = (performance.now() - from) / 1000
      const cpuSeconds = (used.user + used.system) / 1e6
      if (model.countParams() !== (bar.parameters ?? model.countParams()))
        throw new Error(
          `${name} ${layer}: must have ${bar.parameters} parameters, got ${model.countParams()}`,
        )
      finals.push({ seed, final, curve: rounded(curve), seconds, cpuSeconds })
      console.log(
        `${name} ${layer} seed ${seed}: ${JSON.stringify(final)} in ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU)`,
      )
    }
    const judged = {}
    for (const [measure, better] of Object.entries(task.measures)) {
      const ours = finals.map(({ final }) => final[measure]).filter((v) => v !== undefined)
      const verdict = judge(ours, bar.runs[measure], better)
      judged[measure] = verdict
      if (!verdict.accepted) refused += 1
      const show = ({ mean, sd, n }) => `${mean.toPrecision(4)} ± ${sd.toPrecision(2)} (n=${n})`
      console.log(
        `${name} ${layer} ${measure}: ours ${show(verdict.ours)}, ${against.name} ${show(verdict.keras)}, ${better} is better, ` +
          `margin ${verdict.margin.toPrecision(2)}: ${verdict.accepted ? 'accepted' : 'NOT ACCEPTED'}` +
          (verdict.muchBetter ? ' (much better: look at the set-up)' : ''),
      )
    }
    report[`${name}/${layer}`] = {
      machine: machine(),
      against: against.name,
      baseline: data.baseline,
      judged,
      runs: finals,
    }
    fs.writeFileSync(values.out, `${JSON.stringify(report, null, 1)}\n`)
  }
}
console.log(
  `quality: ${refused === 0 ? 'every measure accepted' : `${refused} measures NOT accepted`}; ${path.relative(process.cwd(), values.out)}`,
)
process.exit(refused === 0 ? 0 : 1)
