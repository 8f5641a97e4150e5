#!/usr/bin/env node
/** `npx hiddenstate build`: builds the addon from the sources in this package, where no prebuilt binary fits. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { requireTools } from './toolchain.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const [command] = process.argv.slice(2)
if (command !== 'build') {
  console.error('hiddenstate: command must be build, got ' + (command ?? 'none') + '. Usage: npx hiddenstate build')
  process.exit(1)
}
requireTools()

/** cmake-js and node-addon-api are build tools, not dependencies: looked for beside the package and in the caller's project. */
function resolveFrom(request) {
  for (const start of [root, process.cwd()])
    try {
      return createRequire(path.join(start, 'package.json')).resolve(request)
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error
    }
  return null
}
const cmakeJs = resolveFrom('cmake-js/bin/cmake-js')
if (cmakeJs === null || resolveFrom('node-addon-api/package.json') === null) {
  console.error(
    'hiddenstate: building from source needs cmake-js and node-addon-api: run ' +
      '`npm install --save-dev cmake-js@8.0.0 node-addon-api@8`, then `npx hiddenstate build` again.',
  )
  process.exit(1)
}
const { status } = spawnSync(process.execPath, [cmakeJs, 'compile', '--directory', root], {
  cwd: root,
  stdio: 'inherit',
})
process.exit(status ?? 1)
