/** Jobs of several ranks: `mpirun` of either family, as far as it is installed. */
import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import * as launchers from '../../scripts/launchers.mjs'
import { requireBuild, ROOT } from '../child.js'

export interface Launcher {
  name: string
  command: string
  args: readonly string[]
}
export const LAUNCHERS: readonly Launcher[] = launchers.LAUNCHERS
export const isInstalled: (launcher: Launcher) => boolean = launchers.isInstalled

/** Of a suite: why it is skipped, for its name. */
export const where = (launcher: Launcher): string =>
  isInstalled(launcher)
    ? launcher.name
    : `${launcher.name} (skipped: there is no ${launcher.command}; Debian has it in openmpi-bin and mpich)`

export interface Job {
  code: number | null
  stdout: string
  stderr: string
  /** The JSON values that ranks have printed, each with its `rank`, in the order of ranks. */
  said: Record<string, unknown>[]
  ms: number
}

/** Runs a script of test/behaviour/children/ by so many ranks. */
export function runRanks(
  launcher: Launcher,
  ranks: number,
  script: string,
  args: readonly string[] = [],
  options: {
    env?: Record<string, string>
    timeout?: number
    onText?: (text: string, job: ChildProcess) => void
  } = {},
): Promise<Job> {
  requireBuild()
  const { env = {}, timeout = 100_000, onText } = options
  const file = path.join(ROOT, 'test/behaviour/children', script)
  const started = Date.now()
  const own = [...launcher.args, '-n', String(ranks), process.execPath, file, ...args]
  const job = spawn(launcher.command, own, {
    cwd: ROOT,
    env: { ...process.env, NODE_OPTIONS: '', HIDDENSTATE_THREADS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  job.stdout.on('data', (text) => {
    stdout += text
    onText?.(stdout, job)
  })
  job.stderr.on('data', (text) => (stderr += text))
  const timer = setTimeout(() => {
    stderr += `\n[killed: no end within ${timeout} ms]`
    job.kill('SIGKILL')
  }, timeout)
  return new Promise((resolve, reject) => {
    job.on('error', reject)
    job.on('close', (code) => {
      clearTimeout(timer)
      const said = stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { rank: number })
        .sort((a, b) => a.rank - b.rank)
      resolve({ code, stdout, stderr, said, ms: Date.now() - started })
    })
  })
}
