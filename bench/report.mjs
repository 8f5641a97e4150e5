/**
 * What is printed: the table, the means, and what stays to be said. Markdown, as docs and commit
 * messages want it.
 */
import { geometricMean } from './statistics.mjs'

const ms = (n) => (n < 0.1 ? `${(n * 1000).toPrecision(3)} µs` : n.toPrecision(4))
const align = (columns) => columns.map(({ right }) => (right ? '--:' : '---')).join('|')

function table(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(({ title }) => title)),
    `|${align(columns)}|`,
    ...rows.map((row) => line(columns.map(({ of }) => of(row)))),
  ]
}

const column = (title, of, right = false) => ({ title, of, right })

const rowColumns = [
  column('workload', ({ workload, note, cell }) => `${workload} ${note} (${cell})`),
  column('mode', ({ mode }) => mode),
  column('threads', ({ threads }) => threads, true),
  column('competitor', ({ competitor }) => competitor),
  column('ms least', ({ least }) => ms(least), true),
  column('median', ({ median }) => ms(median), true),
  column('quartiles', ({ q1, q3 }) => `${ms(q1)} – ${ms(q3)}`, true),
  column('p99', ({ p99 }) => ms(p99), true),
  column(
    'times ours',
    ({ timesOurs }) => (timesOurs === undefined ? '1' : timesOurs.toFixed(2)),
    true,
  ),
  column(
    'of peak',
    ({ peakShare }) => (peakShare ? `${(100 * peakShare).toFixed(0)} %` : '–'),
    true,
  ),
  column('MiB', ({ rssMiB }) => rssMiB.toFixed(0), true),
  column('result', ({ agreement }) =>
    agreement ? `${agreement.same ? '' : '**differs:** '}${agreement.text}` : '–',
  ),
]

const startupColumns = [
  column('workload', ({ workload }) => workload),
  column('build', ({ competitor }) => competitor),
  ...['import', 'build', 'compile', 'first'].map((part) =>
    column(
      {
        import: 'import',
        build: 'layers, initial weights',
        compile: 'compile',
        first: 'first batch beyond a later one',
      }[part],
      ({ least, median }) => `${least[part].toFixed(1)} / ${median[part].toFixed(1)}`,
      true,
    ),
  ),
]

/** Geometric means of `timesOurs`: one line for each competitor, mode and thread count. */
export function means(rows) {
  const groups = new Map()
  for (const { competitor, mode, threads, timesOurs, agreement } of rows) {
    if (timesOurs === undefined || !agreement?.same) continue
    const key = `${competitor}, ${mode}, ${threads} thread${threads === 1 ? '' : 's'}`
    groups.set(key, [...(groups.get(key) ?? []), timesOurs])
  }
  return [...groups].map(([group, ratios]) => ({
    group,
    rows: ratios.length,
    mean: geometricMean(ratios),
  }))
}

/** The whole report as lines. */
export function report({ machine, peak, rows, startup, notes }) {
  const { processor, cores, node, isa, threading, commit } = machine
  const head = [
    `${processor}, ${cores} cores, node ${node}, kernels ${isa}, threads by ${threading}${commit ? `, commit ${commit}` : ''}`,
    ...Object.entries(peak ?? {}).map(
      ([t, gflops]) => `fp32 FMA peak with ${t} thread(s): ${gflops} GFLOP/s`,
    ),
  ]
  const timed =
    rows.length === 0
      ? []
      : [
          '',
          ...table(rowColumns, rows),
          '',
          ...means(rows).map(
            ({ group, rows: n, mean }) =>
              `${group}: ${mean.toFixed(2)} times ours (geometric mean of ${n})`,
          ),
        ]
  const started =
    startup.length === 0
      ? []
      : [
          '',
          'Start-up in fresh processes, ms, least / median:',
          '',
          ...table(startupColumns, startup),
        ]
  return [...head, ...timed, ...started, ...(notes.length > 0 ? ['', ...notes] : [])]
}
