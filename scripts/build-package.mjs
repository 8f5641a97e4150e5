/** What `npx hiddenstate build` runs: builds the addon from the sources in this package, where no prebuilt binary fits. Needs no network. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { compilerOptions, notWritable, requireTools } from './toolchain.mjs'

requireTools()
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const refused = notWritable(root)
if (refused !== null) {
  console.error(refused)
  process.exit(1)
}
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
const args = [
  'compile',
  '--target',
  'hiddenstate',
  '--directory',
  root,
  '--parallel',
  String(os.availableParallelism()),
  ...compilerOptions(),
]
const { status, error } = spawnSync(process.execPath, [cmakeJs, ...args, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
})
if (error) console.error(`hiddenstate: ${error.message}`)
if (status === 0) console.log(`hiddenstate: built ${path.join(root, 'build', 'Release', 'hiddenstate.node')}`)
process.exit(status ?? 1)
