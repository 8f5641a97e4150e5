/**
 * Another commit of this repository, checked out and built in a temporary folder: `--against REV`.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { packageDir } from './competitors.mjs'

function must(what, command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: packageDir,
    encoding: 'utf8',
    ...options,
  })
  if (status === 0) return stdout
  throw new Error(
    `bench: ${what} failed: ${`${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-5).join('\n')}`,
  )
}

/**
 * `{ name, dir, remove() }` of the build.
 * It uses the node_modules that are here, for nothing is downloaded.
 */
export function buildRevision(rev) {
  const name = must(`looking up ${rev}`, 'git', ['rev-parse', '--short', `${rev}^{commit}`]).trim()
  const dir = path.join(
    fs.mkdtempSync(path.join(os.tmpdir(), 'hiddenstate-against-')),
    'hiddenstate',
  )
  const remove = () => {
    spawnSync('git', ['worktree', 'remove', '--force', dir], { cwd: packageDir })
    fs.rmSync(path.dirname(dir), { recursive: true, force: true })
  }
  try {
    must(`checking out ${rev}`, 'git', ['worktree', 'add', '--detach', dir, name])
    fs.symlinkSync(
      path.join(packageDir, 'node_modules'),
      path.join(dir, 'node_modules'),
      'junction',
    )
    console.error(`bench: building ${name} in ${dir} …`)
    must(`building ${rev}`, process.execPath, ['scripts/build.mjs'], { cwd: dir })
  } catch (error) {
    remove()
    throw error
  }
  return { name, dir, remove }
}
