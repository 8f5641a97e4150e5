#!/usr/bin/env node
/**
 * How training by many ranks should scale: a model, not a measurement. What a step of one rank
 * takes is measured here; how fast networks are is what others have published.
 *
 *   node bench/cluster-model.mjs [--threads 2] [--seconds 6] [--ranks 4,16,256] [--steps W2=5.1,…]
 *
 * Prints, for every workload and network, the share of the ideal that a step reaches when the batch
 * grows with the ranks: without and with overlap of sums and backward pass. `--steps`: milliseconds
 * of a step of one rank instead of measuring them.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine } from './machine.mjs'
import { median } from './statistics.mjs'
import { workload } from './workloads.mjs'

/**
 * Seconds until a message arrives, bytes a second, of one direction.
 *
 * Ethernet: 1460 of 1538 bytes of a frame are payload. 20 µs between applications: Hurwitz and
 * Feng, "Initial end-to-end performance evaluation of 10-Gigabit Ethernet", Hot Interconnects 2003;
 * taken for 25 Gbit/s too, since it is the TCP of both ends. InfiniBand EDR: its line rate; 1.5 µs
 * is an assumption.
 */
const ethernet = (gbit) => ({ latency: 20e-6, rate: (gbit * 1e9 * 1460) / 1538 / 8 })
export const NETWORKS = {
  '10 GbE': ethernet(10),
  '25 GbE': ethernet(25),
  'InfiniBand 100': { latency: 1.5e-6, rate: 100e9 / 8 },
}
/** A rank's step takes a factor of it longer or shorter, by chance: the standard deviation. */
const JITTER = 0.02
/** Bytes a second at which one thread adds floats that have arrived: an assumption. */
const ADDING = 8e9
/** Bytes of gradients that are summed at a time when sums overlap. */
const BUCKET = 1 << 18

/**
 * Milliseconds of a sum over all ranks: halves go up a binary tree and down again.
 *
 * @param bytes of the gradients @param network of NETWORKS, or one like them
 */
export function sumMs(bytes, ranks, { latency, rate }) {
  const messages = 2 * Math.ceil(Math.log2(ranks))
  const share = (ranks - 1) / ranks
  return 1000 * (messages * latency + bytes * share * (2 / rate + 1 / ADDING))
}

