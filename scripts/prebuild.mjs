/**
 * `npm run prebuild`: dist/ and prebuilds/<platform>-<arch>/ for this machine, ready for `npm pack`. The binary is built in
 * build-prebuild/, with libgomp beside it, and leaves the development build alone.
 */
import fs from 'node:fs'
import path from 'node:path'
import { buildTs } from './build.mjs'
import { capture, root, runBin } from './process.mjs'
import { requireTools } from './toolchain.mjs'

requireTools()
if (buildTs() !== 0) process.exit(1)
const target = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`)
fs.rmSync(target, { recursive: true, force: true })
const cwd = path.join(root, 'build-prebuild')
fs.mkdirSync(cwd, { recursive: true })
const status = runBin('prebuildify', [
  ...['--napi', '--strip', '--tag-libc', '--tag-armv', '--name', 'hiddenstate'],
  ...['--cwd', cwd, '--out', root, '--node-gyp', path.join(root, 'scripts', 'cmake-gyp.cjs')],
])
if (status !== 0) process.exit(status)

const built = fs.readdirSync(target)
const addons = built.filter((file) => file.endsWith('.node'))
if (addons.length !== 1) {
  console.error(`prebuild: ${target} must hold one addon, got ${built.join(', ') || 'nothing'}`)
  process.exit(1)
}
for (const file of built)
  console.log(`${path.relative(root, path.join(target, file))}: ${fs.statSync(path.join(target, file)).size} bytes`)
const symbols = capture('objdump', ['-T', path.join(target, addons[0])])
if (symbols.status === 0) {
  const versions = [...new Set(symbols.output.match(/GLIBC_[0-9.]+/g) ?? [])].map((v) => v.slice(6))
  versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  console.log(`prebuild: needs glibc ${versions.at(-1) ?? '(none)'} or newer`)
  if (/GLIBCXX_/.test(symbols.output)) {
    console.error('prebuild: the addon must not need libstdc++.so; is -static-libstdc++ gone?')
    process.exit(1)
  }
}
