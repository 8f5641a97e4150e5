/**
 * How long a fresh process takes until a model learns: import, layers, compile, and the first batch
 * beyond a later one.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './statistics.mjs'

const trial = path.join(path.dirname(fileURLToPath(import.meta.url)), 'startup-trial.mjs')
const parts = ['import', 'build', 'compile', 'first', 'step']

/**
 * Rows `{ workload, competitor, least: { import, … }, median:
 * { … } }` of builds `{ name, dir }`, by turns.
 */
export function startups(workloads, builds, rounds) {
  const rows = []
  for (const workload of workloads) {
    const trials = builds.map(() => [])
    for (let round = 0; round < rounds; round++)
      for (const [i, { dir }] of builds.entries()) {
        const { status, stdout, stderr } = spawnSync(process.execPath, [trial, workload, dir], {
          encoding: 'utf8',
        })
        if (status !== 0) throw new Error(`bench: start-up of ${workload}: ${stderr}`)
        trials[i].push(JSON.parse(stdout))
      }
    for (const [i, { name }] of builds.entries()) {
      const of = (statistic) =>
        Object.fromEntries(parts.map((part) => [part, statistic(trials[i].map((t) => t[part]))]))
      rows.push({
        workload,
        competitor: name,
        least: of((times) => Math.min(...times)),
        median: of(median),
      })
    }
  }
  return rows
}
