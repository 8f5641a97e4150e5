#!/usr/bin/env node
/**
 * `npx hiddenstate bench`: this package beside other libraries, or beside another commit of itself,
 * on this machine.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { agreement } from './agreement.mjs'
import { beside, build, Driver, packageDir, peers, takesPart } from './competitors.mjs'
import { machine } from './machine.mjs'
import { peakMeter } from './peak.mjs'
import { picture } from './picture.mjs'
import { report } from './report.mjs'
import { buildRevision } from './revision.mjs'
import { startups } from './startup.mjs'
import { overall, ratio, summary } from './statistics.mjs'
import { cellNames, flops, modesOf, workload, workloadNames, writeTensors } from './workloads.mjs'

const STARTUP = 'startup'
const help = `Usage: npx hiddenstate bench [WORKLOAD…] [options]

Workloads: ${workloadNames.join(', ')}, ${STARTUP}; default: all.

  --threads 1,2      thread counts (default: 1, and 2 where there are two processors)
  --mode train,infer
  --cells CELL,…     of ${cellNames.join(', ')}; main (default): each workload's own; all
  --peers NAME,…     of ${peers.map(({ name }) => name).join(', ')}; none; default: all that are installed
  --peers-dir DIR    where peers from npm are looked for, before the current folder
  --python FILE      the Python that has PyTorch
  --against REV      beside another commit of this repository, built in a temporary folder (needs a checkout)
  --limit RATIO      with --against: exit status 1 when a step takes more than RATIO times as long as in REV
  --rounds 3         rounds in which the competitors take turns
  --seconds 1        of each competitor in each round
  --timeout 60       seconds until a competitor is given up
  --out FILE         the JSON (default: bench-DATE.json); the picture lies beside it, as .svg
  --force            measure on a busy machine, too
  --help
`
const options = {
  threads: { type: 'string', default: os.availableParallelism() > 1 ? '1,2' : '1' },
  mode: { type: 'string', default: 'train,infer' },
  cells: { type: 'string', default: 'main' },
  peers: { type: 'string', default: peers.map(({ name }) => name).join(',') },
  'peers-dir': { type: 'string' },
  python: { type: 'string' },
  against: { type: 'string' },
  limit: { type: 'string' },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '1' },
  timeout: { type: 'string', default: '60' },
  out: { type: 'string' },
  force: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

/** In a checkout what git ignores, else the current folder. */
const defaultFolder = () => (process.cwd() === packageDir ? path.join('bench', 'out') : '.')

/** What a caller got wrong. */
class UsageError extends Error {}

function list(option, text, known) {
  const names = text.split(',').filter(Boolean)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return names
  throw new UsageError(`${option} must be of ${known.join(', ')}, got ${unknown}`)
}

function positive(option, text) {
  if (Number(text) > 0) return Number(text)
  throw new UsageError(`--${option} must be a number above 0, got ${text}`)
}

