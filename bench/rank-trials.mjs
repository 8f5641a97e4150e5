/** Trials of bench/rank-steps.mjs: processes that train a workload, each rank on its processor. */
import { spawnSync } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'rank-steps.mjs')

/** A command whose process stays on the processor of its rank; where they are fewer, they share. */
export const pinned = (command) => [
  ...['sh', '-c'],
  `exec taskset -c $((\${OMPI_COMM_WORLD_RANK:-\${PMI_RANK:-0}} % ${os.availableParallelism()})) "$@"`,
  ...['sh', ...command],
]

/** The command of a rank, for {@link trial}. */
export const rankCommand = (name, batch, seconds, ...how) =>
  pinned([process.execPath, script, name, String(batch), String(seconds), ...how])

/**
 * Runs one to its end.
 *
 * @returns `{ steps }`: milliseconds
 */
export function trial([command, ...args], env = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, HIDDENSTATE_THREADS: '1', ...env },
    timeout: 600_000,
  })
  if (status !== 0)
    throw new Error(
      `\`${command} ${args.join(' ')}\` ended with ${error ?? signal ?? status}: ${stderr}`,
    )
  return JSON.parse(stdout.split('\n').find((line) => line.startsWith('{')))
}
