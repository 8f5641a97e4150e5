#!/usr/bin/env node
/**
 * What a step of each workload asks of a card, and how long it should take there, by the model of
 * the device 'auto' (decision 0051), for two cards at their published rates: no card is needed, and
 * none is measured. The stand-in driver of the tests says it was such a card.
 *
 *   npm run build:all && npm run test:cuda   # the tests build it
 *   node bench/step-model.mjs [--threads 2] [--measure]
 *
 * `--measure`: the processor's step beside what the model expects of it.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { modelOf } from './peers/hiddenstate-model.mjs'
import { batchOf, workload } from './workloads.mjs'

const names = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8']
const file = fileURLToPath(import.meta.url)
const root = path.dirname(path.dirname(file))
const standIn = path.join(root, 'build', 'stand-in', 'libstand_in.so')
/**
 * Compute capability, multiprocessors, clocks in kHz, bus in bits, by their numbers in
 * CUdevice_attribute. NVIDIA's data sheets: 67 TFLOP/s of float32 and 3.35 TB/s; 8.1 TFLOP/s and
 * 0.32 TB/s.
 */
const cards = {
  'H100 SXM': '75=9,76=0,16=132,13=1980000,36=2619000,37=5120',
  T4: '75=7,76=5,16=40,13=1590000,36=5001000,37=256',
}

/** What 'auto' counts and expects for each workload, on the card of the environment. */
async function expected() {
  const hs = await import('../dist/index.js')
  const all = []
  for (const name of names) {
    const w = { ...workload(name), rows: workload(name).B }
    const { model, compile } = modelOf(hs, w)
    hs.setDevice('auto')
    if (w.K > 0) compile()
    else await model.predictOnBatch(batchOf(w).x)
    all.push(hs.info().choice)
    model.dispose()
  }
  return all
}

/** Milliseconds of a step on the processor: the median of a second. */
async function measured(name) {
  const hs = await import('../dist/index.js')
  const w = workload(name)
  const { model, compile } = modelOf(hs, w)
  const { x, y } = batchOf(w)
  if (w.K > 0) compile()
  const step = () => (w.K > 0 ? model.trainOnBatch(x, y) : model.predictOnBatchSync(x))
  for (let i = 0; i < 3; i++) await step()
  const times = []
  for (const end = performance.now() + 1000; performance.now() < end; ) {
    const start = performance.now()
    await step()
    times.push(performance.now() - start)
  }
  model.dispose()
  return times.sort((a, b) => a - b)[times.length >> 1]
}

const text = (x) => (x < 100 ? x.toPrecision(2) : x.toFixed())

async function main() {
  const { values } = parseArgs({
    options: {
      threads: { type: 'string', default: '2' },
      measure: { type: 'boolean', default: false },
    },
  })
  if (!fs.existsSync(standIn))
    throw new Error(`step-model: there is no ${standIn}; \`npm run test:cuda\` builds it.`)
  const child = (args, env) =>
    JSON.parse(
      execFileSync(process.execPath, [file, ...args], {
        encoding: 'utf8',
        env: {
          ...process.env,
          HIDDENSTATE_THREADS: values.threads,
          HIDDENSTATE_DEVICE: '',
          ...env,
        },
      }),
    )
  const on = Object.entries(cards).map(([name, attributes]) =>
    child(['--child'], {
      HIDDENSTATE_LIBCUDA: standIn,
      HIDDENSTATE_LIBCUBLAS: standIn,
      HIDDENSTATE_STAND_IN_NAME: name,
      HIDDENSTATE_STAND_IN_ATTRIBUTES: attributes,
    }),
  )
  const processor = `processor (threads: ${values.threads})`
  const heads = ['', 'launches', 'GFLOP', 'GB', ...Object.keys(cards), processor, 'chosen']
  if (values.measure) heads.splice(-1, 0, 'measured')
  const rows = names.map((name, i) => {
    const [{ estimate }] = on.map((choices) => choices[i])
    const row = [
      name,
      estimate.launches + estimate.moves,
      text(estimate.flop / 1e9),
      text(estimate.bytes / 1e9),
      ...on.map((choices) => text(choices[i].estimate.card)),
      text(estimate.cpu),
    ]
    if (values.measure) row.push(text(child(['--child', name], {})))
    return [...row, on.map((choices) => choices[i].device).join(', ')]
  })
  const line = (cells) => `| ${cells.join(' | ')} |`
  console.log(
    [line(heads), line(heads.map((_, i) => (i > 0 ? '--:' : '---'))), ...rows.map(line)].join('\n'),
  )
  console.log('\nMilliseconds of a step: a model, not measured on a card.')
}

if (process.argv[2] === '--child') {
  const [, , , name] = process.argv
  console.log(JSON.stringify(name ? await measured(name) : await expected()))
} else {
  await main()
}
