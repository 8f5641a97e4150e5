/**
 * Random graphs of expressions, with scans: what they lower to, their values in native code, and
 * their gradients against central differences; a refusal must name expressions and shapes.
 *
 *   node scripts/fuzz-expressions.mjs [--graphs 10000] [--first 1] [--each 500]
 *
 * Parts of `each` graphs run in processes of their own, so that a crash costs one. The seed of a
 * failure is printed: `HS_GRAPHS=17-17 npx vitest run test/unit/functions.test.ts` repeats it. A
 * short form is in the suite. Needs `npm run build:all`.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { binOf, capture } from './process.mjs'

const { values } = parseArgs({
  options: {
    graphs: { type: 'string', default: '10000' },
    first: { type: 'string', default: '1' },
    each: { type: 'string', default: '500' },
  },
})
const [first, each] = [Number(values.first), Number(values.each)]
const end = first + Number(values.graphs)
const tests = ['test/unit/expressions-lowering.test.ts', 'test/unit/functions.test.ts']
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hs-fuzz-'))
const file = path.join(folder, 'seen.jsonl')

const run = (test, from, to) =>
  capture(process.execPath, [binOf('vitest'), 'run', test, '-t', 'random graphs'], {
    env: { ...process.env, HS_GRAPHS: `${from}-${to}`, HS_GRAPHS_REPORT: file, NO_COLOR: '1' },
  })

let failures = 0
for (let from = first; from < end; from += each) {
  const to = Math.min(end, from + each) - 1
  for (const test of tests) {
    const { status, output } = run(test, from, to)
    if (status === 0) continue
    failures++
    console.error(`FAILED ${test} ${from}-${to}:\n${output}`)
  }
  console.log(`${from}-${to}: ${failures} failures`)
}

const seen = {}
const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n') : []
for (const { what, ...counts } of lines.map((line) => JSON.parse(line))) {
  const of = (seen[what] ??= {})
  for (const [name, n] of Object.entries(counts))
    of[name] = name === 'error' ? Math.max(of[name] ?? 0, n) : (of[name] ?? 0) + n
}
fs.rmSync(folder, { recursive: true })
console.log(JSON.stringify({ graphs: end - first, failures, ...seen }))
process.exitCode = failures > 0 ? 1 : 0