/** The arguments, checked; null: help was asked for. */
function parse(argv) {
  let parsed
  try {
    parsed = parseArgs({ args: argv, options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error.message)
  }
  const { values, positionals } = parsed
  if (values.help) return null
  const wanted = list('a workload', positionals.join(','), [...workloadNames, STARTUP])
  const workloads = wanted.length > 0 ? wanted : [...workloadNames, STARTUP]
  const cells =
    values.cells === 'all' ? cellNames : list('--cells', values.cells, ['main', ...cellNames])
  const known = peers.map(({ name }) => name)
  if (values.limit && !values.against) throw new UsageError('--limit needs --against REV')
  return {
    ...values,
    workloads,
    cells,
    modes: list('--mode', values.mode, ['train', 'infer']),
    threads: values.threads.split(',').map((n) => positive('threads', n)),
    peers: values.peers === 'none' ? [] : list('--peers', values.peers, known),
    rounds: positive('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    timeoutMs: 1000 * positive('timeout', values.timeout),
    limit: values.limit ? positive('limit', values.limit) : null,
    peersDirs: [
      ...(values['peers-dir'] ? [path.resolve(values['peers-dir'])] : []),
      process.cwd(),
      packageDir,
    ],
    out: path.resolve(
      values.out ??
        path.join(
          defaultFolder(),
          `bench-${new Date().toISOString().slice(0, 16).replace(/:/g, '')}.json`,
        ),
    ),
  }
}

/** Processors that somebody uses now. */
async function busyProcessors() {
  const read = () =>
    os
      .cpus()
      .map(({ times }) => ({ idle: times.idle, all: Object.values(times).reduce((a, b) => a + b) }))
  const before = read()
  await sleep(500)
  return read().reduce((sum, { idle, all }, i) => {
    const passed = all - before[i].all
    return sum + (passed > 0 ? 1 - (idle - before[i].idle) / passed : 0)
  }, 0)
}

/**
 * The competitors that are there, with their way to be started; a sentence for each that is not.
 */
function find(names, search, notes) {
  return peers
    .filter(({ name }) => names.includes(name))
    .flatMap((peer) => {
      const found = peer.find(search)
      if (!found.missing) return [{ ...peer, ...found }]
      notes.add(`Not installed: ${peer.name}. To get it: ${found.missing}.`)
      return []
    })
}

/**
 * One line of the table for every competitor: all on the same batch and weights, by turns. The
 * first one is ours.
 */
async function measure(w, mode, threads, competitors, folder, settings, notes) {
  const { rounds, seconds, timeoutMs } = settings
  const job = { mode, data: writeTensors(folder, w) }
  for (const key of ['cell', 'loss', 'B', 'T', 'D', 'H', 'L', 'V', 'K', 'G', 'stateful'])
    job[key] = w[key]
  const line = `prepare ${Object.entries(job)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')}`
  const racers = []
  const drivers = []
  try {
    const taking = beside(competitors, w).filter((one) => takesPart(one, mode, threads))
    for (const competitor of taking) {
      const driver = await Driver.start(competitor, threads, folder, timeoutMs)
      drivers.push(driver)
      const shown = driver.failure
        ? { error: driver.failure }
        : await driver.request(line, timeoutMs)
      const warm =
        shown.error || shown.unsupported ? {} : await driver.request('run 0.2', timeoutMs)
      const problem = shown.error ?? warm.error
      if (problem && racers.length === 0) throw new Error(`bench: ${w.name} ${mode}: ${problem}`)
      if (shown.unsupported) notes.add(`${competitor.name}, ${w.cell}: ${shown.unsupported}.`)
      else if (problem)
        notes.add(
          `${competitor.name}, ${w.name} ${w.cell}, ${mode}, ${threads} thread(s): ${problem}.`,
        )
      else racers.push({ competitor, driver, shown, rounds: [], rssMiB: 0 })
    }
    for (let round = 0; round < rounds; round++)
      for (const i of racers.keys()) {
        const racer = racers[(i + round) % racers.length] // nobody always follows the same one
        const { times, rssMiB, error } = await racer.driver.request(
          `run ${seconds}`,
          timeoutMs + 1000 * seconds,
        )
        if (error) throw new Error(`bench: ${racer.competitor.name}, ${w.name} ${mode}: ${error}`)
        racer.rounds.push(summary(times))
        racer.rssMiB = rssMiB
      }
  } finally {
    for (const driver of drivers) driver.close()
  }
  const [ours] = racers
  return racers.map(({ competitor, driver, shown, rounds: measured, rssMiB }, i) => ({
    ...{ workload: w.name, note: w.note, cell: w.cell, mode, threads },
    ...{ competitor: competitor.name, version: driver.version },
    ...(competitor.written ? { written: true } : {}),
    ...overall(measured),
    ...(i > 0
      ? { timesOurs: ratio(measured, ours.rounds), agreement: agreement(ours.shown, shown) }
      : {}),
    rssMiB,
    rounds: measured,
  }))
}

/** A workload with each of these cells, once each. */
function workloadsOf(name, cells) {
  const own = workload(name)
  return [...new Set(cells.map((cell) => (cell === 'main' ? own.cell : cell)))].map((cell) =>
    workload(name, cell),
  )
}

/** Every workload, cell, mode and thread count that was asked for. */
async function measureAll(settings, competitors, notes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-bench-'))
  const rows = []
  try {
    for (const name of settings.workloads.filter((one) => one !== STARTUP))
      for (const w of workloadsOf(name, settings.cells)) {
        for (const mode of modesOf(w).filter((one) => settings.modes.includes(one)))
          for (const threads of settings.threads) {
            rows.push(...(await measure(w, mode, threads, competitors, folder, settings, notes)))
            process.stderr.write('.')
          }
        fs.rmSync(path.join(folder, `${w.name}-${w.cell}`), { recursive: true, force: true })
      }
    process.stderr.write('\n')
    return rows
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Sentences about written cells beside what they may take. */
function barsOf(rows) {
  return rows
    .filter(({ written }) => written)
    .map(({ workload: name, threads, competitor, timesOurs }) => {
      const { bar } = workload(name)
      return `${name}, ${threads} thread(s): ${competitor}: ${timesOurs.toFixed(2)} times the built-in cell (bar ${bar}${timesOurs > bar ? ': MISSED' : ''}).`
    })
}

/** Sentences about what takes longer than in `rev`. */
function regressions(rows, rev, limit) {
  return rows
    .filter(({ competitor, timesOurs }) => competitor === rev && 1 / timesOurs > limit)
    .map(
      ({ workload: name, cell, mode, threads, timesOurs }) =>
        `${name} ${cell}, ${mode}, ${threads} thread(s): must take at most ${limit} times as long as in ${rev}, got ${(1 / timesOurs).toFixed(3)}`,
    )
}

async function run(settings) {
  const busy = await busyProcessors()
  if (busy > 0.25) {
    const sentence = `bench: the machine is busy (${busy.toFixed(1)} processors in use): timings would mean little.`
    console.error(`${sentence}${settings.force ? '' : ' Wait, or --force.'}`)
    if (!settings.force) return 1
  }
  const notes = new Set()
  const builds = [{ name: 'hiddenstate', dir: packageDir }]
  const other = settings.against ? buildRevision(settings.against) : null
  if (other) builds.push({ name: other.name, dir: other.dir })
  try {
    const competitors = [
      ...builds.map(({ name, dir }) => build(name, dir)),
      ...builds.map(({ name, dir }) => build(`${name}, written`, dir, true)),
      ...find(settings.peers, settings, notes),
    ]
    const meter = await peakMeter()
    const before = meter?.(settings.threads)
    const rows = await measureAll(settings, competitors, notes)
    const after = meter?.(settings.threads)
    // Before and after: a neighbour must not make the yardstick short.
    const peak =
      before &&
      Object.fromEntries(Object.entries(before).map(([t, g]) => [t, Math.max(g, after[t])]))
    if (!peak)
      notes.add('Share of the peak: needs a checkout of the repository, with cmake and a compiler.')
    for (const row of rows) {
      row.gflops = flops(workload(row.workload, row.cell), row.mode) / row.least / 1e6
      if (peak) row.peakShare = row.gflops / peak[row.threads]
    }
    const startup = settings.workloads.includes(STARTUP)
      ? startups(['W1', 'W2', 'W3', 'W4'], builds, Math.max(5, settings.rounds))
      : []
    for (const sentence of barsOf(rows)) notes.add(sentence)
    const result = { machine: machine(), peak: peak ?? null, rows, startup, notes: [...notes] }
    console.log(report(result).join('\n'))
    await write(result, settings)
    const worse = settings.limit ? regressions(rows, other.name, settings.limit) : []
    for (const sentence of worse) console.error(`bench: ${sentence}`)
    return worse.length === 0 ? 0 : 1
  } finally {
    other?.remove()
  }
}

async function write(result, { out, peersDirs }) {
  fs.mkdirSync(path.dirname(out), { recursive: true })
  fs.writeFileSync(out, `${JSON.stringify(result, null, 1)}\n`)
  console.log(`\n${path.relative(process.cwd(), out)}`)
  if (result.rows.length === 0) return
  const svg = await picture(result.rows, [packageDir, ...peersDirs])
  const file = `${out.replace(/\.json$/, '')}.svg`
  if (svg) fs.writeFileSync(file, svg)
  console.log(
    svg
      ? path.relative(process.cwd(), file)
      : 'No picture: needs `npm install @observablehq/plot linkedom`.',
  )
}

/**
 * The subcommand.
 *
 * @param argv what follows `bench`
 * @returns exit status: 1 on a wrong argument, a busy machine, or a regression beyond --limit
 */
export async function bench(argv) {
  try {
    const settings = parse(argv)
    if (settings) return await run(settings)
    console.log(help)
    return 0
  } catch (error) {
    console.error(
      error instanceof UsageError ? `bench: ${error.message}. See --help.` : error.message,
    )
    return 1
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exit(await bench(process.argv.slice(2)))
