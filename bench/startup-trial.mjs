/**
 * One start, in a process of its own: `node startup-trial.mjs W1 PACKAGE_DIR`. Prints ms: `import`
 * of the built package, `build` (layers with their initial weights), `compile` and the `first`
 * batch beyond what a later batch takes (`step`).
 */
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { modelOf } from './peers/hiddenstate-model.mjs'
import { batchOf, workload } from './workloads.mjs'

const [name, dir] = process.argv.slice(2)
const w = workload(name)
const { x, y } = batchOf(w)
const entry = pathToFileURL(
  path.join(dir, JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).module),
)

const times = [performance.now()]
const hs = await import(entry.href)
times.push(performance.now())
const { model, compile } = modelOf(hs, w)
times.push(performance.now())
compile()
times.push(performance.now())
await model.trainOnBatch(x, y)
times.push(performance.now())
const steps = []
for (let i = 0; i < 3; i++) {
  const from = performance.now()
  await model.trainOnBatch(x, y)
  steps.push(performance.now() - from)
}
const step = Math.min(...steps)
const [imported, built, compiled, first] = times.slice(1).map((time, i) => time - times[i])
console.log(
  JSON.stringify({ import: imported, build: built, compile: compiled, first: first - step, step }),
)
process.exit(0)
