/**
 * This package, or another build of it, through its public API:
 * `node hiddenstate.mjs THREADS PACKAGE_DIR [written]`, `written`: with cells of `defineCell`.
 */
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { modelOf } from './hiddenstate-model.mjs'
import { serve } from './serve.mjs'
import { gatesOf, writtenCells } from './written-cells.mjs'

const [threads, dir, written] = process.argv.slice(2)
const { exports: parts } = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'))
const load = (part) => import(pathToFileURL(path.join(dir, parts[part].import.default)).href)
const hs = await load('.')
const cells = written ? writtenCells(hs, await load('./backend')) : null
hs.setThreads(Number(threads))

await serve(hs.info().version, (job, { floats, words }) => {
  const { cell, mode, B, T, D, L, V, K, stateful } = job
  const { model, compile } = modelOf(hs, job, { init: 'zero', innerInit: 'zero' }, cells)
  const names = [
    ...(V > 0 ? ['embedding'] : []),
    ...Array.from({ length: L }, (_, l) => [
      `W${l}`,
      `U${l}`,
      `b${l}`,
      ...(cell === 'lbr_gru' ? [`c${l}`] : []),
    ]).flat(),
    ...(K > 0 ? ['dense_W', 'dense_b'] : []),
  ]
  const shapes = model.getWeights().map(({ shape }) => shape)
  const arrays = names.flatMap((name) =>
    cells ? gatesOf(job, name, floats(name)) : [floats(name)],
  )
  model.setWeights(arrays.map((data, i) => ({ data, shape: shapes[i] })))
  const x = V > 0 ? { data: words('x'), shape: [B, T] } : { data: floats('x'), shape: [B, T, D] }
  if (mode === 'train') {
    compile()
    const y = { data: floats('y'), shape: [B, K] }
    return { step: () => model.trainOnBatch(x, y) }
  }
  let last
  const keep = (outputs) => {
    last = outputs
  }
  const step = stateful
    ? () => keep(model.predictOnBatchSync(x))
    : () => model.predictOnBatch(x).then(keep)
  return { step, outputs: () => last.data }
})
