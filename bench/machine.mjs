/** What a figure must say about where it comes from. */
import { spawnSync } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { info } from 'hiddenstate'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const git = (...args) =>
  spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''

/** Processor, load, versions, commit. */
export function machine() {
  const { version, isa, threading } = info()
  return {
    date: new Date().toISOString(),
    processor: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch} ${os.release()}`,
    node: process.version,
    hiddenstate: version,
    isa,
    threading,
    commit:
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain', '--untracked-files=no') ? ' + changes' : ''),
    loadAverage: os.loadavg().map((load) => Number(load.toFixed(2))),
  }
}
