/**
 * `npm run bench:busy [-- W1 W8 --rounds 3 --seconds 2 --limit 1.05]`: training steps on one thread
 * and on two while another program keeps the second processor busy (decision 0016). Each trial in a
 * process of its own, by turns; the mean step, since a plan tries both ways now and then. With
 * --limit, exit status 1 when two threads take more than
 * that many times as long as one. Linux: taskset.
 */
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from './statistics.mjs'
import { batchOf, workload } from './workloads.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    limit: { type: 'string' },
    trial: { type: 'boolean', default: false },
  },
})
const names = positionals.length > 0 ? positionals : ['W1', 'W2', 'W8']

/** The mean training step of a workload in ms, after as long without counting. */
async function trial(name) {
  const hs = await import('hiddenstate')
  const { modelOf } = await import('./peers/hiddenstate-model.mjs')
  const w = workload(name)
  const { x, y } = batchOf(w)
  const { model, compile } = modelOf(hs, w)
  compile()
  let steps = 0
  let from = 0
  for (const counted of [false, true]) {
    from = performance.now()
    for (steps = 0; performance.now() - from < 1000 * Number(values.seconds); steps++)
      await model.trainOnBatch(x, y)
    if (counted) console.log((performance.now() - from) / steps)
  }
}

function step(name, threads) {
  const args = [fileURLToPath(import.meta.url), '--trial', '--seconds', values.seconds, name]
  const env = { ...process.env, HIDDENSTATE_THREADS: String(threads) }
  const { status, stdout, stderr } = spawnSync(
    'taskset',
    ['-c', '0,1', process.execPath, ...args],
    {
      env,
      encoding: 'utf8',
    },
  )
  if (status !== 0) throw new Error(`bench: ${name} on ${threads} threads: ${stderr}`)
  return Number(stdout)
}

if (values.trial) await trial(names[0])
else {
  const busy = spawn('taskset', ['-c', '1', process.execPath, '-e', 'for (;;);'], {
    stdio: 'inherit',
  })
  process.on('exit', () => busy.kill())
  let worst = 0
  for (const name of names) {
    const times = { 1: [], 2: [] }
    for (let round = 0; round < Number(values.rounds); round++)
      for (const threads of [1, 2]) times[threads].push(step(name, threads))
    const [one, two] = [median(times[1]), median(times[2])]
    worst = Math.max(worst, two / one)
    console.log(
      `${name}: ${one.toFixed(3)} ms on one thread, ${two.toFixed(3)} on two beside a busy processor: ${(two / one).toFixed(2)} times`,
    )
  }
  process.exit(values.limit && worst > Number(values.limit) ? 1 : 0)
}
