/**
 * `npm run bench:scaling [-- --rounds 15 --limit 2.2 --size 1]`: how the time to read a text or a
 * file grows with it. Each kind is read in four sizes, each twice the one before, by turns; what
 * counts is the least processor time of the process, its worker threads included. Prints a table:
 * milliseconds, each time divided by that of half the size, and the mean of these ratios, which is
 * 2 for work in proportion to the size and 4 for its square. With --limit, exit status 1 where a
 * mean is above it.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Dense, loadModel, modelFromJson, modelFromYaml, Sequential } from 'hiddenstate'
import { formatNpy, parseNpy, readNpz, writeNpz } from 'hiddenstate/utils'
import { machine } from './machine.mjs'
import { geometricMean } from './statistics.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    limit: { type: 'string' },
    size: { type: 'string', default: '1' },
  },
})
const [rounds, size] = [Number(values.rounds), Number(values.size)]
const DOUBLINGS = [1, 2, 4, 8]
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-scaling-'))
const limits = { textLength: Infinity, values: Infinity, layers: Infinity }

/** A model of `n` small layers. */
const chain = (n) =>
  new Sequential(
    Array.from(
      { length: n },
      (_, i) => new Dense(1, { name: `d${i}`, ...(i === 0 ? { inputDim: 1 } : {}) }),
    ),
  )
const numbers = (n) => Float32Array.from({ length: n }, (_, i) => Math.sin(i))
const file = (name) => path.join(folder, name)

/** Each kind: what doubles, and how it is made for a size; that gives what is measured. */
const KINDS = {
  'JSON, layers': (n) => {
    const text = chain(100 * n).toJson()
    return () => modelFromJson(text, { limits })
  },
  'YAML, layers': (n) => {
    const text = chain(50 * n).toYaml()
    return () => modelFromYaml(text, { limits })
  },
  'YAML, keys': (n) => {
    const text = Array.from({ length: 2000 * n }, (_, i) => `k${i}: 1\n`).join('')
    return () => refused(() => modelFromYaml(text, { limits }))
  },
  'YAML, faults in quotes': (n) => {
    const text = `a: "${'\\q'.repeat(10_000 * n)}"`
    return () => refused(() => modelFromYaml(text, { limits }))
  },
  'npy, numbers': (n) => {
    const bytes = formatNpy({ data: numbers(500_000 * n), shape: [500 * n, 1000] })
    return () => parseNpy(bytes)
  },
  'npz, numbers': async (n) => {
    await writeNpz(file(`numbers-${n}.npz`), {
      x: { data: numbers(200_000 * n), shape: [200 * n, 1000] },
    })
    return () => readNpz(file(`numbers-${n}.npz`))
  },
  'npz, arrays': async (n) => {
    const arrays = Array.from({ length: 200 * n }, (_, i) => [
      `a${i}`,
      { data: numbers(4), shape: [4] },
    ])
    await writeNpz(file(`arrays-${n}.npz`), Object.fromEntries(arrays))
    return () => readNpz(file(`arrays-${n}.npz`))
  },
  '.h5, numbers': async (n) => {
    await new Sequential([new Dense(1000, { inputDim: 1000 * n })]).save(file(`numbers-${n}.h5`))
    return async () => (await loadModel(file(`numbers-${n}.h5`))).dispose()
  },
  '.h5, layers': async (n) => {
    await chain(50 * n).save(file(`layers-${n}.h5`))
    return async () => (await loadModel(file(`layers-${n}.h5`), { limits })).dispose()
  },
}

/** Runs what ends with an error once all of the text is read. */
function refused(read) {
  try {
    read()
  } catch (error) {
    if (error.code !== 'ERR_FILE_FORMAT') throw error
    return
  }
  throw new Error('the text must be refused')
}

const processorMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

console.log(JSON.stringify(machine()))
console.log('| least ms of processor time, by size | 1 | 2 | 4 | 8 | ratios | mean |')
console.log('|---|--:|--:|--:|--:|---|--:|')
const problems = []
for (const [name, make] of Object.entries(KINDS)) {
  const reads = []
  for (const n of DOUBLINGS) reads.push(await make(Math.max(1, Math.round(size * n))))
  const least = reads.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round <= rounds; round++) {
    for (const [i, read] of reads.entries()) {
      globalThis.gc?.()
      const before = processorMs()
      await read()
      if (round > 0) least[i] = Math.min(least[i], processorMs() - before) // the first one warms up
    }
  }
  const ratios = least.slice(1).map((ms, i) => ms / least[i])
  const mean = geometricMean(ratios)
  const cells = [
    ...least.map((ms) => ms.toFixed(1)),
    ratios.map((r) => r.toFixed(2)).join(', '),
    mean.toFixed(2),
  ]
  console.log(`| ${[name, ...cells].join(' | ')} |`)
  if (values.limit && mean > Number(values.limit))
    problems.push(
      `${name}: twice the size took ${mean.toFixed(2)} times as long, more than ${values.limit}`,
    )
}
fs.rmSync(folder, { recursive: true })
for (const problem of problems) console.error(`scaling: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)
