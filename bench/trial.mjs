/** One workload, one mode, one thread count, in a process of its own: `node bench/trial.mjs W2 train 1 3`. Prints one JSON line. */
import { info, setSeed, setThreads } from 'hiddenstate'
import { buildModel, makeBatch, workloads } from './workloads.mjs'

const [name, mode, threads, seconds] = process.argv.slice(2)
const w = workloads[name]
setThreads(Number(threads))
setSeed(1)
const model = buildModel(w)
const { x, y } = makeBatch(name, w)
const losses = []
let step
if (mode === 'train') step = async () => losses.push(await model.trainOnBatch(x, y))
else if (name === 'W6') step = () => model.predictOnBatchSync(x)
else step = () => model.predictOnBatch(x)

const started = performance.now()
await step()
const firstMs = performance.now() - started
for (let i = 0; i < (name === 'W6' ? 2000 : 2); i++) await step()
const times = []
const cpu = process.cpuUsage()
const end = performance.now() + Number(seconds) * 1000
while (performance.now() < end || times.length < 5) {
  const from = performance.now()
  if (name === 'W6') step()
  else await step()
  times.push(performance.now() - from)
}
const used = process.cpuUsage(cpu)
times.sort((a, b) => a - b)
console.log(
  JSON.stringify({
    workload: name,
    mode,
    threads: Number(threads),
    steps: times.length,
    msMin: times[0],
    msMedian: times[times.length >> 1],
    msP99: times[Math.min(times.length - 1, Math.floor(times.length * 0.99))],
    cpuMsMean: (used.user + used.system) / 1e3 / times.length,
    firstMs,
    rssMiB: process.resourceUsage().maxRSS / 1024,
    isa: info().isa,
    ...(losses.length > 0 ? { lossFirst: losses[0], lossLast: losses.at(-1) } : {}),
  }),
)
process.exit(0)