/** Φ of the normal distribution, to 1e-7 (Abramowitz and Stegun 1964, 26.2.17). */
function normalShare(x) {
  if (x < 0) return 1 - normalShare(-x)
  const t = 1 / (1 + 0.2316419 * x)
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return 1 - (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series
}

/** How many standard deviations the largest of so many normal numbers is expected to lie above. */
export function expectedLargest(count) {
  const [from, to, steps] = [-8, 8, 4000]
  const width = (to - from) / steps
  let sum = 0
  for (let i = 0; i < steps; i++) {
    const [left, right] = [from + i * width, from + (i + 1) * width]
    sum += (left + width / 2) * (normalShare(right) ** count - normalShare(left) ** count)
  }
  return sum
}

/**
 * When gradients are ready: `[share of the step, bytes]`, in order. A third of a step
 * is forward, a third goes back through time, in the last one gradients of weights come about: of
 * each layer, from the top down, all along; those of an embedding at the end.
 */
function readiness({ T, D, H, L, V, K, G, B }, ranks) {
  const layers = Array.from({ length: L }, (_, l) => {
    const inputs = l === 0 ? D : H
    return { params: G * H * (inputs + H + 1), work: B * T * G * H * (inputs + H) }
  }).reverse()
  const work = layers.reduce((sum, layer) => sum + layer.work, 0)
  const ready = [[1 / 3, 4 * K * (H + 1)]]
  let at = 1 / 3
  for (const layer of layers) {
    const takes = ((2 / 3) * layer.work) / work
    const panels = 8
    for (let i = 1; i <= panels; i++)
      ready.push([at + takes * (0.5 + (0.5 * i) / panels), (4 * layer.params) / panels])
    at += takes
  }
  if (V > 0) ready.push([1, embeddingBytes(V, D, ranks * B * T)])
  return ready
}

/** Of an embedding, the rows of the words of a batch; all, where that is more than half of them. */
function embeddingBytes(V, D, words) {
  const used = 1 - (1 - 1 / V) ** words
  return used > 0.5 ? 4 * V * D : 4 * V * D * used + V / 8
}

/**
 * Milliseconds of a step of `ranks` ranks.
 *
 * @param alone milliseconds of the step of one rank
 * @param shape the workload
 * @returns `plain`: all gradients are summed after the backward pass; `overlap`: as they are ready
 */
export function stepMs({ alone, shape, ranks, network, jitter = JITTER }) {
  const slowest = alone * (1 + jitter * expectedLargest(ranks))
  const ready = readiness(shape, ranks)
  // a sum begins with a roll call of all ranks
  const takes = (bytes) => sumMs(64 * ranks, ranks, network) + sumMs(bytes, ranks, network)
  let free = 0 // when the network is
  let waiting = 0
  for (const [i, [share, bytes]] of ready.entries()) {
    waiting += bytes
    if (waiting < BUCKET && i < ready.length - 1) continue
    free = Math.max(free, share * slowest) + takes(waiting)
    waiting = 0
  }
  return {
    plain: slowest + takes(ready.reduce((sum, [, bytes]) => sum + bytes, 0)),
    overlap: Math.max(slowest, free),
  }
}

/** Milliseconds of a step of one process on this machine. */
function measured(name, threads, seconds) {
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'rank-steps.mjs')
  const args = [script, name, String(workload(name).B), String(seconds), 'plain']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    env: { ...process.env, HIDDENSTATE_THREADS: String(threads) },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`cluster-model: ${name}: ${stderr}`)
  return median(JSON.parse(stdout).steps)
}

/** Of all weights. */
const bytesOf = ({ D, H, L, V, K, G }) =>
  4 * (G * H * (D + H + 1) + (L - 1) * G * H * (2 * H + 1) + V * D + K * (H + 1))

function main() {
  const { values } = parseArgs({
    options: {
      threads: { type: 'string', default: '2' },
      seconds: { type: 'string', default: '6' },
      ranks: { type: 'string', default: '4,16,256' },
      steps: { type: 'string' },
    },
  })
  const given = Object.fromEntries((values.steps ?? '').split(',').map((one) => one.split('=')))
  const counts = values.ranks.split(',').map(Number)
  const columns = Object.keys(NETWORKS).flatMap((name) => counts.map((ranks) => [name, ranks]))
  const heads = ['', 'a step alone', 'gradients', ...columns.map(([n, ranks]) => `${n}, ${ranks}`)]
  console.log(JSON.stringify(machine()))
  console.log(`| ${heads.join(' | ')} |\n|${heads.map((_, i) => (i ? '--:' : '---')).join('|')}|`)
  for (const name of ['W1', 'W2', 'W3', 'W4', 'W5']) {
    const shape = workload(name)
    const bytes = bytesOf(shape)
    const alone = given[name] ? Number(given[name]) : measured(name, values.threads, values.seconds)
    const cells = columns.map(([net, ranks]) => {
      const { plain, overlap } = stepMs({ alone, shape, ranks, network: NETWORKS[net] })
      return [plain, overlap].map((ms) => ((100 * alone) / ms).toFixed()).join(' / ')
    })
    const size = bytes < 1e6 ? `${(bytes / 1e3).toFixed()} kB` : `${(bytes / 1e6).toFixed(1)} MB`
    console.log(`| ${[name, `${alone.toPrecision(3)} ms`, size, ...cells].join(' | ')} |`)
  }
  console.log(
    '\nA model: per cent of ideal weak scaling, without / with overlap; not run on a cluster.',
  )
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) main()
