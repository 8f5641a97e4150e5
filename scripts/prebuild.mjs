/**
 * `npm run prebuild`: dist/ and prebuilds/<platform>-<arch>/ for this machine, ready for `npm
 * pack`. The binary is built in build-prebuild/, with libgomp beside it, and leaves the development
 * build alone. `npm run prebuild -- --old-debian`: linux-x64 and linux-arm64 as they are released,
 * with the tools of an older Debian. `--arch x64`: for another architecture that this machine's
 * tools can make (macOS, Windows). `--max-glibc 2.28`: fail when the binary needs a newer one.
 */
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { buildTs } from './build.mjs'
import { checkPrebuilds } from './check-prebuilds.mjs'
import { root, runBin } from './process.mjs'
import { requireTools } from './toolchain.mjs'

const { values } = parseArgs({
  options: {
    'old-debian': { type: 'boolean', default: false },
    arch: { type: 'string', default: process.arch },
    'max-glibc': { type: 'string' },
  },
})
const oldDebian = values['old-debian']
const maxGlibc = values['max-glibc'] ?? (oldDebian ? '2.28' : undefined)
const targets = oldDebian ? ['linux-x64', 'linux-arm64'] : [`${process.platform}-${values.arch}`]

if (!oldDebian) requireTools()
if (buildTs() !== 0) process.exit(1)
fs.rmSync(path.join(root, 'prebuilds'), { recursive: true, force: true })
for (const target of targets) {
  const arch = target.split('-')[1]
  const cwd = path.join(root, 'build-prebuild', oldDebian ? `old-${arch}` : '')
  fs.mkdirSync(cwd, { recursive: true })
  const status = runBin(
    'prebuildify',
    [
      ...[
        '--napi',
        '--tag-libc',
        '--tag-armv',
        '--name',
        'hiddenstate',
        '--arch',
        arch,
        ...(oldDebian ? [] : ['--strip']),
      ],
      ...['--cwd', cwd, '--out', root, '--node-gyp', path.join(root, 'scripts', 'cmake-gyp.cjs')],
    ],
    { env: { ...process.env, ...(oldDebian ? { HS_PREBUILD_IN: 'old-debian' } : {}) } },
  )
  if (status !== 0) process.exit(status)
}
process.exit(checkPrebuilds({ targets, ...(maxGlibc ? { maxGlibc } : {}) }) ? 0 : 1)
