/**
 * TPE of `hiddenstate/tune` on three test functions, held against Optuna's and against chance:
 * the best value after 25, 50 and 100 trials, over 40 seeds. Writes a section of docs/quality.md.
 *
 *   node bench/quality/tpe.mjs [--seeds 40] [--dry]
 *
 * Needs `npm run build:all`. Optuna's values are in tpe-optuna.json, with how they were made.
 */
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import { choice, int, logUniform, tune, uniform } from 'hiddenstate/tune'
import { withSection } from './section.mjs'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '40' }, dry: { type: 'boolean', default: false } },
})
const SEEDS = Number(values.seeds)
const AFTER = [25, 50, 100]
const PAGE = new URL('../../docs/quality.md', import.meta.url)
const optuna = JSON.parse(fs.readFileSync(new URL('tpe-optuna.json', import.meta.url), 'utf8'))

/** Branin 1972; least value 0.397887. */
const branin = ({ x, y }) =>
  (y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6) ** 2 +
  10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) +
  10

/** Hartmann 1973, in six dimensions; least value -3.32237. */
const A = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
]
const P = [
  [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
  [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
  [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665],
  [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]
const C = [1, 1.2, 3, 3.2]
const hartmann6 = (params) =>
  -C.reduce((sum, c, i) => {
    const distance = A[i].reduce((d, a, j) => d + a * (params[`x${j}`] - P[i][j]) ** 2, 0)
    return sum + c * Math.exp(-distance)
  }, 0)

/**
 * A choice between three functions (six-hump camel, Beale, Rosenbrock), beside which a learning
 * rate and a number of units have a best value each; least value -1.031628.
 */
const PLANES = {
  camel: (x, y) => (4 - 2.1 * x * x + x ** 4 / 3) * x * x + x * y + (-4 + 4 * y * y) * y * y,
  beale: (x, y) =>
    (1.5 - x + x * y) ** 2 + (2.25 - x + x * y * y) ** 2 + (2.625 - x + x * y ** 3) ** 2,
  rosenbrock: (x, y) => 100 * (y - x * x) ** 2 + (1 - x) ** 2,
}
const mixed = ({ f, x, y, lr, units }) =>
  PLANES[f](x, y) + Math.log10(lr / 0.01) ** 2 + (Math.log2(units) - 5) ** 2 / 4

const TASKS = {
  branin: { objective: branin, space: { x: uniform(-5, 10), y: uniform(0, 15) } },
  hartmann6: {
    objective: hartmann6,
    space: Object.fromEntries(A[0].map((_, j) => [`x${j}`, uniform(0, 1)])),
  },
  mixed: {
    objective: mixed,
    space: {
      f: choice(['camel', 'beale', 'rosenbrock']),
      ...{ x: uniform(-2, 2), y: uniform(-2, 2) },
      ...{ lr: logUniform(1e-5, 1), units: int(4, 512, { log: true }) },
    },
  },
}

/** The best value after each of AFTER, [seeds][3]. */
async function bests(task, sampler) {
  const rows = []
  for (let seed = 0; seed < SEEDS; seed++) {
    const { trials } = await tune({ ...task, sampler, trials: 100, seed, verbose: 0 })
    rows.push(AFTER.map((n) => Math.min(...trials.slice(0, n).map(({ value }) => value))))
  }
  return rows
}

const quantile = (list, share) => {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[Math.round(share * (sorted.length - 1))]
}

/**
 * How likely a value of `a` is to be less than one of `b` (0.5: neither is), and how many standard
 * deviations that is from 0.5 if both are alike (Mann and Whitney 1947).
 */
function less(a, b) {
  let wins = 0
  for (const x of a) for (const y of b) wins += x < y ? 1 : x === y ? 0.5 : 0
  const share = wins / (a.length * b.length)
  const sd = Math.sqrt((a.length + b.length + 1) / (12 * a.length * b.length))
  return { share, z: (share - 0.5) / sd }
}

const lines = []
let isWorse = false
for (const [name, task] of Object.entries(TASKS)) {
  const [tpe, random] = [await bests(task, 'tpe'), await bests(task, 'random')]
  AFTER.forEach((n, k) => {
    const column = (rows) => rows.map((row) => row[k])
    const [ours, theirs, chance] = [tpe, optuna.values[name].tpe, random].map(column)
    const text = (list) =>
      `${quantile(list, 0.5).toPrecision(4)} (${quantile(list, 0.25).toPrecision(4)}, ${quantile(list, 0.75).toPrecision(4)})`
    const [beside, above] = [less(ours, theirs), less(ours, chance)]
    if (beside.z < -2) isWorse = true
    const cells = [name, n, text(ours), text(theirs), text(chance)]
    const shares = [beside, above].map(
      ({ share, z }) => `${share.toFixed(2)} (${z > 0 ? '+' : '−'}${Math.abs(z).toFixed(1)} sd)`,
    )
    lines.push(`| ${[...cells, ...shares].join(' | ')} |`)
    console.log(lines.at(-1))
  })
}
const body = `Of \`hiddenstate/tune\` and of Optuna ${optuna.optuna} (\`TPESampler(multivariate=False)\`), both with 10 trials at random first and 24 candidates: the best value
so far, median (quartiles) over ${SEEDS} seeds. The last columns: how likely ours is to be the lower one of two draws, and how many standard deviations that
is from even (Mann and Whitney); below −2 the script fails. \`mixed\`: a choice of three functions (six-hump camel, Beale, Rosenbrock) with
a logarithmic rate and a logarithmic integer.

| function | trials | TPE | Optuna's TPE | at random | below Optuna's | below chance |
|---|--:|--:|--:|--:|--:|--:|
${lines.join('\n')}

Made by \`node bench/quality/tpe.mjs\`.
`
if (!values.dry)
  fs.writeFileSync(PAGE, withSection(fs.readFileSync(PAGE, 'utf8'), 'Search for parameters', body))
if (isWorse) {
  console.error("tpe: values must not be worse than Optuna's by more than 2 standard deviations.")
  process.exit(1)
}
