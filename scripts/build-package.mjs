/**
 * What `npx hiddenstate build` runs: builds the addon from the sources in this package, where no
 * prebuilt binary fits. Downloads nothing.
 */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { compilerOptions, missingCmakeJs, missingTools, notWritable } from './toolchain.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const { resolve } = createRequire(import.meta.url)
// All that is missing at once: each would cost another round.
const missing = [missingTools(), missingCmakeJs(resolve), notWritable(root)].filter(
  (sentence) => sentence !== null,
)
for (const sentence of missing) console.error(sentence)
if (missing.length > 0) process.exit(1)
const cmakeJs = resolve('cmake-js/bin/cmake-js')
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
const { status, error } = spawnSync(
  process.execPath,
  [cmakeJs, ...args, ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
)
if (error) console.error(`hiddenstate: ${error.message}`)
if (status === 0)
  console.log(`hiddenstate: built ${path.join(root, 'build', 'Release', 'hiddenstate.node')}`)
process.exit(status ?? 1)
