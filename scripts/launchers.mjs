/** What starts ranks: Open MPI's launcher and MPICH's, by the names that Debian gives them. */
import { spawnSync } from 'node:child_process'

export const LAUNCHERS = [
  { name: 'Open MPI', command: 'mpirun.openmpi', args: ['--allow-run-as-root', '--oversubscribe'] },
  { name: 'MPICH', command: 'mpirun.mpich', args: [] },
]

export const isInstalled = ({ command }) =>
  spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

/** The launchers that are there. @throws Error where none is, with what brings one */
export function installedLaunchers() {
  const found = LAUNCHERS.filter(isInstalled)
  if (found.length > 0) return found
  const names = LAUNCHERS.map(({ command }) => command).join(' nor ')
  throw new Error(`there is neither ${names}: \`apt-get install openmpi-bin mpich\` brings them.`)
}
